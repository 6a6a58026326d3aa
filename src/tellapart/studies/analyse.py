"""`tellapart analyse RUN`: an old run analysed anew, without a model: another chance level, a newer verdict.

tellapart analyse runs/gain-20261129-120000-1a2b --guess-floor 0.25
"""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from tyro.conf import Positional

from tellapart.errors import UserMistake
from tellapart.runs.files import read_whole

if TYPE_CHECKING:
    import pandas as pd

    from tellapart.studies.gain.facts import Facts
    from tellapart.studies.outcome import Run

STUDIES = ("gain",)


@dataclass(frozen=True)
class AnalyseSpec:
    """Analyse the rows of RUN anew: findings.json and report.html are written again, nothing is asked."""

    run: Positional[str]
    """The run folder."""
    guess_floor: float | None = None
    """Another chance level (default: as the run's facts say)."""
    margin: float | None = None
    """Another margin of equivalence (default: as the run's facts say)."""
    correct_at: float | None = None
    """An answer counts as right from this score on (default: as the run's facts say)."""
    json: bool = False
    """Print findings.json on stdout and nothing else."""
    allow_code: bool = False
    """Run `python:` code of the task that RUN names, where its answers must be read anew."""

    def checked(self) -> "AnalyseSpec":
        """Return the spec; raises UserMistake with the value given, the values allowed and the way out."""
        if self.guess_floor is not None and not 0 <= self.guess_floor < 1:
            raise UserMistake(f"--guess-floor {self.guess_floor}: give a share, 0 <= x < 1")
        if self.margin is not None and not 0 < self.margin < 1:
            raise UserMistake(f"--margin {self.margin}: give a difference of scores, 0 < x < 1")
        return self


def run_analyse(spec: AnalyseSpec, quiet: bool = False) -> "Run":
    """Analyse the run as the spec says. Raises UserMistake where it is no finished run of a study that can be."""
    from tellapart.runs.table import read_table
    from tellapart.studies.gain.analyse import analyse
    from tellapart.studies.outcome import Run, conclude, tell
    from tellapart.tasks.python_code import code_allowed

    spec = spec.checked()
    folder = Path(spec.run)
    asked = _json_of(folder / "spec.json", "it is no run folder").get("spec", {})
    study = str(asked.get("study", ""))
    if study not in STUDIES:
        raise UserMistake(
            f"{folder} is a run of {study or 'no study'!r}: analysed anew are {', '.join(STUDIES)}"
        )
    rows = read_table(folder)
    with code_allowed("all" if spec.allow_code else "none"):
        rows, facts = completed(rows, _facts(folder, spec), asked)
    findings = analyse(rows, facts)
    findings = conclude(folder, study, findings)
    run = Run(folder, tuple(findings))
    tell(run, spec.json, None if quiet else Console())
    return run


def _facts(folder: Path, spec: AnalyseSpec) -> "Facts":
    from tellapart.studies.gain.facts import facts_from

    facts = facts_from(_json_of(folder / "artifacts" / "facts.json", "the run is not finished"))
    return replace(
        facts,
        guess_floor=facts.guess_floor if spec.guess_floor is None else spec.guess_floor,
        margin=facts.margin if spec.margin is None else spec.margin,
        correct_at=facts.correct_at if spec.correct_at is None else spec.correct_at,
    )


def completed(rows: "pd.DataFrame", facts: "Facts", asked: dict[str, Any]) -> "tuple[pd.DataFrame, Facts]":
    """Return rows and facts with what runs of older versions did not record (answers, lenient readings, answer keys),
    read out of the completions where the task can still be opened; unchanged where it cannot, or where all is there."""
    name = asked.get("task")
    if not name or not facts.asked_models or not rows["answer"].isna().any():
        return rows, facts
    import pandas as pd

    from tellapart.runs.collect import READ_LENIENTLY
    from tellapart.studies.gain.keys import answer_keys
    from tellapart.tasks.lenient import lenient_chance, lenient_score
    from tellapart.tasks.questions import question_key
    from tellapart.tasks.sources import open_task

    try:
        task = open_task(str(name), limit=asked.get("limit"), seed=int(asked.get("seed", 0)))
    except UserMistake as mistake:
        note = (
            f"Answers were not recorded by this version of the run, and its task cannot be opened: {mistake}."
        )
        return rows, replace(facts, notes=(*facts.notes, note))
    items = {item.id: item for item in task.items}
    known = rows["item"].isin(list(items)) & (rows["status"] != "failed")
    answers: list[str | None] = [None] * len(rows)
    lenient, measures = [math.nan] * len(rows), rows["measures"].tolist()
    plain = (
        rows["condition"].isin(("base/plain", "tuned/plain")) & (rows["sample"] < READ_LENIENTLY)
    ).tolist()
    columns = (rows["item"].tolist(), rows["completion"].tolist(), known.tolist())
    for at, (item, text, there) in enumerate(zip(*columns, strict=True)):
        if not there:
            continue
        answers[at] = task.scorer.answer(items[item], text) or ""
        if plain[at]:
            lenient[at] = lenient_score(task, items[item], text)
            chance = lenient_chance(task, items[item], text)
            measures[at] = [*(measures[at] if measures[at] is not None else []), ("lenient_chance", chance)]
    keys = {name: question_key(task.prompt(item), item.target) for name, item in items.items()}
    filled = rows.copy()
    filled["answer"] = pd.Series(answers, index=rows.index, dtype=object)
    filled["lenient"] = lenient
    filled["question"] = [keys.get(name, "") for name in rows["item"]]
    filled["measures"] = measures
    asked_items = [items[name] for name in facts.prompts if name in items]
    return filled, replace(facts, items=facts.items or answer_keys(task, asked_items))


def _json_of(path: Path, reason: str) -> dict[str, Any]:
    try:
        data = read_whole(path)
        if data is None:
            raise UserMistake(f"{path} is missing: {reason}")
        value = json.loads(data.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserMistake(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise UserMistake(f"{path} holds no JSON object: {reason}")
    return value
