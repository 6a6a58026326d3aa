"""`form --pairs`: planted judges. One rewards facts, one rewards style; a constant answer that wins is flagged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.cli import run

WORDS = (
    "the",
    "answer",
    "depends",
    "on",
    "what",
    "is",
    "measured",
    "and",
    "how",
    "it",
    "was",
    "done",
    "in",
    "each",
)


def answer(rng: np.random.Generator, words: int, bold: int) -> str:
    return " ".join([*rng.choice(WORDS, words), *["**so**"] * bold])


def judged(
    path: Path,
    prefers: Callable[[np.ndarray, np.ndarray], float],
    n: int = 400,
    constant: float | None = None,
) -> str:
    """Write pairs of `good` (right in 80 %) and `loud` (right in 40 %, longer, with bold words), judged by
    sigmoid(prefers(good, loud)) of (right, log length); `constant` is how often a constant answer wins."""
    rng, lines = np.random.default_rng(0), []
    for at in range(n):
        sizes = rng.integers(20, 60), rng.integers(40, 140)
        right = rng.random(2) < (0.8, 0.4)
        texts = [
            answer(rng, sizes[0], int(rng.random() < 0.3)),
            answer(rng, sizes[1], int(rng.integers(0, 6))),
        ]
        facts = [np.array([float(r), np.log(len(t))]) for r, t in zip(right, texts, strict=True)]
        good_wins = rng.random() < 1 / (1 + np.exp(-prefers(facts[0], facts[1])))
        order = [0, 1] if rng.random() < 0.5 else [1, 0]
        names = ["good", "loud"]
        lines.append(
            pair(at, [names[k] for k in order], [texts[k] for k in order], good_wins == (order[0] == 0))
        )
        if constant is not None and at < 60:
            lines.append(pair(at, ["null", "good"], ["I win.", texts[0]], bool(rng.random() < constant)))
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def pair(at: int, models: list[str], answers: list[str], a_wins: bool) -> str:
    record = {"item": str(at), "model_a": models[0], "model_b": models[1]}
    return json.dumps(
        {**record, "answer_a": answers[0], "answer_b": answers[1], "winner": "a" if a_wins else "b"}
    )


def finding_of(capsys: pytest.CaptureFixture[str], path: str, out: Path) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["form", "--pairs", path, "--out", str(out), "--json"]) == 0
    return json.loads(capsys.readouterr().out)["findings"][0]


def by_facts(good: np.ndarray, loud: np.ndarray) -> float:
    return 2.5 * float(good[0] - loud[0])


def by_style(good: np.ndarray, loud: np.ndarray) -> float:
    return 2.5 * float(good[1] - loud[1])


def test_a_judge_of_facts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finding = finding_of(capsys, judged(tmp_path / "p.jsonl", by_facts), tmp_path / "run")
    assert finding["estimates"]["win_rate/good"]["value"] > 0.6
    assert finding["estimates"]["form_share"]["low"] < 0.25
    assert finding["verdict"] in ("substance", "cannot tell")
    assert (tmp_path / "run/report.html").exists()


def test_a_judge_of_style(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finding = finding_of(capsys, judged(tmp_path / "p.jsonl", by_style), tmp_path / "run")
    estimates = finding["estimates"]
    assert estimates["win_rate/loud"]["value"] > 0.7
    assert estimates["form_share"]["value"] > 0.75
    assert finding["verdict"] == "cannot tell", "the longest-answer control is flagged"
    assert "goes by length alone" in finding["sentence"]
    assert estimates["length_controlled_win_rate/loud"]["value"] < estimates["win_rate/loud"]["value"] - 0.1
    assert "FLAGGED" in finding["controls"]["judge: longest answer"]


GREAT = ("Great question! ",)
MANNERS = ("Sure! ", "Wow! ", "Happy to help! ", "\u2728 ", "Gladly: ", "Here goes: ")


def marked(path: Path, share: float, scored: bool, seed: int, openings: tuple[str, ...] = GREAT) -> str:
    """Write pairs of x, y and z, right alike: a judge likes what opens `share` of the answers of x."""
    rng, lines = np.random.default_rng(seed), []
    for at in range(300):
        models = rng.choice(["x", "y", "z"], 2, replace=False).tolist()
        opens = [model == "x" and rng.random() < share for model in models]
        texts = [
            str(rng.choice(openings)) * opened + answer(rng, int(rng.integers(30, 90)), 0) for opened in opens
        ]
        won = rng.random() < 1 / (1 + np.exp(-2.5 * (float(opens[0]) - float(opens[1]))))
        line = json.loads(pair(at, models, texts, bool(won)))
        scores = dict(zip(("score_a", "score_b"), (rng.random(2) < 0.5).astype(float), strict=True))
        lines.append(json.dumps(line | (scores if scored else {})))
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.parametrize("scored", [True, False])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_words_that_mark_the_leader_are_style(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], scored: bool, seed: int
) -> None:
    finding = finding_of(capsys, marked(tmp_path / "p.jsonl", 0.6, scored, seed), tmp_path / "run")
    assert finding["verdict"] != "substance"
    assert finding["estimates"]["form_share"]["value"] > 0.4
    assert "style_weight/the word 'great'" in finding["estimates"]
    assert ("right_share" in finding["estimates"]) is scored


@pytest.mark.parametrize("scored", [True, False])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_manner_in_many_words_is_no_substance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], scored: bool, seed: int
) -> None:
    """Each opening marks too few answers to be taken for style, and the judge likes them all."""
    path = marked(tmp_path / "p.jsonl", 0.9, scored, seed, MANNERS)
    assert finding_of(capsys, path, tmp_path / "run")["verdict"] == "cannot tell"


def test_a_lead_that_neither_style_nor_rightness_explains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A judge that knows the author prefers it: no word, where scores show that it is no more right."""
    rng, lines = np.random.default_rng(0), []
    for at in range(300):
        models = rng.choice(["x", "y"], 2, replace=False).tolist()
        texts = [answer(rng, int(rng.integers(30, 90)), 0) for _ in models]
        won = bool(rng.random() < (0.8 if models[0] == "x" else 0.2))
        scores = dict(zip(("score_a", "score_b"), (rng.random(2) < 0.5).astype(float), strict=True))
        lines.append(json.dumps(json.loads(pair(at, models, texts, won)) | scores))
    (tmp_path / "p.jsonl").write_text("\n".join(lines))
    finding = finding_of(capsys, str(tmp_path / "p.jsonl"), tmp_path / "run")
    assert finding["verdict"] == "cannot tell"
    assert "what the rest is, these pairs cannot say" in finding["sentence"]


@pytest.mark.parametrize(("wins", "flagged"), [(0.77, True), (0.02, False)])
def test_a_constant_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wins: float, flagged: bool
) -> None:
    finding = finding_of(capsys, judged(tmp_path / "p.jsonl", by_facts, constant=wins), tmp_path / "run")
    told = finding["controls"]["judge: constant answer (null)"]
    assert ("FLAGGED" in told) is flagged
    assert (finding["verdict"] == "cannot tell" and "cannot be trusted" in finding["sentence"]) is flagged
    assert "win_rate/null" not in finding["estimates"]


def test_an_order_that_decides_is_flagged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = []
    for at in range(40):
        texts = [f"one answer {at} in words", f"another answer {at} in words that go on"]
        lines += [pair(at, ["x", "y"], texts, True), pair(at, ["y", "x"], texts[::-1], True)]
    path = tmp_path / "p.jsonl"
    path.write_text("\n".join(lines))
    finding = finding_of(capsys, str(path), tmp_path / "run")
    assert "FLAGGED" in finding["controls"]["judge: order swap"]
    assert finding["verdict"] == "cannot tell"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"item": 1}', "no field 'winner'"),
        (
            '{"item": "1", "model_a": "x", "model_b": "x", "answer_a": "", "answer_b": "", "winner": "a"}',
            "name two models",
        ),
        (
            '{"item": "1", "model_a": "x", "model_b": "y", "answer_a": "", "answer_b": "", "winner": "c"}',
            "write a, b or tie",
        ),
        (
            '{"item": "1", "model_a": "x", "model_b": "y", "answer_a": "", "answer_b": "", "winner": "b"}',
            "1 judged pairs",
        ),
        ("[1]", "give JSONL"),
    ],
)
def test_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, told: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(line + "\n")
    assert run(["form", "--pairs", str(path), "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
