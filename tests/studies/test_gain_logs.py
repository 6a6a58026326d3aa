"""`gain --logs` on real results: the documented figures, pairing by question, refusals; no torch anywhere."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.cli import run
from tellapart.studies.gain.items import PerItem, shared_items

RG = "data/reasoning_gym"


def finding_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["gain", *arguments, "--json"]) == 0
    said = capsys.readouterr()
    return json.loads(said.out)["findings"][0]


def values(finding: dict[str, Any], *names: str) -> list[float]:
    return [finding["estimates"][name]["value"] for name in names]


@pytest.mark.parametrize(
    ("base", "tuned", "expected"),
    [
        ("original_to_geometry", "algorithmic_qwen_3b_500_to_geometry", (0.8, 23.2)),
        ("original_to_algebra", "algorithmic_qwen_3b_500_to_algebra", (23.4, 52.9)),
    ],
)
def test_reasoning_gym(
    shared: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    base: str,
    tuned: str,
    expected: tuple[float, float],
) -> None:
    logs = [str(shared / RG / f"{name}.json") for name in (base, tuned)]
    finding = finding_of(capsys, "--logs", *logs, "--out", str(tmp_path / "run"))
    assert [round(100 * score, 1) for score in values(finding, "base_score", "tuned_score")] == list(expected)


@pytest.mark.parametrize(
    ("task", "expected"), [("gsm8k", (86.6, 87.3, 64, 54)), ("olympiadbench", (25.8, 31.1, 82, 46))]
)
def test_math_eval(
    shared: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    task: str,
    expected: tuple[float, float, int, int],
) -> None:
    models = ("Qwen2.5-3B-Instruct", "Qwen-2.5-3B-rlft")
    logs = [str(shared / RG / "math_eval" / model / task) for model in models]
    finding = finding_of(capsys, "--logs", *logs, "--out", str(tmp_path / "run"))
    base, tuned, gained, lost = values(finding, "base_score", "tuned_score", "gained_items", "lost_items")
    assert (round(100 * base, 1), round(100 * tuned, 1), gained, lost) == expected


def test_sharper_hardly_wider(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = str(shared / "data/math500_counts/counts.csv")
    logs = (f"{counts}#Qwen2.5-7B", f"{counts}#SimpleRL-Zoo-7B")
    finding = finding_of(capsys, "--logs", *logs, "--guess-floor", "0", "--out", str(tmp_path / "run"))
    for k, base, tuned, difference in (
        (1, 0.6139, 0.7793, 0.1654),
        (16, 0.9043, 0.9022, -0.0021),
        (128, 0.9620, 0.9300, -0.0320),
    ):
        names = (f"base_pass@{k}", f"tuned_pass@{k}", f"pass@{k}_difference")
        assert values(finding, *names) == pytest.approx([base, tuned, difference], abs=5e-5)
    names = (
        "base_only_items",
        "base_only_fragile_items",
        "tuned_only_items",
        "solved_by_both",
        "solved_by_neither",
    )
    assert values(finding, *names) == [19, 15, 3, 462, 16]
    assert finding["verdict"] == "elicited"
    assert "sharper" in finding["sentence"]


def test_without_a_guess_floor_coverage_is_no_evidence(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = str(shared / "data/math500_counts/counts.csv")
    logs = (f"{counts}#Qwen2.5-7B", f"{counts}#SimpleRL-Zoo-7B")
    finding = finding_of(capsys, "--logs", *logs, "--out", str(tmp_path / "run"))
    assert finding["verdict"] == "cannot tell"
    assert "--guess-floor" in finding["sentence"]


def test_cruxeval(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = [
        str(shared / f"data/cruxeval/evaluation_results/sample_scored_codellama-7b_temp0.2_{kind}.json")
        for kind in ("input", "output")
    ]
    finding = finding_of(capsys, "--logs", *logs, "--out", str(tmp_path / "run"))
    names = ("base_pass@1", "base_pass@5", "tuned_pass@1", "tuned_pass@5")
    assert [round(100 * v, 2) for v in values(finding, *names)] == [35.95, 44.99, 34.21, 40.29]


def counts_file(path: Path, rows: list[tuple[str, int, int]]) -> str:
    path.write_text("item,n,c\n" + "".join(f"{item},{n},{c}\n" for item, n, c in rows))
    return str(path)


def test_the_same_log_twice_is_no_gain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = counts_file(tmp_path / "a.csv", [(f"i{i}", 8, i % 9) for i in range(12)])
    finding = finding_of(capsys, "--logs", log, log, "--out", str(tmp_path / "run"))
    assert finding["verdict"] == "no gain"


def test_logs_of_other_content_are_another_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """cases/fire, fault 8: the findings of the same paths with other content were replaced in silence."""
    rows = [(f"i{i}", 8, i % 9) for i in range(12)]
    base, tuned = (counts_file(tmp_path / name, rows) for name in ("a.csv", "b.csv"))
    command = ("--logs", base, tuned, "--out", str(tmp_path / "run"))
    finding_of(capsys, *command)
    before = (tmp_path / "run" / "findings.json").read_bytes()
    counts_file(tmp_path / "b.csv", [(item, n, n) for item, n, _ in rows])
    assert run(["gain", *command]) == 2
    said = capsys.readouterr().err
    assert "sources.tuned.content" in said
    assert said.count("\n") == 1
    assert (tmp_path / "run" / "findings.json").read_bytes() == before


def test_where_the_gain_may_be_zero_every_share_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = counts_file(tmp_path / "a.csv", [(f"i{i}", 16, (i * 7) % 17) for i in range(12)])
    tuned = counts_file(tmp_path / "b.csv", [(f"i{i}", 16, (i * 5 + 3) % 17) for i in range(12)])
    finding = finding_of(capsys, "--logs", base, tuned, "--guess-floor", "0", "--out", str(tmp_path / "run"))
    assert finding["estimates"]["gain"]["low"] <= 0
    assert finding["verdict"] == "cannot tell"
    shares = [name for name in finding["estimates"] if "share" in name]
    assert shares
    assert all(finding["estimates"][name]["value"] is None for name in shares)


def test_analysing_logs_imports_no_torch(tmp_path: Path) -> None:
    log = counts_file(tmp_path / "a.csv", [(f"i{i}", 4, i % 5) for i in range(9)])
    code = (
        "import sys; from tellapart.cli import run; "
        f"assert run(['gain', '--logs', {log!r}, {log!r}, '--json', '--out', {str(tmp_path / 'r')!r}]) == 0; "
        "bad = {'torch', 'transformers'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_python_call_is_the_same(tmp_path: Path) -> None:
    import tellapart

    base = counts_file(tmp_path / "a.csv", [(f"i{i}", 16, 2) for i in range(20)])
    tuned = counts_file(tmp_path / "b.csv", [(f"i{i}", 16, 15) for i in range(20)])
    done = tellapart.gain(logs=(base, tuned), guess_floor=0.0, out=str(tmp_path / "run"))
    assert done.findings[0].verdict == "elicited"
    assert (done.folder / "report.html").exists()


def test_sharing_items_is_linear_in_them() -> None:
    def side(first: int) -> PerItem:
        items = np.array([f"item {i}" for i in range(first, first + 60_000)], dtype=object)
        return PerItem(items, *(np.ones(len(items), dtype) for dtype in (np.int64, np.int64, float)), items)

    began = time.process_time()
    shared = shared_items(side(0), side(10_000))
    assert time.process_time() - began < 10  # comparing pair by pair takes minutes
    assert [len(one.items) for one in shared] == [50_000, 50_000]
    assert shared[0].items[0] == "item 10000"
