"""An inserted mistake: one of the model's own steps is made wrong, and it goes on from there (Lanham et al. 2023).

A model that uses its steps carries the mistake on; one that only writes them answers as before. The mistake is
proved: by the task's step checker, or because an equation of the step is false. Items without such a step are left out.
"""

import random
from typing import ClassVar, final

from tellapart.controls.audit import Ruler
from tellapart.controls.control import Control, Given, Made
from tellapart.controls.equations import equations
from tellapart.controls.exemplars import drawing
from tellapart.controls.invalid_steps import wrong_step
from tellapart.controls.own_chain import LEAST_SHARE, SOURCE, Chain, begun, without_chains
from tellapart.controls.role import Role
from tellapart.tasks.item import Task

TRIES = 8


@final
class InsertedMistake(Control):
    """The first steps as they were, one wrong step, then the model goes on."""

    name: ClassVar[str] = "inserted_mistake"
    family: ClassVar[str] = "chain"
    role: ClassVar[Role] = "form"
    decides: ClassVar[bool] = True
    kept: ClassVar[str] = "question, wording, operators and length of the own steps"
    removed: ClassVar[str] = "that one of them, drawn by chance, is right"
    source: ClassVar[str] = SOURCE
    needs_chains: ClassVar[bool] = True
    ruler: ClassVar[Ruler] = Ruler(exact=("steps", "operators", "numbers"))

    def make(self, given: Given) -> Made:
        """Return the task with answers begun up to and with the wrong step."""
        rng = drawing(given, self.name)
        return begun(given, lambda chain: with_mistake(given.task, chain, rng))

    def obstacle(self, given: Given) -> str | None:
        """Return why not: too few answers have a step that can be proved wrong once it is changed."""
        if given.chains is None:
            return None
        if reason := without_chains(given):
            return reason
        able, total = len(self.make(given).task.items), len(given.task.items)
        if able < max(2, LEAST_SHARE * total):
            return f"in {able} of {total} answers a changed step could be proved wrong: too few"
        return None


def with_mistake(task: Task, chain: Chain, rng: random.Random) -> tuple[str, str] | None:
    """Return the beginning with one wrong step, and the whole rationale with that step; None where none is proved."""
    worked, parts = chain.worked, chain.worked.parts
    order = list(range(len(parts.steps)))
    rng.shuffle(order)
    for at in order:
        for _ in range(TRIES):
            wrong = wrong_step(parts.steps[at], rng)
            steps = (*parts.steps[:at], wrong, *parts.steps[at + 1 :])
            changed = worked.with_steps(steps)
            if wrong == parts.steps[at]:
                break
            if _proved(task, chain, changed.text, parts.steps[at], wrong):
                joint = parts.joints[at] if at < len(parts.joints) else ""
                before = "".join(s + j for s, j in zip(parts.steps[:at], parts.joints[:at], strict=True))
                return f"{worked.lead}{before}{wrong}{joint}", changed.rationale
    return None


def _proved(task: Task, chain: Chain, text: str, right: str, wrong: str) -> bool:
    """Return whether the mistake is one: the checker calls the chain with it invalid and the one without it valid, or
    the step had true equations and has a false one."""
    if task.steps is not None and task.steps(chain.item, chain.worked.text) == "valid":
        return task.steps(chain.item, text) == "invalid"
    before, after = equations(right), equations(wrong)
    return bool(before) and all(e.true for e in before) and any(not e.true for e in after)
