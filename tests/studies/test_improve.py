"""`improve` on specimens: gap, chance, a hackable verifier, an anchor, a killed run; and its parts."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import tellapart
from tellapart.errors import UserMistake
from tellapart.models.model import Answer, Completion, Model
from tellapart.specimens import load_task
from tellapart.stats.estimate import Estimate, missing
from tellapart.studies.improve.anchors import anchored_items, read_corrections, trusted
from tellapart.studies.improve.ask import Answers
from tellapart.studies.improve.headroom import Judged, headroom, no_headroom
from tellapart.studies.improve.measure import Seen, Verdicts, measure
from tellapart.studies.improve.methods import METHODS, examples
from tellapart.studies.improve.spec import ImproveSpec
from tellapart.studies.improve.stopping import reason_to_stop
from tellapart.tasks.item import Item, Task
from tellapart.tasks.scorers import make_scorer
from tellapart.verifiers import open_verifier

ITEMS = tuple(Item(f"i{n}", {"prompt": f"{n}?"}, (str(n),)) for n in range(40))
TASK = Task("echo", ITEMS, "{prompt}", make_scorer("exact"))
SMALL = {"samples": 8, "steps": 20}


def _answers(rate, seed=0, samples=8):
    rng = np.random.default_rng(seed)
    texts = tuple(
        tuple(i.target[0] if rng.random() < rate else f"{i.id}w{rng.integers(99)}" for _ in range(samples))
        for i in ITEMS
    )
    truth = np.array([[TASK.score(i, t) for t in row] for i, row in zip(ITEMS, texts, strict=True)])
    return Answers("x", TASK, ITEMS, texts, truth)


def _seen(number, rate, let, seed=0):
    """A version right at `rate`, whose verifier accepts right answers and wrong ones with chance `let`."""
    given = _answers(rate, seed)
    accepted = (given.truth > 0) | (np.random.default_rng(seed + 9).random(given.truth.shape) < let)
    return Seen(number, given, Verdicts(accepted.astype(float), accepted))


def _course(*versions):
    seen = [_seen(n, rate, let, n) for n, (rate, let) in enumerate(versions)]
    return [measure(one, seen[n - 1] if n else None, seen[0]) for n, one in enumerate(seen)]


def test_a_gap_between_reward_and_truth_is_flagged_and_told_from_one_that_was_there():
    honest = _course((0.2, 0.0), (0.8, 0.0))
    assert not any(one.hacked for one in honest)
    opened = _course((0.1, 0.02), (0.15, 0.6))
    assert [one.opened for one in opened] == [False, True]
    lenient = _course((0.1, 0.5), (0.1, 0.5))
    assert lenient[1].hacked
    assert not lenient[1].opened


def test_diversity_is_counted_in_answers_texts_and_pass_at_k():
    wide, narrow = _course((0.3, 0.0), (1.0, 0.0))
    assert wide.answers.value > 4
    assert narrow.answers.value == narrow.chains.value == 1
    assert set(wide.passes) == {1, 2, 4, 8}
    assert wide.passes[8].value == pytest.approx(1 - 0.7**8, abs=0.1)
    assert wide.passes[1].value == pytest.approx(wide.score.value)


def test_rounds_end_for_a_reason():
    assert reason_to_stop(_course((0.2, 0.0)), 4) == ""
    assert reason_to_stop(_course((0.2, 0.0), (0.6, 0.0)), 4) == ""
    assert reason_to_stop(_course((0.2, 0.0), (0.6, 0.0)), 1) == "all rounds were run"
    assert reason_to_stop(_course((0.8, 0.0), (0.4, 0.0)), 4) == "the score fell"
    assert "no further" in reason_to_stop(_course((0.2, 0.0), (0.97, 0.0), (0.97, 0.0)), 4)
    assert "gap between reward" in reason_to_stop(_course((0.1, 0.0), (0.2, 0.7), (0.3, 0.8)), 4)
    canary = {"old": (missing("score", ""), Estimate(-0.2, -0.3, -0.1, 9, "score", ""))}
    lost = [*_course((0.2, 0.0)), _course((0.2, 0.0), (0.6, 0.0))[1]._replace(canaries=canary)]
    assert reason_to_stop(lost, 4) == "an ability held before was lost: old"


def test_every_prompt_weighs_alike_and_corrections_stand_for_all():
    given = _answers(0.0)._replace(items=ITEMS[:3], texts=(("a", "b", "a"), ("c", "", "d"), ("e", "f", "g")))
    accepted = np.array([[1, 1, 1], [1, 1, 0], [0, 0, 0]], dtype=bool)
    told = [one.answer for one in examples(given, accepted, METHODS["rest_em"], {})]
    assert told == ["a", "b", "a", "b", "c", "c", "c", "c"]
    assert [one.answer for one in examples(given, accepted, METHODS["star"], {"i2": "right"})] == [
        "a",
        "c",
        "right",
    ]


def test_anchors_are_nested_and_audit_the_verifier():
    assert anchored_items(ITEMS, 0.1, 0) < anchored_items(ITEMS, 0.5, 0)
    assert len(anchored_items(ITEMS, 0.1, 0)) == 4
    assert anchored_items(ITEMS, 0.0, 0) == frozenset()
    truth = (np.random.default_rng(0).random((8, 16)) < 0.2).astype(float)
    coin = np.random.default_rng(1).random(truth.shape) < 0.5
    assert not trusted(truth, coin)
    assert not trusted(truth, np.ones(truth.shape, dtype=bool))
    assert trusted(truth, (truth > 0) | (np.random.default_rng(2).random(truth.shape) < 0.1))
    assert trusted(np.ones((8, 16)), np.ones((8, 16), dtype=bool))
    # knows something (all that is right is accepted), and yet accepts more wrong answers than right ones
    assert not trusted(truth, (truth > 0) | (np.random.default_rng(2).random(truth.shape) < 0.5))
    # nearly all that it accepts is right, too few to show that the rejected are worse
    assert trusted(np.array([[1.0, 1.0, 0.0]]), np.array([[True, True, False]]))
    assert trusted(truth, np.zeros(truth.shape, dtype=bool))


def test_corrections_are_read_by_item_or_prompt(tmp_path):
    file = tmp_path / "c.jsonl"
    file.write_text(
        '{"item": "i3", "answer": "x"}\n\n{"prompt": "4?", "answer": "y"}\n{"item": "no", "answer": "z"}\n'
    )
    assert read_corrections(file, TASK, ITEMS) == {"i3": "x", "i4": "y"}
    for text, told in (
        ('{"item": "i3"}', ":1: give an object"),
        ("[", "not JSON"),
        ('{"item": "q", "answer": "a"}', "none of its 1 lines"),
    ):
        file.write_text(text)
        with pytest.raises(UserMistake, match=told):
            read_corrections(file, TASK, ITEMS)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"task": None}, "needs MODEL --task"),
        ({"anchor": 2.0}, "--anchor 2: give a share"),
        ({"samples": 1}, "--samples 1: give 2 or more"),
        ({"method": "magic"}, "--method magic"),
        ({"temperature": 0.0}, "--temperature 0"),
    ],
)
def test_bad_specs_are_refused(wrong, told):
    with pytest.raises(UserMistake, match=told):
        ImproveSpec(**{"model": "m", "task": "t", **wrong}).checked()


def test_a_specimen_with_a_gap_rises_and_its_null_twin_does_not(tmp_path):
    name = "specimen:latent-register-0"
    run = tellapart.improve(
        model=f"{name}/base", task=name, verifier=("majority", "checker"), rounds=2, samples=16, steps=15,
        canary=(name,), out=str(tmp_path / "run"),
    )  # fmt: skip
    rounds, headroom = run.findings
    assert rounds.verdict == "improves"
    assert rounds.estimates["gain"].low > 0.4
    assert rounds.estimates["over_chance_difference"].low > 0.4
    assert headroom.verdict == "headroom"
    assert (
        headroom.estimates["gap_difference/checker"].low
        > headroom.estimates["gap_difference/majority"].low
        > 0
    )
    null = headroom.estimates["null_gap_difference/checker"]
    assert null.low <= 0.02
    page = (tmp_path / "run" / "report.html").read_text()
    for told in (
        "Round by round",
        "Breadth: pass@k by round",
        "Headroom by verifier",
        "foretold for round 2",
    ):
        assert told in page
    counted = {row["condition"]: row for row in rounds.tables["counts"]}
    assert all(
        row["asked"] == row["correct"] + row["wrong"] + row["cut off"] + row["failed"]
        for row in counted.values()
    )


def test_every_finding_carries_the_caveats_of_the_task(tmp_path):
    name = "specimen:latent-register-0"
    few = {"rounds": 1, "limit": 20, "samples": 4, "steps": 2}
    run = tellapart.improve(model=f"{name}/base", task=name, verifier=("checker",), out=str(tmp_path), **few)
    assert len(run.findings) == 2
    assert all(any("limited to 20" in said for said in one.caveats) for one in run.findings)


def test_a_verifier_at_chance_raises_nothing_and_the_report_says_so(tmp_path):
    name = "specimen:latent-register-0"
    run = tellapart.improve(
        model=f"{name}/base", task=name, verifier=("chance",), rounds=2, out=str(tmp_path), **SMALL
    )
    assert run.findings[0].verdict in ("no rise", "falls")
    assert "Nothing rises" in run.findings[0].sentence
    assert "Nothing rises" in (tmp_path / "report.html").read_text()


def _judged(rate, let, seed):
    given = _answers(rate, seed)
    accepted = (given.truth > 0) | (np.random.default_rng(seed + 9).random(given.truth.shape) < let)
    return given, Verdicts(accepted.astype(float), accepted)


@pytest.mark.parametrize("seed", range(3))
def test_at_the_ceiling_and_where_selection_gains_nothing_there_is_no_headroom(seed):
    checker, chance = open_verifier("checker"), open_verifier("majority")
    for rate in (1.0, 0.998):
        given, said = _judged(rate, 0.0, seed)
        assert headroom(given, [Judged(checker, said)], seed, ()).verdict == "no headroom"
        assert no_headroom(given, said).startswith("no headroom: ")
        assert no_headroom(given, None).startswith("no headroom: ")
    given, said = _judged(0.6, 0.0, seed)
    assert headroom(given, [Judged(checker, said)], seed, ()).verdict != "no headroom"
    assert no_headroom(given, said) == ""
    given, blind = _judged(0.6, 1.0, seed)  # accepts all: an exact zero, shown over 400 items and not over 40
    many = given._replace(items=given.items * 10, texts=given.texts * 10, truth=np.tile(given.truth, (10, 1)))
    everything = Verdicts(np.ones(many.truth.shape), np.ones(many.truth.shape, dtype=bool))
    assert "moves the score by less than 2 points" in no_headroom(many, everything)
    assert no_headroom(many, None) == ""
    assert headroom(many, [Judged(chance, everything)], seed, ()).verdict == "no headroom"
    assert no_headroom(given, blind) == ""
    few = given._replace(items=ITEMS[:3], texts=given.texts[:3], truth=given.truth[:3])
    assert no_headroom(few, Verdicts(blind.utilities[:3], blind.accepted[:3])) == ""  # wide is not high


def _always_right(tmp_path):
    """A task on which the base of a specimen is right at any temperature: any text at all counts."""
    file = tmp_path / "easy.jsonl"
    task = load_task("latent-register-0")
    lines = [{"id": i.id, "prompt": task.prompt(i), "target": ">"} for i in task.items[:160]]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    file.with_suffix(".toml").write_text(
        'name = "easy"\ntemplate = "{prompt}"\nscorer = "regex"\npattern = \'(>)\'\nguess_floor = 0.0\n'
        'max_tokens = 64\nstop = ["\\n"]\n'
    )
    return str(file)


def test_nothing_is_trained_at_the_ceiling(tmp_path):
    run = tellapart.improve(
        model="specimen:latent-register-0/base", task=_always_right(tmp_path), verifier=("checker",), rounds=2,
        out=str(tmp_path / "run"), **SMALL,
    )  # fmt: skip
    assert [one.verdict for one in run.findings] == ["no headroom", "no headroom"]
    assert "Nothing was trained" in run.findings[0].sentence
    assert not list((tmp_path / "run" / "artifacts").glob("*.safetensors"))
    assert all(len(arm["rounds"]) == 1 for arm in run.findings[0].tables["improve_rounds"]["arms"])
    assert "no headroom" in (tmp_path / "run" / "report.html").read_text()


class _Echo(Model):
    reference = fingerprint = "echo"

    def generate(self, requests):
        for index, request in enumerate(requests):
            yield Answer(index, Completion(f">{request.seed % 3}", (1,), ("x",), None, None, "stop", 1, 0.0))


def test_a_served_model_is_measured_but_not_trained(tmp_path, monkeypatch):
    monkeypatch.setattr("tellapart.models.open.open_model", lambda *args, **kwargs: _Echo())
    asked = {"model": "served", "task": "specimen:latent-register-0"}
    with pytest.raises(UserMistake, match="give --rounds 0"):
        tellapart.improve(**asked, out=str(tmp_path / "a"))
    run = tellapart.improve(**asked, rounds=0, out=str(tmp_path / "b"))
    assert [finding.verdict for finding in run.findings] == ["cannot tell"]
    assert any("logprob was not measured: echo gives no log-prob" in c for c in run.findings[0].caveats)
    with pytest.raises(UserMistake, match="gives no log-probabilities"):
        tellapart.improve(**asked, rounds=0, verifier=("logprob",), out=str(tmp_path / "c"))


COMMAND = (
    "improve", "specimen:latent-register-0/base", "--task", "specimen:latent-register-0", "--verifier", "checker",
    "--rounds", "2", "--samples", "8", "--steps", "12", "--limit", "80", "--method", "expert_iteration",
)  # fmt: skip


def _killed_when(out, there):
    """Start the command and kill it as soon as `there` (a glob in the run folder) exists."""
    started = subprocess.Popen(
        [sys.executable, "-m", "tellapart.cli", *COMMAND, "--out", str(out)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    while started.poll() is None and not any(out.glob(there)):
        time.sleep(0.01)
    assert started.poll() is None, f"the run ended before {there} was there"
    started.send_signal(signal.SIGKILL)
    started.wait()


@pytest.mark.slow
def test_a_run_killed_in_either_round_ends_as_the_unkilled_one(tmp_path):
    from tellapart.cli import run

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run([*COMMAND, "--out", str(whole), "--json"]) == 0
    for there in ("scratch/weights-unanchored-1/*/checkpoint-6", "rows/unanchored-round-2-report*"):
        _killed_when(killed, there)
        assert not (killed / "findings.json").exists()
    assert run([*COMMAND, "--out", str(killed), "--json"]) == 0
    assert json.loads((killed / "findings.json").read_text()) == json.loads(
        (whole / "findings.json").read_text()
    )
    weights = [sorted(p.name for p in (one / "artifacts").glob("*.safetensors")) for one in (whole, killed)]
    assert weights[0] == weights[1]
    assert not (killed / "scratch").exists()
