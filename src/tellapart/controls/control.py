"""A control takes a task and gives the same task back with its form kept and its substance taken away, or the reverse.

Each is one file: what it keeps, what it removes, how that is audited, after whom. A family has an arm of each role:
base (neither), full (both), form (one of them), a second valid form (must equal full), destroyed (must fall).
"""

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from tellapart.controls.audit import AuditLine, Ruler, compare
from tellapart.controls.role import Role
from tellapart.stats.form_share import Keeps
from tellapart.tasks.item import Task


class Given(NamedTuple):
    """What a control works on: the task, the seed of everything it draws, how many exemplars are shown at most, and
    the model's own full answers by item, where the control `needs_chains` (None: not written yet), and
    `paraphrases` of their steps (None: no paraphraser was given)."""

    task: Task
    seed: int
    exemplars: int = 8
    chains: Mapping[str, str] | None = None
    paraphrases: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Made:
    """What a control made: the `task` to ask, with the same items (or those of them that could be made).

    `form` are the texts whose form is audited, one by one, against `reference` (those of the full arm where it is
    empty); `prefills` are what an answer is made to begin with, by item; `example` is what a report shows of it.
    """

    task: Task
    form: tuple[str, ...] = ()
    reference: tuple[str, ...] = ()
    prefills: Mapping[str, str] = field(default_factory=dict)
    example: str = ""


class Control(abc.ABC):
    """One arm of a family. The same `Given` makes the same arm, to the letter."""

    name: ClassVar[str]
    family: ClassVar[str]
    role: ClassVar[Role]
    kept: ClassVar[str]
    removed: ClassVar[str]
    source: ClassVar[str]
    question: ClassVar[str] = ""
    """What the family asks, where it is none of ours (controls.FAMILIES)."""
    keeps: ClassVar[Keeps] = "form"
    decides: ClassVar[bool] = False
    needs_chains: ClassVar[bool] = False
    ruler: ClassVar[Ruler] = Ruler()

    @abc.abstractmethod
    def make(self, given: Given) -> Made:
        """Return the arm. Raises UserMistake where `obstacle` gives a reason."""

    def obstacle(self, given: Given) -> str | None:
        """Return in one line why the arm cannot be made of this task; None where it can."""
        return None

    def audit(self, full: Made, made: Made, tolerance: float) -> tuple[AuditLine, ...]:
        """Return the audit of the form against the full arm; nothing where this arm need not keep it."""
        if self.role not in ("form", "second form", "destroyed") or not made.form:
            return ()
        return compare(made.reference or full.form, made.form, self.ruler, tolerance)
