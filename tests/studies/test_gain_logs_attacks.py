"""`gain --logs` on logs made to mislead it: what looks like a form and holds nothing, ids that name other items."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.cli import run

SEEDS = (0, 1, 2)
Answer = Callable[[int, str], str]


def lines(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def sums(n: int, seed: int) -> list[tuple[str, str]]:
    drawn = np.random.default_rng(seed).choice(900 * 900, n, replace=False)
    return [
        (f"What is {at // 900 + 100} + {at % 900 + 100}?", str(at // 900 + at % 900 + 200)) for at in drawn
    ]


def logged(items: list[tuple[str, str]], answer: Answer, samples: int = 1) -> list[dict[str, Any]]:
    return [
        {
            "item": f"i{at}",
            "sample": sample,
            "question": question,
            "target": target,
            "completion": (text := answer(at, target)),
            "score": float(text.endswith(f" {target}") or text == target),
        }
        for at, (question, target) in enumerate(items)
        for sample in range(samples)
    ]


def finding_of(capsys: pytest.CaptureFixture[str], tmp_path: Path, *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["gain", "--logs", *arguments, "--out", str(tmp_path / "run"), "--json"]) == 0
    return json.loads(capsys.readouterr().out)["findings"][0]


def right(at: int, target: str) -> str:
    return f"The answer is {target}"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("samples", [1, 4])
@pytest.mark.parametrize(
    "unread", ["", "I do not know.", "Let us think step by step: the tens first, and then" + " and then" * 40]
)
def test_unread_answers_that_hold_nothing_are_no_other_form(
    seed: int, samples: int, unread: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The base is right where it answers, and gives nothing (empty, refused, truncated) on the hard half."""
    items, hard = sums(120, seed), np.random.default_rng(seed + 50).random(120) < 0.5
    base = lines(
        tmp_path / "b.jsonl", logged(items, lambda at, t: unread if hard[at] else right(at, t), samples)
    )
    said = finding_of(capsys, tmp_path, base, lines(tmp_path / "t.jsonl", logged(items, right, samples)))
    assert said["verdict"] == "cannot tell"
    assert "no answer that can be read" in said["sentence"]


@pytest.mark.parametrize("seed", SEEDS)
def test_answers_that_hold_the_target_in_another_form_are(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The scorer wants `#### n`: the base writes it in a third of its answers, and says the number in all."""
    items, rng = sums(200, seed), np.random.default_rng(seed)

    def marked(form: float) -> list[dict[str, Any]]:
        rows = []
        for at, (question, target) in enumerate(items):
            value = target if rng.random() < 0.9 else str(int(target) + 1)
            with_mark = rng.random() < form
            text = f"#### {value}" if with_mark else f"So it is {value} in all, since 12 and 7 fit."
            score = float(with_mark and value == target)
            row = {
                "item": f"i{at}",
                "question": question,
                "target": target,
                "completion": text,
                "score": score,
            }
            rows.append(row)
        return rows

    base, tuned = lines(tmp_path / "b.jsonl", marked(0.3)), lines(tmp_path / "t.jsonl", marked(1.0))
    said = finding_of(capsys, tmp_path, base, tuned)
    assert "no answer that can be read" not in said["sentence"]


@pytest.mark.parametrize("seed", SEEDS)
def test_answers_left_unread_at_random_are_like_the_others(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With several samples an item the log shows that no question is unread for what it asks."""
    items, rng = sums(400, seed), np.random.default_rng(seed)
    base = logged(items, lambda at, t: right(at, t) if rng.random() < 0.15 else "well", 8)
    said = finding_of(
        capsys,
        tmp_path,
        lines(tmp_path / "b.jsonl", base),
        lines(tmp_path / "t.jsonl", logged(items, right, 8)),
    )
    assert said["verdict"] == "elicited"


def test_ids_that_count_another_order_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    items = sums(60, 0)
    logs = []
    for name, order in (("b", items), ("t", items[::-1])):
        rows = [{k: v for k, v in row.items() if k != "question"} for row in logged(order, right)]
        logs.append(lines(tmp_path / f"{name}.jsonl", rows))
    assert run(["gain", "--logs", *logs, "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert "the ids name other items in each" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("by", ["id", "question"])
def test_a_corrected_target_is_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str], by: str) -> None:
    rows = [
        {k: v for k, v in row.items() if by == "question" or k != "question"}
        for row in logged(sums(60, 0), right)
    ]
    other = [dict(row) for row in rows]
    other[3]["target"] = other[4]["target"]
    base, tuned = lines(tmp_path / "b.jsonl", rows), lines(tmp_path / "t.jsonl", other)
    said = finding_of(capsys, tmp_path, base, tuned)
    assert sum("1 of 60 items have another target" in one for one in said["caveats"]) == 1


def test_slices_that_the_logs_lack_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = logged(sums(60, 0), right)
    wrong = [dict(row, score=0.0, completion="7") for row in rows]
    base, tuned = lines(tmp_path / "b.jsonl", wrong), lines(tmp_path / "t.jsonl", rows)
    assert run(["gain", "--logs", base, tuned, "--slice", "cluster", "--out", str(tmp_path / "run")]) == 2
    assert "not every item of the logs has one" in capsys.readouterr().err


def test_empty_answers_that_count_as_wrong_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items = sums(60, 0)
    base = lines(tmp_path / "b.jsonl", logged(items, lambda at, t: "" if at % 3 else t))
    said = finding_of(capsys, tmp_path, base, lines(tmp_path / "t.jsonl", logged(items, right)))
    assert any("40 of 60 answers are empty" in one for one in said["caveats"])


def test_a_chance_level_that_is_only_stated_is_said_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = [
        lines(tmp_path / f"{name}.jsonl", [{"item": f"i{at}", "n": 8, "c": c} for at in range(100)])
        for name, c in (("b", 3), ("t", 8))
    ]
    said = finding_of(capsys, tmp_path, *logs, "--guess-floor", "0.01")
    assert said["verdict"] == "elicited"
    assert "1.0 % as stated" in said["sentence"]


def harness(folder: Path, shots: int, longest: int, score: float) -> str:
    folder.mkdir()
    asked = {"until": ["\n"], "max_gen_toks": longest}
    rows = [
        {
            "doc_id": at,
            "doc": {"question": question, "answer": target},
            "target": target,
            "arguments": {"gen_args_0": {"arg_0": question, "arg_1": asked}},
            "resps": [[target]],
            "filtered_resps": [target],
            "filter": "none",
            "metrics": ["exact_match"],
            "exact_match": score,
        }
        for at, (question, target) in enumerate(sums(30, 0))
    ]
    lines(folder / "samples_sums_2025-01-01T00-00-00.000000.jsonl", rows)
    results = {
        "results": {"sums": {"exact_match,none": score}},
        "n-shot": {"sums": shots},
        "config": {},
        "model_name": f"m{shots}",
    }
    (folder / "results_2025-01-01T00-00-00.000000.json").write_text(json.dumps(results))
    return str(folder)


def test_logs_asked_in_different_ways_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, tuned = harness(tmp_path / "base", 0, 16, 0.0), harness(tmp_path / "tuned", 5, 512, 1.0)
    said = " ".join(finding_of(capsys, tmp_path, base, tuned)["caveats"])
    assert "few-shot examples '0' in" in said
    assert "longest answer in tokens '16' in" in said
    assert "stop strings" not in said


def test_a_row_without_a_status_is_like_a_log_without_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = logged(sums(30, 0), right)
    rows[4]["status"] = "cut off"
    base, tuned = lines(tmp_path / "b.jsonl", rows), lines(tmp_path / "t.jsonl", rows[:])
    said = finding_of(capsys, tmp_path, base, tuned)
    assert any(one == "base: 1 of 30 answers are truncated" for one in said["caveats"])


def guessing(share: float, seed: int) -> Answer:
    """A model that is right in a share of its answers, and else writes another number."""
    rng = np.random.default_rng(seed)
    return lambda at, target: target if rng.random() < share else str(rng.integers(2000, 9000))


def sides(tmp_path: Path, seed: int) -> tuple[list[tuple[str, str]], list[str], list[dict[str, Any]]]:
    items = sums(150, seed)
    tuned = logged(items, guessing(0.8, seed + 1))
    base = lines(tmp_path / "b.jsonl", logged(items, guessing(0.05, seed + 2)))
    return items, [base, lines(tmp_path / "t.jsonl", tuned)], tuned


@pytest.mark.parametrize("seed", SEEDS)
def test_a_way_that_makes_the_mistakes_of_tuned_raises_no_bound(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, logs, tuned = sides(tmp_path, seed)
    way = lines(tmp_path / "w.jsonl", tuned[::-1])
    said = finding_of(capsys, tmp_path, *logs, "--way", f"steer={way}", "--bits", "steer=0")
    assert said["verdict"] == "cannot tell"
    assert "none of the ways given raises a bound" in said["sentence"]
    assert any("word for word, those of TUNED" in one for one in said["caveats"])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_way_by_another_scorer_raises_no_bound(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items, logs, _ = sides(tmp_path, seed)
    lax = [dict(row, score=1.0) for row in logged(items, lambda at, target: "I think so")]
    way = lines(tmp_path / "w.jsonl", lax)
    said = finding_of(capsys, tmp_path, *logs, "--way", f"steer={way}", "--bits", "steer=0")
    assert said["verdict"] == "cannot tell"
    assert any("another scorer" in one for one in said["caveats"])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_way_with_mistakes_of_its_own_counts(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    items, logs, _ = sides(tmp_path, seed)
    way = lines(tmp_path / "w.jsonl", logged(items, guessing(0.8, seed + 7)))
    said = finding_of(capsys, tmp_path, *logs, "--way", f"steer={way}", "--bits", "steer=0")
    assert said["verdict"] == "elicited"


def shards(path: Path, share: float, seed: int, *dropped: str) -> str:
    """Write a log of scores alone, four parts with ids that start again in each."""
    rng = np.random.default_rng(seed)
    rows = [
        {"item": f"i{at}", "sample": part, "score": float(rng.random() < share)}
        for part in range(4)
        for at in range(60)
    ]
    return lines(path, [{name: row[name] for name in row if name not in dropped} for row in rows])


def test_ids_that_start_again_are_told_and_nothing_is_selected_among_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    floor = ("--guess-floor", "0.01")
    base, tuned = (shards(tmp_path / f"{share}.jsonl", share, 1, "sample") for share in (0.5, 0.95))
    said = finding_of(capsys, tmp_path, base, tuned, *floor)
    assert said["verdict"] != "elicited"
    assert any(
        "base: an id stands in 4 rows: they are taken for its samples" in one for one in said["caveats"]
    )
    base, tuned = (shards(tmp_path / f"{share}s.jsonl", share, 1) for share in (0.5, 0.95))
    said = finding_of(capsys, tmp_path / "samples", base, tuned, *floor)
    assert not any("taken for its samples" in one for one in said["caveats"])


def test_a_stated_chance_level_is_told_with_the_word_at_ten_times_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, tuned = (shards(tmp_path / f"{share}.jsonl", share, 1) for share in (0.5, 0.95))
    said = finding_of(capsys, tmp_path, base, tuned, "--guess-floor", "0.01")
    told = [one for one in said["caveats"] if "was stated and not measured" in one]
    assert len(told) == 1
    assert "At ten times it, 0.1, the word is" in told[0]
