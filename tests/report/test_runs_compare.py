"""`tellapart runs`, `tellapart compare`, `open_run`: what lies in run folders, without a model."""

import json
import math
from pathlib import Path

import pytest

import tellapart
from tellapart.cli import run
from tellapart.errors import UserMistake
from tellapart.findings.finding import Finding
from tellapart.report.compare import compare_runs
from tellapart.report.runs import list_runs
from tellapart.runs.folder import canonical, open_run
from tellapart.runs.progress import ticking
from tellapart.stats.estimate import Estimate
from tellapart.studies.outcome import conclude


def score(value: float) -> Estimate:
    return Estimate(value, value - 0.1, value + 0.1, 40, "share", "test")


def kept(folder: Path, started: str, verdict: str, **estimates: float) -> Path:
    """Make a finished run with one finding."""
    spec = {"study": "gain", "base": "a", "tuned": folder.name, "task": "t"}
    with open_run(folder, spec, {"started": started}):
        values = {name: score(value) for name, value in estimates.items()}
        finding = Finding("How much?", verdict, math.nan, "So much.", values, tables={"lengths": [{"n": 1}]})
        conclude(folder, "gain", [finding])
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    kept(tmp_path / "x" / "old", "2026-01-01T00:00:00+00:00", "elicited", gain=0.3, tuned_score=0.5, odd=0.1)
    kept(tmp_path / "x" / "new", "2026-02-01T00:00:00+00:00", "no gain", gain=0.1, tuned_score=0.5)
    with open_run(
        tmp_path / "begun", {"study": "form", "model": "m"}, {"started": "2026-03-01T00:00:00+00:00"}
    ):
        pass
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "spec.json").write_text("{")
    return tmp_path


def test_a_run_that_is_under_way_says_at_what(tmp_path: Path) -> None:
    spec = {"study": "gain", "base": "a", "tuned": "b", "task": "t"}
    with open_run(tmp_path / "run", spec, {}) as folder:
        assert [one.state for one in list_runs(tmp_path)] == ["under way"]
        with ticking("base/plain", 9, quiet=True, tell=folder.tell) as ticker:
            ticker.tick(2)
        assert [one.state for one in list_runs(tmp_path)] == ["under way: base/plain 2/9"]
    assert [one.state for one in list_runs(tmp_path)] == ["unfinished"]


def test_runs_are_listed_newest_first_whatever_their_state(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["runs", str(runs), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    finished = [Path(one["folder"]).name for one in listed if one["state"] == "finished"]
    assert finished == ["new", "old"]
    by_name = {Path(one["folder"]).name: one for one in listed}
    assert by_name["new"]["verdicts"] == ["no gain"]
    assert by_name["new"]["about"] == "base a, tuned new, task t"
    assert by_name["begun"]["state"] == "unfinished"
    assert "spec.json" in by_name["torn"]["state"]
    assert run(["runs", str(runs)]) == 0
    assert str(runs / "x" / "old") in capsys.readouterr().out
    assert run(["runs", str(runs / "nowhere")]) == 2
    assert "is no folder" in capsys.readouterr().err


def test_runs_are_compared_by_what_they_share(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [runs / "x" / "old", runs / "x" / "new"]
    (compared,) = compare_runs(folders)
    assert compared.verdicts == ("elicited", "no gain")
    assert list(compared.estimates) == ["gain", "tuned_score"]
    assert [one.value for one in compared.estimates["gain"] if one] == [0.3, 0.1]
    assert tellapart.compare([tellapart.open_run(folders[0]), folders[1]]) == [compared]
    assert run(["compare", *map(str, folders), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"][0]["verdicts"] == ["elicited", "no gain"]
    assert run(["compare", *map(str, folders)]) == 0
    assert "no difference between runs is tested" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "said"), [(["x/old"], "two or more"), (["x/old", "begun"], "findings.json")]
)
def test_what_cannot_be_compared_is_one_line(
    runs: Path, given: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", *(str(runs / name) for name in given)]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1


def test_a_run_is_what_its_folder_holds(runs: Path) -> None:
    held = tellapart.open_run(runs / "x" / "old")
    assert held.findings[0].verdict == "elicited"
    assert held.findings[0].estimates["gain"] == score(0.3)
    assert held.table("lengths") == [{"n": 1}]
    with pytest.raises(UserMistake, match="there are lengths"):
        held.table("length")
    with pytest.raises(UserMistake, match=r"rows\.parquet"):
        _ = held.rows


def test_a_run_of_an_older_version_is_resumed_where_new_options_have_their_defaults(tmp_path: Path) -> None:
    table = tmp_path / "scores.csv"
    lines = [f"m{i},t,acc,{i / 10},100,{10**i}" for i in range(1, 8)]
    table.write_text("\n".join(["model,task,metric,value,n,parameters", *lines]) + "\n")
    arguments = ["scale", str(table), "--out", str(tmp_path / "run"), "--json"]
    assert run(arguments) == 0
    spec_file = tmp_path / "run" / "spec.json"
    written = json.loads(spec_file.read_text())
    del written["spec"]["hold_out"]  # as a version that did not know the option would have written it
    written["spec"]["json"] = False  # and as one that recorded an option that changes no answer
    spec_file.write_text(canonical(written))
    assert run(arguments) == 0
    assert run([*arguments, "--hold-out", "2"]) == 2
    assert run([*arguments, "--fail-on", "smooth", "cannot tell", "too noisy", "sharp in the model too"]) in (
        0,
        3,
    )


def test_listing_takes_no_rows_of_a_run_for_runs(runs: Path) -> None:
    inside = runs / "x" / "old" / "artifacts"
    inside.mkdir(exist_ok=True)
    (inside / "spec.json").write_text("{}")
    assert not [one for one in list_runs(runs) if "artifacts" in one.folder]
