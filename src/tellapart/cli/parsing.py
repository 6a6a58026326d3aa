"""What the command line takes: one frozen dataclass a verb, read by tyro. Help of a verb is made from its fields."""

import contextlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, make_dataclass
from typing import Annotated, Any, Union

import tyro
from tyro.conf import Positional, subcommand

from tellapart import remote
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
            spec = tyro.cli(
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
        raise InvalidInput(_one_line(complaint.getvalue(), arguments[0])) from None
    action = vars(spec).get("action", spec)
    remote.refuse_out(vars(action).get("out"))  # some verbs make a Path of it: a folder called s3: here
    return spec


_COMPLAINTS = (
    (r"Unrecognized options: (?P<given>.*?)(?: Available subcommands: (?P<allowed>.*?))?"
     r"(?: Perhaps you meant: (?P<near>--[\w-]+).*)?$",
     "not understood: {given}"),
    (r"Error parsing (?P<option>\S+): no type matching (?P<allowed>\S+(?: \S+\})?) could be instantiated from "
     r"\[(?P<given>.*?)\]\.", "{option} takes {allowed}, not {given}"),
    (r"Error parsing (?P<option>\S+): invalid literal for int\(\) with base 10: (?P<given>'.*?')(?: Argument.*)?$",
     "{option} takes a whole number, not {given}"),
    (r"Error parsing (?P<option>\S+): could not convert string to float: (?P<given>'.*?')(?: Argument.*)?$",
     "{option} takes a number, not {given}"),
    (r"invalid choice (?P<given>'.*?') for argument '(?P<option>\S+)'\. Expected one of \((?P<choices>.*?)\)",
     "{option} takes {choices}, not {given}"),
    (r"Missing value for argument '(?P<option>\S+)'", "{option} needs a value"),
    (r"Missing from tellapart [\w ]+: \S+ (?P<option>.*?)\.? \(required\)", "missing: {option}"),
    (r"Missing subcommand Expected one of \{(?P<allowed>.*?)\}", "missing subcommand: one of {allowed}"),
)  # fmt: skip
"""What tyro complains of, and how it is said here: given, allowed, what to do."""
_PLAIN = (("{None}|", ""), ("STR STR", "two texts"), ("STR", "text"), ("INT", "a whole number"),
          ("FLOAT", "a number"), ("{", ""), ("}", ""))  # fmt: skip


def _one_line(box: str, verb: str) -> str:
    """Return tyro's boxed complaint about the command line of a verb as one line of plain words."""
    words = " ".join(re.sub(r"[╭╮╰╯│─]|[-+]{3,}|^\||\|$", " ", box, flags=re.MULTILINE).split())
    words, _, _ = words.partition(" For full helptext")
    for pattern, said in _COMPLAINTS:
        found = re.search(pattern, words)
        if found:
            parts = {name: value or "" for name, value in found.groupdict().items()}
            for shown, plain in _PLAIN:
                parts["allowed"] = parts.get("allowed", "").replace(shown, plain)
            choices = {one.strip(" '") for one in parts.get("choices", "").split(",")} - {"None"}
            parts["choices"] = ", ".join(sorted(choices))  # tyro gives them in no order
            line = said.format(**parts)
            if parts.get("near"):
                line += f" (did you mean {parts['near']}?)"
            if "{allowed}" not in said and parts.get("allowed"):
                line += f" (there are {parts['allowed']})"
            return f"{line}; see tellapart {verb} --help"
    return f"{words.removeprefix('Parsing error ') or 'the command could not be read'}; see tellapart {verb} --help"
