"""The command line: one verb a study. Specs are the frozen dataclasses of the studies; help is made from them."""

import contextlib
import io
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, make_dataclass, replace
from functools import cache
from typing import Annotated, Any, Union

import tyro
from tyro.conf import Positional, subcommand

from tellapart.errors import InvalidInput, ServerGone, UserMistake, closest, of_system, one_line
from tellapart.extras import naming_extras
from tellapart.runs.folder import run_path
from tellapart.runs.stopping import Stopped, stoppable
from tellapart.serving.commands import ServeSpec
from tellapart.studies import STUDIES, run_study, study_of
from tellapart.studies.analyse import AnalyseSpec
from tellapart.studies.options import RunOptions
from tellapart.studies.skills.commands import ExportSpec, MixSpec
from tellapart.studies.skills.spec import SkillsSpec
from tellapart.version import __version__

OK, FAILED, MISTAKE, GATE, INTERRUPTED = 0, 1, 2, 3, 130
LONGEST_LINE = 4000
"""Characters of the line that ends a command; it holds the command, so more than a mistake's own."""


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


@cache
def verbs() -> dict[str, type]:
    """Return the commands, in the order of the help."""
    return {
        "demo": DemoSpec,
        **{study.name: study.spec for study in STUDIES.values()},
        "skills": SkillsVerb,
        "analyse": AnalyseSpec,
        "read": ReadSpec,
        "runs": RunsSpec,
        "compare": CompareSpec,
        "export": ExportRunSpec,
        "view": ViewSpec,
        "specimens": SpecimensSpec,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 the user's mistake (one line), 3 a verdict of --fail-on."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; what ends it early is told in one line on stderr."""
    again = "the same command with the same --out goes on from here"
    try:
        verb = _parsed(arguments)
        if isinstance(verb, SkillsVerb):
            verb = verb.action
        if isinstance(verb, RunOptions) and verb.out is None:  # named before it begins: a stop can tell it
            verb = replace(verb, out=str(run_path(None, study_of(verb).name)))
            arguments = [*arguments, "--out", str(verb.out)]
        if isinstance(verb, RunOptions | DemoSpec):
            again = f"this goes on from here: {shlex.join(('tellapart', *arguments))}"
        with naming_extras(arguments[0]), stoppable():
            return _dispatch(verb)
    except UserMistake as mistake:
        return _told(str(mistake), MISTAKE)
    except Stopped as stopped:
        return _told(f"stopped by {stopped.signal.name}; {again}", 128 + stopped.signal)
    except KeyboardInterrupt:
        return _told(f"stopped; {again}", INTERRUPTED)
    except ServerGone as gone:
        return _told(f"{gone}: {again}", FAILED)
    except BrokenPipeError:
        return FAILED
    except OSError as error:
        return _told(f"{of_system(error)}; what is done is kept: {again}", FAILED)


def _told(message: str, code: int) -> int:
    print(f"tellapart: {one_line(message, LONGEST_LINE)}", file=sys.stderr, flush=True)
    return code


def _parsed(arguments: Sequence[str]) -> object:
    if list(arguments) == ["--version"]:
        print(f"tellapart {__version__}")
        raise SystemExit(OK)
    if arguments and not arguments[0].startswith("-") and arguments[0] not in verbs():
        raise InvalidInput(
            f"no verb {arguments[0]!r}{closest(arguments[0], verbs())}: there are {', '.join(verbs())}"
        )
    known = verbs()
    if arguments and arguments[0] == "specimens":
        known = {**known, "specimens": specimens_verb()}
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            verb: Any = Union[tuple(Annotated[spec, subcommand(name)] for name, spec in known.items())]  # noqa: UP007
            return tyro.cli(
                verb,
                prog="tellapart",
                description="Tells what a model has learned from what it merely shows.",
                args=list(arguments),
                config=(
                    tyro.conf.OmitArgPrefixes,
                    tyro.conf.OmitSubcommandPrefixes,
                    tyro.conf.FlagCreatePairsOff,
                ),
            )
    except SystemExit as leaving:
        if leaving.code in (0, None):
            raise
        raise InvalidInput(_one_line(said.getvalue())) from None


def _one_line(box: str) -> str:
    """Return tyro's boxed complaint as one line of plain words."""
    words = "".join(" " if char in "╭╮╰╯│─\n" else char for char in box).split()
    return (
        " ".join(words).removeprefix("Parsing error ")
        or "the command could not be read; see tellapart --help"
    )


def _run_gated(spec: RunOptions) -> int:
    done = run_study(spec)
    from tellapart.studies.run import gated

    verdict = gated(done, spec)
    if verdict:
        print(
            f"tellapart: {verdict!r} was found, one of --fail-on; the run is in {done.folder}",
            file=sys.stderr,
        )
    return GATE if verdict else OK


def _compare(verb: CompareSpec) -> None:
    """Compare run folders, or two logs where one of them is none (`run#base/plain` is the log of a condition)."""
    from pathlib import Path

    if all(
        (Path(run) / "spec.json").is_file() or not Path(run.partition("#")[0]).exists() for run in verb.runs
    ):
        from tellapart.report.compare import print_comparison

        print_comparison(verb.runs, verb.json)
    else:
        from tellapart.logs.difference import print_difference

        print_difference(verb.runs, verb.json)


def _export(verb: ExportRunSpec) -> None:
    from pathlib import Path

    if verb.to is not None:
        from tellapart.report.trackers import Place, send

        told = send(Path(verb.run), verb.to, Place(verb.project, verb.out or ""))
        print(f"{told.name}: {len(told.metrics)} figures and {len(told.curves)} curves are in {verb.to}")
    else:
        from tellapart.report.export import print_export

        print_export(verb.run, verb.format, verb.out, verb.condition)


def _dispatch(verb: object) -> int:
    if isinstance(verb, RunOptions):
        return _run_gated(verb)
    match verb:
        case DemoSpec():
            from tellapart.specimens.demo import run_demo

            run_demo(verb.out, verb.seed)
        case AnalyseSpec():
            from tellapart.studies.analyse import run_analyse

            run_analyse(verb)
        case ReadSpec():
            from tellapart.logs.commands import print_logs

            print_logs(verb.files, verb.map, verb.json)
        case RunsSpec():
            from tellapart.report.runs import print_runs

            print_runs(verb.folder, verb.json)
        case CompareSpec():
            _compare(verb)
        case ExportRunSpec():
            _export(verb)
        case ViewSpec():
            from pathlib import Path

            from tellapart.report.view import serve

            serve(Path(verb.run), port=verb.port, open_browser=not verb.no_browser)
        case SkillsVerb(action=action):
            return _dispatch(action)
        case MixSpec() | ServeSpec() | ExportSpec():
            return verb.run()
        case SpecimensSpec():
            return verb.action.run()  # type: ignore[attr-defined]
        case _:
            raise AssertionError(verb)
    return OK


if __name__ == "__main__":
    main()
