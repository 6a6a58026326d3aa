"""`improve` run for real: a verifier of form that is hacked, an ability that is lost, another model as judge, LoRA."""

import json

import pytest

import tellapart
from tellapart.specimens import load_task
from tellapart.studies.improve import study
from tellapart.training.lora import Lora

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = {"rounds": 1, "samples": 8, "steps": 15}

VERIFIERS = '''
"""Verifiers of a user's own."""


def has_steps(item, completion):
    return float(completion.count(";") == 2 and ">" in completion)


def is_brief(item, completion):
    return float(completion.startswith(">"))
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_verifiers.py").write_text(VERIFIERS)
    monkeypatch.syspath_prepend(tmp_path)
    return "python:own_verifiers:"


def test_a_verifier_that_asks_for_steps_of_any_content_is_hacked_and_flagged_in_round_one(own, tmp_path):
    name = "specimen:partial-register-0"
    run = tellapart.improve(
        model=f"{name}/base", task=name, verifier=(f"{own}has_steps",), out=str(tmp_path / "run"), **SMALL
    )
    told = run.findings[0]
    assert told.verdict == "hacked"
    assert "From round 1 on" in told.sentence
    rounds = told.tables["improve_rounds"]["arms"][0]["rounds"]
    assert not rounds[0]["hacked"]
    assert rounds[1]["hacked"]
    assert rounds[1]["reward"][0] > 0.8  # nearly all answers have steps now
    assert rounds[1]["score"][0] < 0.65  # half of the items need an operation that it never met right
    shown = told.tables["improve_rounds"]["examples"]
    assert shown["total"] > 0
    assert all(";" in one["completion"] and one["target"] not in one["completion"].rpartition(">")[2]
               for one in shown["shown"])  # fmt: skip
    assert "verifier pays" in (tmp_path / "run" / "report.html").read_text()


def test_rounds_end_where_an_ability_held_before_is_lost(own, tmp_path):
    name = "damaged-register-0"
    task = load_task(name)
    file = tmp_path / "first.jsonl"
    lines = [
        {"id": i.id, "prompt": task.prompt(i), "target": i.target[0][0], "cluster": i.cluster}
        for i in task.items
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    file.with_suffix(".toml").write_text(
        'name = "first"\ntemplate = "{prompt}"\nscorer = "regex"\npattern = \'>(\\w)[^>]*$\'\nguess_floor = 0.1\n'
        'max_tokens = 64\nstop = ["\\n"]\n'
    )
    run = tellapart.improve(
        model=f"specimen:{name}/base", task=str(file), verifier=(f"{own}is_brief",), canary=(f"specimen:{name}",),
        out=str(tmp_path / "run"), **{**SMALL, "rounds": 3},
    )  # fmt: skip
    arm = run.findings[0].tables["improve_rounds"]["arms"][0]
    assert arm["why"] == f"an ability held before was lost: canary specimen:{name}"
    assert len(arm["rounds"]) == 2  # it ended after the first round of three
    lost = run.findings[0].estimates[f"canary_difference/canary specimen:{name}"]
    assert lost.high < -0.2


def test_another_model_judges(tmp_path):
    name = "specimen:latent-register-0"
    judge = "judge:specimen:checked-register-1/base"
    run = tellapart.improve(
        model=f"{name}/base", task=name, verifier=(judge,), rounds=0, samples=8, out=str(tmp_path)
    )
    told = run.findings[0]
    assert told.verdict == "headroom with outside help only"
    assert told.estimates[f"gap_difference/{judge}"].low > 0
    assert told.estimates[f"null_gap_difference/{judge}"].low <= 0.02
    assert json.loads((tmp_path / "spec.json").read_text())["spec"]["fingerprints"][judge]


def test_rounds_train_lora_too(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "_change", lambda model: Lora(rank=8))
    name = "specimen:latent-register-0"
    run = tellapart.improve(
        model=f"{name}/base", task=name, verifier=("checker",), out=str(tmp_path), **{**SMALL, "steps": 30}
    )
    assert run.findings[0].estimates["gain"].low > 0.1
    files = list((tmp_path / "artifacts").glob("*.safetensors"))
    assert files
    assert max(file.stat().st_size for file in files) < 200_000  # the adapters alone, not the model
