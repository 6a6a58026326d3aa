"""Small inputs of real formats that once failed, one folder a case under shared/cases/logs; NOTE.md there says
what is right.

The cases of models and servers (an adapter, missing weights, chat servers) are asked in tests/models.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tellapart.errors import UserMistake
from tellapart.logs import Recorded, pair, read_log
from tellapart.logs.scale_read import read_points
from tellapart.studies import run_study
from tellapart.studies.form.judged import read_pairs, wins_of
from tellapart.studies.form.spec import FormSpec
from tellapart.studies.gain.spec import GainSpec
from tellapart.studies.guard.spec import GuardSpec
from tellapart.studies.scale.spec import ScaleSpec
from tellapart.tasks.sources import open_task

READ: dict[str, tuple[str, int, int, float]] = {
    "counts-first-line-rules": ("log.jsonl", 12, 12, 0.3333),
    "counts-ids-per-subset": ("log.jsonl", 36, 36, 0.4444),
    "csv-semicolon": ("log.csv", 80, 10, 0.45),
    "format-every-eval-ever": ("x_samples.jsonl", 8, 8, 0.5),
    "format-humaneval-results": ("samples.jsonl_results.jsonl", 40, 8, 0.325),
    "format-lighteval": ("details.parquet", 10, 10, 0.5),
    "format-promptfoo": ("results.json", 6, 6, 0.5),
    "format-verifiers": ("results.jsonl", 18, 6, 0.5),
    "helm-splits": ("run1", 16, 16, 0.25),
    "inspect-samples-missing": ("log.json", 3, 3, 0.6667),
    "json-array": ("log.json", 12, 12, 0.3333),
    "jsonl-gz": ("log.jsonl.gz", 12, 12, 0.3333),
    "lmeval-many-tasks": ("out", 30, 30, 0.4667),
}
"""Case: its file, rows, items, and the mean over items of their mean score."""
PAIRED: dict[str, tuple[int, float, float, int, int]] = {
    "pair-counts-order": (30, 0.3333, 0.4, 2, 0),
    "pair-inspect-order": (24, 0.5, 0.5417, 1, 0),
    "pair-lmeval-gpus": (40, 0.5, 0.55, 2, 0),
    "pair-lmeval-template": (40, 0.5, 0.575, 3, 0),
}
"""Case: items, both means, items gained and lost."""
REFUSED: dict[str, tuple[str, str]] = {
    "lfs-pointer": ("results.jsonl", "is a Git LFS pointer, not the file itself: fetch it (git lfs pull)"),
    "no-samples-line": ("log.json", "holds no samples"),
}


@pytest.fixture
def case(
    shared: Path, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A copy of the folder of the case that the test is of, as the working directory."""
    folder = shared / "cases" / "logs" / request.param
    if not folder.is_dir():
        pytest.skip(f"no case at {folder}")
    made = tmp_path / request.param
    shutil.copytree(folder, made)
    for path in (made, *made.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    monkeypatch.chdir(made)
    return made


def of(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", names, indirect=True)


def mean(log: Recorded) -> float:
    return float(log.frame.groupby("item")["score"].mean().mean())


@of(*READ)
def test_logs_are_read_right(case: Path) -> None:
    name, rows, items, score = READ[case.name]
    log = read_log(name)
    assert (len(log.frame), log.frame["item"].nunique()) == (rows, items)
    assert mean(log) == pytest.approx(score, abs=5e-5)


@of(*REFUSED)
def test_what_holds_no_answers_is_refused_by_its_reason(case: Path) -> None:
    name, reason = REFUSED[case.name]
    with pytest.raises(UserMistake) as mistake:
        read_log(name)
    assert reason in str(mistake.value)


@of(*PAIRED)
def test_logs_pair_item_by_item(case: Path) -> None:
    names = sorted(path.name for path in case.iterdir() if path.name.startswith(("base", "tuned")))
    paired = pair(*map(read_log, names))
    a = paired.a.groupby("item")["score"].mean()
    b = paired.b.groupby("item")["score"].mean().reindex(a.index)
    gained, lost = int(((a < 0.5) & (b >= 0.5)).sum()), int(((a >= 0.5) & (b < 0.5)).sum())
    assert (paired.items, round(a.mean(), 4), round(b.mean(), 4), gained, lost) == PAIRED[case.name]
    assert paired.notes[0].startswith(f"paired {paired.items} items by ")


@of("counts-first-line-rules")
def test_a_key_that_the_first_line_lacks_is_read(case: Path) -> None:
    assert (read_log("log.jsonl").frame["question"] == "").sum() == 1


@of("format-lighteval")
def test_another_metric_of_lighteval(case: Path) -> None:
    assert mean(read_log("details.parquet#em")) == 0


@of("format-every-eval-ever", "format-verifiers")
def test_the_model_is_named(case: Path) -> None:
    log = read_log("x_samples.jsonl" if case.name == "format-every-eval-ever" else "results.jsonl")
    assert log.model == "acme/base"


@of("lmeval-many-tasks")
def test_tasks_are_clusters_and_can_be_chosen(case: Path) -> None:
    log = read_log("out")
    assert sorted(set(log.frame["cluster"])) == ["mmlu_bio", "mmlu_law", "mmlu_math"]
    assert read_log("out#mmlu_[bl]*").frame["cluster"].nunique() == 2
    assert read_log("out#mmlu_law").frame["item"].nunique() == 10
    whole = Path("whole.jsonl")
    whole.write_text("".join(path.read_text() for path in sorted(Path("out").glob("samples_*"))))
    together = read_log(str(whole))
    assert (together.frame["item"].nunique(), round(mean(together), 4)) == (30, 0.4667)


@of("helm-splits", "inspect-samples-missing")
def test_what_is_left_out_is_noted(case: Path) -> None:
    helm = case.name == "helm-splits"
    notes = " ".join(read_log("run1" if helm else "log.json").notes)
    assert (
        ("only the test split is read" in notes and "4 of valid" in notes)
        if helm
        else "3 of 2,340 samples" in notes
    )
    if helm:
        assert mean(read_log("run1#valid")) == 0.75


@of("format-alpacaeval")
def test_alpaca_eval_pairs(case: Path) -> None:
    judged, _ = read_pairs("annotations.json")
    assert (len(judged), sum(wins_of(judged, "acme"))) == (30, 20)
    run_study(FormSpec(pairs="annotations.json", out="run"), quiet=True)
    assert mean(read_log("annotations.json")) == pytest.approx((20 * 0.9 + 10 * 0.1) / 30)


def gained(base: str, tuned: str, chance: float | None) -> dict[str, Any]:
    run = run_study(GainSpec(logs=(base, tuned), guess_floor=chance, out="run"), quiet=True)
    return json.loads((run.folder / "findings.json").read_text())["findings"][0]


def value(finding: dict[str, Any], name: str) -> float | None:
    return finding["estimates"][name]["value"]


@of("base-interval-clusters")
def test_one_number_has_one_interval(case: Path) -> None:
    found = gained("base.jsonl", "tuned.jsonl", 0.1)["estimates"]
    for role in ("base", "tuned"):
        for end in ("value", "low", "high"):
            assert found[f"{role}_score"][end] == pytest.approx(found[f"{role}_pass@1"][end])


@of("greedy-copies")
def test_copies_of_one_answer_are_no_samples(case: Path) -> None:
    found = gained("base.jsonl", "tuned.jsonl", 0.02)
    assert any("answers to an item are copies of one in 40 of 40 items" in note for note in found["caveats"])
    assert "base_pass@16" not in found["estimates"]
    assert value(found, "held_at_least") is None


@of("lower-is-better-brier")
def test_an_error_is_no_score(case: Path) -> None:
    found = gained("base", "tuned", 0.5)
    assert (value(found, "base_score"), value(found, "tuned_score")) == (0.0, pytest.approx(0.85))
    with pytest.raises(
        UserMistake,
        match=r"brier_score,none' is an error \(lower is better\).*choose one with #NAME: acc,none",
    ):
        read_log("base#brier_score")


@of("trl-lookalike-sample")
def test_a_number_of_the_sample_is_no_reward(case: Path) -> None:
    found = gained("base.parquet", "tuned.parquet", 0.01)
    assert (value(found, "base_score"), value(found, "tuned_score")) == (
        pytest.approx(0.325),
        pytest.approx(0.775),
    )


@of("unequal-samples")
def test_unequal_samples_are_in_no_count_of_solved_only(case: Path) -> None:
    found = gained("base.jsonl", "tuned.jsonl", 0.01)
    assert value(found, "base_only_items") is None
    assert value(found, "tuned_only_items") is None
    assert any("4 samples an item in base.jsonl, 1 in tuned.jsonl" in note for note in found["caveats"])


@of("unlike-filters")
def test_both_logs_are_scored_by_one_metric(case: Path) -> None:
    assert value(gained("base", "tuned", 0.01), "gain") == 0
    with pytest.raises(UserMistake, match=r"strict-match.*flexible-extract.*a gain would be the metrics'"):
        gained("base#strict-match", "tuned#flexible-extract", 0.01)


@of("verl-minus-one")
def test_of_two_values_the_larger_is_right(case: Path) -> None:
    found = gained("base_10.jsonl", "tuned_200.jsonl", None)
    frames = [pd.read_json(name, lines=True) for name in ("base_10.jsonl", "tuned_200.jsonl")]
    means = [float((frame["score"] > 0).groupby(frame["input"]).mean().mean()) for frame in frames]
    assert [value(found, "base_score"), value(found, "tuned_score")] == pytest.approx(means)
    assert "scores are -1 and 1 only: 1 is taken for right, -1 for wrong" in found["caveats"]


@of("guard-summary-json")
def test_metrics_are_no_problems(case: Path) -> None:
    with pytest.raises(UserMistake, match="'pass@1' is the name of a metric, not of a problem"):
        run_study(GuardSpec(data="humaneval.json", out="run"), quiet=True)


@of("trl-several-rewards")
def test_several_rewards_are_summed_as_they_were_trained_on(case: Path) -> None:
    run = run_study(GuardSpec(data=".", out="run"), quiet=True)
    text = (run.folder / "findings.json").read_text()
    assert "scored by their sum, format_reward + task_reward" in text
    table = pd.read_parquet("completions_00001.parquet")
    rewards = table[["format_reward", "task_reward"]].sum(axis=1, min_count=1)
    assert read_log("completions_00001.parquet").frame["score"].tolist() == rewards.tolist()
    assert read_log("completions_00001.parquet#task_reward").metric.name == "task_reward"


@of("scale-helm-runs", "scale-inspect", "scale-lmeval-twice")
def test_scale_joins_what_belongs_together(case: Path) -> None:
    place, tasks = {
        "scale-helm-runs": ("runs", {"arith", "trivia"}),
        "scale-inspect": ("logs", {"sums"}),
        "scale-lmeval-twice": ("out", {"crates"}),
    }[case.name]
    points = read_points([place]).frame
    assert set(points["task"]) == tasks
    assert (points.groupby(["task", "metric", "setting"]).size() == 6).all()
    assert points.groupby("task")["setting"].nunique().eq(1).all()
    if place == "out":
        assert set(points["metric"]) == {"acc", "acc_norm", "brier", "gold_logprob", "gold_probability"}
        assert set(points["setting"]) == {"0-shot"}
    run_study(ScaleSpec(results=(place,), out="run"), quiet=True)


@of("scale-lmeval-filters")
def test_filters_are_apart(case: Path) -> None:
    points = read_points(["out"]).frame
    assert (points["n"] == 40).all()
    assert "exact_match" not in set(points["metric"])
    assert {"exact_match,strict-match", "exact_match,flexible-extract"} < set(points["metric"])
    assert set(points["setting"]) == {"0-shot"}


@of("scale-name-context")
def test_a_context_length_is_no_size(case: Path) -> None:
    points = read_points(["scores.csv"]).frame.drop_duplicates("model").set_index("model")["parameters"]
    assert points.isna().tolist() == [True, True, True, False, False]
    assert points.dropna().tolist() == [1e9, 7e9]


@of("scorer-after-marker", "scorer-last-number-frac")
def test_scorers_read_as_people_mean(case: Path) -> None:
    task = open_task("items.jsonl", seed=0)
    items = {item.id: item for item in task.items}
    answers = [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()]
    told = {one["id"]: bool(task.score(items[one["id"]], one["completion"])) for one in answers}
    assert told == {one["id"]: one["right"] for one in answers}


@of("target-null")
def test_a_null_target_is_named(case: Path) -> None:
    with pytest.raises(UserMistake, match="line 1: target is null: give the accepted answer"):
        open_task("items.jsonl")
