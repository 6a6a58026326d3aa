"""What the command line takes: one frozen dataclass a verb, read by tyro. Help of a verb is made from its fields."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, make_dataclass
from typing import Annotated, Any, Union

import tyro
from tyro.conf import Positional, subcommand

from tellapart.errors import InvalidInput
from tellapart.serving.commands import ServeSpec
from tellapart.studies import STUDIES
from tellapart.studies.analyse import AnalyseSpec
from tellapart.studies.skills.commands import ExportSpec, MixSpec
from tellapart.studies.skills.spec import SkillsSpec


@dataclass(frozen=True)
class ViewSpec:
    """Open the report of a run in a browser, every number down to its rows (on this machine only)."""

    run: Positional[str]
    """The run folder."""
    port: int = 0
    """Port on the loopback address (default: a free one)."""
    no_browser: bool = False
    """Print the address and open nothing."""


@dataclass(frozen=True)
class DemoSpec:
    """Run the main job on bundled specimens, offline, and say where the reports are."""

    out: str = "runs/demo"
    """Folder of the demo's runs."""
    seed: int = 0
    """Seed of everything that is drawn."""


@dataclass(frozen=True)
class SpecimensSpec:
    """Small models of known truth, and how often the verdicts on them are right."""


@dataclass(frozen=True)
class SkillsVerb:
    """Singular-value experts, one a skill: trained once, mixed at inference, served."""

    action: (
        Annotated[SkillsSpec, subcommand("train")]
        | Annotated[MixSpec, subcommand("mix")]
        | Annotated[ServeSpec, subcommand("serve")]
        | Annotated[ExportSpec, subcommand("export")]
    )


@dataclass(frozen=True)
class ReadSpec:
    """What is this log: its tool, model, task, items, metric and keys; of two logs also how they pair.

    Nothing is judged and no run folder is made.
    """

    files: Positional[tuple[str, ...]]
    """One log or two: files or folders, PATH#NAME for one of several models, metrics or tasks in it."""
    map: str | None = None
    """Which keys of an unknown format are what: item=task_id,correct=passed (dotted where they lie deeper; for correct
    also A==B and A>=NUMBER). The same as PATH#item=task_id,correct=passed, which every verb takes."""
    json: bool = False
    """Print JSON on stdout and nothing else."""


@dataclass(frozen=True)
class RunsSpec:
    """List the runs in a folder, newest first: study, verdicts, what they were about, whether they are finished."""

    folder: Positional[str] = "runs"
    """Where to look, in depth."""
    json: bool = False
    """Print a JSON list on stdout and nothing else."""


@dataclass(frozen=True)
class CompareSpec:
    """Put runs side by side: verdicts, and every estimate that more than one of them has. Of two scored logs (lm-eval,
    Inspect, HELM ...): the difference, paired item by item, with its interval."""

    runs: Positional[tuple[str, ...]]
    """Two run folders or more; or two logs, the earlier first."""
    json: bool = False
    """Print JSON on stdout and nothing else."""


@dataclass(frozen=True)
class ExportRunSpec:
    """Write a run as tables and charts for a paper, or its answers as logs that other tools open, one a condition; or
    give its estimates and curves to an experiment tracker (--to)."""

    run: Positional[str]
    """The run folder."""
    format: str = "inspect"
    """latex (booktabs), markdown, csv (all figures), svg or pdf (every chart); of the answers inspect (.eval),
    inspect-json, eee (Every Eval Ever), parquet or jsonl."""
    out: str | None = None
    """Folder of the files (default: RUN-FORMAT beside the run); of latex, markdown and csv also the file itself; of a
    tracker its local store (default: its own)."""
    condition: tuple[str, ...] = ()
    """Of the answers these conditions only, as base/plain (default: all that hold answers)."""
    to: str | None = None
    """trackio, mlflow or wandb, instead of files; offline, unless the tracker is set otherwise."""
    project: str = "tellapart"
    """The tracker's project (MLflow: experiment)."""


def specimens_verb() -> type:
    """Return what `specimens` is made of. Specimens are imported for it alone: the help of all verbs is to be quick."""
    from tellapart.specimens.commands import Build, Check, List, Plant

    actions = {"list": List, "build": Build, "check": Check, "plant": Plant}
    action = Union[tuple(Annotated[spec, subcommand(name)] for name, spec in actions.items())]  # noqa: UP007
    verb = make_dataclass("SpecimensVerb", [("action", action)], frozen=True, bases=(SpecimensSpec,))
    verb.__doc__ = SpecimensSpec.__doc__
    return verb


COMMANDS: dict[str, type] = {
    "demo": DemoSpec,
    "skills": SkillsVerb,
    "analyse": AnalyseSpec,
    "read": ReadSpec,
    "runs": RunsSpec,
    "compare": CompareSpec,
    "export": ExportRunSpec,
    "view": ViewSpec,
    "specimens": SpecimensSpec,
}
"""The verbs that are more than one study, or none."""


def spec_of(verb: str) -> type:
    """Return the dataclass that a verb is made of."""
    if verb == "specimens":
        return specimens_verb()
    return COMMANDS[verb] if verb in COMMANDS else STUDIES[verb].spec


def parse(arguments: Sequence[str]) -> Any:
    """Return the spec that a command line of a known verb asks for; help ends in SystemExit. Raises InvalidInput."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(
                spec_of(arguments[0]),
                prog=f"tellapart {arguments[0]}",
                args=list(arguments[1:]),
                config=(
                    tyro.conf.OmitArgPrefixes,
                    tyro.conf.OmitSubcommandPrefixes,
                    tyro.conf.FlagCreatePairsOff,
                ),
            )
    except SystemExit as leaving:
        if leaving.code in (0, None):
            raise
        raise InvalidInput(_one_line(complaint.getvalue())) from None


def _one_line(box: str) -> str:
    """Return tyro's boxed complaint as one line of plain words."""
    words = "".join(" " if char in "╭╮╰╯│─\n" else char for char in box).split()
    return (
        " ".join(words).removeprefix("Parsing error ")
        or "the command could not be read; see tellapart --help"
    )
