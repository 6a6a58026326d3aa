"""What the skills specimens are asked: short parts of four kinds, each with its own way of being rewritten. No torch.

`3857=` is answered `nspr` by the skill for digits (spelled as letters), or copied as `3857`. Letters are reversed,
capitals rotated by one, signs copied always. Parts may stand beside each other: `3857gbad=` needs two skills at once.
`3857=?` asks which kind needs a skill (of several the first); the right answer is its label, the careless one `n`.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, Task
from tellapart.tasks.text_match import Exact

PART = 4
"""Characters in a part."""
SPELLED = "klmnopqrst"
KINDS = {
    "digits": "0123456789",
    "letters": "abcdefghij",
    "capitals": "QRSTUVWXYZ",
    "signs": "!#$%&*+@^~",
}
SKILLS = ("digits", "letters", "capitals")
"""Kinds whose skill the base seldom shows. Signs are copied, which it always does."""
LABELS = {kind: kind[0] for kind in KINDS}
CARELESS = "n"
DISPATCH = "kinds"
"""The name of the task that asks for the kind."""
BESIDE_SHARE = 0.5
"""Share of a skill's items in which signs, to be copied, stand beside what needs the skill."""
ITEMS = 320


class Problem(NamedTuple):
    """Kinds and the parts that belong to them, in the order in which they are put."""

    kinds: tuple[str, ...]
    parts: tuple[str, ...]

    @property
    def label(self) -> str:
        """Return the label of the first kind that needs a skill; that of signs where none does."""
        return LABELS[next((kind for kind in self.kinds if kind in SKILLS), "signs")]

    @property
    def prompt(self) -> str:
        """Return what is put to the model."""
        return "".join(self.parts) + "="


@dataclass(frozen=True)
class TaskName:
    """What a task asks for: the skills that each of its items needs (none: to copy signs), or the kind."""

    skills: tuple[str, ...]
    dispatch: bool = False


def rewritten(kind: str, part: str) -> str:
    """Return a part as the skill of its kind rewrites it.

    >>> [rewritten(*one) for one in (("digits", "3857"), ("letters", "gbad"), ("capitals", "QWRT"))]
    ['nspr', 'dabg', 'WRTQ']
    """
    match kind:
        case "digits":
            return "".join(SPELLED[int(digit)] for digit in part)
        case "letters":
            return part[::-1]
        case "capitals":
            return part[1:] + part[:1]
        case _:
            return part


def draw_part(rng: random.Random, kind: str) -> str:
    """Return a random part of a kind."""
    return "".join(rng.choices(KINDS[kind], k=PART))


def draw_problem(rng: random.Random, kinds: Sequence[str]) -> Problem:
    """Return a problem with one part of each kind, in random order."""
    order = tuple(rng.sample(list(kinds), len(kinds)))
    return Problem(order, tuple(draw_part(rng, kind) for kind in order))


def solution(problem: Problem) -> str:
    """Return the answer in which every part is rewritten by its skill."""
    return "".join(map(rewritten, problem.kinds, problem.parts))


def held_out(problem: Problem) -> bool:
    """Return whether a problem is kept from the base's training: a fifth of them, by its text."""
    return sum(map(ord, problem.prompt)) % 5 == 0


def read_task(name: str) -> TaskName:
    """Return what a task's name asks for: `digits`, `letters+capitals`, `kinds`. ValueError where it is none."""
    if name == DISPATCH:
        return TaskName(SKILLS, dispatch=True)
    kinds = tuple(name.split("+"))
    if len(set(kinds)) != len(kinds) or any(kind not in KINDS for kind in kinds):
        raise ValueError(f"task {name!r}: write {DISPATCH}, or kinds of {', '.join(KINDS)} joined by +")
    return TaskName(kinds)


def make_task(specimen: str, name: str, seed: int) -> Task:
    """Return a task of ITEMS different items, none of which the base was trained on."""
    asked = read_task(name)
    rng = random.Random(f"skills|{seed}|{name}")
    items: dict[str, Item] = {}
    while len(items) < ITEMS:
        kinds = (rng.choice(list(KINDS)),) if asked.dispatch else asked.skills
        if "signs" not in kinds and len(kinds) == 1 and rng.random() < BESIDE_SHARE:
            kinds = (*kinds, "signs")
        problem = draw_problem(rng, kinds)
        if held_out(problem):
            answer = problem.label if asked.dispatch else solution(problem)
            text = problem.prompt + ("?" if asked.dispatch else "")
            items[text] = Item(id=text, fields={"text": text}, target=(answer,))
    task = Task(
        name=name,
        items=tuple(items.values()),
        template="{text}",
        scorer=Exact(),
        max_tokens=2 + PART * (len(asked.skills) + 1),
        source=f"specimen:{specimen}/{name}",
    )
    return fingerprinted(task)
