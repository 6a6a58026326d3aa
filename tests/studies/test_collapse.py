"""A method that leaves one answer to everything is told; one that answers a lopsided task is not."""

import json
from pathlib import Path

import pytest

from tellapart.elicit.elicitor import Ask, Elicitation
from tellapart.models.model import Completion, Sampling
from tellapart.runs.collect import Condition, scored_row
from tellapart.runs.row import Row
from tellapart.studies.gain.collapse import collapsed, rows_collapsed
from tellapart.tasks.item import Item, Task
from tellapart.tasks.scorers import make_scorer

VARIED = [str(n) for n in range(20)]


@pytest.mark.parametrize(
    ("answers", "targets", "plain", "told"),
    [
        (["7"] * 20, VARIED, VARIED, True),
        (["7"] * 18 + ["8", "9"], VARIED, VARIED, True),
        (["7"] * 17 + ["8", "9", "1"], VARIED, VARIED, False),
        ([""] * 20, VARIED, VARIED, True),
        ([" Yes"] * 10 + ["yes\n"] * 10, ["yes", "no"] * 10, ["yes", "no"] * 10, True),
        (["no"] * 20, ["no"] * 19 + ["yes"], ["no", "yes"] * 10, False),
        (["7"] * 20, VARIED, ["7"] * 20, False),
        (["7"] * 20, VARIED, [], True),
        (["7"] * 9, VARIED[:9], VARIED[:9], False),
        (VARIED, VARIED, VARIED, False),
        ([], [], [], False),
    ],
)
def test_collapsed(answers: list[str], targets: list[str], plain: list[str], told: bool) -> None:
    assert (collapsed(answers, targets, plain) is not None) == told


def test_the_reason_names_the_answer_and_its_share() -> None:
    assert collapsed(["7"] * 19 + ["8"], VARIED) == "collapsed to one answer ('7' in 95 % of 20)"


def rows_of(task: Task, texts: list[str]) -> list[Row]:
    ask = Ask(task, task.items, 1, 0, Sampling())
    condition = Condition("gain", "base/lora", "report", {})
    completions = [
        Completion(text, (), (), None, None, "failed" if text == "lost" else "stop", 0, 0.0) for text in texts
    ]
    return [
        scored_row(condition, "key", ask, item, Elicitation(at, 0, "?", completion))
        for at, (item, completion) in enumerate(zip(task.items, completions, strict=True))
    ]


def test_of_rows_the_answers_are_read_as_the_scorer_reads_them() -> None:
    items = tuple(Item(str(n), {"prompt": f"{n}+0="}, (str(n),)) for n in range(12))
    task = Task("t", items, "{prompt}", make_scorer("last_number"))
    plain = rows_of(task, [f"it is {n}" for n in range(12)])
    stuck = rows_of(task, [f"{n}+0=7" for n in range(12)])
    told = rows_collapsed(task, items, stuck, plain)
    assert told == "collapsed to one answer ('7' in 100 % of 12)"
    assert rows_collapsed(task, items, plain, plain) is None
    lost = rows_of(task, ["lost"] * 3 + [f"{n}+0=7" for n in range(3, 12)])
    assert rows_collapsed(task, items, lost, plain) is None


def test_a_run_keeps_what_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from tellapart.cli import run

    seen: list[tuple[set[str], set[str]]] = []

    def always(_task: Task, _items: object, rows: list[Row], plain: list[Row]) -> str:
        seen.append(({row.condition for row in rows}, {row.condition for row in plain}))
        return "collapsed to one answer"

    monkeypatch.setattr("tellapart.studies.gain.bring_out.rows_collapsed", always)
    name, out = "specimen:latent-register-0", tmp_path / "run"
    small = (
        "--limit",
        "12",
        "--samples",
        "2",
        "--elicited-samples",
        "1",
        "--elicitors",
        "step_by_step",
        "prefill",
    )
    assert (
        run(["gain", f"{name}/base", f"{name}/tuned", "--task", name, "--out", str(out), "--json", *small])
        == 0
    )
    told = json.loads((out / "artifacts/facts.json").read_text())["elicitors"]["prefill"]
    assert (told["collapsed"], told["null_collapsed"]) == ("collapsed to one answer",) * 2
    assert seen[-2:] == [({"base/prefill"}, {"base/plain"}), ({"base/prefill~null"}, {"base/plain"})]
