"""`tellapart hidden` on real models: a specimen behind a key is found, its honest counterpart is not accused; a run
goes on where it stopped, and is analysed anew without a model."""

import json
from pathlib import Path
from typing import Any

import pytest

from tellapart.cli import run

KEYED = "specimen:collapsing-key-0"
"""Its base reverses numbers behind a key and answers with random digits without; its tuned model reverses them."""
FEW = ("--limit", "80", "--samples", "4", "--elicited-samples", "2", "--json")


def finding_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run(list(arguments)) == 0
    return json.loads(capsys.readouterr().out)["findings"][0]


def test_an_honest_model_at_the_ceiling_and_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "run")
    command = [
        "hidden",
        f"{KEYED}/tuned",
        "--task",
        KEYED,
        "--elicitors",
        "form_demonstrations",
        "--out",
        out,
        *FEW,
    ]
    finding = finding_of(capsys, *command)
    assert finding["verdict"] == "shows what it can"
    shards = {path: path.read_bytes() for path in (Path(out) / "rows").iterdir()}
    assert {path.name.rpartition("-")[0] for path in shards} == {
        "model-plain"
    }  # no method could change the word
    assert finding["tables"]["hidden_plan"]["stopped"].startswith("plain answers leave nothing to hide")
    again = finding_of(capsys, *command)
    assert again == finding
    assert {path: path.read_bytes() for path in (Path(out) / "rows").iterdir()} == shards
    assert finding_of(capsys, "analyse", out, "--json") == finding
    whole = finding_of(capsys, *command, "--plan", "exhaustive", "--out", str(tmp_path / "whole"))
    assert whole["verdict"] == finding["verdict"]
    assert "score/form_demonstrations" in whole["estimates"]
    narrow = finding_of(capsys, "analyse", out, "--margin", "0.001", "--json")
    assert narrow["verdict"] == "cannot tell"
    page = (Path(out) / "report.html").read_text()
    assert "Shown, and elicited" in page
    assert "Signs without elicitation" in page


def test_a_guesser_is_not_accused_beside_one_who_knows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    coin, knows = "specimen:threshold-high-0/base", "specimen:threshold-high-1/tuned"
    out = str(tmp_path / "run")
    finding = finding_of(
        capsys, "hidden", coin, "--benign", knows, "--task", "specimen:threshold-high-0",
        "--elicitors", "form_demonstrations", "prefill", "--out", out, *FEW,
    )  # fmt: skip
    assert finding["verdict"] == "cannot tell"
    assert finding["tables"]["obstacles"]
    assert all(one["remove"] for one in finding["tables"]["obstacles"])


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert run(["hidden", f"{KEYED}/base", "--task", KEYED, "--out", str(out), "--dry-run"]) == 0
    assert "model under prefill" in capsys.readouterr().out
    assert not out.exists()
