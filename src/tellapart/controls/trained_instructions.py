"""Instruction tuning as output format: does training use what the instruction says, or only its space of answers?

Kung & Peng 2023 (arXiv 2305.11383). Copies of the model are trained on labelled items under an altered instruction (or
with altered labels), then asked other items under the instruction that they were trained with. The family
`instructions` asks a finished model instead.

    tellapart form MODEL --task T --family trained_instructions
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar, final

from tellapart.controls.audit import AuditLine, Ruler
from tellapart.controls.control import Control, Given, Made
from tellapart.controls.instruction import (
    instructed,
    instruction_field,
    instruction_of,
    labels_of,
    no_instruction,
)
from tellapart.controls.role import Role
from tellapart.elicit.labels import direct, form_of
from tellapart.errors import UserMistake
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, Task
from tellapart.training.settings import Example

KUNG = "Kung & Peng 2023, arXiv 2305.11383"


class TrainedControl(Control):
    """An arm that is trained before it is asked; `trains` is false for the untrained base."""

    family: ClassVar[str] = "trained_instructions"
    source: ClassVar[str] = KUNG
    trains: ClassVar[bool] = True

    def make(self, given: Given) -> Made:
        """Return the task under the arm's instruction: what is trained on and what is asked."""
        return reworded(given, lambda item: self.text(given, item))

    def text(self, given: Given, item: Item) -> str:
        """Return the instruction that stands before an item: its own."""
        return own_instruction(given.task, item)

    def examples(self, given: Given, made: Made, items: Sequence[Item], seed: int) -> list[Example]:
        """Return prompts of `items` (of the made task) with the labels that a training seed learns from.

        Raises UserMistake where a right label, written as the task's demonstrations write answers, does not score 1.
        """
        spaces, form = label_pools(given.task), form_of(given.task)
        own = {item.id: item for item in given.task.items}
        examples = []
        for item in items:
            rng = random.Random(f"{given.seed}|{self.name}|{seed}|{item.id}")
            pool = spaces[own_instruction(given.task, own[item.id])]
            right = direct(form, item.target[0])[0]
            if given.task.score(item, right) < 1:
                raise UserMistake(
                    f"item {item.id}: its target as an answer, {right!r:.40}, does not score 1: give the task "
                    "demonstrations, so that the form of an answer is known"
                )
            label = direct(form, self.label(item, pool, rng))[0]
            examples.append(Example(made.task.prompt(item), label))
        return examples

    def label(self, item: Item, pool: Sequence[str], rng: random.Random) -> str:
        """Return the label that an item is trained with: the right one."""
        return item.target[0]

    def audit(self, full: Made, made: Made, tolerance: float) -> tuple[AuditLine, ...]:
        """Return the audit of the reworded instruction; the other arms have the same one, or none by design."""
        return super().audit(full, made, tolerance) if self.role == "second form" else ()

    def obstacle(self, given: Given) -> str | None:
        """Return why not: no instruction, no label space, or nothing is written."""
        if given.task.mode != "generate":
            return "this task picks among choices by log-probability: there is no answer to train on"
        if instruction_field(given.task) is None:
            return no_instruction(given)
        return None if labels_of(given.task) else "the targets are no label space (2 to 26 different answers)"


@final
class Untrained(TrainedControl):
    """The model as it is, under the original instruction."""

    name: ClassVar[str] = "untrained"
    role: ClassVar[Role] = "base"
    trains: ClassVar[bool] = False
    kept: ClassVar[str] = "the instruction"
    removed: ClassVar[str] = "the training"


@final
class TrainedOriginal(TrainedControl):
    """Trained on right labels under the original instruction."""

    name: ClassVar[str] = "original"
    role: ClassVar[Role] = "full"
    kept: ClassVar[str] = "instruction; right labels"
    removed: ClassVar[str] = "nothing"


@final
class TrainedOutputSpace(TrainedControl):
    """Trained on right labels under an instruction that only names the answers there are."""

    name: ClassVar[str] = "output_space"
    role: ClassVar[Role] = "form"
    decides: ClassVar[bool] = True
    kept: ClassVar[str] = "the space of answers; right labels"
    removed: ClassVar[str] = "what is asked for, in training and when asked"

    def text(self, given: Given, item: Item) -> str:
        """Return the labels of the item's instruction."""
        labels = sorted(set(label_pools(given.task)[own_instruction(given.task, item)]))
        return f"Answer with one of: {', '.join(labels)}."


@final
class TrainedFramed(TrainedControl):
    """Trained on right labels under the original instruction, framed: the second valid form."""

    name: ClassVar[str] = "framed"
    role: ClassVar[Role] = "second form"
    kept: ClassVar[str] = "every word of the instruction; right labels"
    removed: ClassVar[str] = "only its bare form"
    ruler: ClassVar[Ruler] = Ruler(exact=("operators",), within=())

    def text(self, given: Given, item: Item) -> str:
        """Return the instruction after the word Task."""
        return f"Task: {own_instruction(given.task, item)}"


@final
class TrainedDelusive(TrainedControl):
    """Trained on wrong labels under the original instruction."""

    name: ClassVar[str] = "delusive"
    role: ClassVar[Role] = "probe"
    kept: ClassVar[str] = "instruction; the space of answers"
    removed: ClassVar[str] = (
        "that labels are right: each is a wrong one (of two labels the inverse is taught)"
    )

    def label(self, item: Item, pool: Sequence[str], rng: random.Random) -> str:
        """Return a wrong label of the space."""
        wrong = sorted(set(pool) - set(item.target))
        return rng.choice(wrong or sorted(set(pool)))


@final
class TrainedIndependent(TrainedControl):
    """Trained on labels drawn whatever the question: there is nothing to learn but the answers there are."""

    name: ClassVar[str] = "independent"
    role: ClassVar[Role] = "destroyed"
    kept: ClassVar[str] = "instruction; each label about as often"
    removed: ClassVar[str] = "that a label has to do with its question"

    def label(self, item: Item, pool: Sequence[str], rng: random.Random) -> str:
        """Return a label drawn from those of all items under the same instruction."""
        return rng.choice(pool)


def own_instruction(task: Task, item: Item) -> str:
    """Return the instruction of an item: its field, where the template begins with one, else the template's."""
    name = instruction_field(task)
    if name is not None:
        return str(item.fields[name])
    instruction = instruction_of(task)
    return instruction.text if instruction else ""


def label_pools(task: Task) -> dict[str, list[str]]:
    """Return the targets of the items under each instruction; those of all items where one has no label space."""
    under: dict[str, list[Item]] = {}
    for item in task.items:
        under.setdefault(own_instruction(task, item), []).append(item)
    alone = all(labels_of(replace(task, items=tuple(items))) for items in under.values())
    everything = [item.target[0] for item in task.items]
    return {
        text: [item.target[0] for item in items] if alone else everything for text, items in under.items()
    }


def random_guesses(task: Task) -> dict[str, float]:
    """Return what a guess of the space of answers is expected to score on each item: Kung & Peng's random baseline."""
    spaces = {text: len(set(pool)) for text, pool in label_pools(task).items()}
    return {item.id: 1 / spaces[own_instruction(task, item)] for item in task.items}


def reworded(given: Given, text: Callable[[Item], str]) -> Made:
    """Return the task with `text` of each item in place of its instruction."""
    task, name = given.task, instruction_field(given.task)
    texts = {item.id: text(item) for item in task.items}
    distinct = tuple(dict.fromkeys(texts.values()))
    if name is None:
        return instructed(given, distinct[0])
    items = tuple(replace(item, fields={**item.fields, name: texts[item.id]}) for item in task.items)
    made = replace(task, items=items, demonstrations=(), step_demonstrations=())
    return Made(fingerprinted(made), distinct, example="\n\n".join(distinct))


ARMS: tuple[type[TrainedControl], ...] = (
    Untrained,
    TrainedOriginal,
    TrainedOutputSpace,
    TrainedFramed,
    TrainedIndependent,
    TrainedDelusive,
)


def held_out(made: Made, items: Sequence[Item]) -> Made:
    """Return what was made with only those of its items that are in `items`."""
    chosen = {item.id for item in items}
    own = tuple(item for item in made.task.items if item.id in chosen)
    return replace(made, task=fingerprinted(replace(made.task, items=own)))
