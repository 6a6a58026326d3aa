"""The gap: cross-fitted, net of chance, with an interval that covers."""

import numpy as np
import pytest

from tellapart.stats.bounds import Method
from tellapart.stats.gap import best_rise, crossed, gap_estimate, room, shown_level


def noise(rng, n, p):
    return (rng.random((n, 4)) < p).mean(axis=1)


def test_many_useless_methods_show_no_gap():
    values = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        readings = [Method(noise(rng, 60, 0.4), 0.0)]
        methods = [Method(noise(rng, 60, 0.4), 0.0) for _ in range(12)]
        values.append(crossed(readings, methods, 0.0, np.arange(60)).over.mean())
    assert abs(np.mean(values)) < 0.01
    # The reference's best method, chosen on the very items, looks better than it is: the cautious side.
    level = np.full(60, 0.4)
    methods = [Method(noise(np.random.default_rng(seed), 60, 0.4), 0.0) for seed in range(12)]
    assert best_rise(level, methods, 0.0, np.arange(60))[0].mean() > 0.02


def test_what_is_below_chance_is_taken_at_chance():
    level, _ = shown_level([Method(np.full(40, 0.05), 0.25)], 0.25, np.arange(40))
    assert level == pytest.approx(np.full(40, 0.25))


def test_a_reading_is_net_of_its_own_chance():
    lenient = Method(np.full(40, 0.6), 0.5)
    level, taken = shown_level([Method(np.full(40, 0.3), 0.1), lenient], 0.1, np.arange(40))
    assert taken == (0,)
    assert level == pytest.approx(np.full(40, 0.3))


def test_a_method_that_harms_is_not_taken():
    found = crossed([Method(np.full(40, 0.8), 0.0)], [Method(np.full(40, 0.5), 0.0)], 0.0, np.arange(40))
    assert found.over.mean() == 0.0
    assert found.methods == ()


def test_the_interval_covers_by_cluster_and_at_the_ends():
    hit = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        clusters = np.repeat(np.arange(30), 4)
        true = np.repeat(rng.normal(0.2, 0.3, 30), 4)
        estimate = gap_estimate(np.clip(true + rng.normal(0, 0.2, 120), -1, 1), clusters)
        hit += estimate.low <= 0.2 <= estimate.high
    assert hit / 300 > 0.93
    flat = gap_estimate(np.zeros(40), np.arange(40))
    assert flat.low < -0.03
    assert flat.high > 0.03
    assert np.isnan(gap_estimate(np.ones(4), np.zeros(4, dtype=int)).value)


def test_room_is_bounded():
    assert room(np.full(9, 0.1), np.full(9, 0.97)) == 3.0
    assert room(np.full(9, 0.9), np.full(9, 0.2)) == 1.0
    assert room(np.full(9, 0.4), np.full(9, 0.7)) == pytest.approx(2.0)
