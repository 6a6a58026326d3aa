"""`form --logs` on real results: the documented figures, roles, refusals."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.cli import run

GSM = "data/gsm8k/example_model_solutions.jsonl"


def finding_of(capsys: pytest.CaptureFixture[str], out: Path, *logs: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["form", "--logs", *logs, "--out", str(out), "--json"]) == 0
    return json.loads(capsys.readouterr().out)["findings"][0]


def values(finding: dict[str, Any], *names: str) -> list[float]:
    return [finding["estimates"][name]["value"] for name in names]


def test_bbh(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared / "data/bbh/code-davinci-002-outputs/code-davinci-002"
    finding = finding_of(capsys, tmp_path / "run", f"base={folder}-direct", f"full={folder}-cot")
    scores = values(finding, "base_score_by_family", "full_score_by_family", "gain")
    assert [round(100 * score, 2) for score in scores] == [56.61, 73.93, 21.62]
    names = [f"gain_standard_error/{way}" for way in ("unpaired", "paired", "clustered")]
    assert [round(100 * error, 2) for error in values(finding, *names)] == [0.82, 0.73, 4.31]
    assert values(finding, "families_worse") == [6]
    assert finding["estimates"]["families_worse"]["n"] == 23
    sorting = next(row for row in finding["tables"]["families"] if row["family"] == "word_sorting")
    assert [round(100 * sorting[role], 1) for role in ("base", "full")] == [50.4, 40.4]
    assert finding["verdict"] == "cannot tell"
    assert (tmp_path / "run/report.html").stat().st_size > 10_000


def test_gsm8k(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = shared / GSM
    arms = {
        "base": "6b_finetuning",
        "full": "175b_verification",
        "form_only": "175b_finetuning",
        "form_only/verified": "6b_verification",
    }
    finding = finding_of(capsys, tmp_path / "run", *(f"{arm}={log}#{model}" for arm, model in arms.items()))
    scores = values(finding, "base_score", "score/form_only/verified", "score/form_only", "full_score")
    assert [round(100 * score, 2) for score in scores] == [21.68, 39.04, 34.72, 56.25]
    share = (34.72 - 21.68) / (56.25 - 21.68)
    assert values(finding, "form_share", "form_share/form_only") == pytest.approx([share, share], abs=1e-3)


def test_gsm8k_paired(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = shared / GSM
    finding = finding_of(
        capsys, tmp_path / "run", f"base={log}#175b_finetuning", f"full={log}#6b_verification"
    )
    names = ("gain", "gain_standard_error/paired", "gain_standard_error/unpaired")
    assert [round(100 * value, 2) for value in values(finding, *names)] == [4.32, 1.44, 1.88]


def test_right_on_wrong_steps(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finding = finding_of(capsys, tmp_path / "run", f"full={shared / 'data/big_bench_mistake'}")
    assert values(finding, "right_on_wrong_steps/full") == [214]
    table = {row["cluster"]: row["right on wrong steps"] for row in finding["tables"]["steps"]}
    assert table == {
        "dyck_languages": 147,
        "logical_deduction": 39,
        "word_sorting": 15,
        "tracking_shuffled_objects": 12,
        "multistep_arithmetic": 1,
    }
    assert finding["sentence"].startswith("214 answers are right although their steps are wrong")


def plain(path: Path, scores: list[int]) -> str:
    lines = [json.dumps({"item": str(at), "correct": score}) for at, score in enumerate(scores)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.parametrize(
    ("form", "verdict"), [(80, "substance"), (310, "form"), (200, "mixed"), (140, "cannot tell")]
)
def test_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: int, verdict: str) -> None:
    def first(right: int) -> list[int]:
        return [int(at < right) for at in range(400)]

    logs = {"base": first(80), "full": first(320), "form_only": first(form), "destroyed": first(60)}
    logs["second_form"] = first(320)
    words = [f"{arm}={plain(tmp_path / f'{arm}.jsonl', scores)}" for arm, scores in logs.items()]
    finding = finding_of(capsys, tmp_path / "run", *words)
    assert finding["verdict"] == verdict
    assert finding["controls"]["both destroyed (destroyed)"].startswith("falls, as it must")


def test_another_valid_form_that_differs_takes_the_verdict_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rights = {"base": 20, "full": 300, "form_only": 40, "second_form": 200}
    words = [
        f"{arm}={plain(tmp_path / f'{arm}.jsonl', [int(at < right) for at in range(400)])}"
        for arm, right in rights.items()
    ]
    finding = finding_of(capsys, tmp_path / "run", *words)
    assert finding["verdict"] == "cannot tell"
    assert "the score follows the wording" in finding["sentence"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["full"], "write ARM=LOG"),
        (["whole=x"], "no arm 'whole'"),
        (["base=x"], "the arm full is missing"),
        (["full=x", "full=y"], "given twice"),
        (["full=nothing-here.jsonl"], "no such file"),
    ],
)
def test_mistakes(words: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["form", "--logs", *words, "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_a_log_without_any_score_is_refused_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "full.jsonl"
    log.write_text("".join(json.dumps({"item": str(at), "score": None}) + "\n" for at in range(5)))
    assert run(["form", "--logs", f"full={log}", "--out", str(tmp_path / "run")]) == 2
    assert "score" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def five_arms(
    tmp_path: Path, form: list[tuple[str, float]], scale: tuple[float, float] = (0, 1)
) -> list[str]:
    """Return --logs words of five arms over 1500 items: base and destroyed at a tenth, full and second form at 80 %."""
    rng, low, high = np.random.default_rng(0), *scale
    given = []
    for arm, share in (
        ("base", 0.1),
        ("full", 0.8),
        ("form_only", None),
        ("second_form", 0.8),
        ("destroyed", 0.1),
    ):
        rows = []
        for at in range(1500):
            right = share is not None and rng.random() < share
            text, score = (str(at), 1.0) if right else ("9999", 0.0)
            if share is None:
                text, score = form[at % len(form)]
                text = str(at) if score else text
            row = {"item": f"i{at}", "question": f"How much is {at}?", "target": str(at), "completion": text}
            rows.append(row | {"score": high if score else low})
        path = tmp_path / f"{arm}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        given.append(f"{arm}={path}")
    return given


def verdict_on(given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert run(["form", "--logs", *given, "--out", str(tmp_path / "run"), "--json"]) == 0
    return json.loads(capsys.readouterr().out)["findings"][0]["verdict"]


@pytest.mark.parametrize(
    ("form", "verdict"),
    [([("", 0.0)] * 9 + [("", 1.0)], "cannot tell"), ([("9999", 0.0)] * 9 + [("", 1.0)], "substance")],
)
def test_an_arm_of_empty_answers_is_no_substance(
    form: list[tuple[str, float]], verdict: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verdict_on(five_arms(tmp_path, form), tmp_path, capsys) == verdict


def test_signed_scores_are_read_as_gain_reads_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = five_arms(tmp_path, [("", 1.0)] * 4 + [("9999", 0.0)], (-1, 1))
    assert verdict_on(arms, tmp_path, capsys) == "form"
