"""A Study is one object: its spec, what opens its inputs, what analyses a finished run anew, the words it may say.

Our own stand in `studies.OURS`; another package's enter by an entry point of the group `tellapart.studies` that names
a Study (docs/adding-a-study.md). The command line, the Python calls and `tellapart analyse` are made from them.
"""

import dataclasses
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from tellapart.errors import Refused
from tellapart.jsonvalue import JsonObject
from tellapart.studies.options import RunOptions

if TYPE_CHECKING:
    from tellapart.findings.finding import Finding
    from tellapart.runs.folder import RunFolder

_SpecT = TypeVar("_SpecT", bound=RunOptions)
Changes = Mapping[str, float]
"""Analysis options given anew, by name."""


@dataclass(frozen=True)
class Study:
    """`spec` is a frozen dataclass under RunOptions with a method `checked`; it is also the command line.

    `open` names, as `package.module:function`, what reads the inputs of a spec and returns an Opened; it is imported
    when the study is run, so that help needs nothing heavy. `analyse` names what makes the findings of a finished run
    anew from its folder (a Path) and the Changes among `analysis_options`; "" where a run cannot be.
    """

    name: str
    spec: type[RunOptions]
    open: str
    verdicts: tuple[str, ...]
    analyse: str = ""
    analysis_options: tuple[str, ...] = ()

    def opened(self, spec: RunOptions, quiet: bool) -> "Opened":
        """Return the study with its inputs read."""
        return _named(self.open)(spec, quiet)

    def analysed(self, folder: Path, changes: Changes) -> "Sequence[Finding]":
        """Return the findings of a finished run, made anew."""
        return _named(self.analyse)(folder, changes)


class Step(NamedTuple):
    """One thing that would be asked, for --dry-run: how many answers, and at most how many tokens (None: not known)."""

    what: str
    answers: int
    tokens: int | None = None


@dataclass(frozen=True)
class Reckoning:
    """What a run would cost, in lines of words and in figures."""

    lines: Sequence[str] = ()
    figures: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class Opened:
    """A study whose inputs were read: nothing is written yet, so whatever was wrong left no folder behind.

    `spec` is the spec with what was chosen for it; `beside` is what else must be the same for a run to be resumed
    (fingerprints, files). `find` asks what the folder lacks and returns the findings. `asks`: whether tokens are spent.
    `free` are fields of the spec that may differ, beyond those that change no answer; `steps` is for --dry-run.
    So is `reckon`, which asks a few answers of local models.
    """

    spec: RunOptions
    beside: JsonObject
    find: "Callable[[RunFolder], Sequence[Finding]]"
    asks: bool = True
    free: tuple[str, ...] = ()
    steps: tuple[Step, ...] = field(default=())
    reckon: "Callable[[], Reckoning] | None" = None


def recorded_spec(spec: type[_SpecT], fields: Mapping[str, Any]) -> _SpecT:
    """Return the spec of a run from the fields that it recorded; one that it did not know has its default."""
    names = {field.name for field in dataclasses.fields(spec)}
    held: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in fields.items()
        if name in names
    }
    return spec(**held)


def refuse_changed(folder: Path, recorded: JsonObject, beside: JsonObject) -> None:
    """Raise Refused where the files that a run read are not those that it read. What an older version did not record
    cannot be compared."""
    for name, value in json.loads(json.dumps(dict(beside))).items():
        if name in recorded and _complete_recorded(recorded[name], value) != value:
            raise Refused(
                f"{folder}: what it read has changed since ({name}); run its command on another --out"
            )


def _complete_recorded(recorded: Any, now: Any) -> Any:
    """Return what was recorded, completed with what is only recorded now, also inside objects."""
    if not isinstance(recorded, dict) or not isinstance(now, dict):
        return recorded
    return {**now, **{name: _complete_recorded(value, now.get(name)) for name, value in recorded.items()}}


def _named(where: str) -> Callable[..., Any]:
    module, _, function = where.partition(":")
    return getattr(importlib.import_module(module), function)
