"""The adaptive plan: when it stops, and that stopping early does not cheat."""

from dataclasses import replace

import numpy as np
from tests.studies.gain_worlds import PASSED

from tellapart.elicit import ELICITORS
from tellapart.runs.row import Row
from tellapart.stats.bounds import Method, cross_fitted, gain_of
from tellapart.studies.gain.adaptive import INTERIM, Next, Plant, Watch, watching
from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.held import ARMS
from tellapart.studies.gain.judge import judge, light_frame

ITEMS, SAMPLES = 120, 4


def rows(condition: str, scores: np.ndarray) -> list[Row]:
    return [
        Row(
            study="gain", condition=condition, item=f"i{item:03d}", sample=sample, seed=0, key="", split="report",
            cluster="", prompt_hash="", completion="", score=float(scores[item, sample]), status="ok", steps="",
            logprob=float("nan"), tokens=1, prompt_tokens=1, seconds=0.0,
        )
        for item in range(scores.shape[0])
        for sample in range(scores.shape[1])
    ]  # fmt: skip


def drawn(rng: np.random.Generator, p: float | np.ndarray) -> np.ndarray:
    chance = np.broadcast_to(np.asarray(p, dtype=float).reshape(-1, 1), (ITEMS, SAMPLES))
    return (rng.random((ITEMS, SAMPLES)) < chance).astype(float)


def watch(rng: np.random.Generator, base: float, tuned: float, plant: Plant | None = None) -> Watch:
    plain = [
        row for role, p in (("base", base), ("tuned", tuned)) for row in rows(f"{role}/plain", drawn(rng, p))
    ]
    made = watching(plain, Facts(guess_floor=0.0), plant)
    assert made is not None
    return made


def look(at: Watch, rng: np.random.Generator, name: str, p: float | np.ndarray, **about) -> None:
    told = {
        "elicitor": name.partition("@")[0],
        "tells": "nothing",
        "null_tells": "nothing",
        "bits_once": 0.0,
    } | about
    assert not at.see(name, told, ("prompt", "why"), rows(f"base/{name}", drawn(rng, p)))


def next_of(at: Watch, *names: str) -> Next:
    return at.choose(names, ELICITORS)


def test_a_method_that_brings_all_back_ends_it_at_once():
    rng = np.random.default_rng(0)
    seen = watch(rng, 0.02, 0.95)
    assert next_of(seen, "cot_decoding", "prefill").name == "cot_decoding"
    look(seen, rng, "cot_decoding", 0.95)
    ended = next_of(seen, "prefill")
    assert not ended.name
    assert "cannot be taken back" in ended.reason


def test_an_early_end_needs_more_than_the_verdict():
    """What is called elicited at 90 % is asked on where it is not at the interim level."""
    rng = np.random.default_rng(1)
    seen = watch(rng, 0.0, 0.9)
    look(seen, rng, "cot_decoding", np.where(np.arange(ITEMS) % 10 < 9, 0.85, 0.0))
    assert seen.judged.verdict.label == "elicited"
    assert not next_of(seen, "prefill").name
    short = [row for row in seen.rows if int(row.item[1:]) < 22]
    few = watching([row for row in short if row.condition.endswith("plain")], Facts(guess_floor=0.0), None)
    assert few is not None
    told = {"elicitor": "cot_decoding", "tells": "nothing", "null_tells": "nothing", "bits_once": 0.0}
    few.see("cot_decoding", told, ("decoding", "why"), [row for row in short if "cot" in row.condition])
    if few.judged.verdict.label == "elicited":
        low = judge(light_frame(few.rows), few.facts, INTERIM).held.low.low
        assert bool(next_of(few, "prefill").name) == (low <= 0.5)


def test_what_tells_right_answers_is_not_asked():
    rng = np.random.default_rng(2)
    seen = watch(rng, 0.02, 0.95)
    assert not next_of(seen, "routing_first", "best_of_k", "few_labels_tuned", "rlvr", "few_labels").name


def test_without_a_gain_nothing_is_asked():
    rng = np.random.default_rng(4)
    ended = next_of(watch(rng, 0.4, 0.4), "prefill")
    assert not ended.name
    assert "no method could change the word" in ended.reason


def test_a_skill_is_planted_only_where_that_alone_is_missing():
    rng, planted = np.random.default_rng(5), []

    def plant(passed=True):
        planted.append(True)
        return {arm: replace(PASSED[arm], passed=passed, dose=16) for arm in ARMS}

    seen = watch(rng, 0.0, 0.95, plant)
    assert next_of(seen, "form_demonstrations", "few_labels").name == "form_demonstrations"
    assert not planted
    look(seen, rng, "form_demonstrations", 0.0)
    look(seen, rng, "answer_rank", 0.0)
    assert next_of(seen, "few_labels").name == "few_labels"
    assert planted == [True]
    assert seen.dose == 16, "so many labels are given as found the planted skill"
    look(seen, rng, "few_labels@32", 0.0, tells="labels")
    assert not next_of(seen).name
    blind = watch(rng, 0.0, 0.95, lambda: plant(passed=False))
    look(blind, rng, "form_demonstrations", 0.0)
    look(blind, rng, "answer_rank", 0.0)
    assert not next_of(blind, "few_labels").name, "labels lower nothing where a planted skill was not found"
    found = watch(rng, 0.0, 0.95, plant)
    look(found, rng, "form_demonstrations", 0.0)
    look(found, rng, "answer_rank", 0.8)
    planted.clear()
    assert not next_of(found, "few_labels").name, "labels cannot close a bound that another arm holds open"
    assert not planted


def test_stopping_at_the_best_looking_of_many_methods_does_not_cheat():
    """Twenty methods that each bring back exactly half of the gain: what sets the lower bound's end above one half is
    rare, however many were looked at."""
    rng, runs, wrong = np.random.default_rng(6), 60, 0
    for _ in range(runs):
        gain = gain_of(np.zeros(ITEMS), np.ones(ITEMS), 0.0, None)
        methods = [Method(drawn(rng, 0.5).mean(axis=1), 0.0) for _ in range(20)]
        wrong += any(cross_fitted(gain, methods[: at + 1], INTERIM)[0].low > 0.5 for at in range(20))
    assert wrong / runs <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
