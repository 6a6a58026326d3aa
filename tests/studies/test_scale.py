"""`tellapart scale`: real results, curves of known truth, and inputs that hold no answer."""

import json
import math
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

import tellapart
from tellapart.errors import UserMistake
from tellapart.logs.scale_points import Point, to_frame
from tellapart.logs.scale_read import read_points
from tellapart.studies.scale.analyse import ScaleRequest, analyse
from tellapart.studies.scale.metrics import metric_of
from tellapart.studies.scale.synthetic import TRUTHS, draw_task

HEAD = "model,parameters,task,metric,value,n\n"
SIZES = [10 ** (7 + i / 3) for i in range(9)]


def _points(task, name):
    for i, size in enumerate(task.sizes):
        yield Point(
            name, "exact_match", task.exact[i], f"m{i}", n=task.n, parameters=size, length=task.length
        )
        yield Point(
            name, "token_logprob", task.logprob[i], f"m{i}", error=task.logprob_error[i], parameters=size
        )


def _table(path, values, n=100, metric="acc"):
    rows = (
        f"m{i},{size},t,{metric},{value},{n}\n"
        for i, (size, value) in enumerate(zip(SIZES, values, strict=False))
    )
    path.write_text(HEAD + "".join(rows))
    return str(path)


@pytest.fixture(scope="module")
def truths():
    rng = np.random.default_rng(100)
    points = [p for t in TRUTHS for i in range(80) for p in _points(draw_task(t, rng), f"{t}#{i}")]
    return analyse(to_frame(points), ScaleRequest())[0]


@pytest.mark.slow
def test_ninety_percent_of_400_tasks_of_known_truth_are_judged_right(truths):
    confusion = Counter(
        (task["task"].partition("#")[0], task["verdict"]) for task in truths.tables["scale"]["tasks"]
    )
    assert sum(confusion.values()) == 400
    right = sum(count for (truth, verdict), count in confusion.items() if truth == verdict)
    assert right >= 0.9 * 400, confusion
    for truth in TRUTHS:
        assert confusion[truth, truth] >= 0.75 * 80, confusion


@pytest.mark.slow
def test_forecasts_of_tasks_of_known_truth_cover_what_they_say(truths):
    assert 0.85 <= truths.estimates["forecast_coverage"].value <= 0.95


@pytest.mark.slow
def test_breakthroughness_is_finite_or_missing_with_a_reason(truths):
    told = [e for name, e in truths.estimates.items() if name.startswith("breakthroughness/")]
    assert len(told) == 800
    assert all(math.isfinite(e.value) or e.method.startswith("missing: ") for e in told)


@pytest.mark.slow
def test_the_power_of_token_accuracy_foretells_exact_match(truths):
    away = [
        task["account"]["away"]
        for task in truths.tables["scale"]["tasks"]
        if task["account"] and task["task"].startswith("sharp in the ruler only")
    ]
    assert len(away) == 80
    assert np.median(away) < 0.02


def test_pythia_lambada_is_what_the_raw_results_say(shared):
    files = shared / "data" / "pythia" / "pythia-v1"
    sizes = ("70m", "160m", "410m", "1b-bf16", "1.4b", "2.8b", "6.9b", "12b")
    paths = [str(files / f"pythia-{size}" / "zero-shot" / f"{size}_step143000.json") for size in sizes]
    finding = analyse(read_points(paths).frame, ScaleRequest(tasks=("lambada_openai",)))[0]
    metrics = {m["metric"]: m for m in finding.tables["scale"]["tasks"][0]["metrics"]}
    wanted = (0.1846, 0.3284, 0.5162, 0.5620, 0.6161, 0.6472, 0.6728, 0.7046)
    np.testing.assert_allclose(metrics["acc"]["value"], wanted, atol=5e-5)
    assert set(metrics["acc"]["n"]) == {5153}, "the item count comes back from the standard error"
    assert np.exp(metrics["ppl"]["value"][0]) == pytest.approx(142.4, abs=0.05)
    assert np.exp(metrics["ppl"]["value"][-1]) == pytest.approx(3.92, abs=0.005)
    assert finding.verdict == "smooth"
    forecast = metrics["acc"]["forecast"]
    assert forecast["low"] <= 0.7046 <= forecast["high"]


@pytest.mark.slow
def test_the_whole_pythia_folder(shared):
    read = read_points([str(shared / "data" / "pythia")])
    assert len(read.frame) > 100_000
    finding = analyse(read.frame, ScaleRequest())[0]
    assert len(finding.tables["scale"]["tasks"]) > 300
    assert finding.tables["scale"]["axis"] == "parameters"


def test_benchmarks_have_one_main_component(shared):
    path = shared / "data" / "obs_scaling" / "base_llm_benchmark_eval.csv"
    estimates = analyse(read_points([str(path)]).frame, ScaleRequest())[0].estimates
    assert estimates["first_component_share"].value == pytest.approx(0.843, abs=5e-4)
    assert estimates["first_three_components_share"].value == pytest.approx(0.974, abs=5e-4)
    assert estimates["first_component_share"].n == 124


@pytest.mark.parametrize(
    ("values", "verdict", "told"),
    [
        ([0.3] * 9, "too noisy", "never changes"),
        ([0.3], "too few points", "1 scales"),
        ([0.1, 0.2, 0.6, 0.7], "too few points", "4 scales"),
    ],
)
def test_no_number_without_evidence(tmp_path, values, verdict, told):
    finding = tellapart.scale(
        results=(_table(tmp_path / "x.csv", values),), out=str(tmp_path / "run")
    ).findings[0]
    assert finding.verdict == verdict
    assert told in finding.sentence
    assert math.isnan(finding.probability)
    assert math.isnan(finding.estimates["forecast/t/acc"].value)


def test_order_and_repeats_do_not_matter(tmp_path):
    path = tmp_path / "a.csv"
    _table(path, np.linspace(0.1, 0.8, 9))
    lines = path.read_text().splitlines()[1:]
    other = tmp_path / "b.csv"
    shuffled = [lines[i] for i in np.random.default_rng(0).permutation(9)]
    other.write_text(HEAD + "\n".join([*shuffled, lines[0], lines[0]]) + "\n")
    a, b = (analyse(read_points([str(p)]).frame, ScaleRequest())[0] for p in (path, other))
    assert a.estimates == b.estimates
    assert any("twice" in caveat for caveat in b.caveats)


@pytest.mark.parametrize(
    ("values", "n", "told"),
    [(["nan"] * 9, 100, "all scores are missing"), ([0.1] * 9, -5, "item count is 1 or more")],
)
def test_what_cannot_be_scores_is_refused(tmp_path, values, n, told):
    with pytest.raises(UserMistake, match=told):
        analyse(read_points([_table(tmp_path / "x.csv", values, n)]).frame, ScaleRequest())


def test_a_curve_in_two_units_and_sizes_below_0_are_refused_by_name(tmp_path):
    values = np.linspace(0.1, 0.8, 9)
    path = _table(tmp_path / "x.csv", [*values[:6], 55.0, *values[7:]])
    with pytest.raises(UserMistake, match=r"others above 1: .* 55; give all as shares"):
        analyse(read_points([path]).frame, ScaleRequest())
    percent = read_points([_table(tmp_path / "y.csv", 100 * values)]).frame
    assert analyse(percent, ScaleRequest())
    with pytest.raises(UserMistake, match=r"parameters is -1e\+06 \(1 such rows\)"):
        analyse(percent.assign(parameters=[-1e6, *percent["parameters"][1:]]), ScaleRequest())


def test_seeds_widen_the_noise(tmp_path):
    rng = np.random.default_rng(1)
    rows = [
        f"m{i},{size},t,acc,{np.clip(0.1 + 0.05 * i + rng.normal(0, 0.1), 0, 1)},1000,{seed}\n"
        for i, size in enumerate(SIZES)
        for seed in range(4)
    ]
    path = tmp_path / "seeds.csv"
    path.write_text(HEAD.strip() + ",seed\n" + "".join(rows))
    metric = analyse(read_points([str(path)]).frame, ScaleRequest())[0].tables["scale"]["tasks"][0][
        "metrics"
    ][0]
    half = (metric["high"][4] - metric["low"][4]) / 2
    assert half == pytest.approx(1.96 * 0.1 / 2, rel=0.4)


def test_loss_is_the_scale_where_it_is_known(tmp_path):
    path = tmp_path / "loss.csv"
    path.write_text(
        "model,parameters,loss,task,metric,value,n\n"
        + "".join(f"m{i},{size},{3 - 0.2 * i},t,acc,{0.1 + 0.08 * i},500\n" for i, size in enumerate(SIZES))
    )
    table = analyse(read_points([str(path)]).frame, ScaleRequest())[0].tables["scale"]
    assert table["axis"] == "loss"
    assert table["tasks"][0]["metrics"][0]["scale"] == sorted(
        table["tasks"][0]["metrics"][0]["scale"], reverse=True
    )


def _run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tellapart.cli", "scale", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_writes_a_run_and_says_so_in_json(tmp_path):
    path = _table(tmp_path / "x.csv", np.linspace(0.1, 0.8, 9), 1000)
    done = _run(path, "--out", str(tmp_path / "run"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["study"] == "scale"
    assert json.loads(done.stdout)["findings"][0]["verdict"] == "smooth"
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<template" in page
    assert (tmp_path / "run" / "points.parquet").exists()


def test_mistakes_are_one_line_and_exit_2(tmp_path):
    for arguments in (
        (),
        (str(tmp_path / "nothing"),),
        (_table(tmp_path / "x.csv", [0.1, 0.2]), "--scale", "loss"),
    ):
        done = _run(*arguments, "--out", str(tmp_path / "run"))
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1
        assert not (tmp_path / "run").exists()


def test_scale_imports_no_torch():
    code = "import sys, tellapart.studies.scale.study; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(scope="module")
def drawn():
    """Return the verdict, probability and form of three draws of each law, 1,000 items, 9 models."""
    laws = {
        "U": lambda v: 0.25 + 1.5 * (v - 0.5) ** 2,
        "hump": lambda v: 0.25 + 0.4 * np.exp(-(((v - 0.5) / 0.2) ** 2)),
        "dip": lambda v: 0.7 - 0.4 * (np.arange(len(v)) == 4),
        "two steps": lambda v: 0.1 + 0.35 * (v > 0.3) + 0.35 * (v > 0.7),
        "one step": lambda v: 0.1 + 0.6 * (v > 0.55),
        "linear": lambda v: 0.15 + 0.6 * v,
        "logistic": lambda v: 0.1 + 0.75 / (1 + np.exp(-(v - 0.5) * 6)),
        "flat": lambda v: np.full(len(v), 0.4),
    }
    points = []
    for name, law in laws.items():
        for seed in range(3):
            rng, place = np.random.default_rng(seed), np.linspace(0, 1, 9)
            scores = rng.binomial(1000, np.clip(law(place) + rng.normal(0, 0.006, 9), 0, 1)) / 1000
            points += [
                Point(f"{name}#{seed}", "acc", score, f"m{i}", n=1000, parameters=SIZES[i])
                for i, score in enumerate(scores)
            ]
    tasks = analyse(to_frame(points), ScaleRequest())[0].tables["scale"]["tasks"]
    return {name: [one for one in tasks if one["task"].startswith(f"{name}#")] for name in laws}


@pytest.mark.parametrize(
    ("law", "verdict", "form"),
    [
        ("U", "not monotone", "not monotone"),
        ("hump", "not monotone", "not monotone"),
        ("dip", "not monotone", "not monotone"),
        ("two steps", "cannot tell", "sharp"),
        ("one step", "cannot tell", "sharp"),
        ("linear", "smooth", "smooth"),
        ("logistic", "smooth", "smooth"),
        ("flat", "too noisy", "too noisy"),
    ],
)
def test_curves_of_every_shape_get_no_wrong_word(drawn, law, verdict, form):
    right = 0
    for task in drawn[law]:
        allowed = (verdict, "too noisy")
        assert task["verdict"] in allowed, task["sentence"]
        right += task["verdict"] == verdict and task["metrics"][0]["form"] == form
    assert right >= 2, [task["sentence"] for task in drawn[law]]


def test_a_change_far_beyond_the_noise_is_not_called_none(drawn):
    for law in ("U", "hump", "dip"):
        for task in drawn[law]:
            tested = task["metrics"][0]["change"]
            assert tested["chi2"] > 200
            assert tested["df"] == 8
            assert "no change" not in task["sentence"]
    assert all("no change beyond the noise (chi-squared" in task["sentence"] for task in drawn["flat"])


def _beside(other, **fields):
    """Return the task of a jumping exact match of 1,000 items with a gradual metric beside it."""
    rng, points = np.random.default_rng(0), []
    for i, size in enumerate(SIZES):
        score = rng.binomial(1000, 0.1 + 0.6 * (i > 4)) / 1000
        points.append(Point("t", "exact_match,strict", score, f"m{i}", n=1000, parameters=size))
        own = {"n": 1000.0, "model": f"m{i}", **fields}
        points.append(
            Point("t", other, -2 + 0.15 * i + rng.normal(0, 0.01), error=0.01, parameters=size, **own)
        )
    return analyse(to_frame(points), ScaleRequest())[0].tables["scale"]["tasks"][0]


def test_a_companion_counts_only_where_it_is_of_the_same_outputs():
    assert _beside("gold_logprob,strict")["verdict"] == "sharp in the ruler only"
    assert _beside("gold_logprob,strict", n=float("nan"))["verdict"] == "sharp in the ruler only"
    for other, fields, said in (
        ("gold_logprob,flexible", {}, "another filter (flexible)"),
        ("gold_logprob,strict", {"n": 200.0}, "200 items where exact_match,strict has 1000"),
        ("gold_logprob,strict", {"model": "another"}, "not of the same models at every scale"),
    ):
        task = _beside(other, **fields)
        assert task["verdict"] == "cannot tell"
        assert said in task["sentence"]


def test_a_part_of_a_name_tells_no_kind_and_the_log_tells_the_direction():
    for name in (
        "bleu_acc_of_mine",
        "probe",
        "lossless_wins",
        "accident_rate",
        "matched_pairs",
        "problem_rate",
    ):
        assert metric_of(name, "")[:2] == ("not known", "not known")
    assert metric_of("bleu_acc", "").kind == "discontinuous"
    assert metric_of("anything", "continuous", "False")[:2] == ("continuous", "lower")
    assert metric_of("acc,none", "", "false").better == "lower"
    with pytest.raises(UserMistake, match="higher_is_better"):
        metric_of("acc", "", "maybe")
    task = _beside("problem_rate,strict")
    assert task["verdict"] == "cannot tell", "a metric of unknown kind places nothing"
    assert {one["kind"] for one in task["metrics"]} == {"discontinuous", "not known"}


def test_a_score_that_falls_all_the_way_is_smooth_and_for_the_worse(tmp_path):
    task = analyse(
        read_points([_table(tmp_path / "x.csv", np.linspace(0.8, 0.2, 9), 1000)]).frame, ScaleRequest()
    )[0]
    assert task.verdict == "smooth"
    assert task.sentence.endswith("for the worse.")
