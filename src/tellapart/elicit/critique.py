"""Critique fine-tuning: learn to judge answers, and answer better (Wang et al. 2025, arXiv 2501.17703; from one
problem: Wang et al. 2025, arXiv 2506.03295).

The base draws answers to the fit items; it is fine-tuned on (question, such an answer) -> critique, and then asked the
plain questions. Critiques come from the task's critic or step checker, from a file, or from another model. The null
null control learns as long from the same critiques, each given to another answer.

Bits: -log2 p of the critiques under the base (a critique can hold the solution, so all of it counts), or 32 a trained
parameter where that is less.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple, final

from tellapart.elicit.critiques import (
    candidates,
    judge_of,
    judged_by_model,
    judged_by_task,
    read_critiques,
)
from tellapart.elicit.elicitor import Elicited, Elicitor, Mechanism, Need
from tellapart.elicit.few_labels import turned
from tellapart.elicit.trained import ByTraining, local, twin_of, value_of, with_twin
from tellapart.errors import NotApplicable
from tellapart.models.model import Model
from tellapart.models.open import open_model
from tellapart.runs.asking import Ask, Pair
from tellapart.tasks.item import Task
from tellapart.training.settings import Example, SftSettings

if TYPE_CHECKING:
    from tellapart.training.change import Change

DRAWS = 4
DEFAULTS = SftSettings(steps=80, save_every=20)


class Critiques(NamedTuple):
    """Examples to learn from, and who wrote them."""

    examples: Sequence[Example]
    by: str


@final
@dataclass(frozen=True)
class Critique(Elicitor):
    """Fine-tuning on critiques: of `file` where given, by the model `judge` where given, else by the task."""

    name: ClassVar[str] = "critique"
    source: ClassVar[str] = "Wang et al. 2025, arXiv 2501.17703"
    needs: ClassVar[frozenset[Need]] = frozenset({"text", "training", "weights"})
    value: ClassVar[type[Elicited]] = ByTraining
    mechanism: ClassVar[Mechanism] = "training"

    settings: SftSettings = DEFAULTS
    draws: int = DRAWS
    file: Path | None = None
    judge: Model | str | None = None
    change: "Change | None" = None

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the base trained on critiques of its own answers to the fit items."""
        critiques = self.critiques(pair, ask)
        value = self.train(pair, ask, critiques, shuffled=False)
        moved = critiques._replace(examples=turned(critiques.examples))
        return with_twin(value, self.train(pair, ask, moved, shuffled=True))

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return the null control that learned from critiques of other answers."""
        return twin_of(elicited)

    def obstacle(self, pair: Pair, task: Task) -> str | None:
        """Return why it cannot run: answers are picked, not written."""
        return None if task.mode == "generate" else "this task picks among choices by log-probability"

    def critiques(self, pair: Pair, ask: Ask) -> Critiques:
        """Return what to learn from. Raises UserMistake where it is fewer than two critiques."""
        if self.file is not None:
            critiques = Critiques(read_critiques(self.file, ask.task, ask.items), f"file {self.file.name}")
        else:
            judged = candidates(pair.base, ask, self.draws)
            if self.judge is None:
                critiques = Critiques(judged_by_task(ask.task, judged), judge_of(ask.task))
            else:
                judge = open_model(self.judge) if isinstance(self.judge, str) else self.judge
                written = judged_by_model(judge, ask.task, judged, ask.seed)
                critiques = Critiques(written, judge.reference)
        if len({example.answer for example in critiques.examples}) < 2:
            raise NotApplicable(
                f"{self.name}: all {len(critiques.examples)} critiques are alike (the null control exchanges them)"
            )
        return critiques

    def train(self, pair: Pair, ask: Ask, critiques: Critiques, shuffled: bool) -> ByTraining:
        """Train on critiques."""
        from tellapart.training.kinds import default_change
        from tellapart.training.sft import sft

        model = local(pair.base, self.name)
        change = self.change or default_change(model)
        title = f"{self.name}{' (shuffled)' if shuffled else ''}"
        settings = replace(self.settings, seed=ask.seed % 2**31, title=title)
        trained = sft(model, change, critiques.examples, settings, ask.scratch)
        setting = {
            "critiques": len(critiques.examples),
            "critiques_by": critiques.by,
            "shuffled": shuffled,
            "shown": [list(example) for example in critiques.examples[:3]],
            "bits_by": "-log2 p of the critiques under the base",
            "label": f"{len(critiques.examples)} critiques, {change.name}",
        }
        return value_of(self.name, change, trained, setting)
