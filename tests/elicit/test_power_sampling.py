"""Power sampling against the exact law: p^alpha over all answers of a small model, by enumeration."""

import itertools
import math
from collections import Counter

import pytest
from planted import addition, ask_for, split
from scripted import END, Scripted, tempered

from tellapart.elicit import ELICITORS
from tellapart.elicit.power_sampling import Chain, Powered, acceptance
from tellapart.elicit.prompted import common_beginning
from tellapart.models.model import Completion, Sampling
from tellapart.runs.asking import Pair

TASK = split(addition(), 0, 1)
LAW = {
    "": {"a": 0.5, "b": 0.3, END: 0.2},
    "a": {"a": 0.45, "b": 0.15, END: 0.4},
    "b": {"a": 0.1, "b": 0.1, END: 0.8},
    "aa": {END: 1.0},
    "ab": {END: 1.0},
    "ba": {END: 1.0},
    "bb": {END: 1.0},
}


def sampled(setting: dict, draws: int) -> dict[str, float]:
    """Return the share of each answer among `draws` chains."""
    base = Scripted(lambda prompt, written: LAW[written])
    ask = ask_for(TASK, draws)
    answers = Powered("power_sampling", setting).answers(Pair(base), ask)
    counts = Counter(answer.completion.text for answer in answers)
    return {text: count / draws for text, count in counts.items()}


def power_law(alpha: float) -> dict[str, float]:
    """Return p(x)^alpha, normalised, of every answer."""
    weights = {}
    for text in ("", "a", "b", "aa", "ab", "ba", "bb"):
        chance = math.prod(LAW[text[:i]][text[i]] for i in range(len(text))) * LAW[text][END]
        weights[text] = chance**alpha
    total = sum(weights.values())
    return {text: weight / total for text, weight in weights.items()}


def test_answers_follow_the_power_law():
    found = sampled({"alpha": 2.0, "moves": 15}, 1200)
    for text, chance in power_law(2.0).items():
        error = math.sqrt(chance * (1 - chance) / 1200)
        assert found.get(text, 0.0) == pytest.approx(chance, abs=3.5 * error + 0.002), text


@pytest.mark.parametrize("alpha", [1.5, 4.0])
def test_moves_are_in_detailed_balance_with_the_power_law(alpha):
    """p(x)^alpha P(x -> x') = p(x')^alpha P(x' -> x) for all pairs of answers, summed over start positions."""
    value = Powered("power_sampling", {"alpha": alpha, "moves": 1})
    law = power_law(alpha)
    for one, other in itertools.permutations(law, 2):
        there, back = flow(one, other, value), flow(other, one, value)
        assert law[one] * there == pytest.approx(law[other] * back, rel=1e-9)


def flow(one: str, other: str, value: Powered) -> float:
    """Return the probability that a move leads from answer `one` to `other`."""
    old, new = logs(one, value), logs(other, value)
    shared = len(common_beginning([one + END, other + END]))
    total = 0.0
    for start in range(shared + 1):
        chain = Chain(0, 0, (), "", list(map(ord, one + END)), [], *old)
        suffix = Completion(
            "", tuple(map(ord, (other + END)[start:])), (), new[0][start:], new[1][start:], "stop", 0, 0.0
        )
        proposed = math.exp(math.fsum(new[1][start:])) / (len(one) + 1)
        total += proposed * acceptance(chain, start, suffix, value)
    return total


def logs(text: str, value: Powered) -> tuple[list[float], list[float]]:
    """Return log p and log q of each token of an answer, its end included."""
    laws = [(LAW[text[:i]], (text + END)[i]) for i in range(len(text) + 1)]
    heat = Sampling(temperature=1 / value.setting["alpha"])
    return [math.log(law[c]) for law, c in laws], [math.log(tempered(law, heat)[c]) for law, c in laws]


def test_the_null_twin_does_not_follow_it():
    """Accepting by chance leaves the proposal's law: temperature 1/alpha token by token."""
    found = sampled({"alpha": 4.0, "moves": 5, "rate": 0.5}, 500)
    assert abs(found["b"] - power_law(4.0)["b"]) > 0.1


def test_the_null_twin_makes_as_many_proposals():
    base = Scripted(lambda prompt, written: LAW[written])
    pair, ask = Pair(base), ask_for(TASK, 300)
    value = ELICITORS["power_sampling"].fit(pair, ask)
    figures = []
    for one in (value, ELICITORS["power_sampling"].null(value, 0)):
        before = base.asked
        shares = [answer.measures["accepted_share"] for answer in one.answers(pair, ask)]
        figures.append((base.asked - before, sum(shares) / len(shares)))
    assert figures[0][0] == figures[1][0]
    assert figures[1][1] == pytest.approx(value.setting["fitted_rate"], abs=0.1)


def test_drawn_tokens_count_every_proposal():
    base = Scripted(lambda prompt, written: {"a": 1.0})
    ask = ask_for(TASK, 1)
    (answer,) = Powered("power_sampling", {"alpha": 4.0, "moves": 3}).answers(Pair(base), ask)
    assert answer.completion.text == "a" * 8
    assert answer.completion.finish == "length"
    assert 8 + 3 <= answer.measures["drawn_tokens"] <= 8 + 3 * 8
