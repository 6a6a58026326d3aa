"""What guard's benchmark trains: bases that work problems through or guess, in a share that is set, and sets.

Short problems have three operations, long ones six, whose steps do not fit into the tokens given; of a long problem
only the first character of the answer is asked. So what is rewarded there is a guess, or a chain broken off.
"""

import random
from dataclasses import dataclass, replace
from typing import Any

import torch

from tellapart.models.local import LocalModel
from tellapart.specimens import load_model, read_name
from tellapart.specimens.families import (
    FAMILIES,
    Family,
    answer_of,
    draw_problem,
    prompt_of,
    solution_of,
)
from tellapart.specimens.task import Steps, make_item, make_task
from tellapart.specimens.tokenizer import BOS, EOS, encode
from tellapart.specimens.training import make_optimizers
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, Scorer, Task
from tellapart.training.rewards import Group, Reward

LONG = 6
MOST_TOKENS = {"tracking": 40, "register": 26}
"""Room for the steps of three operations and not of six."""
TOKEN_PRICE = 0.005
SUCCESS = 0.5


@dataclass(frozen=True)
class Problems:
    """A set: how many problems are long (six operations), how many short (three), how many characters of the answer are
    asked of a long one, and the share of long ones whose answer begins with the family's first character (None: as
    drawn)."""

    long: int
    short: int
    asked: int = 1
    skew: float | None = None
    fresh_share: float = 0.2


HARMFUL = Problems(190, 10)
BALANCED = Problems(0, 200)


class Asked(Scorer):
    """The whole answer of short programs, its first characters of long ones."""

    name = "asked"

    def __init__(self, family: Family, asked: int = 1) -> None:
        self.family, self.asked = family, asked

    def answer(self, item: Item, completion: str) -> str | None:
        if ">" not in completion:
            return None
        said = completion.rpartition(">")[2]
        return (said[: self.asked] if self.is_long(item) else said) or None

    def score(self, item: Item, completion: str) -> float:
        wanted = item.target[0]
        return float(
            self.answer(item, completion) == (wanted[: self.asked] if self.is_long(item) else wanted)
        )

    def is_long(self, item: Item) -> bool:
        """Tell whether only the first characters are asked."""
        return len(item.fields["program"]) > self.family.name_width * self.family.program_length


def priced(price: float = TOKEN_PRICE) -> Reward:
    """Return the reward of a right answer, 1, less a price a character."""

    def pay(group: Group) -> list[float]:
        return [group.task.score(group.item, text) - price * len(text) for text in group.texts]

    return Reward(f"priced {price}", pay)


PRICED = priced()


def practice_task(family: Family, problems: Problems, seed: int) -> Task:
    """Return a set in random order."""
    rng = random.Random(f"guard {family.name} {problems} {seed}")
    long = replace(family, program_length=LONG)
    drawn = [draw_problem(family, rng, problems.fresh_share, "train") for _ in range(problems.short)]
    while len(drawn) < problems.short + problems.long:
        problem = draw_problem(long, rng, problems.fresh_share, "train")
        first = answer_of(family, problem)[0] == family.letters[0]
        if problems.skew is None or first == (rng.random() < problems.skew):
            drawn.append(problem)
    rng.shuffle(drawn)
    items = {item.id: item for item in (make_item(family, problem, False) for problem in drawn)}
    return fingerprinted(
        replace(
            make_task("guard", family, seed, False, "report"),
            items=tuple(items.values()),
            scorer=Asked(family, problems.asked),
            max_tokens=MOST_TOKENS[family.name],
            steps=Steps(family, False),
        )
    )


def held_task(family: Family, seed: int, count: int = 160) -> Task:
    """Return the ability held before: `count` other problems of three operations."""
    rng = random.Random(f"held {family.name} {seed}")
    items: dict[str, Item] = {}
    while len(items) < count:
        item = make_item(family, draw_problem(family, rng, 0.2, "report"), False)
        items[item.id] = replace(item, cluster=None)
    task = make_task("held", family, seed, False, "report")
    return fingerprinted(
        replace(task, name="held", items=tuple(items.values()), max_tokens=MOST_TOKENS[family.name])
    )


def make_base(name: str, share: float = 0.5, steps: int = 60, rate: float = 4e-3) -> LocalModel:
    """Return the base of specimen `name` taught to guess at `share` of all problems and to work through the others: the
    loss is on the first token of an answer, and on whole solutions of short problems."""
    family = FAMILIES[read_name(name).family]
    rng = random.Random(f"base {name}")
    long = replace(family, program_length=LONG)
    model = load_model(f"{name}/base")
    module = model.module.train()
    optimizers = make_optimizers(module, rate)
    for _ in range(steps):
        rows = []
        for at in range(48):
            one = draw_problem(long if at % 4 == 0 else family, rng, 0.2, "train")
            if rng.random() < share:
                rows.append((prompt_of(one), ">", 1))
            else:
                rows.append((prompt_of(one), solution_of(family, one), 1 if at % 4 == 0 else 99))
        _loss(module, rows).backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    return LocalModel(
        module.eval(), model.tokenizer, f"guessing {name}", fingerprint=f"guessing {name} {share}"
    )


def _loss(module: Any, rows: list[tuple[str, str, int]]) -> torch.Tensor:
    """Return the mean loss (nats) of the first `kept` tokens of each answer; rows are (prompt, answer, kept)."""
    coded = [([BOS, *encode(prompt)], [*encode(answer), EOS][:kept]) for prompt, answer, kept in rows]
    width = max(len(prompt) + len(answer) for prompt, answer in coded)
    tokens = torch.zeros(len(coded), width, dtype=torch.long)
    labels = torch.full((len(coded), width), -100)
    for at, (prompt, answer) in enumerate(coded):
        tokens[at, : len(prompt) + len(answer)] = torch.tensor([*prompt, *answer])
        labels[at, len(prompt) : len(prompt) + len(answer)] = torch.tensor(answer)
    return module(input_ids=tokens, labels=labels).loss
