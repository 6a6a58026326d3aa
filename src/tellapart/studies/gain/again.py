"""A finished run of `gain` analysed anew, without a model: another chance level, another margin, a newer verdict."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from tellapart.errors import UserMistake
from tellapart.findings.finding import Finding
from tellapart.jsonvalue import JsonObject, whole
from tellapart.runs.collect import READ_LENIENTLY
from tellapart.runs.folder import read_fields, read_json
from tellapart.runs.table import read_table
from tellapart.studies.gain.analyse import analyse
from tellapart.studies.gain.facts import Facts, facts_from
from tellapart.studies.gain.keys import answer_keys
from tellapart.tasks.lenient import lenient_chance, lenient_score
from tellapart.tasks.questions import question_key
from tellapart.tasks.sources import open_task


def analyse_again(folder: Path, changes: Mapping[str, float]) -> list[Finding]:
    """Return the findings. Raises UserMistake where the run is not finished."""
    facts = facts_from(read_json(folder / "artifacts" / "facts.json", "the run is not finished"))
    rows, facts = completed(read_table(folder), replace(facts, **changes), read_fields(folder))
    return analyse(rows, facts)


def completed(rows: pd.DataFrame, facts: Facts, spec: JsonObject) -> tuple[pd.DataFrame, Facts]:
    """Return rows and facts with what runs of older versions did not record (answers, lenient readings, answer keys),
    read out of the completions where the task can still be opened; unchanged where it cannot, or where all is there."""
    name = spec.get("task")
    if not name or not facts.asked_models or not rows["answer"].isna().any():
        return rows, facts
    try:
        limit = whole(spec, "limit") if spec.get("limit") is not None else None
        task = open_task(str(name), limit=limit, seed=whole(spec, "seed") if "seed" in spec else 0)
    except UserMistake as mistake:
        note = (
            f"Answers were not recorded by this version of the run, and its task cannot be opened: {mistake}."
        )
        return rows, replace(facts, notes=(*facts.notes, note))
    items = {item.id: item for item in task.items}
    usable = rows["item"].isin(list(items)) & (rows["status"] != "failed")
    answers: list[str | None] = [None] * len(rows)
    lenient, measures = [math.nan] * len(rows), rows["measures"].tolist()
    plain = (
        rows["condition"].isin(("base/plain", "tuned/plain")) & (rows["sample"] < READ_LENIENTLY)
    ).tolist()
    columns = (rows["item"].tolist(), rows["completion"].tolist(), usable.tolist())
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
