"""Counted anew, by other code than the readers': every file of shared/data that holds scored answers."""

import csv
import json
from pathlib import Path
from statistics import fmean

import pandas as pd
import pytest

from tellapart.errors import UserMistake
from tellapart.logs import read_log
from tellapart.logs.scale_read import read_points
from tellapart.logs.source import open_source
from tellapart.studies.guard.problems import from_source


def mean(path: str) -> tuple[int, float]:
    """Return how many answers a log has, and the mean over items of their mean score."""
    frame = read_log(path).frame
    return len(frame), float(frame.groupby("item")["score"].mean().mean())


def objects(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def test_reasoning_gym(shared: Path) -> None:
    files = sorted((shared / "data/reasoning_gym").glob("*.json"))
    assert files
    for path in files:
        scores = [
            [one["score"] for one in result["completions"]]
            for category in json.loads(path.read_text())["categories"]
            for dataset in category["datasets"]
            for result in dataset["results"]
        ]
        assert mean(str(path)) == (sum(map(len, scores)), pytest.approx(fmean(map(fmean, scores))))


def test_math_eval(shared: Path) -> None:
    files = sorted((shared / "data/reasoning_gym/math_eval").rglob("*.jsonl"))
    assert files
    for path in files:
        scores = [row["score"] for row in objects(path)]
        assert mean(str(path)) == (sum(map(len, scores)), pytest.approx(fmean(map(fmean, scores))))


def test_gsm8k_solutions(shared: Path) -> None:
    path = shared / "data/gsm8k/example_model_solutions.jsonl"
    rows = objects(path)
    models = [name for name, value in rows[0].items() if isinstance(value, dict)]
    assert len(models) == 4
    for model in models:
        right = [row[model]["is_correct"] for row in rows]
        assert mean(f"{path}#{model}") == (len(rows), pytest.approx(fmean(right)))


def test_cruxeval(shared: Path) -> None:
    for path in sorted((shared / "data/cruxeval/evaluation_results").glob("*.json")):
        scores = list(json.loads(path.read_text())["raw_scored_generations"].values())
        assert mean(str(path)) == (sum(map(len, scores)), pytest.approx(fmean(map(fmean, scores))))


def test_counts(shared: Path) -> None:
    path = shared / "data/math500_counts/counts.csv"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    for model in {row["model"] for row in rows}:
        own = [row for row in rows if row["model"] == model]
        rates = [int(row["c"]) / int(row["n"]) for row in own]
        assert mean(f"{path}#{model}") == (sum(int(row["n"]) for row in own), pytest.approx(fmean(rates)))


def test_chains_with_mistakes(shared: Path) -> None:
    folder = shared / "data/big_bench_mistake"
    every = []
    for path in sorted(folder.glob("*.jsonl")):
        right = [(row["answer"] or "").strip() == row["target"].strip() for row in objects(path)]
        assert mean(str(path)) == (len(right), pytest.approx(fmean(right)))
        every += right
    assert mean(str(folder)) == (len(every), pytest.approx(fmean(every)))


def test_orders_to_do_badly(shared: Path) -> None:
    """Tables that name a condition are no run of tellapart's: they are read by a map, one condition a file."""
    for path in sorted((shared / "data/bcb_sandbagging").glob("*.parquet")):
        table = pd.read_parquet(path)
        with pytest.raises(UserMistake, match="say --map item=item,correct=correct,cluster=domain"):
            read_log(str(path))
        with pytest.raises(UserMistake, match="no key 'targt' for correct; a text stands in quotes"):
            read_log(f"{path}#item=item,correct=answer==targt")
        by_text = read_log(f"{path}#item=item,cluster=condition,correct=condition=='A'").frame["score"]
        assert by_text.sum() == (table["condition"] == "A").sum()
        reference = f"{path}#item=item,model=condition,correct=correct,cluster=domain"
        with pytest.raises(UserMistake, match="holds several models"):
            read_log(reference)
        equal = f"{path}#item=item,cluster=condition,correct=answer==target"
        frame = read_log(equal).frame
        told = table.dropna(subset=["answer"])
        assert frame["score"].mean() == pytest.approx(float((told["answer"] == told["target"]).mean()))
        assert frame["item"].nunique() == len(table.drop_duplicates(["item", "condition"]))


LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}


def test_inspect(shared: Path) -> None:
    read = 0
    for path in sorted((shared / "data/inspect_logs").rglob("*.json")):
        document = json.loads(path.read_text())
        samples = document.get("samples") if isinstance(document, dict) else None
        try:
            frame = read_log(str(path)).frame
        except UserMistake:
            continue
        assert samples
        scores = []
        for sample in samples:
            values = list((sample.get("scores") or {}).values())
            value = values[0]["value"] if values and not sample.get("error") else None
            if isinstance(value, dict):
                value = next(iter(value.values()))
            scores.append(LETTERS.get(value, value) if isinstance(value, str) else value)
        assert len(frame) == len(scores)
        told = [one for one in scores if one is not None]
        kept = frame["score"].dropna()
        assert len(kept) <= len(told)
        if told and len(kept) == len(told):
            assert kept.mean() == pytest.approx(fmean(float(one) for one in told))
            read += 1
    assert read >= 3


def test_problems_over_a_run(shared: Path) -> None:
    path = shared / "data/one_shot_rlvr/acc_step_500.json"
    held = json.loads(path.read_text())
    problems = from_source(open_source(str(path), path, ""), None, None)
    assert len(problems.frame) == len(held)
    rates = problems.frame.set_index("item")
    for name, accuracies in held.items():
        assert rates.loc[name, "c"] / rates.loc[name, "n"] == pytest.approx(fmean(accuracies), abs=1e-3)


def test_results_over_scale(shared: Path) -> None:
    folder = shared / "data/pythia/pythia-v1"
    files = sorted(folder.rglob("*.json"))[::40]
    for path in files:
        results = json.loads(path.read_text())["results"]
        points = read_points([str(path)]).frame
        own = {
            (task, metric): value
            for task, scores in results.items()
            for metric, value in scores.items()
            if not metric.endswith("_stderr")
        }
        told = {(row.task, row.metric): row.value for row in points.itertuples()}
        assert told == pytest.approx(own)


def test_tables_over_scale(shared: Path) -> None:
    for path in sorted((shared / "data/obs_scaling").glob("*.csv")):
        try:
            points = read_points([str(path)]).frame
        except UserMistake:
            continue
        table = pd.read_csv(path)
        for task, part in points.groupby("task"):
            assert part["value"].dropna().tolist() == pytest.approx(table[task].dropna().tolist())
