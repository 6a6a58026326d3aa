"""Made-up rules over a task's own prompts: what a model that never met them learns from labels, and at what price.

An answer follows from how a question looks. Nobody can know such a rule before it is taught, so its price measures how
fast a model learns something new from these prompts. The first three of these that the scorer takes:

1. a piece of the question (its first word or number); 2. the same backwards; 3. the same with its first character moved
to the end; 4. one of two answers of the task by a character of the question; 5. the same by another; 6. one of four by
both.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from tellapart.elicit.answer_rank import kind_of
from tellapart.elicit.few_labels import Dose, FewLabels
from tellapart.elicit.labels import WORKED, label_of
from tellapart.errors import UserMistake
from tellapart.models.model import Model
from tellapart.runs.asking import Ask, Pair
from tellapart.studies.gain.recorded import RuleRecord
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, Task
from tellapart.tasks.template import field_names

DOSES = (4, 8, 16, 32, 64)
DRAWS = 2
RULES = 3
ASKED = 48
"""Items on which a rule is asked, greedily."""
FEWEST_IN_A_GROUP = 0.25
"""Share of the items that the smaller group of a character must have."""
PLACES = (0, -1, 1, -2, 2, -3)


class MadeUp(NamedTuple):
    """A rule in words, and the task that has its answers."""

    name: str
    task: Task
    fit: tuple[Item, ...]
    report: tuple[Item, ...]


def made_up_rules(task: Task, fit: Sequence[Item], report: Sequence[Item], seed: int) -> list[MadeUp]:
    """Return three rules over the items of both splits. Raises UserMistake where there are fewer."""
    items = [*fit, *report]
    texts = [_said_of(task, item) for item in items]
    made: list[MadeUp] = []
    for name, answers in [*_by_piece(texts), *_by_character(task, texts, seed)]:
        if (
            len(made) < RULES
            and len(set(answers)) > 1
            and (rule := _rule(name, task, (items, len(fit)), answers))
        ):
            made.append(rule)
    if len(made) < RULES:
        raise UserMistake(f"{len(made)} made-up rules can be asked of these questions, {RULES} are needed")
    return made


def _by_piece(texts: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return rules whose answer is a piece of the question as it stands, backwards, and turned by one character."""
    for what, pattern in (("first piece", r"[^\W_]+"), ("first number", r"\d+")):
        pieces = [match.group() if (match := re.search(pattern, text)) else "" for text in texts]
        if all(len(piece) > 1 for piece in pieces):
            return [
                (f"the question's {what}", pieces),
                (f"the question's {what} backwards", [piece[::-1] for piece in pieces]),
                (
                    f"the question's {what}, its first character last",
                    [piece[1:] + piece[0] for piece in pieces],
                ),
            ]
    return []


def _by_character(task: Task, texts: Sequence[str], seed: int) -> list[tuple[str, list[str]]]:
    """Return rules that pick one of a few answers of the task by one character, another one, and both."""
    features = [groups for place in PLACES if (groups := _groups(texts, place)) is not None][:2]
    answers = _answers(task, seed)
    if len(features) < 2 or len(answers) < 2:
        return []
    (place, first), (other_place, second) = features
    both = [2 * a + b for a, b in zip(first, second, strict=True)]
    rules = (
        (f"one of 2 answers by the character at {place}", first),
        (f"one of 2 answers by the character at {other_place}", second),
        (f"one of {len(answers)} answers by the characters at {place} and {other_place}", both),
    )
    return [(name, [answers[code % len(answers)] for code in codes]) for name, codes in rules]


def _said_of(task: Task, item: Item) -> str:
    names = [name for name in field_names(task.template) if name != "choices"]
    return " ".join(str(item.fields.get(name, "")) for name in names) or task.prompt(item)


def _groups(texts: Sequence[str], place: int) -> tuple[str, list[int]] | None:
    """Return the place in words and each text's group (0 or 1) by its character there; None where nearly all fall in
    one group."""
    texts = ["".join(letter for letter in text if letter.isalnum()).casefold() for text in texts]
    least = place + 1 if place >= 0 else -place
    if any(len(text) < least for text in texts):
        return None
    letters = [text[place] for text in texts]
    group, sizes = {}, [0, 0]
    for letter, count in sorted(Counter(letters).items(), key=lambda item: (-item[1], item[0])):
        group[letter] = int(sizes[1] < sizes[0])
        sizes[group[letter]] += count
    if min(sizes) < FEWEST_IN_A_GROUP * len(texts):
        return None
    return f"place {place + 1 if place >= 0 else place}", [group[letter] for letter in letters]


def _answers(task: Task, seed: int) -> list[str]:
    """Return four answers of the task's commonest kind, two where there are no four, none where there are no two."""
    targets = list(dict.fromkeys(item.target[0] for item in task.items if item.target))
    kinds = Counter(kind_of(text) for text in targets)
    alike = sorted(text for text in targets if kind_of(text) == kinds.most_common(1)[0][0])
    if len(alike) < 2:
        return []
    return random.Random(seed).sample(alike, 4 if len(alike) >= 4 else 2)


def _rule(name: str, task: Task, items: tuple[Sequence[Item], int], answers: Sequence[str]) -> MadeUp | None:
    """Return the rule as a task; None where the scorer does not take its answers."""
    rule_items, count = items
    made = [
        replace(
            item,
            target=(answer,),
            fields={key: value for key, value in item.fields.items() if key not in WORKED},
        )
        for item, answer in zip(rule_items, answers, strict=True)
    ]
    changed = fingerprinted(
        replace(task, name=f"{task.name}, {name}", items=tuple(made), steps=None, critic=None)
    )
    try:
        for item in made:
            label_of(changed, item)
    except UserMistake:
        return None
    return MadeUp(name, changed, tuple(made[:count]), tuple(made[count : count + ASKED]))


Kept = Callable[[str, Callable[[], list[list[float]]]], list[list[float]]]
"""Scores by dose and draw that stand under a name, or are made and kept there."""


def priced_rules(
    models: tuple[Model, Model], rules: Sequence[MadeUp], ask: Ask, kept: Kept
) -> list[RuleRecord]:
    """Return what base and reference score after labels of each rule, as facts.py tells it. `kept(name, make)` returns
    what was kept under a name, or makes and keeps it."""
    priced = []
    for number, rule in enumerate(rules, 1):
        targets = Counter(item.target for item in rule.report)
        doses = [dose for dose in DOSES if dose <= len(rule.fit)]
        base, reference = (
            kept(f"made-up-rule-{number}-{who}", lambda m=model, r=rule, d=doses: _scores(m, r, d, ask))
            for who, model in zip(("base", "reference"), models, strict=True)
        )
        priced.append(
            RuleRecord(
                rule=rule.name,
                labels=doses,
                chance=targets.most_common(1)[0][1] / len(rule.report),
                base=base,
                reference=reference,
            )
        )
    return priced


def _scores(model: Model, rule: MadeUp, doses: Sequence[int], ask: Ask) -> list[list[float]]:
    """Return the mean score on the report items after each dose, in each draw of labels."""
    method, pair = FewLabels(), Pair(model)
    teach = ask._replace(task=rule.task, items=rule.fit)
    greedy = replace(ask.sampling, temperature=0.0)
    put = ask._replace(task=rule.task, items=rule.report, samples=1, sampling=greedy)
    labels = method.labels(pair, teach)
    result = []
    for dose in doses:
        draws = []
        for draw in range(DRAWS):
            chosen = labels.drawn(ask.seed, draw)
            value = method.one(pair, teach, chosen, Dose(dose, draw))
            answers = value.answers(pair, put)
            scores = [rule.task.score(rule.report[answer.item], answer.completion.text) for answer in answers]
            draws.append(sum(scores) / len(rule.report))
        result.append(draws)
    return result
