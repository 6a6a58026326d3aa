"""Abilities before and after, limits calibrated on healthy runs, canaries in logs, and chains that get thin."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from tellapart.errors import UserMistake
from tellapart.report.sections import guard_after as section
from tellapart.stats.chains import Chains, count_steps
from tellapart.studies import run_study
from tellapart.studies.guard.abilities import Ability, after
from tellapart.studies.guard.alarms import LUCKY, calibrate, find_alarms, limits_from
from tellapart.studies.guard.canaries import lost
from tellapart.studies.guard.spec import GuardSpec


def _frame(scores, completions=None, steps="", cluster=""):
    n = len(scores)
    return pd.DataFrame(
        {
            "item": [f"i{k}" for k in range(n)],
            "question": [f"question {k}" for k in range(n)],
            "score": np.asarray(scores, dtype=float),
            "completion": completions or ["a\nb\nc\n42"] * n,
            "steps": steps,
            "target": "42",
            "cluster": cluster,
        }
    )


def _verdict(before, now, margin=0.05):
    return after([Ability("a", _frame(before), _frame(now))], margin).tables["guard_abilities"]["abilities"][
        0
    ]


def test_kept_is_claimed_by_equivalence_and_never_by_too_few_items():
    rng = np.random.default_rng(0)
    many = (rng.random(2000) < 0.7).astype(float)
    other = np.where(rng.random(2000) < 0.02, 1 - many, many)
    assert _verdict(many, other)["verdict"] == "kept"
    assert (
        _verdict(many[:20], other[:20] if (many[:20] != other[:20]).any() else 1 - many[:20])["verdict"]
        != "kept"
    )
    few = [1.0, 0, 1, 0, 1, 0]
    assert _verdict(few, [1.0, 0, 1, 0, 0, 1])["verdict"] == "cannot tell"
    fell = np.where(rng.random(2000) < 0.2, 0.0, many)
    assert _verdict(many, fell)["verdict"] == "lost"
    assert _verdict(fell, many)["verdict"] == "gained"


def test_items_are_counted_and_what_is_lost_is_told_apart():
    before = _frame([1, 1, 1, 1, 0, 0])
    now = _frame(
        [0, 0, 0, 1, 1, 0],
        ["it is 42, I think", "7", "a\nb\nc\n7", "a\nb\nc\n42", "a\nb\nc\n42", "7"],
    )
    finding = after([Ability("sums", before, now)], 0.05)
    told = finding.tables["guard_abilities"]["abilities"][0]
    assert [told[name] for name in ("kept", "lost", "gained", "never")] == [1, 3, 1, 1]
    assert {row["item"]: row["what"] for row in told["lost_items"]} == {
        "i0": "form",
        "i1": "skipped",
        "i2": "substance",
    }
    assert told["gained_items"] == ["i4"]
    made = section.section(finding, 1)
    assert made is not None
    assert "the right answer is there, and is not read" in made.body


def test_equal_questions_under_many_ids_are_few():
    """Eight questions, three of which got worse: no evidence of 240 items that anything was lost."""
    rng = np.random.default_rng(0)
    before = _frame(rng.random(240) < 0.6).assign(question=[f"question {k % 8}" for k in range(240)])
    worse = np.array([0.9 if k % 8 < 3 else 0.0 for k in range(240)])
    now = before.assign(score=np.where(rng.random(240) < worse, 0.0, before["score"]))
    told = after([Ability("a", before, now)], 0.05).tables["guard_abilities"]["abilities"][0]
    assert told["verdict"] == "cannot tell"
    assert (
        after(
            [Ability("a", before.assign(question=[f"question {k}" for k in range(240)]), now)], 0.05
        ).tables["guard_abilities"]["abilities"][0]["verdict"]
        == "lost"
    )


def test_empty_answers_do_not_show_that_the_substance_is_lost():
    before, now = _frame([1.0] * 60, ["4"] * 60), _frame([0.0] * 30 + [1.0] * 30, [""] * 30 + ["4"] * 30)
    told = after([Ability("a", before, now)], 0.05).tables["guard_abilities"]["abilities"][0]
    assert (told["verdict"], told["lost_is"]) == ("lost", "cannot tell")


def test_hostile_text_is_escaped():
    evil = "<script>alert(1)</script>"
    before, now = _frame([1, 1]), _frame([0, 0], [evil, evil])
    made = section.section(after([Ability(evil, before, now)], 0.05), 1)
    assert made is not None
    assert "<script>" not in made.body


def _log(path, rights, text):
    lines = [
        {"input": f"What is {n} and 2?", "output": text if right else "no", "score": right, "step": 0}
        for n, right in enumerate(rights)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def test_logs_of_both_sides_end_to_end(tmp_path):
    a, b = [1, 1] * 20, [1, 0] * 20
    spec = GuardSpec(
        before=(_log(tmp_path / "sums.jsonl", a, "yes"), _log(tmp_path / "words.jsonl", a, "yes")),
        after=(_log(tmp_path / "s2.jsonl", b, "yes"), _log(tmp_path / "w2.jsonl", a, "yes")),
        margin=0.2,
        out=str(tmp_path / "out"),
    )
    finding = run_study(spec, quiet=True).findings[0]
    told = {one["ability"]: one for one in finding.tables["guard_abilities"]["abilities"]}
    assert (told["sums"]["verdict"], told["sums"]["lost"]) == ("lost", 20)
    assert told["words"]["verdict"] == "kept"
    assert finding.verdict == "lost"
    assert finding.estimates["difference/sums"].value == pytest.approx(-0.5)
    assert "Abilities before and after" in (tmp_path / "out/report.html").read_text()


def test_models_of_both_sides_are_asked_and_asked_again(tmp_path):
    spec = GuardSpec(
        before=("specimen:latent-register-0/tuned",), after=("specimen:latent-register-0/base",),
        task=("specimen:latent-register-0",), samples=1, limit=16, out=str(tmp_path / "out"),
    )  # fmt: skip
    finding = run_study(spec, quiet=True).findings[0]
    told = finding.tables["guard_abilities"]["abilities"][0]
    assert told["verdict"] == "lost"
    assert set(told["what"]) == {"skipped"}  # the base guesses
    name = told["ability"]
    # the base can do it: begun as the tuned model's answers begin, it goes on in right steps
    assert finding.estimates[f"brought_back/{name}"].value > 0.8
    assert finding.estimates[f"brought_back_null/{name}"].value < 0.8
    rows = sorted((tmp_path / "out/rows").iterdir())
    written = [file.read_bytes() for file in rows]
    run_study(spec, quiet=True)  # again: nothing is asked anew
    assert [file.read_bytes() for file in rows] == written


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (GuardSpec(before=("a",)), "belong together"),
        (GuardSpec(before=("a", "b"), after=("c",)), "one of each an ability"),
        (GuardSpec(before=("a", "b"), after=("c", "d"), task=("t",)), "one model each"),
        (GuardSpec("problems.jsonl", before=("a",), after=("b",)), "either"),
        (GuardSpec(before=("a",), after=("b",), margin=0.0), "--margin"),
        (GuardSpec(), "either"),
    ],
)
def test_sides_that_do_not_fit_are_told_in_one_line(spec, told):
    with pytest.raises(UserMistake, match=told) as raised:
        spec.checked()
    assert "\n" not in str(raised.value)


def _run(rng, steps=30, drift=0.0):
    far = np.maximum(0, np.arange(steps) - 8) / steps
    return {
        "skipped": list(0.3 + drift * far + rng.normal(0, 0.05, steps)),
        "lucky": list(0.1 + drift * far + rng.normal(0, 0.03, steps)),
        "length": list(40 * (1 - drift * far / 2) + rng.normal(0, 1, steps)),
    }


def test_limits_are_fitted_on_healthy_runs_and_reported_on_others():
    rng = np.random.default_rng(0)
    limits = calibrate([_run(rng) for _ in range(12)])
    assert limits_from(json.loads(json.dumps(limits.as_json()))) == limits or math.isnan(
        limits.rules["length"].level
    )
    assert limits.rules["lucky"].level < 0.3 < LUCKY
    healthy, harmed, mild = [], [], []
    for _ in range(8):  # five per cent is over calibrations, each of which may be wide or narrow
        limits = calibrate([_run(rng) for _ in range(12)])
        healthy += [bool(find_alarms(range(30), _run(rng), limits)) for _ in range(40)]
        harmed += [bool(find_alarms(range(30), _run(rng, drift=1.0), limits)) for _ in range(5)]
        mild += [bool(find_alarms(range(30), _run(rng, drift=0.5), limits)) for _ in range(5)]
    assert np.mean(healthy) <= 0.05
    assert all(harmed)
    assert np.mean(mild) > 0.5
    with pytest.raises(UserMistake, match="3 or more"):
        calibrate([_run(rng)])


def test_a_canary_alarms_where_its_own_items_fall():
    items = {f"i{n}": 1.0 for n in range(16)}
    worse = {**items, **{f"i{n}": 0.0 for n in range(8)}}
    assert lost({"sums": {0: items, 10: items, 20: worse}})[0].step == 20
    assert lost({"sums": {0: items, 10: {**items, "i0": 0.0}}}) == []  # one of 16: not shown
    assert lost({"sums": {0: worse, 10: items}}) == []


def test_chains_get_thin_against_the_models_own():
    assert count_steps("one.\nTwo. Three") == 2
    assert count_steps("") == 0
    chains = Chains()
    items = [f"q{n}" for n in range(10)]
    assert chains.judge(items, [6] * 10, [60.0] * 10) is None
    chains.learn(items, [6] * 10, [60.0] * 10)
    thin = chains.judge(items, [6, 5, 4, 3, 2, 1, 0, 6, 6, 6], [60.0] * 10)
    assert thin == [False, False, False, False, True, True, True, False, False, False]
    assert chains.judge(["new"], [2], [20.0]) == [True]
    assert chains.judge(["q0"], [6], [200.0]) == [True]  # long, and few steps for it
    chains.learn(["q0"] * 20, [2] * 20, [20.0] * 20)
    assert chains.judge(["q0", "q1"], [2, 2], [20.0, 20.0]) == [False, True]  # its own chains were short
