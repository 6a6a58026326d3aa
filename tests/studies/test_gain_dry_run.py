"""--dry-run reckons what a run spends, asks next to nothing and leaves nothing behind."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tellapart.cli import run

PAIR = (
    "gain",
    "specimen:latent-register-0/base",
    "specimen:latent-register-0/tuned",
    "--task",
    "specimen:latent-register-0",
)


def reckoned(capsys: pytest.CaptureFixture[str], *options: str) -> dict:
    assert run([*PAIR, *options, "--dry-run", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_it_prints_a_plan_and_makes_no_folder(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run([*PAIR, "--limit", "12", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "base under cot_decoding and its null control" in told
    assert any(line.startswith("at least") for line in told.splitlines())
    assert list(tmp_path.iterdir()) == []


def test_more_items_samples_and_methods_cost_more(capsys) -> None:
    few, many = (reckoned(capsys, "--limit", count, "--samples", "4") for count in ("12", "24"))
    assert few["least"]["generated"] * 1.5 < many["least"]["generated"] < many["most"]["generated"]
    assert few["least"]["trained"] == few["most"]["trained"] == 0
    planted = reckoned(capsys, "--limit", "24", "--samples", "4", "--plant")
    assert planted["most"]["trained"] > 0
    named = reckoned(capsys, "--limit", "24", "--samples", "4", "--elicitors", "prefill")
    assert named["methods"] == ["prefill"]
    assert named["most"]["generated"] < many["most"]["generated"]
    assert many["least"]["memory"] > 1e6


def test_a_run_spends_between_the_least_and_the_most(tmp_path: Path, capsys) -> None:
    options = ("--limit", "24", "--samples", "4", "--elicited-samples", "2")
    told = reckoned(capsys, *options)
    assert run([*PAIR, *options, "--out", str(tmp_path / "run")]) == 0
    assert "plain answers of at most" in capsys.readouterr().err
    spent = json.loads((tmp_path / "run" / "artifacts" / "tokens.json").read_text())
    assert 0.7 * told["least"]["generated"] <= spent["generated"] <= 1.3 * told["most"]["generated"]
    assert spent["trained"] <= told["most"]["trained"]


def test_logs_have_nothing_to_reckon(tmp_path: Path, capsys) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(
            "item,model,n,c\n" + "".join(f"i{at},{name},4,2\n" for at in range(30))
        )
    logs = [str(tmp_path / f"{name}.csv") for name in ("a", "b")]
    assert run(["gain", "--logs", *logs, "--out", str(tmp_path / "run"), "--dry-run"]) == 0
    assert "nothing would be asked" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()
