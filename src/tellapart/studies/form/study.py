"""`tellapart form`: inputs -> rows -> findings, from a model, from logs, or from answers judged side by side."""

from dataclasses import replace
from pathlib import Path

from tellapart.errors import InvalidInput
from tellapart.findings.finding import Finding
from tellapart.jsonvalue import Json
from tellapart.logs.find import content_of_file
from tellapart.runs.folder import RunFolder, read_fields, read_json
from tellapart.runs.table import read_table, write_table
from tellapart.studies.form.analyse import analyse
from tellapart.studies.form.facts import GIVEN, Facts, facts_from
from tellapart.studies.form.imitation import judged_finding
from tellapart.studies.form.judged import read_pairs
from tellapart.studies.form.logs import rows_from_logs
from tellapart.studies.form.rates import is_table, rates_finding, read_preferences
from tellapart.studies.form.spec import FormSpec
from tellapart.studies.opening import opened
from tellapart.studies.study import Changes, Opened, recorded_spec, refuse_changed


def open_form(spec: FormSpec, quiet: bool = False) -> Opened:
    """Read what `form` is asked: a task and a model, a log for each arm, or pairs of answers."""
    if spec.pairs is not None:
        return _open_judge(spec, quiet) if spec.judge is not None else _open_pairs(spec, spec.pairs)
    if spec.logs:
        return _open_logs(spec)
    from tellapart.studies.form.models import open_models

    return open_models(spec, quiet)


def _open_logs(spec: FormSpec) -> Opened:
    read = rows_from_logs(spec.logs)
    facts = Facts(
        families={GIVEN: read.arms},
        margin=spec.margin,
        correct_at=spec.correct_at,
        seed=spec.seed,
        prompts=read.prompts,
        targets=read.targets,
        notes=read.notes,
    )

    def find(folder: RunFolder) -> list[Finding]:
        write_table(folder.path, read.table)
        return finish(folder, facts)

    return Opened(spec, {"sources": read.sources}, find, asks=False)


def _open_pairs(spec: FormSpec, pairs: str) -> Opened:
    content = {"content": content_of_file(pairs)}
    if is_table(pairs):
        read = read_preferences(pairs)
        beside = {"judged": len(read.frame), **content}
        return Opened(spec, beside, lambda folder: [rates_finding(read)], asks=False)
    judged, notes = read_pairs(pairs)
    beside = {"judged": len(judged), **content}
    return Opened(spec, beside, lambda folder: [judged_finding(judged, spec.seed, notes)], asks=False)


def _open_judge(spec: FormSpec, quiet: bool) -> Opened:
    from tellapart.studies.form.judging import judge_pairs, read_unjudged

    assert spec.pairs is not None
    assert spec.judge is not None
    pairs = read_unjudged(spec.pairs)
    judge = opened(spec, spec.judge)
    beside: dict[str, Json] = {"fingerprints": {"judge": judge.fingerprint}, "pairs_read": len(pairs)}
    beside["content"] = content_of_file(spec.pairs)

    def find(folder: RunFolder) -> list[Finding]:
        folder.write_artifact("facts", {"notes": list(judge.notes)})
        return [judged_finding(judge_pairs(folder, judge, pairs, quiet), spec.seed, judge.notes)]

    return Opened(spec, beside, find)


def analyse_again(folder: Path, changes: Changes) -> list[Finding]:
    """Return the findings of a finished run: from its rows, or of pairs from their file and what the judge said. Raises
    UserMistake where it is not finished, or where the file has changed."""
    fields = read_fields(folder)
    spec = recorded_spec(FormSpec, fields)
    facts_file = folder / "artifacts" / "facts.json"
    if spec.pairs is None:
        facts = replace(facts_from(read_json(facts_file, "the run is not finished")), **changes)
        return analyse(read_table(folder), facts)
    if changes:
        raise InvalidInput(f"{folder} judges pairs: --margin and --correct-at are of runs with arms")
    if spec.judge is None:
        read = _open_pairs(spec, spec.pairs)
        refuse_changed(folder, fields, read.beside)
        return list(read.find(RunFolder(folder)))
    from tellapart.models.held import HeldModel
    from tellapart.studies.form.judging import judge_pairs, read_unjudged

    notes = read_json(facts_file, "the run is not finished, or of an older version")["notes"]
    judge = HeldModel(spec.judge, fields["fingerprints"]["judge"], notes)
    pairs = read_unjudged(spec.pairs)
    refuse_changed(folder, fields, {"pairs_read": len(pairs)})
    return [judged_finding(judge_pairs(RunFolder(folder), judge, pairs, quiet=True), spec.seed, judge.notes)]


def finish(folder: RunFolder, facts: Facts) -> list[Finding]:
    """Keep the facts beside the rows and analyse both."""
    folder.write_artifact("facts", facts.as_json())
    return analyse(read_table(folder.path), facts)
