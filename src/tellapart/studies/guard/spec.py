"""What `tellapart guard` is asked: the same frozen dataclass is the command line, the Python call and spec.json."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Self

from tyro.conf import Positional, arg

from tellapart.errors import InvalidInput
from tellapart.studies.options import ModelOptions, at_least, options_last
from tellapart.studies.study import Study


@options_last
@dataclass(frozen=True)
class GuardSpec(ModelOptions):
    """Will reinforcement learning on this data harm, is it harming, has it harmed?

    PROBLEMS: counts or accuracies per problem (JSON, JSONL, CSV), or scored answers. LOGS: the rollouts of a run: TRL's
    completions folder, verl JSONL, open-instruct JSONL, a live guard's folder. Writes the problems to keep, to hold and
    to drop. Or --before and --after alone: are abilities held before still there?
    """

    EXAMPLES = (
        "tellapart guard problems.jsonl  # before: what to keep, hold and drop",
        "tellapart guard outputs/completions  # during or after: the logs of a run",
        "tellapart guard --before a.jsonl --after b.jsonl  # after: abilities, from scored logs",
        "tellapart guard --before path/to/base --after path/to/tuned --task items.jsonl  # or by asking both models",
    )

    data: Annotated[Positional[str], arg(metavar="PROBLEMS|LOGS")] = ""
    """A file, or a folder of one run's logs; PATH#REWARD chooses among several rewards."""
    success: float | None = None
    """An answer counts as right from this reward on (default: the larger where there are two)."""
    group: int | None = None
    """Rollouts behind each accuracy, and the group size of the training (default: read from the data, else 8)."""
    hard: float = 1 / 16
    """Problems solved less often than this are hard: held, unless their successes are shown to be no luck."""
    solved: float = 15 / 16
    """Problems solved more often than this have nothing left to teach."""
    guess: float | None = None
    """How often a guess is rewarded, where known: 0.25 for four options, 0 where no guess can be right."""
    healthy: Annotated[tuple[str, ...], arg(metavar="LOG ...")] = ()
    """Logs of healthy runs, 3 or more, on which the limits of alarms are calibrated (default: set by hand)."""
    before: Annotated[tuple[str, ...], arg(metavar="LOG|MODEL ...")] = ()
    """Scored logs of the model before training, one an ability; with --task the model itself."""
    after: Annotated[tuple[str, ...], arg(metavar="LOG|MODEL ...")] = ()
    """The same of the model after training, in the same order."""
    task: Annotated[tuple[str, ...], arg(metavar="TASK ...")] = ()
    """Tasks that both models are asked, one an ability: a file, bbh:PATH, gsm8k:PATH, specimen:NAME ..."""
    margin: float = 0.05
    """An ability is kept where its score moved by less than this (equivalence test), and a canary may lose it."""
    samples: int = 4
    """Answers of each model to each item of a task, at temperature 1."""

    def checked(self) -> Self:
        """Return the spec; raises InvalidInput with the value given, the values allowed and the way out."""
        sides = bool(self.before or self.after or self.task)
        if not isinstance(self.data, str) or bool(self.data) == sides:
            raise InvalidInput(
                "guard needs either PROBLEMS or LOGS (a file or a folder), or --before and --after; "
                "see tellapart guard --help"
            )
        if sides:
            check_sides(self.before, self.after, self.task)
        if not 0 < self.margin < 1:
            raise InvalidInput(f"--margin {self.margin:g}: give a score above 0 and below 1")
        at_least(samples=(self.samples, 1), group=(self.group, 2))
        if not 0 <= self.hard < self.solved <= 1:
            raise InvalidInput(f"--hard {self.hard:g} --solved {self.solved:g}: give 0 <= hard < solved <= 1")
        if self.guess is not None and not 0 <= self.guess < 1:
            raise InvalidInput(f"--guess {self.guess:g}: give a share from 0 to below 1")
        if self.success is not None and not math.isfinite(self.success):
            raise InvalidInput(f"--success {self.success}: give a finite reward")
        return super().checked()


def check_sides(before: Sequence[str], after: Sequence[str], tasks: Sequence[str]) -> None:
    """Raise InvalidInput where the two sides do not fit together."""
    if not before or not after:
        raise InvalidInput(
            "--before and --after belong together: give logs of both, or one model each and --task"
        )
    if tasks and (len(before) > 1 or len(after) > 1):
        raise InvalidInput(
            f"{len(before)} models before, {len(after)} after: with --task give one model each"
        )
    if len(before) != len(after):
        raise InvalidInput(
            f"{len(before)} logs before, {len(after)} after: give one of each an ability, in order"
        )


STUDY = Study(
    name="guard",
    spec=GuardSpec,
    open="tellapart.studies.guard.study:open_guard",
    verdicts=(
        "keep all", "keep some", "nothing to keep", "too few rollouts", "no advantage anywhere", "alarm", "no alarm",
        "too few steps", "kept", "lost", "gained", "cannot tell",
    ),
    analyse="tellapart.studies.guard.study:analyse_again",
    analysis_options=("margin",),
)  # fmt: skip
