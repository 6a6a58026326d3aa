"""What `tellapart guard` is asked: the same frozen dataclass is the command line, the Python call and spec.json."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from tellapart.errors import UserMistake


@dataclass(frozen=True)
class GuardSpec:
    """Will reinforcement learning on this data harm, is it harming, has it harmed?

    PROBLEMS: counts or accuracies per problem (JSON, JSONL, CSV), or scored answers. LOGS: the rollouts of a run: TRL's
    completions folder, verl JSONL, open-instruct JSONL, a live guard's folder. Writes the problems to keep, to hold and
    to drop. Or --before and --after alone: are abilities held before still there?
    """

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
    healthy: tuple[str, ...] = ()
    """Logs of healthy runs, 3 or more, on which the limits of alarms are calibrated (default: set by hand)."""
    before: tuple[str, ...] = ()
    """Scored logs of the model before training, one an ability; with --task the model itself."""
    after: tuple[str, ...] = ()
    """The same of the model after training, in the same order."""
    task: tuple[str, ...] = ()
    """Tasks that both models are asked, one an ability: a file, bbh:PATH, gsm8k:PATH, specimen:NAME ..."""
    margin: float = 0.05
    """An ability is kept where its score moved by less than this (equivalence test), and a canary may lose it."""
    samples: int = 4
    """Answers of each model to each item of a task, at temperature 1."""
    limit: int | None = None
    """Ask at most this many items of each task, drawn by the seed."""
    chat: bool = False
    """Insist on chat templates: a model without one is refused (default: each model is asked as its own template
    says)."""
    no_chat: bool = False
    """Ask without chat templates."""
    system: str | None = None
    """A system prompt, put before every question that goes through a chat template."""
    device: str = "cpu"
    """cpu, cuda, cuda:1 ..."""
    allow_code: bool = False
    """Run `python:` code that a task file names, also from outside the task's folder and the current one."""
    dtype: str = "float32"
    """float32 or bfloat16."""
    max_rows: int | None = None
    """Most answers written at once by a model in this process (default: what memory holds)."""
    out: str | None = None
    """Run folder (default: runs/guard-TIME-RANDOM)."""
    seed: int = 0
    """Seed of everything that is drawn."""
    json: bool = False
    """Print findings.json on stdout and nothing else."""

    def checked(self) -> "GuardSpec":
        """Return the spec; raises UserMistake with the value given, the values allowed and the way out."""
        sides = bool(self.before or self.after or self.task)
        if not isinstance(self.data, str) or bool(self.data) == sides:
            raise UserMistake(
                "guard needs either PROBLEMS or LOGS (a file or a folder), or --before and --after; "
                "see tellapart guard --help"
            )
        if sides:
            check_sides(self.before, self.after, self.task)
        if not 0 < self.margin < 1:
            raise UserMistake(f"--margin {self.margin:g}: give a score above 0 and below 1")
        if self.samples < 1 or (self.limit is not None and self.limit < 1):
            raise UserMistake(f"--samples {self.samples} --limit {self.limit}: give 1 or more")
        if self.max_rows is not None and self.max_rows < 1:
            raise UserMistake(f"--max-rows {self.max_rows}: give 1 or more")
        if self.dtype not in ("float32", "bfloat16"):
            raise UserMistake(f"--dtype {self.dtype}: float32 or bfloat16")
        if not 0 <= self.hard < self.solved <= 1:
            raise UserMistake(f"--hard {self.hard:g} --solved {self.solved:g}: give 0 <= hard < solved <= 1")
        if self.group is not None and self.group < 2:
            raise UserMistake(f"--group {self.group}: give 2 or more")
        if self.guess is not None and not 0 <= self.guess < 1:
            raise UserMistake(f"--guess {self.guess:g}: give a share from 0 to below 1")
        if self.success is not None and not math.isfinite(self.success):
            raise UserMistake(f"--success {self.success}: give a finite reward")
        return self


def check_sides(before: Sequence[str], after: Sequence[str], tasks: Sequence[str]) -> None:
    """Raise UserMistake where the two sides do not fit together."""
    if not before or not after:
        raise UserMistake(
            "--before and --after belong together: give logs of both, or one model each and --task"
        )
    if tasks and (len(before) > 1 or len(after) > 1):
        raise UserMistake(f"{len(before)} models before, {len(after)} after: with --task give one model each")
    if len(before) != len(after):
        raise UserMistake(
            f"{len(before)} logs before, {len(after)} after: give one of each an ability, in order"
        )
