"""What `tellapart scale` is asked: the same frozen dataclass is the command line, the Python call and spec.json."""

from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from tellapart.errors import UserMistake

Axis = Literal["auto", "loss", "parameters", "compute", "tokens", "steps"]


@dataclass(frozen=True)
class ScaleSpec:
    """Is the jump of a score over scale in the model, or in the ruler?

    RESULTS: files or folders with lm-eval results or samples, BIG-bench scores, or tables (CSV, Parquet, JSONL) with
    model, task, metric, value, n and a scale (parameters, tokens, compute, loss).
    """

    results: Annotated[Positional[tuple[str, ...]], arg(metavar="RESULTS")] = ()
    """Files and folders; folders are searched in depth."""
    scale: Axis = "auto"
    """What the scores are looked at over (default: loss where it is known, else parameters, compute, tokens, steps)."""
    tasks: tuple[str, ...] = ()
    """Only these tasks; * and ? stand for anything (default: all)."""
    hold_out: int = 1
    """How many of the largest scales are forecast from the smaller ones."""
    out: str | None = None
    """Run folder (default: runs/scale-TIME-RANDOM). The same command on the same folder goes on where it stopped."""
    limit: int | None = None
    """Look at no more than this many tasks, drawn by the seed."""
    seed: int = 0
    """Seed of everything that is drawn."""
    json: bool = False
    """Print findings.json on stdout and nothing else."""

    def checked(self) -> "ScaleSpec":
        """Return the spec; raises UserMistake with the value given, the values allowed and the way out."""
        if isinstance(self.results, str):
            raise UserMistake(f"results {self.results!r}: give a tuple of paths")
        if not self.results:
            raise UserMistake(
                "scale needs RESULTS: files or folders with scores over scale; see tellapart scale --help"
            )
        if self.scale not in Axis.__args__:
            raise UserMistake(f"--scale {self.scale}: give one of {', '.join(Axis.__args__)}")
        if self.hold_out < 1:
            raise UserMistake(f"--hold-out {self.hold_out}: give 1 or more")
        if self.limit is not None and self.limit < 1:
            raise UserMistake(f"--limit {self.limit}: give 1 or more")
        return self
