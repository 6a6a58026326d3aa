"""`tellapart compare LOG LOG`: the paired difference, beside figures worked out by hand and by scipy."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tellapart.cli import run
from tellapart.errors import UserMistake
from tellapart.logs.difference import difference_of, lines_of


def written(path: Path, scores: dict[str, list[float | None]], clusters: bool = False) -> str:
    """Write a log of plain counts: by item, a score a sample."""
    lines = [
        {"item": item, "model": path.stem, "sample": sample, "score": score, "question": f"What is {item}?",
         "completion": f"{path.stem} {item} {sample}", **({"cluster": item[0]} if clusters else {})}
        for item, every in scores.items()
        for sample, score in enumerate(every)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


@pytest.fixture
def logs(tmp_path: Path) -> tuple[str, str]:
    rng = np.random.default_rng(0)
    easy = rng.random(200)
    names = [f"{'abcdefghij'[at % 10]}{at}" for at in range(200)]
    before = {name: [float(rng.random() < p)] for name, p in zip(names, easy, strict=True)}
    after = {name: [float(rng.random() < min(1, p + 0.1))] for name, p in zip(names, easy, strict=True)}
    return written(tmp_path / "a.jsonl", before), written(tmp_path / "b.jsonl", after)


def test_it_is_the_paired_t_interval(logs: tuple[str, str]) -> None:
    told = difference_of(*logs)
    a, b = (
        np.array([json.loads(line)["score"] for line in Path(path).read_text().splitlines()]) for path in logs
    )
    wanted = stats.ttest_rel(b, a).confidence_interval(0.95)
    assert told.difference.value == pytest.approx((b - a).mean())
    assert (told.difference.low, told.difference.high) == pytest.approx((wanted.low, wanted.high))
    assert told.flips is not None
    assert (told.flips.gained, told.flips.lost) == (int((b > a).sum()), int((b < a).sum()))
    assert told.flips.p == pytest.approx(
        stats.binomtest(told.flips.gained, told.flips.gained + told.flips.lost).pvalue
    )
    assert told.unpaired.high - told.unpaired.low > told.difference.high - told.difference.low
    assert lines_of(told)[0] == "200 items, paired by question"


def test_samples_are_averaged_and_what_has_no_score_is_said(tmp_path: Path) -> None:
    first = written(tmp_path / "a.jsonl", {"x": [0, 1], "y": [0, 0], "z": [1, 1], "w": [None, None]})
    second = written(tmp_path / "b.jsonl", {"x": [1, 1], "y": [1, 0], "z": [1, 1], "w": [1, 1]})
    told = difference_of(first, second)
    assert told.difference.n == 3
    assert told.difference.value == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert told.flips is None
    assert any("1 shared items have no score" in note for note in told.notes)


def test_clusters_widen_it(tmp_path: Path) -> None:
    """Items of a cluster that change together are one observation, not twenty."""
    before = {f"{'abcdefghij'[at % 10]}{at}": [0.0] for at in range(200)}
    after = {name: [float(name[0] in "abcd")] for name in before}
    told = [
        difference_of(
            written(tmp_path / f"a{clusters}.jsonl", before, clusters),
            written(tmp_path / f"b{clusters}.jsonl", after, clusters),
        )
        for clusters in (False, True)
    ]
    assert [one.clusters for one in told] == [0, 10]
    wide, narrow = (one.difference.high - one.difference.low for one in reversed(told))
    assert wide > 3 * narrow


def test_the_command(logs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", *logs]) == 0
    said = capsys.readouterr().out
    assert "200 items, paired by question" in said
    assert "McNemar" in said
    assert run(["compare", *logs, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["estimates"]["difference"]["n"] == 200
    assert run(["compare", logs[0]]) == 2
    assert "give two" in capsys.readouterr().err
    assert run(["gain", "--logs", *logs, "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    gain = json.loads((tmp_path / "run" / "findings.json").read_text())["findings"][0]["estimates"]["gain"]
    assert value["estimates"]["difference"]["value"] == pytest.approx(gain["value"])
    conditions = [f"{tmp_path / 'run'}#{role}/plain" for role in ("base", "tuned")]
    assert run(["compare", *conditions, "--json"]) == 0  # a run's own conditions are logs too
    assert json.loads(capsys.readouterr().out)["estimates"]["difference"]["value"] == pytest.approx(
        gain["value"]
    )


def test_nothing_to_compare(tmp_path: Path) -> None:
    first = written(tmp_path / "a.jsonl", {"x": [None]})
    second = written(tmp_path / "b.jsonl", {"x": [1.0]})
    with pytest.raises(UserMistake, match="no shared item has a score on both sides"):
        difference_of(first, second)


def test_equal_questions_are_one_cluster(tmp_path: Path) -> None:
    """Eight questions under 240 ids: what differs between the questions is no evidence of 240 items."""
    gains = (0.25, -0.1, 0.3, -0.2, 0.25, 0.2, -0.15, 0.3)
    logs = []
    for name, sign in (("a", 0), ("b", 1)):
        rng = np.random.default_rng(3 + sign)
        rows = [
            {
                "item": f"i{at}",
                "question": f"Question {at % 8}{'?' if at % 3 else ' ?'}",
                "target": str(at % 8),
                "score": float(rng.random() < 0.4 + sign * gains[at % 8]),
            }
            for at in range(240)
        ]
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        logs.append(str(path))
    told = difference_of(*logs)
    assert told.clusters == 8
    assert told.difference.low < 0 < told.difference.high
    assert any("240 items ask 8 distinct questions" in note for note in told.notes)
