"""One test of heterogeneity over slices: its size under the null, with and without clusters, and its power."""

import math

import numpy as np
import pytest

from tellapart.stats.slices import heterogeneity


def drawn(rng, shares, per_slice=40, cluster=1):
    """Items of as many slices as shares; `cluster` items of one slice share their outcome."""
    slices = np.repeat(np.arange(len(shares)), per_slice)
    clusters = np.arange(len(slices)) // cluster
    right = rng.random(clusters.max() + 1) < np.asarray(shares)[slices[::cluster]]
    return right[clusters].astype(float), np.ones(len(slices)), clusters, slices


@pytest.mark.parametrize("cluster", [1, 4])
def test_equal_slices_rarely_differ(cluster):
    rng, runs = np.random.default_rng(0), 400
    found = [heterogeneity(*drawn(rng, [0.5, 0.5, 0.5], cluster=cluster)).p < 0.05 for _ in range(runs)]
    assert np.mean(found) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_a_slice_that_has_all_and_one_that_has_nothing_differ():
    found = heterogeneity(*drawn(np.random.default_rng(1), [1.0, 0.0]))
    assert found.differs
    assert found.p < 1e-6


def test_one_slice_cannot_differ_from_itself():
    assert math.isnan(heterogeneity(*drawn(np.random.default_rng(2), [0.5])).p)
