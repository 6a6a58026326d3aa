"""Equal rows drawn together: the same distribution as one by one, and figures of few units are left as they were."""

import numpy as np
import pytest

from tellapart.stats.resampling import MANY, resample_sums, resample_weights


def test_few_units_are_drawn_one_by_one() -> None:
    sums = np.column_stack([np.arange(50) % 3, np.ones(50)])
    one_by_one = [weights @ sums for weights in resample_weights(50, 200, 1)]
    assert np.array_equal(np.concatenate(list(resample_sums(sums, 200, 1))), np.concatenate(one_by_one))


@pytest.mark.parametrize("kinds", [2, 30])
def test_many_units_of_few_kinds_have_the_same_distribution(kinds: int) -> None:
    n = MANY + 1
    values = np.random.default_rng(0).integers(0, kinds, n) / (kinds - 1)
    sums = np.column_stack([values, np.ones(n)])
    drawn = np.concatenate(list(resample_sums(sums, 4000, 0)))
    assert (drawn[:, 1] == n).all()
    assert drawn[:, 0].mean() / n == pytest.approx(values.mean(), abs=5 * values.std() / np.sqrt(n * 4000))
    assert drawn[:, 0].std() / n == pytest.approx(values.std() / np.sqrt(n), rel=0.06)


def test_many_units_of_many_kinds_are_drawn_one_by_one() -> None:
    sums = np.random.default_rng(0).random((MANY + 1, 1))
    expected = np.concatenate([weights @ sums for weights in resample_weights(MANY + 1, 20, 3)])
    assert np.array_equal(np.concatenate(list(resample_sums(sums, 20, 3))), expected)
