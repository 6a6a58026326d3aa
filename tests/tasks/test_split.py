"""Splits and limits: by hash of id, clusters whole, the same for the same seed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tellapart.errors import UserMistake
from tellapart.tasks.item import Item, Task
from tellapart.tasks.scorers import make_scorer
from tellapart.tasks.split import limited, share_to_fit, split_items


def task(clusters: list[str | None]) -> Task:
    items = tuple(Item(str(i), {"prompt": "x"}, ("y",), cluster=c) for i, c in enumerate(clusters))
    return Task("t", items, "{prompt}", make_scorer("exact"))


@given(
    st.lists(st.sampled_from([None, None, "p", "q", "r"]), min_size=0, max_size=60),
    st.integers(),
    st.floats(0.05, 0.95),
)
def test_a_split_is_a_partition_that_keeps_clusters(
    clusters: list[str | None], seed: int, share: float
) -> None:
    made = task(clusters)
    units = len({c for c in clusters if c}) + sum(c is None for c in clusters)
    if units < 2:
        with pytest.raises(UserMistake, match="at least 2 are needed"):
            split_items(made, seed, share)
        return
    fit, report = split_items(made, seed, share)
    assert fit
    assert report
    assert sorted((*fit, *report), key=lambda item: int(item.id)) == list(made.items)
    assert not {i.cluster for i in fit if i.cluster} & {i.cluster for i in report if i.cluster}
    assert split_items(made, seed, share) == (fit, report)


def test_the_share_is_kept_and_the_seed_matters() -> None:
    made = task([None] * 200)
    splits = [split_items(made, seed) for seed in range(5)]
    assert {len(split.fit) for split in splits} == {50}
    assert len({tuple(item.id for item in split.fit) for split in splits}) == 5


def test_the_split_does_not_depend_on_the_order() -> None:
    made = task([None] * 40)
    turned = Task("t", made.items[::-1], "{prompt}", made.scorer)
    assert {i.id for i in split_items(made, 3).fit} == {i.id for i in split_items(turned, 3).fit}


def test_limited_draws_by_seed_keeps_order_and_says_so() -> None:
    made = task([None] * 50)
    few = limited(made, 10, 1)
    ids = [int(item.id) for item in few.items]
    assert len(ids) == 10
    assert ids == sorted(ids)
    assert few.fingerprint != limited(made, 10, 2).fingerprint
    assert few.notes == ("limited to 10 of 50 items, seed 1",)
    assert limited(made, 100, 1) == limited(made, None, 1) == made
    with pytest.raises(UserMistake, match="at least 1"):
        limited(made, 0, 1)


@pytest.mark.parametrize("share", [0.0, 1.0, float("nan"), -1])
def test_a_share_outside_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(UserMistake, match="between 0 and 1"):
        split_items(task([None] * 4), 0, share)


@pytest.mark.parametrize(
    ("n", "kept"), [(20, 5), (100, 25), (159, 40), (160, 64), (200, 64), (256, 64), (400, 100)]
)
def test_more_than_a_quarter_is_kept_to_choose_on_only_where_it_makes_64(n: int, kept: int) -> None:
    made = task([None] * n)
    assert round(share_to_fit(made) * n) == kept
