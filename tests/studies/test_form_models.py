"""`form MODEL --task T` on specimens: verdicts, equal arms asked once, going on after a kill, refusals."""

import json
from pathlib import Path
from typing import Any

import pytest

import tellapart
from tellapart.cli import run

TUNED, TASK = "specimen:latent-register-0/tuned", "specimen:latent-register-0"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("form") / "run"
    tellapart.form(model=TUNED, task=TASK, limit=80, out=str(out))
    return out


def findings(out: Path) -> dict[str, Any]:
    return {
        next(iter(finding["tables"]["counts"]))["condition"].partition("/")[0]: finding
        for finding in json.loads((out / "findings.json").read_text())["findings"]
    }


def test_both_families_have_a_verdict(done: Path) -> None:
    found = findings(done)
    assert list(found) == ["rationale", "chain"]
    assert found["chain"]["verdict"] == "substance"
    assert found["rationale"]["verdict"] == "form"
    for finding in found.values():
        assert {"base_score", "full_score", "form_share", "gain"} <= set(finding["estimates"])
        assert finding["tables"]["audit"]
        assert all(line["held"] for line in finding["tables"]["audit"])


def test_what_was_not_run_is_told(done: Path) -> None:
    told = findings(done)["chain"]["controls"]
    assert "template has no instruction" in told["not run: instructions"]
    assert "list no choices" in told["not run: choices"]


def test_a_mistake_in_its_own_steps_is_carried_on(done: Path) -> None:
    scores = {name: one["value"] for name, one in findings(done)["chain"]["estimates"].items()}
    assert scores["score/own_chain"] > 0.95
    assert scores["score/inserted_mistake"] < 0.05
    assert scores["score/forced_answer"] == pytest.approx(scores["score/own_chain"], abs=0.05)
    assert scores["score/filler_steps"] < 0.05


def test_counts_add_up(done: Path) -> None:
    for finding in findings(done).values():
        for row in finding["tables"]["counts"]:
            assert row["asked"] == sum(
                row[name] for name in ("correct", "wrong", "cut off", "failed", "unscored")
            )


def test_equal_arms_are_asked_once(done: Path) -> None:
    rows = {
        name: [
            json.loads(line)
            for path in (done / "rows").glob(f"{name}*.jsonl")
            for line in path.read_text().splitlines()
        ]
        for name in ("rationale-valid", "chain-own")
    }
    seconds = [
        {row["item"]: (row["key"], row["seconds"], row["completion"]) for row in some}
        for some in rows.values()
    ]
    assert seconds[0] == seconds[1]


def test_it_goes_on_after_a_kill_and_asks_nothing_twice(done: Path) -> None:
    before = (done / "findings.json").read_text()
    shard = next((done / "rows").glob("rationale-invalid*.jsonl"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    tellapart.form(model=TUNED, task=TASK, limit=80, out=str(done))
    lines = [json.loads(line) for line in shard.read_text().splitlines()]
    assert len(lines) == len({line["item"] for line in lines}) == 80
    assert (done / "findings.json").read_text() == before


def test_another_spec_is_refused(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["form", TUNED, "--task", TASK, "--limit", "80", "--seed", "1", "--out", str(done)]) == 2
    assert "seed" in capsys.readouterr().err


def test_a_scorer_that_finds_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = [{"id": str(at), "prompt": f"{at}ri=", "target": "1"} for at in range(1000, 1006)]
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(item) for item in items))
    shown = [
        {"id": f"d{at}", "prompt": f"{at}ri=", "target": f"{at}", "w": f"r{at};i{at}"} for at in (2000, 2001)
    ]
    (tmp_path / "shown.jsonl").write_text("\n".join(json.dumps(item) for item in shown))
    (tmp_path / "t.toml").write_text(
        'scorer = "regex"\npattern = "#### (.+)"\nmax_tokens = 24\ndemonstrations = "shown.jsonl"\n'
        'worked = "{w}\\n#### {target}"\nanswer = "#### {target}"\nstop = ["\\n"]\n'
    )
    words = ["form", TUNED, "--task", str(tmp_path / "t.jsonl"), "--out", str(tmp_path / "run")]
    assert run(words) == 2
    said = capsys.readouterr().err
    assert "finds no answer in any of 6 answers" in said
    assert not (tmp_path / "run/findings.json").exists()


def test_a_form_that_is_not_kept_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tellapart.controls import invalid_steps
    from tellapart.errors import UserMistake

    monkeypatch.setattr(
        invalid_steps, "wrong_steps", lambda worked, rng: (*worked.parts.steps[:-1], "c0000;c0000")
    )
    with pytest.raises(UserMistake, match=r"rationale/invalid_steps does not keep the form: \w+ differ by"):
        tellapart.form(model=TUNED, task=TASK, limit=8, out=str(tmp_path / "run"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "form needs MODEL --task T"),
        ([TUNED, "--task", TASK, "--family", "rational"], "did you mean 'rationale'"),
        ([TUNED, "--task", TASK, "--family", "choices"], "family choices cannot run"),
        ([TUNED, "--task", TASK, "--margin", "0"], "--margin 0"),
        ([TUNED, "--task", TASK, "--correct-at", "nan"], "--correct-at nan"),
        ([TUNED, "--task", TASK, "--device", "abacus"], "device abacus cannot be used here"),
        ([TUNED, "--task", TASK, "--paraphraser", "specimen:none/base"], "no specimen 'none'"),
        (
            [TUNED, "--task", TASK, "--samples", "2", "--entailment", "specimen:none/base"],
            "no specimen 'none'",
        ),
        ([TUNED, "--task", TASK, "--logs", "full=x"], "give one of MODEL"),
    ],
)
def test_mistakes(words: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["form", *words, "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()
