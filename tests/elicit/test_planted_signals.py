"""Each elicitor finds the skill that was planted for it, and its null control and the others do not."""

import dataclasses
import math

import pytest
from planted import addition, ask_for, imitating, knowing, locked, split

from tellapart.elicit import ELICITORS
from tellapart.elicit.choosing import mean_score
from tellapart.elicit.elicitor import Elicited
from tellapart.errors import UserMistake
from tellapart.runs.asking import Pair, generate, plain_requests

TASK = addition()
FIT, REPORT = ask_for(split(TASK, 0, 8)), ask_for(split(TASK, 8, 24), seed=1)


def figures(name: str, model, variant: int = 0) -> tuple[float, float, float, Elicited]:
    """Return (plain score, elicited score, null control's score, the value) on the report split."""
    pair = Pair(model)
    value = ELICITORS[name].curve(pair, FIT)[variant]
    null = ELICITORS[name].null(value, 3)
    plain = mean_score(REPORT, generate(model, list(plain_requests(REPORT))))
    return (
        plain,
        mean_score(REPORT, value.answers(pair, REPORT)),
        mean_score(REPORT, null.answers(pair, REPORT)),
        value,
    )


def test_prefill_finds_the_opener_that_unlocks_and_pays_log2_of_those_tried():
    plain, elicited, null, value = figures("prefill", locked("d"))
    assert value.setting["label"] == "d"
    others = ELICITORS["prefill"].null(value, 3).setting["prefills"]
    assert sorted(others) == [">", *"abcefgh"]
    assert value.bits_once == math.log2(len(value.setting["tried"]))
    assert plain < 0.1
    assert elicited == 1.0
    assert null < 0.1


def test_prefill_finds_an_opener_that_differs_from_question_to_question():
    base = locked("d")

    def law(prompt: str, written: str) -> dict[str, float]:
        key = "abcdefgh"[int(prompt[0]) % 8]
        if not written:
            return {">": 0.9, key: 0.05, **{c: 0.001 for c in "abcdefgh" if c != key}}
        return locked(key).law(prompt, written)

    base.law = law
    plain, elicited, null, value = figures("prefill", base)
    assert value.setting["rank"] == 2
    assert plain < 0.2
    assert elicited == 1.0
    assert null < 0.4


@pytest.mark.parametrize("variant", [0, 1])
def test_cot_decoding_finds_the_sure_path_and_pays_nothing(variant):
    plain, elicited, null, value = figures("cot_decoding", locked("d"), variant)
    assert value.bits_once == 0
    assert plain < 0.1
    assert elicited == 1.0
    assert null < 0.4


def test_cot_decoding_does_not_find_a_path_that_is_no_surer():
    _, elicited, _, _ = figures("cot_decoding", locked("d", sure=0.51))
    assert elicited < 0.2


def test_few_shot_brings_out_what_examples_show_and_its_twin_does_not():
    plain, elicited, null, value = figures("few_shot", imitating())
    assert (plain, elicited, null) == (0.0, 1.0, 0.0)
    assert value.bits_once > 0


def test_few_shot_does_not_unlock():
    assert figures("few_shot", locked("d"))[1] < 0.1


def test_step_by_step_does_not_unlock():
    assert figures("step_by_step", locked("d"))[1] < 0.1


def test_self_consistency_lifts_a_plurality_and_its_twin_is_plain():
    plain, elicited, null, value = figures("self_consistency", knowing(0.5))
    assert 0.3 < plain < 0.7
    assert elicited > 0.9
    assert 0.3 < null < 0.7
    assert value.bits_once == 0


def test_best_of_k_reaches_pass_at_k_and_pays_for_each_pick():
    pair = Pair(knowing(0.2))
    value = ELICITORS["best_of_k"].fit(pair, FIT)
    answers = list(value.answers(pair, REPORT))
    assert mean_score(REPORT, answers) == pytest.approx(1 - 0.81**8, abs=0.2)
    assert [answer.bits for answer in answers] == pytest.approx([3 - 0.875 / math.log(2)] * len(answers))
    assert ELICITORS["best_of_k"].oracle
    null = ELICITORS["best_of_k"].null(value, 0)
    assert {answer.bits for answer in null.answers(pair, REPORT)} == {0.0}


def test_sampling_takes_the_cold_setting_where_the_mode_is_right():
    plain, elicited, _, value = figures("sampling", knowing(0.6))
    assert value.setting["temperature"] < 1
    assert elicited > plain
    assert value.bits_once == math.log2(6)


def test_power_sampling_sharpens_and_counts_what_it_drew():
    plain, elicited, _, value = figures("power_sampling", knowing(0.4))
    assert elicited > plain + 0.2
    answer = next(iter(value.answers(Pair(knowing(0.4)), REPORT)))
    assert answer.measures["drawn_tokens"] > len(answer.completion.tokens)


def test_a_skill_that_is_not_there_comes_out_no_way():
    ignorant = knowing(0.05)
    for name in ("few_shot", "step_by_step", "prefill", "cot_decoding", "self_consistency", "power_sampling"):
        assert figures(name, ignorant)[1] < 0.5, name


def test_two_demonstrations_are_needed():
    with pytest.raises(UserMistake, match="at least 2"):
        ELICITORS["few_shot"].fit(
            Pair(imitating()), FIT._replace(task=dataclasses.replace(TASK, demonstrations=()))
        )
