"""What each verb does with its spec."""

import sys

from tellapart import remote
from tellapart.cli import OK
from tellapart.cli.parsing import (
    CompareSpec,
    DemoSpec,
    ExportRunSpec,
    ReadSpec,
    RunsSpec,
    SkillsVerb,
    SpecimensSpec,
    ViewSpec,
)
from tellapart.serving.commands import ServeSpec
from tellapart.studies import run_study
from tellapart.studies.analyse import AnalyseSpec
from tellapart.studies.options import RunOptions
from tellapart.studies.skills.commands import ExportSpec, MixSpec

GATE = 3


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
    if all(map(_is_no_log, verb.runs)):
        from tellapart.report.compare import print_comparison

        print_comparison(verb.runs, verb.json)
    else:
        from tellapart.logs.difference import print_difference

        print_difference(verb.runs, verb.json)


def _is_no_log(run: str) -> bool:
    """Return whether a text names a run folder, or nothing."""
    from pathlib import Path

    if remote.is_remote(run):
        return "#" not in run and (remote.fetch(run) / "spec.json").is_file()
    return (Path(run) / "spec.json").is_file() or not Path(run.partition("#")[0]).exists()


def _export(verb: ExportRunSpec) -> None:
    if verb.to is not None:
        from tellapart.report.trackers import Place, send

        exported = send(remote.folder(verb.run), verb.to, Place(verb.project, verb.out or ""))
        print(
            f"{exported.name}: {len(exported.metrics)} figures and {len(exported.curves)} curves are in {verb.to}"
        )
    else:
        from tellapart.report.export import print_export

        print_export(verb.run, verb.format, verb.out, verb.condition)


def dispatch(verb: object) -> int:
    """Do what a verb asks and return the exit code: 0 done, 3 a verdict of --fail-on."""
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
            from tellapart.report.view import serve

            serve(remote.folder(verb.run), port=verb.port, open_browser=not verb.no_browser)
        case SkillsVerb(action=action):
            return dispatch(action)
        case MixSpec() | ServeSpec() | ExportSpec():
            return verb.run()
        case SpecimensSpec():
            return verb.action.run()
        case _:
            raise AssertionError(verb)
    return OK
