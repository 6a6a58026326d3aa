"""Routing on tiny random Llamas: its two ends are the two models, its routers decide what they say."""

import math
from collections.abc import Sequence

import pytest
from llamas import llama
from planted import addition, ask_for, split

from tellapart.elicit import ELICITORS
from tellapart.elicit.access import applicable
from tellapart.elicit.local_routing import write
from tellapart.elicit.routing import TokenRouter, level_for
from tellapart.elicit.routing_bits import choice_bits, position_bits
from tellapart.models.two_models import RoutedAnswer
from tellapart.runs.asking import Elicitation, Pair, generate, plain_requests

TASK = split(addition(), 0, 6)
ASK = ask_for(TASK, samples=2)
REQUESTS = [request for _, _, request in plain_requests(ASK)]


@pytest.fixture(scope="module")
def pair() -> Pair:
    return Pair(llama(0), llama(1))


def routed(pair: Pair, router: TokenRouter) -> list[RoutedAnswer]:
    return sorted(write(pair, REQUESTS, router), key=lambda answer: answer.index)


def plain(model) -> list[tuple[int, ...]]:
    answers: Sequence[Elicitation] = sorted(generate(model, list(plain_requests(ASK))), key=lambda a: a[:2])
    return [answer.completion.tokens for answer in answers]


@pytest.mark.parametrize("kind", ["teacher", "entropy"])
def test_an_infinite_level_leaves_the_base_alone(pair, kind):
    answers = routed(pair, TokenRouter(kind, math.inf))
    assert [answer.completion.tokens for answer in answers] == plain(pair.base)
    assert not any(any(answer.routed) for answer in answers)


def test_every_token_routed_is_the_tuned_model(pair):
    answers = routed(pair, TokenRouter("all", 1.0))
    assert [answer.completion.tokens for answer in answers] == plain(pair.tuned)
    assert all(all(answer.routed) for answer in answers)


def test_the_first_tokens_are_the_tuned_models(pair):
    for answer, tuned in zip(routed(pair, TokenRouter("first", 2)), plain(pair.tuned), strict=True):
        assert answer.completion.tokens[:2] == tuned[:2]
        assert answer.routed == tuple(place < 2 for place in range(len(answer.routed)))


def test_random_positions_are_as_many_as_asked_and_the_same_each_time(pair):
    answers = routed(pair, TokenRouter("random", 0.3))
    flags = [flag for answer in answers for flag in answer.routed]
    assert 0.1 < sum(flags) / len(flags) < 0.5
    assert [answer.routed for answer in routed(pair, TokenRouter("random", 0.3))] == [
        a.routed for a in answers
    ]


def test_what_the_entropy_decider_sees_is_the_bases_entropy(pair):
    answers = routed(pair, TokenRouter("entropy", 2.5))
    seen = [
        (value, flag) for answer in answers for value, flag in zip(answer.seen, answer.routed, strict=True)
    ]
    assert all(flag == (value > 2.5) for value, flag in seen)
    assert {flag for _, flag in seen} == {True, False}
    alone = routed(pair, TokenRouter("entropy", math.inf))
    recorded = dict(pair.base.generate(REQUESTS, record=frozenset({"entropies"})))
    for index, answer in enumerate(alone):
        assert answer.seen == pytest.approx(recorded[index].entropies, abs=1e-4)


def test_a_model_does_not_disagree_with_itself(pair):
    answers = routed(Pair(pair.base, pair.base), TokenRouter("teacher", -math.inf))
    assert max(value for answer in answers for value in answer.seen) == pytest.approx(0.0, abs=1e-5)
    assert [answer.completion.tokens for answer in answers] == plain(pair.base)


def test_log_probabilities_are_the_bases(pair):
    answers = routed(pair, TokenRouter("all", 1.0))
    scored = pair.base.score(
        [
            (request.prompt, answer.completion.tokens)
            for request, answer in zip(REQUESTS, answers, strict=True)
        ]
    )
    for answer, one in zip(answers, scored, strict=True):
        assert answer.base_logprobs == pytest.approx(one.logprobs, abs=1e-4)


@pytest.mark.parametrize("name", ["routing", "routing_entropy"])
def test_the_curve_routes_about_its_budget(pair, name):
    fit = ask_for(addition(), samples=1, seed=7)
    for value in ELICITORS[name].curve(pair, fit):
        budget = float(value.name.partition("@")[2])
        assert value.setting["fitted_share"] == pytest.approx(budget, abs=max(0.05, budget / 3))
        assert value.bits_once > 0


def test_models_of_other_vocabularies_are_refused():
    base, other = llama(0), llama(1)
    other.tokenizer_id = "another"
    assert "vocabulary" in str(applicable(ELICITORS["routing"], Pair(base, other), TASK))
    assert "tuned" in str(applicable(ELICITORS["routing"], Pair(base), TASK))


def test_choices_cost_what_the_base_did_not_know():
    sure, unsure = math.log(0.999), math.log(0.001)
    assert choice_bits([], [5], [sure], 1000) < 1.01
    assert choice_bits([], [5], [unsure], 1000) == pytest.approx(math.log2(1000), abs=0.6)
    assert choice_bits([5] * 100, [5], [unsure], 1000) < 5
    assert choice_bits([], [], [], 1000) == 0
    assert choice_bits([], [1] * 30, [sure] * 30, 1000) < 1.05


@pytest.mark.parametrize("length", [1, 5, 40])
def test_positions_are_told_by_a_code_that_sums_to_one(length):
    """Kraft: sum over all sets of positions of 2^-bits is 1."""
    total = sum(math.comb(length, m) * 2 ** -position_bits(length, m, "told") for m in range(length + 1))
    assert total == pytest.approx(1.0)


def test_choices_are_told_by_a_code_that_sums_to_one():
    """Kraft, over all pairs of tokens: the base's law and what was told before make a proper code."""
    law = [0.7, 0.2, 0.1]
    total = sum(
        2 ** -choice_bits([0, 0, 1], [a, b], [math.log(law[a]), math.log(law[b])], 3)
        for a in range(3)
        for b in range(3)
    )
    assert total == pytest.approx(1.0)


def test_a_level_lets_at_most_its_budget_through():
    assert level_for([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert level_for([1.0, 1.0, 1.0, 1.0], 0.5) == 1.0
    assert level_for([], 0.5) == -math.inf
