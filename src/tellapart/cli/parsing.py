"""What the command line takes: one frozen dataclass a verb, read by tyro. Help of a verb is made from its fields."""

import contextlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, make_dataclass
from typing import Annotated, Any, Union

import tyro
from tyro.conf import Positional, arg, subcommand

from tellapart import remote
from tellapart.cli.help import CONFIG, page
from tellapart.cli.overview import first_words
from tellapart.errors import InvalidInput
from tellapart.serving.commands import ServeSpec
from tellapart.studies import STUDIES
from tellapart.studies.analyse import AnalyseSpec
from tellapart.studies.options import Verb
from tellapart.studies.skills.commands import ExportSpec, MixSpec
from tellapart.studies.skills.spec import SkillsSpec


@dataclass(frozen=True)
class ViewSpec(Verb):
    """Open the report of a run in a browser, every number down to its rows (on this machine only)."""

    EXAMPLES = (
        "tellapart view runs/sums",
        "tellapart view runs/sums --port 8080 --no-browser",
    )

    run: Annotated[Positional[str], arg(metavar="RUN")]
    """The run folder."""
    port: int = 0
    """Port on the loopback address (default: a free one)."""
    no_browser: bool = False
    """Print the address and open nothing."""


@dataclass(frozen=True)
class DemoSpec(Verb):
    """Run the main job on bundled specimens, offline, and say where the reports are."""

    EXAMPLES = ("tellapart demo",)

    out: Annotated[str, arg(metavar="FOLDER")] = "runs/demo"
    """Folder of the demo's runs."""
    seed: int = 0
    """Seed of everything that is drawn."""


@dataclass(frozen=True)
class Several(Verb):
    """A verb of several actions, each a spec of its own (actions_of)."""

    action: Any


@dataclass(frozen=True)
class SpecimensSpec(Several):
    """Small models of known truth, and how often the verdicts on them are right."""

    EXAMPLES = (
        "tellapart specimens list",
        "tellapart specimens check --names latent-register-0",
    )


@dataclass(frozen=True)
class SkillsVerb(Several):
    """Singular-value experts, one a skill: trained once, mixed at inference, served."""

    EXAMPLES = (
        "tellapart skills train path/to/model --task a.jsonl --task b.jsonl --out runs/skills",
        "tellapart skills mix runs/skills --task both.jsonl --mix a+0.5*b",
        "tellapart skills serve runs/skills",
        "tellapart skills export runs/skills --mix a --out merged",
    )


@dataclass(frozen=True)
class ReadSpec(Verb):
    """What is this log: its tool, model, task, items, metric and keys; of two logs also how they pair.

    Nothing is judged and no run folder is made.
    """

    EXAMPLES = (
        "tellapart read base_log",
        "tellapart read base_log tuned_log  # and how the two pair",
        "tellapart read answers.jsonl --map item=task_id,correct=passed",
    )

    files: Annotated[Positional[tuple[str, ...]], arg(metavar="LOG [LOG]")]
    """One log or two: files or folders, PATH#NAME for one of several models, metrics or tasks in it."""
    map: Annotated[str | None, arg(metavar="FIELD=KEY,...")] = None
    """Which keys of an unknown format are what: item=task_id,correct=passed (dotted where they lie deeper; for correct
    also A==B and A>=NUMBER). The same as PATH#item=task_id,correct=passed, which every verb takes."""
    json: bool = False
    """Print JSON on stdout and nothing else."""


@dataclass(frozen=True)
class RunsSpec(Verb):
    """List the runs in a folder, newest first: study, verdicts, what they were about, whether they are finished."""

    EXAMPLES = (
        "tellapart runs",
        "tellapart runs path/to/runs --json",
    )

    folder: Annotated[Positional[str], arg(metavar="[FOLDER]")] = "runs"
    """Where to look, in depth."""
    json: bool = False
    """Print a JSON list on stdout and nothing else."""


@dataclass(frozen=True)
class CompareSpec(Verb):
    """Put runs side by side: verdicts, and every estimate that more than one of them has. Of two scored logs (lm-eval,
    Inspect, HELM ...): the difference, paired item by item, with its interval."""

    EXAMPLES = (
        "tellapart compare runs/sums runs/words",
        "tellapart compare base_log tuned_log  # is one better?",
    )

    runs: Annotated[Positional[tuple[str, ...]], arg(metavar="RUN|LOG ...")]
    """Two run folders or more; or two logs, the earlier first."""
    json: bool = False
    """Print JSON on stdout and nothing else."""


@dataclass(frozen=True)
class ExportRunSpec(Verb):
    """Write a run as tables and charts for a paper, or its answers as logs that other tools open, one a condition; or
    give its estimates and curves to an experiment tracker (--to)."""

    EXAMPLES = (
        "tellapart export runs/sums --format latex",
        "tellapart export runs/sums --format inspect --out logs",
        "tellapart export runs/sums --format parquet --condition base/plain tuned/plain",
        "tellapart export runs/sums --to mlflow --out mlruns",
    )

    run: Annotated[Positional[str], arg(metavar="RUN")]
    """The run folder."""
    format: Annotated[str, arg(metavar="FORMAT")] = "inspect"
    """latex (booktabs), markdown, csv (all figures), svg or pdf (every chart); of the answers inspect (.eval),
    inspect-json, eee (Every Eval Ever), parquet or jsonl."""
    out: Annotated[str | None, arg(metavar="PATH")] = None
    """Folder of the files (default: RUN-FORMAT beside the run); of latex, markdown and csv also the file itself; of a
    tracker its local store (default: its own)."""
    condition: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = ()
    """Of the answers these conditions only, as base/plain (default: all that hold answers)."""
    to: Annotated[str | None, arg(metavar="TRACKER")] = None
    """trackio, mlflow or wandb, instead of files; offline, unless the tracker is set otherwise."""
    project: Annotated[str, arg(metavar="NAME")] = "tellapart"
    """The tracker's project (MLflow: experiment)."""


COMMANDS: dict[str, type[Verb]] = {
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


def actions_of(verb: str) -> dict[str, type[Verb]]:
    """Return the actions of a verb, none where it has none."""
    match verb:
        case "skills":
            return {"train": SkillsSpec, "mix": MixSpec, "serve": ServeSpec, "export": ExportSpec}
        case "specimens":  # imported for it alone: the help of all verbs is to be quick
            from tellapart.specimens.commands import Build, Check, List, Plant

            return {"list": List, "build": Build, "check": Check, "plant": Plant}
    return {}


def spec_of(verb: str) -> type[Verb]:
    """Return the dataclass that a verb is made of."""
    spec = COMMANDS[verb] if verb in COMMANDS else STUDIES[verb].spec
    several = [
        Annotated[action, subcommand(name, description=first_words(action))]
        for name, action in actions_of(verb).items()
    ]
    if not several:
        return spec
    made = make_dataclass(spec.__name__, [("action", Union[tuple(several)])], frozen=True, bases=(spec,))  # noqa: UP007
    made.__doc__ = spec.__doc__
    return made


def parse(arguments: Sequence[str]) -> Any:
    """Return the spec that a command line of a known verb asks for; help ends in SystemExit. Raises InvalidInput."""
    verb, *rest = arguments
    action = actions_of(verb).get(rest[0]) if rest else None
    if action is None:
        return _read(spec_of(verb), verb, rest)
    read = _read(action, f"{verb} {rest[0]}", rest[1:])
    return COMMANDS[verb](action=read)  # type: ignore[call-arg]


def _read(spec: type[Verb], verb: str, arguments: Sequence[str]) -> Any:
    """Return the spec that the arguments of a verb, or of one of its actions, ask for."""
    if not {"-h", "--help"}.isdisjoint(arguments):
        print(page(spec, verb))
        raise SystemExit(0)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            read = tyro.cli(spec, prog=f"tellapart {verb}", args=list(arguments), config=CONFIG)
    except SystemExit as leaving:
        if leaving.code in (0, None):
            raise
        raise InvalidInput(_one_line(complaint.getvalue(), verb)) from None
    remote.refuse_out(vars(read).get("out"))  # some verbs make a Path of it: a folder called s3: here
    return read


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
    (r"Missing from tellapart [\w -]+: (?P<option>--\S+ \S+) ", "missing: {option}"),
    (r"Missing from tellapart [\w -]+: \S+ (?P<option>.*?)\.? \(required\)", "missing: {option}"),
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
        match = re.search(pattern, words)
        if match:
            parts = {name: value or "" for name, value in match.groupdict().items()}
            for shown, plain in _PLAIN:
                parts["allowed"] = parts.get("allowed", "").replace(shown, plain)
            choices = {choice.strip(" '") for choice in parts.get("choices", "").split(",")} - {"None"}
            parts["choices"] = ", ".join(sorted(choices))  # tyro gives them in no order
            line = said.format(**parts)
            if parts.get("near"):
                line += f" (did you mean {parts['near']}?)"
            if "{allowed}" not in said and parts.get("allowed"):
                line += f" (there are {parts['allowed']})"
            return f"{line}; see tellapart {verb} --help"
    return f"{words.removeprefix('Parsing error ') or 'the command could not be read'}; see tellapart {verb} --help"
