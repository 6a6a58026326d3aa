"""Estimates and curves of a run in trackers: what they are given, and what each really keeps, offline."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from math import nan
from pathlib import Path

import pytest

from tellapart.cli import run
from tellapart.errors import UserMistake
from tellapart.findings.finding import Finding
from tellapart.findings.gain import SERIES, SeriesStep
from tellapart.findings.guard import SIGNALS, SignalsTable
from tellapart.findings.scale import SCALE, Forecast, MetricCurve, ScaleTable, ScaleTask
from tellapart.report import trackers
from tellapart.report.trackers import Curve, Place, Tracked, curves_of, send, tracked_of
from tellapart.stats.estimate import missing

ROOT = Path(__file__).parents[2]
READ = {
    "trackio": """
import os, sys; os.environ["TRACKIO_DIR"] = sys.argv[1]
from trackio.sqlite_storage import SQLiteStorage
print(sorted({name for row in SQLiteStorage.get_logs("tellapart", "run") for name in row}))
""",
    "mlflow": """
import os, sys, pathlib; os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
from mlflow import MlflowClient
client = MlflowClient(pathlib.Path(sys.argv[1]).resolve().as_uri())
experiment = client.get_experiment_by_name("tellapart")
(found,) = client.search_runs([experiment.experiment_id])
history = client.get_metric_history(found.info.run_id, "pass_at_k/tuned")
print(found.info.run_name, found.data.tags["verdict"], found.data.metrics["gain"], [one.step for one in history])
""",
}


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A finished run of `gain` on two logs."""
    for name, modulus in (("base", 5), ("tuned", 2)):
        lines = [
            {
                "item": f"q{item}",
                "model": name,
                "sample": sample,
                "correct": int((item + sample) % modulus == 0),
            }
            for item in range(30)
            for sample in range(2)
        ]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    logs = [str(tmp_path / f"{name}.jsonl") for name in ("base", "tuned")]
    assert run(["gain", "--logs", *logs, "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    return tmp_path / "run"


def test_what_a_tracker_is_given(folder: Path) -> None:
    told = tracked_of(folder)
    found = json.loads((folder / "findings.json").read_text())["findings"][0]
    assert told.name == "run"
    assert told.config["verdict"] == found["verdict"]
    assert told.metrics["gain"] == found["estimates"]["gain"]["value"]
    assert told.metrics["gain.low"] == found["estimates"]["gain"]["low"]
    assert all(
        value == value for value in told.metrics.values()
    )  # what is not known is left out, and is no 0
    (curve,) = [curve for curve in told.curves if curve.name == "pass_at_k"]
    assert list(curve.x) == [1, 2]
    assert curve.lines["base"][0] == found["tables"]["coverage"]["base"][0][0]


def test_steps_are_the_axis_where_it_counts() -> None:
    assert [step for step, _ in Curve("a", "k", [1, 2, 8], {"v": [0.1, 0.2, 0.3]}).points()] == [1, 2, 8]
    uneven = Curve("a", "bits", [0.0, 4.6], {"v": [0.1, float("nan")]})
    assert list(uneven.points()) == [(0, {"a/bits": 0.0, "a/v": 0.1}), (1, {"a/bits": 4.6})]


def task_of(scale: tuple[float, ...], value: tuple[float, ...]) -> ScaleTask:
    unknown = missing("score", "made up")
    metric = MetricCurve(
        **dict.fromkeys(("kind", "better", "form", "verdict", "beside", "reason", "best"), ""),
        **dict.fromkeys(("probability", "sharp", "no_change", "held_out_difference"), nan),
        **dict.fromkeys(("change", "turn")),
        **dict.fromkeys(("low", "high", "n", "models"), ()),
        **dict.fromkeys(("breakthroughness", "linearity"), unknown),
        metric="acc",
        logarithm=False,
        scale=scale,
        value=value,
        forecast=Forecast(**vars(unknown), truth=nan, scale=nan, says=False),
    )
    return ScaleTask("t", "t", "", "", "smooth", nan, "", None, (metric,))


def test_curves_of_other_studies() -> None:
    steps = [SeriesStep(0, 9, 0.1, nan, nan, nan, nan, nan), SeriesStep(10, 9, 0.4, nan, nan, 0.3, nan, nan)]
    finding = Finding(
        question="",
        verdict="",
        probability=nan,
        sentence="",
        estimates={},
        tables={
            **SIGNALS.write(SignalsTable((3, 4), 1, {"reward": (0.5, nan)}, (), ())),
            **SERIES.write(steps),
            **SCALE.write(ScaleTable("parameters", 1, (task_of(scale=(1e6, 1e7), value=(0.1, nan)),))),
        },
    )
    found = {curve.name: list(curve.points()) for curve in curves_of(finding)}
    assert found["signals"] == [(3, {"signals/step": 3.0, "signals/reward": 0.5}), (4, {"signals/step": 4.0})]
    assert found["checkpoints"][1] == (
        10,
        {"checkpoints/step": 10.0, "checkpoints/score": 0.4, "checkpoints/gain": 0.3},
    )
    assert found["scale/t/acc"][0] == (1000000, {"scale/t/acc/scale": 1e6, "scale/t/acc/value": 0.1})


def test_mistakes(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", str(folder), "--to", "trackoi"]) == 2
    assert "did you mean 'trackio'" in capsys.readouterr().err
    monkeypatch.setattr("tellapart.extras.find_spec", lambda name: None)
    assert run(["export", str(folder), "--to", "wandb"]) == 2
    assert "pip install 'tellapart[wandb]'" in capsys.readouterr().err
    monkeypatch.setattr("tellapart.extras.find_spec", lambda name: True)

    def gone(tracked: Tracked, place: Place) -> None:
        raise ConnectionError("no server at http://127.0.0.1:1")

    monkeypatch.setattr(trackers, "TRACKERS", {"mlflow": gone})
    with pytest.raises(UserMistake, match=r"mlflow did not take the run .*no server"):
        send(folder, "mlflow", Place())


@pytest.mark.parametrize("tracker", ["trackio", "mlflow", "wandb"])
def test_the_tracker_keeps_it(folder: Path, tmp_path: Path, tracker: str) -> None:
    if find_spec(tracker) is None:
        pytest.skip(f"{tracker} is not installed (pip install 'tellapart[{tracker}]')")
    store = tmp_path / "store"
    # no proxy leads out, so whatever tried to would fail
    env = {
        **os.environ,
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HF_HUB_OFFLINE": "1",
    }
    command = [sys.executable, "-m", "tellapart", "export", str(folder), "--to", tracker, "--out", str(store)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "figures and" in done.stdout
    if tracker == "wandb":
        (kept,) = store.glob("wandb/offline-run-*/run-*.wandb")
        assert b"pass_at_k/tuned" in kept.read_bytes()
        return
    read = subprocess.run(
        [sys.executable, "-c", READ[tracker], str(store)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert read.returncode == 0, read.stderr[-2000:]
    if tracker == "trackio":
        assert "'pass_at_k/tuned'" in read.stdout
        assert "'gain'" in read.stdout
    else:
        gain = tracked_of(folder).metrics["gain"]
        assert read.stdout.split()[0] == "run"
        assert read.stdout.strip().endswith(f"{gain} [1, 2]")
