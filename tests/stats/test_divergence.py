"""Divergence map: planted concentration, exact relative entropy, zero divergence, simulated coverage."""

import numpy as np
import pytest

from tellapart.errors import UserMistake
from tellapart.stats.divergence import (
    bits_per_response,
    bits_per_token,
    concentration,
    first_tokens_share,
    position_profile,
    token_bits,
)


def _planted(responses=40, length=20, first=1.5, rest=0.0):
    return [np.r_[first, np.full(length - 1, rest)] for _ in range(responses)], np.arange(responses) // 4


def test_all_in_the_first_token():
    bits, items = _planted()
    assert bits_per_response(bits, items).value == pytest.approx(1.5)
    assert bits_per_token(bits, items).value == pytest.approx(1.5 / 20)
    assert first_tokens_share(bits, items).value == 1
    assert concentration(bits, items, 0.05).value == pytest.approx(1)
    assert concentration(bits, items, 0.01).value == pytest.approx(0.2)


def test_even_spread_gives_the_top_share_itself():
    bits, items = _planted(first=0.7, rest=0.7)
    for top in (0.01, 0.05, 0.1):
        assert concentration(bits, items, top).value == pytest.approx(top)
    assert first_tokens_share(bits, items, 5).value == pytest.approx(0.25)


def test_signs_do_not_cancel_in_shares():
    bits, items = [np.array([3.0, -3.0, 0.0, 0.0])] * 3, [0, 1, 2]
    assert bits_per_response(bits, items).value == 0
    assert concentration(bits, items, 0.25).value == pytest.approx(0.5)


def test_no_divergence_is_missing_not_zero():
    bits = [np.full(9, 1e-7)] * 4
    for found in (
        concentration(bits, range(4)),
        first_tokens_share(bits, range(4)),
    ):
        assert np.isnan(found.value)
        assert "no divergence to share out" in found.method
    assert bits_per_response(bits, range(4)).value == pytest.approx(9e-7)
    assert np.isnan(bits_per_response([], []).value)
    assert np.isnan(bits_per_token([np.array([])], [0]).value)


def test_bits_are_the_relative_entropy_and_intervals_cover():
    rng, hits = np.random.default_rng(0), 0
    tuned, base = np.array([0.8, 0.15, 0.05]), np.array([0.2, 0.3, 0.5])
    truth = 6 * np.sum(tuned * np.log2(tuned / base))
    items = np.arange(50) // 2
    for _ in range(300):
        drawn = rng.choice(3, (50, 6), p=tuned)
        bits = token_bits(np.log(tuned)[drawn], np.log(base)[drawn])
        found = bits_per_response(bits, items)
        hits += found.low <= truth <= found.high
    assert 0.92 <= hits / 300 <= 0.98


def test_items_weigh_the_same_however_many_responses_they_have():
    bits = [np.array([1.0])] * 9 + [np.array([3.0])]
    assert bits_per_response(bits, ["a"] * 9 + ["b"]).value == 2
    assert bits_per_response(bits, ["a"] * 9 + ["b"]).n == 2
    assert bits_per_token(bits, ["a"] * 9 + ["b"]).value == pytest.approx(1.2)


def test_profile_counts_only_responses_that_reach_a_position():
    means, counts = position_profile([np.array([1.0, 2.0]), np.array([3.0])])
    assert (means.tolist(), counts.tolist()) == ([2, 2], [2, 1])
    assert position_profile([])[0].size == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: token_bits([[0.1]], []),
        lambda: token_bits([[-1.0, -2.0]], [[-1.0]]),
        lambda: token_bits([[np.nan]], [[-1.0]]),
        lambda: concentration([np.ones(3)], [0], top=0),
        lambda: bits_per_response([np.ones(3)], [0, 1]),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(UserMistake):
        call()
