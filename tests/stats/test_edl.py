"""Description length: closed forms (random labels, coupon collector), and the signature over sizes and seeds."""

import json

import numpy as np
import pytest

from tellapart.errors import UserMistake
from tellapart.stats.edl import (
    Before,
    coupon_collector_edl,
    edl_signature,
    excess_description_length,
)
from tellapart.stats.prequential import answer_bits, code_lengths


def _softmax_bits(weights, x, y):
    logits = x @ weights
    logits = logits - logits.max(axis=1, keepdims=True)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return -np.log2(chances[np.arange(len(y)), y]), chances


def _online(x, y, test_x, test_y, classes, rate=0.02):
    """One pass of stochastic gradient descent over a linear softmax classifier, one example at a time."""
    weights, bits = np.zeros((x.shape[1], classes)), []
    for row, label in zip(x, y, strict=True):
        cost, chances = _softmax_bits(weights, row[None], np.array([label]))
        bits.append(cost[0])
        weights -= rate * np.outer(row, chances[0] - np.eye(classes)[label])
    return np.array(bits), _softmax_bits(weights, test_x, test_y)[0]


def test_random_labels_have_an_edl_of_zero():
    """A learner takes nothing up from labels that say nothing; the interval covers 0 as often as it should."""
    hits, values = 0, []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x, test_x = rng.normal(size=(64, 8)), rng.normal(size=(200, 8))
        y, test_y = rng.integers(0, 4, 64), rng.integers(0, 4, 200)
        found = excess_description_length(*_online(x, y, test_x, test_y, 4))
        hits += found.low <= 0 <= found.high
        values.append(found.value)
    assert hits >= 54
    assert abs(np.mean(values)) < 2 * np.std(values) / np.sqrt(60) + 0.5


def test_learned_labels_have_an_edl_above_zero():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(8, 4)) * 3
    x, test_x = rng.normal(size=(64, 8)), rng.normal(size=(200, 8))
    y, test_y = (x @ truth).argmax(1), (test_x @ truth).argmax(1)
    found = excess_description_length(*_online(x, y, test_x, test_y, 4, rate=0.3))
    assert found.low > 10


def test_coupon_collector_follows_its_closed_form():
    """K facts of D bits drawn at random, each kept once seen: simulated EDL / n within 5 % of the closed form."""
    facts, bits, rng = 6000, 7.0, np.random.default_rng(2)
    for u in (0.25, 0.5, 1.0, 1.79, 3.0, 6.0):
        n, found = int(u * facts), []
        for _ in range(60):
            drawn = rng.integers(0, facts, n)
            first = np.zeros(n)
            first[np.unique(drawn, return_index=True)[1]] = bits
            test = np.full(facts, bits)
            test[drawn] = 0.0
            found.append(excess_description_length(first, test).value / n)
        assert np.mean(found) == pytest.approx(coupon_collector_edl(u, bits), rel=0.05)


def test_coupon_collector_peak():
    u = np.linspace(0.01, 8, 100_000)
    curve = coupon_collector_edl(u)
    assert u[curve.argmax()] == pytest.approx(1.79, abs=0.005)
    assert curve.max() == pytest.approx(0.298, abs=0.0005)
    assert coupon_collector_edl(1e-6) == pytest.approx(5e-7, rel=1e-3)
    with pytest.raises(UserMistake):
        coupon_collector_edl(0.0)


def test_edl_is_the_first_pass_less_the_test_losses():
    found = excess_description_length([8.0, 4.0, 2.0, 2.0], [1.0, 3.0])
    assert found.value == 16 - 4 * 2


def test_untrained_costs_take_out_the_noise_of_hard_examples():
    """With `before` the expectation stays and the interval narrows; an unchanged model has an EDL of exactly 0."""
    plain, against = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        hard, test_hard = rng.uniform(0, 20, 16), rng.uniform(0, 20, 40)
        kept = np.linspace(1.0, 0.5, 16)
        args = hard * kept, test_hard * 0.5
        plain.append(excess_description_length(*args))
        against.append(excess_description_length(*args, Before(hard, test_hard)))
        still = excess_description_length(hard, test_hard, Before(hard, test_hard))
        assert (still.value, still.low, still.high) == (0, 0, 0)
    truth = 10 * (kept.sum() - 16 * 0.5)
    for found in (plain, against):
        assert np.mean([one.value for one in found]) == pytest.approx(truth, abs=8)
    assert np.std([one.value for one in against]) < 0.8 * np.std([one.value for one in plain])


SIZES = [4, 8, 16, 32]


@pytest.mark.parametrize(
    ("values", "shape"),
    [
        ([[0.9, 0.6, 0.4, 0.2], [0.8, 0.7, 0.4, 0.3]], "elicitation"),
        ([[0.2, 0.6, 0.9, 0.5], [0.3, 0.7, 0.8, 0.6]], "teaching"),
        ([[0.2, 0.4, 0.7, 0.9], [0.1, 0.3, 0.6, 0.9]], "teaching"),
        ([[0.9, 0.6, 0.4, 0.2], [0.4, 0.9, 0.4, 0.2]], "cannot tell"),  # one seed rises
        ([[0.9, 0.2, 0.4, 0.8], [0.9, 0.2, 0.5, 0.8]], "cannot tell"),  # falls, then rises
        ([[0.9, 0.6, 0.4, 0.2]], "cannot tell"),  # one seed
        ([[0.011, 0.009, 0.005, 0.001], [0.012, 0.01, 0.006, 0.002]], "cannot tell"),  # too small to count
        ([[0.90, 0.93, 0.4, 0.2], [0.9, 0.92, 0.4, 0.2]], "elicitation"),  # a rise within the tolerance
    ],
)
def test_signature(values, shape):
    found = edl_signature(SIZES, values)
    assert found.shape == shape, found.reason
    assert found.reason
    assert json.dumps(found.as_json(), allow_nan=False)


def test_signature_of_the_closed_forms():
    """Examples beyond what there is to learn elicit; fewer than that teach."""
    rng = np.random.default_rng(0)
    for us, shape in (((2, 4, 8, 16), "elicitation"), ((0.1, 0.3, 0.6, 1.2), "teaching")):
        curve = coupon_collector_edl(us, 5.0) + rng.normal(0, 0.01, (3, 4))
        assert edl_signature(SIZES, curve).shape == shape


def test_one_seed_without_the_rise_is_enough_to_doubt_it():
    rows = np.tile([0.2, 0.7, 0.7, 0.7], (8, 1)) + np.random.default_rng(5).normal(0, 0.01, (8, 4))
    assert edl_signature(SIZES, rows).shape == "teaching"
    rows[3] = 0.5
    assert edl_signature(SIZES, rows).shape == "cannot tell"


def test_noise_around_a_level_is_no_signature():
    rng = np.random.default_rng(3)
    shapes = [edl_signature(SIZES, rng.normal(0.5, 0.1, (3, 4))).shape for _ in range(300)]
    assert shapes.count("cannot tell") >= 260
    assert shapes.count("elicitation") < 10


def test_bad_input_is_refused():
    for sizes, values in (
        ([4], [[1.0]]),
        ([4, 4], [[1.0, 1.0]]),
        ([8, 4], [[1.0, 1.0]]),
        ([4, 8], [[1.0, np.nan]]),
    ):
        with pytest.raises(UserMistake):
            edl_signature(sizes, values)
    with pytest.raises(UserMistake, match="at least 0"):
        excess_description_length([-1.0, 2.0], [1.0, 1.0])
    with pytest.raises(UserMistake, match="the same examples"):
        excess_description_length([1.0, 2.0], [1.0, 1.0], Before([1.0], [1.0, 1.0]))
    assert np.isnan(excess_description_length([1.0], [1.0, 1.0]).value)
    with pytest.raises(UserMistake, match="nats"):
        answer_bits([[0.5]])
    with pytest.raises(UserMistake, match="choose 1-2"):
        code_lengths([1.0, 2.0], [3])
