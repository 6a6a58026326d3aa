"""`tellapart expressible`, `inside --expressible` and the first rung of `gain`, by the real command."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tellapart.cli import run
from tellapart.rasp.network import compile_program, save, tokenizer
from tellapart.rasp.programs import PROGRAMS

WORDS = (
    "cabd",
    "bba",
    "dcba",
    "aab",
    "bdbd",
    "cc",
    "dab",
    "acac",
    "bd",
    "cdda",
    "abba",
    "dbca",
    "ca",
    "bbad",
)


def task(folder: Path, program: str = "sort", words: tuple[str, ...] = WORDS) -> str:
    """Write a task of words to sort, and return its path."""
    lines = [
        json.dumps({"id": word, "prompt": f"{word}=", "target": "".join(sorted(word))}) for word in words
    ]
    (folder / "items.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "items.toml").write_text(
        f'scorer = "exact"\nguess_floor = 0.01\nmax_tokens = 5\nprogram = "{program}"\n'
    )
    return str(folder / "items.jsonl")


def finding(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "findings.json").read_text())["findings"][0]


def test_a_task_in_the_least_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert run(["expressible", task(tmp_path), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["study"] == "expressible"
    found = finding(out)
    assert found["verdict"] == "expressible"
    assert found["estimates"]["expressible_layers"]["value"] == 2
    assert found["estimates"]["learned_score"]["value"] is None
    assert "no training was asked" in found["estimates"]["learned_score"]["method"]
    assert [row["rung"] for row in found["tables"]["ladder"]] == ["expressible"]
    assert "The ladder" in (out / "report.html").read_text()


def test_what_was_trained_stands_on_the_ladder_and_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [
        "expressible",
        "program:most_frequent",
        "--length",
        "6",
        "--train",
        "2",
        "--steps",
        "30",
        "--out",
    ]
    assert run([*command, str(out), "--json"]) == 0
    found = finding(out)
    assert [row["rung"] for row in found["tables"]["ladder"]] == [
        "expressible",
        "learnable from near",
        "learned",
    ]
    assert len(found["tables"]["trainings"]) == 8
    assert found["estimates"]["stayed_score"]["value"] == 1.0
    kept = json.loads((out / "artifacts" / "learned.json").read_text())
    kept["learned"][0]["score"] = 0.125
    (out / "artifacts" / "learned.json").write_text(json.dumps(kept))
    assert run([*command, str(out), "--json"]) == 0
    assert finding(out)["tables"]["trainings"][0]["score"] == 0.125  # read, not trained again


def test_a_written_network_holds_itself_and_shows_it(tmp_path: Path) -> None:
    model, out = tmp_path / "model", tmp_path / "inside"
    asked = [
        "expressible",
        "program:lookup",
        "--length",
        "5",
        "--write",
        str(model),
        "--out",
        str(tmp_path / "run"),
    ]
    assert run([*asked, "--json"]) == 0
    assert run(["inside", str(model), "--expressible", "lookup", "--out", str(out), "--json"]) == 0
    found = finding(out)
    assert found["verdict"] == "expressible"
    assert found["estimates"]["base_score"]["value"] == 1.0
    assert [row["rung"] for row in found["tables"]["ladder"]] == ["expressible", "demonstrated"]


def saved(folder: Path, weights: str) -> str:
    """Write a network in the shape of `sort`: compiled, or with random weights."""
    compiled = compile_program(PROGRAMS["sort"], 8)
    if weights == "compiled":
        save(compiled, folder)
    else:
        torch.manual_seed(0)
        LlamaForCausalLM(LlamaConfig(**compiled.config)).save_pretrained(folder)
        tokenizer(compiled.layout.symbols).save_pretrained(folder)
    return str(folder)


def test_gain_fills_the_first_rung_where_the_task_names_a_program(tmp_path: Path) -> None:
    base, tuned = (saved(tmp_path / name, name) for name in ("random", "compiled"))
    asked = ["gain", base, tuned, "--plan", "quick", "--samples", "2", "--json"]
    assert run([*asked, "--task", task(tmp_path), "--out", str(tmp_path / "run")]) == 0
    found = finding(tmp_path / "run")
    rungs = {row["rung"]: row for row in found["tables"]["ladder"]}
    assert rungs["expressible"]["value"] == rungs["tuned"]["value"] == 1.0
    assert "program sort in the base's shape: weights were written" in rungs["expressible"]["how"]
    assert rungs["demonstrated"]["value"] < 0.2


def test_gain_says_why_the_rung_is_empty(tmp_path: Path) -> None:
    base, tuned = (saved(tmp_path / name, name) for name in ("random", "compiled"))
    asked = ["gain", base, tuned, "--plan", "quick", "--samples", "2", "--json"]
    assert run([*asked, "--task", task(tmp_path, "reverse"), "--out", str(tmp_path / "run")]) == 0
    found = finding(tmp_path / "run")
    assert "expressible" not in {row["rung"] for row in found["tables"]["ladder"]}
    assert any(caveat.startswith("Expressible (program reverse)") for caveat in found["caveats"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["expressible"], "expressible needs TASK"),
        (["expressible", "program:sorted"], "the programs are copy"),
        (["expressible", "program:sort", "--length", "0"], "--length 0: give 1 or more"),
        (["expressible", "program:sort", "--train", "1"], "one seed has no interval"),
        (["expressible", "program:sort", "--noises", "2"], "0 < x <= 1"),
        (["expressible", "program:sort", "--shape", "nowhere.json"], "no config can be read"),
        (["expressible", "program:addition", "--length", "2"], "no input of up to 2 tokens"),
        (["inside", "a", "b", "--expressible", "sort"], "asked of one MODEL"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert said in captured.err
    assert list(tmp_path.iterdir()) == []


def test_items_that_are_no_input_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["expressible", task(tmp_path, words=("xyz", "ab"))]) == 2
    assert "is no input of program sort" in capsys.readouterr().err
    assert run(["expressible", task(tmp_path, program="parity")]) == 2
    (tmp_path / "items.toml").write_text('scorer = "exact"\n')
    assert run(["expressible", str(tmp_path / "items.jsonl")]) == 2
    assert "names no program" in capsys.readouterr().err
