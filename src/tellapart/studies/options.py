"""The options of a run that do not depend on its question: each stands here once, and every verb that can use one has
it. A spec is a frozen dataclass under `RunOptions` (files are read) or `ModelOptions` (models are asked).
"""

from dataclasses import MISSING, dataclass, fields
from typing import Annotated, ClassVar, Self, TypeVar

from tyro.conf import arg

from tellapart.errors import InvalidInput
from tellapart.jsonvalue import Json
from tellapart.runs.launchers import check_executor


class Verb:
    """What a verb of the command line is made of: a dataclass under this."""

    EXAMPLES: ClassVar[tuple[str, ...]] = ()
    """Commands that the help of the verb ends with; what one is for stands behind it, as `# ...`."""


@dataclass(frozen=True, kw_only=True)
class RunOptions(Verb):
    """What every study is told beside its question."""

    out: Annotated[str | None, arg(metavar="FOLDER")] = None
    """Run folder (default: runs/STUDY-TIME-RANDOM). The same command on the same folder goes on where it stopped."""
    seed: int = 0
    """Seed of everything that is drawn."""
    json: bool = False
    """Print findings.json on stdout and nothing else."""
    fail_on: Annotated[tuple[str, ...], arg(metavar="VERDICT ...")] = ()
    """Exit with code 3 where a finding has one of these verdicts, as in --fail-on acquired "cannot tell"."""

    @property
    def reads_logs(self) -> bool:
        """Whether answers come from logs, which may be millions of rows, and not from models."""
        return False

    def checked(self) -> Self:
        """Return the spec; raises InvalidInput with the value given, the values allowed and the way out."""
        if isinstance(self.fail_on, str):
            raise InvalidInput(f"fail_on {self.fail_on!r}: give a tuple of verdicts")
        at_least(seed=(self.seed, 0))
        return self


@dataclass(frozen=True, kw_only=True)
class Limited(RunOptions):
    """What a study over many items is told."""

    limit: int | None = None
    """Use at most this many items of a task (of `scale`: tasks), drawn by the seed."""

    def checked(self) -> Self:
        """Return the spec; raises InvalidInput with the value given, the values allowed and the way out."""
        at_least(limit=(self.limit, 1))
        return super().checked()


@dataclass(frozen=True, kw_only=True)
class ModelOptions(Limited):
    """What every study that asks models is told."""

    DTYPES: ClassVar[tuple[str, ...]] = ("float32", "bfloat16", "float16", "auto")

    budget: int | None = None
    """Spend at most so many tokens (generated, scored and trained on, in all runs of the folder); what is missing is
    said, and a larger budget goes on from there."""
    device: Annotated[str, arg(metavar="DEVICE")] = "cpu"
    """cpu, cuda, cuda:1 ..."""
    dtype: Annotated[str, arg(metavar="DTYPE")] = "float32"
    """float32, bfloat16, float16, or auto: as the checkpoint is stored."""
    chat: bool = False
    """Insist on chat templates: a model without one is refused (default: each model is asked as its own template
    says)."""
    no_chat: bool = False
    """Ask without chat templates."""
    system: str | None = None
    """A system prompt, put before every question that goes through a chat template."""
    max_rows: int | None = None
    """Most answers written at once by a model in this process (default: what memory holds)."""
    executor: Annotated[str, arg(metavar="NAME")] = "serial"
    """Who asks local models: serial (this process), or processes, slurm or ray (--workers of them, each with the models
    in its memory), with settings where given: slurm:partition=gpu,timeout_min=60. The same rows come of each."""
    workers: int | None = None
    """How many workers (default: one a GPU where --device is cuda, else one a core)."""
    allow_code: bool = False
    """Run `python:` code that a task file names, also from outside the task's folder and the current one."""
    dry_run: bool = False
    """Read all inputs, print what would be asked and stop: nothing is trained or written. `gain` asks local models a
    few answers, which are thrown away, to tell how long it would take."""

    def checked(self) -> Self:
        """Return the spec; raises InvalidInput with the value given, the values allowed and the way out."""
        at_least(budget=(self.budget, 1), max_rows=(self.max_rows, 1), workers=(self.workers, 1))
        check_executor(self.executor, self.workers, self.device)
        if self.dtype not in self.DTYPES:
            raise InvalidInput(f"--dtype {self.dtype}: give {' or '.join(self.DTYPES)}")
        if self.chat and self.no_chat:
            raise InvalidInput(
                "--chat and --no-chat: give one of them, or neither (each model as its template says)"
            )
        if self.system is not None and (self.no_chat or not self.system.strip()):
            said = "--no-chat leaves out what it would stand in" if self.no_chat else "it is empty"
            raise InvalidInput(f"--system {self.system[:60]!r}: {said}")
        return super().checked()


WITHOUT_EFFECT = frozenset(
    (
        "out", "json", "budget", "device", "max_rows", "fail_on", "dry_run", "allow_code", "executor", "workers"
    )
)  # fmt: skip
"""Options without an effect on answers: a run is resumed whatever they are."""

_SpecT = TypeVar("_SpecT", bound=type[RunOptions])


def options_last(spec: _SpecT) -> _SpecT:
    """Return the class of a spec with its own fields before the common options, as `--help` and spec.json show them."""
    own = spec.__annotations__
    # dataclasses list a base's fields first; the fields themselves and __init__ stay as they are
    spec.__dataclass_fields__ = dict(
        sorted(spec.__dataclass_fields__.items(), key=lambda field: field[0] not in own)
    )
    return spec


def defaults_of(spec: type[RunOptions]) -> dict[str, Json]:
    """Return the default of every field of a spec that has one."""
    return {field.name: field.default for field in fields(spec) if field.default is not MISSING}


def at_least(**values: tuple[float | None, float]) -> None:
    """Raise InvalidInput for an option (its name and what it may not fall below); None was not given."""
    for name, (value, least) in values.items():
        if value is not None and value < least:
            raise InvalidInput(f"--{name.replace('_', '-')} {value:g}: give {least:g} or more")
