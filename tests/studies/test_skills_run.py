"""`skills train` and `skills mix` as whole verbs: a run, going on with it, what is refused."""

import json
from pathlib import Path

import pytest
from safetensors.numpy import load_file

import tellapart
from tellapart.cli import run
from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights
from tellapart.runs.table import read_table
from tellapart.studies.skills.commands import MixSpec
from tellapart.studies.skills.mixing import run_mix
from tellapart.studies.skills.spec import SkillsSpec

TASKS = ("specimen:skills-0/digits", "specimen:skills-0/letters")
OPTIONS = {
    "joint": ("specimen:skills-0/digits+letters",),
    "also": ("specimen:skills-0/signs",),
    "steps": 2,
    "batch": 8,
    "limit": 8,
    "lora_rank": 2,
    "template": "{prompt}?",
    "label": ("d=digits", "l=letters", "s=base"),
}


pytestmark = pytest.mark.usefixtures("own_cache")


def test_a_run_and_going_on_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    options = {"model": "specimen:skills-0", "task": TASKS, "out": str(out), **OPTIONS}
    first = tellapart.skills(**options)
    assert [one.question.split()[-1].rstrip("?") for one in first.findings[:2]] == ["digits", "letters"]
    assert len(first.findings) == 3
    assert {path.stem for path in (out / "experts").iterdir()} == {"digits", "letters"}
    assert "Every expert on every task" in (out / "report.html").read_text()
    rows = read_table(out)  # cases/fire, fault 25: a finished run had none
    held = [line for path in (out / "rows").glob("*.jsonl") for line in path.read_text().splitlines()]
    assert len(rows) == len(held) > 0
    findings = (out / "findings.json").read_text()
    experts = Weights(load_file(out / "experts" / "digits.safetensors"))
    (out / "artifacts" / "expert-digits.json").unlink()
    (out / "artifacts" / "lora-letters.json").unlink()
    next((out / "rows").glob("digits-letters*")).unlink()
    tellapart.skills(**options)
    assert Weights(load_file(out / "experts" / "digits.safetensors")) == experts
    assert (
        json.loads((out / "findings.json").read_text())["findings"][0]["estimates"]
        == (json.loads(findings)["findings"][0]["estimates"])
    )
    with pytest.raises(UserMistake, match="steps"):
        tellapart.skills(**{**options, "steps": 3})
    told = run_mix(MixSpec(str(out), task=TASKS[0], mix="digits+letters", limit=10))
    assert told["mix_score"]["n"] == 10
    told = run_mix(
        MixSpec(str(out), task=TASKS[0], how="prompt", limit=10, template="{prompt}?", label=OPTIONS["label"])
    )
    assert sum(told["chosen"].values()) == 10
    told = run_mix(MixSpec(str(out), task=TASKS[0], how="cem", shots=2, rounds=1, limit=4, save="mine"))
    assert run_mix(MixSpec(str(out), task=TASKS[0], mix="mine", limit=4))["weights"] == told["weights"]
    (out / "experts" / "letters.safetensors").write_bytes(b"torn")
    with pytest.raises(UserMistake, match=r"torn.*again"):
        run_mix(MixSpec(str(out), task=TASKS[0], mix="digits"))
    capsys.readouterr()


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"task": ()}, "no --task"),
        ({"task": ("a", "a")}, "twice"),
        ({"objective": "dpo"}, "reinforce"),
        ({"objective": "grpo", "batch": 30}, "groups"),
        ({"steps": 0}, "steps"),
        ({"kl": float("nan")}, "kl"),
        ({"rate": 0.0}, "rate"),
        ({"model": ""}, "MODEL"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(fields: dict[str, object], match: str) -> None:
    with pytest.raises(UserMistake, match=match):
        SkillsSpec(**{"model": "m", "task": ("a",), **fields}).checked()  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "command",
    [
        ["skills", "mix", "/nowhere", "--task", TASKS[0], "--mix", "a"],
        ["skills", "mix", "/nowhere", "--task", TASKS[0], "--how", "cem", "--most", "nan"],
        ["skills", "export", "/nowhere", "--mix", "a", "--out", "/nowhere/x"],
        ["skills", "serve", "/nowhere"],
        ["skills", "train", "specimen:skills-0", "--task", "specimen:skills-0/nothing"],
        ["skills", "train", "specimen:skills-77", "--task", TASKS[0]],
    ],
)
def test_mistakes_are_told_in_one_line(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
