"""What `tellapart scale` is asked: the same frozen dataclass is the command line, the Python call and spec.json."""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from tyro.conf import Positional, arg

from tellapart.errors import InvalidInput
from tellapart.studies.options import Limited, at_least, options_last
from tellapart.studies.study import Study

Axis = Literal["auto", "loss", "parameters", "compute", "tokens", "steps"]


@options_last
@dataclass(frozen=True)
class ScaleSpec(Limited):
    """Is the jump of a score over scale in the model, or in the ruler?

    RESULTS: files or folders with lm-eval results or samples, BIG-bench scores, or tables (CSV, Parquet, JSONL) with
    model, task, metric, value, n and a scale (parameters, tokens, compute, loss).
    """

    EXAMPLES = (
        "tellapart scale results/",
        "tellapart scale results.csv --scale parameters --tasks 'arithmetic*' --hold-out 2",
    )

    results: Annotated[Positional[tuple[str, ...]], arg(metavar="RESULTS ...")] = ()
    """Files and folders; folders are searched in depth."""
    scale: Axis = "auto"
    """What the scores are looked at over (default: loss where it is known, else parameters, compute, tokens, steps)."""
    tasks: Annotated[tuple[str, ...], arg(metavar="TASK ...")] = ()
    """Only these tasks; * and ? stand for anything (default: all)."""
    hold_out: int = 1
    """How many of the largest scales are forecast from the smaller ones."""

    def checked(self) -> Self:
        """Return the spec; raises InvalidInput with the value given, the values allowed and the way out."""
        if isinstance(self.results, str):
            raise InvalidInput(f"results {self.results!r}: give a tuple of paths")
        if not self.results:
            raise InvalidInput(
                "scale needs RESULTS: files or folders with scores over scale; see tellapart scale --help"
            )
        if self.scale not in Axis.__args__:
            raise InvalidInput(f"--scale {self.scale}: give one of {', '.join(Axis.__args__)}")
        at_least(hold_out=(self.hold_out, 1))
        return super().checked()


STUDY = Study(
    name="scale",
    spec=ScaleSpec,
    open="tellapart.studies.scale.study:open_scale",
    verdicts=(
        "smooth", "sharp in the ruler only", "sharp in the model too", "not monotone", "too noisy", "too few points",
        "cannot tell",
    ),
    analyse="tellapart.studies.scale.study:analyse_again",
    analysis_options=("hold_out",),
)  # fmt: skip
