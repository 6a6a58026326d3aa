"""What `tellapart expressible` is asked: one frozen dataclass for the command line, the Python call and spec.json."""

from dataclasses import dataclass
from typing import Annotated, Self

from tyro.conf import Positional, arg

from tellapart.errors import InvalidInput
from tellapart.studies.options import Limited, at_least, options_last
from tellapart.studies.study import Study

VERDICTS = ("expressible", "not expressible", "not known")


@options_last
@dataclass(frozen=True)
class ExpressibleSpec(Limited):
    """Can a shape hold the program that solves TASK, and does training find it there?

    TASK: a task file that names its program (program = "sort"), or program:NAME.
    """

    EXAMPLES = (
        "tellapart expressible program:sort  # in the least shape that the compiler needs",
        "tellapart expressible sort.jsonl --shape path/to/config.json",
        "tellapart expressible program:parity --length 16 --train 5  # and what training finds in that shape",
    )

    task: Annotated[Positional[str | None], arg(metavar="TASK")] = None
    """A task file with the key `program`, or program:NAME (docs/expressible.md lists twelve)."""
    shape: Annotated[str | None, arg(metavar="PATH")] = None
    """A model's config.json, or a folder with one; Llama (default: the least shape that the compiler needs)."""
    length: int | None = None
    """The longest input in tokens that must be answered (default: the task's longest, or 8)."""
    inputs: int | None = None
    """So many inputs are run where there are more of them (default: as many as take a few seconds)."""
    write: Annotated[str | None, arg(metavar="FOLDER")] = None
    """Write the compiled network there as a Hugging Face folder."""
    train: int = 0
    """Train in that exact shape with so many seeds, from random, noised and compiled weights, on inputs of up to half
    of --length; the longer ones show what generalises."""
    noises: tuple[float, ...] = (0.01, 0.1)
    """Standard deviations of what compiled weights are multiplied by, about 1, before they are trained."""
    steps: int = 400
    """Steps of each training, 64 inputs a step."""

    def checked(self) -> Self:
        """Return the spec; raises InvalidInput with the value given, the values allowed and the way out."""
        if not self.task:
            raise InvalidInput("expressible needs TASK, or program:NAME; see tellapart expressible --help")
        at_least(
            length=(self.length, 1), inputs=(self.inputs, 1), train=(self.train, 0), steps=(self.steps, 1)
        )
        if not self.noises or any(not 0 < noise <= 1 for noise in self.noises):
            raise InvalidInput(f"--noises {' '.join(map(str, self.noises))}: give numbers, 0 < x <= 1")
        if self.train == 1:
            raise InvalidInput("--train 1: one seed has no interval; give 0 (none) or 2 and more")
        return super().checked()


STUDY = Study(
    name="expressible",
    spec=ExpressibleSpec,
    open="tellapart.studies.expressible.study:open_expressible",
    verdicts=VERDICTS,
)
