"""Which sequences begin alike: families share one beginning, and within them branches share more with a trunk.

What a family shares is read once for all of it; a branch (one question under several arms, one prompt with several
options) is read from where it leaves its trunk.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tellapart.models.cache import SlotCache

LEAST_SHARED = 32
"""A common beginning shorter than this is not worth a pass of its own."""
LEAST_BRANCH = 16
"""Tokens that a branch must not have to read again, so that a second pass pays."""
FEW = 16
"""A group of at most so many sequences need not be a family of its own."""

Ids = tuple[int, ...]


@dataclass(eq=False)
class Family:
    """Sequences that begin with the same `shared` tokens (0: nothing in common).

    `most` tells how many tokens of each may be read with others; `caches` holds the shared part, one row per module,
    once it has been read.
    """

    members: list[Ids]
    shared: int
    most: Mapping[Ids, int]
    caches: list[SlotCache] = field(default_factory=list)


class Branch(NamedTuple):
    """A sequence whose first `start` tokens are those of a trunk, which row `row` of a cache holds."""

    sequence: Ids
    row: int
    start: int


def families(most: Mapping[Ids, int]) -> list[Family]:
    """Group distinct sequences by a long common beginning; `most` tells how much of each may be shared.

    Sequences are sorted, and a group goes on while the common beginning stays longer than LEAST_SHARED and
    than half of what it was; what has nothing in common makes one last group, and so do small groups that trunks and
    branches serve as well. Longest members first, within a family (trunks before their branches) and between them.
    """
    made, rest = [], []
    for group, shared in _alike(most):
        apart = shared + _tokens(group, shared, most) + LEAST_SHARED
        if len(group) > FEW or (len(group) > 1 and apart < _tokens(group, 0, most)):
            made.append(Family(_in_order(group, shared, most), shared, most))
        else:
            rest += group
    if rest:
        made.append(Family(_in_order(rest, 0, most), 0, most))
    return sorted(made, key=lambda family: len(family.members[0]), reverse=True)


def _tokens(members: Sequence[Ids], shared: int, most: Mapping[Ids, int]) -> int:
    """Return how many tokens are read after the `shared` ones."""
    return sum(
        len(trunk) - shared + sum(len(one) - start for one, start in branches.items())
        for trunk, branches in trunks(members, shared, most).items()
    )


def _alike(most: Mapping[Ids, int]) -> list[tuple[list[Ids], int]]:
    """Return groups of sequences and the length of the beginning that each group shares."""
    groups: list[tuple[list[Ids], int]] = []
    members: list[Ids] = []
    shared = 0
    for sequence in sorted(most):
        common = min(_common(members[-1], sequence), shared, most[sequence]) if members else 0
        if members and common >= LEAST_SHARED and (len(members) == 1 or common >= shared // 2):
            members.append(sequence)
            shared = common
            continue
        if members:
            groups.append((members, shared))
        members, shared = [sequence], most[sequence]
    return [*groups, (members, shared)] if members else groups


def _in_order(members: Sequence[Ids], shared: int, most: Mapping[Ids, int]) -> list[Ids]:
    """Return trunks, longest first, each before its branches."""
    found = trunks(members, shared, most)
    return [one for trunk in sorted(found, key=len, reverse=True) for one in (trunk, *found[trunk])]


def trunks(members: Sequence[Ids], shared: int, most: Mapping[Ids, int]) -> dict[Ids, dict[Ids, int]]:
    """Return each trunk and its branches, longest first, with how many tokens they begin with of it."""
    found: dict[Ids, dict[Ids, int]] = {}
    cluster: list[Ids] = []
    for sequence in sorted(members):
        if cluster and _common(cluster[-1], sequence) < shared + LEAST_BRANCH:
            found.update(_branched(cluster, shared, most))
            cluster = []
        cluster.append(sequence)
    return {**found, **_branched(cluster, shared, most)}


def _branched(cluster: Sequence[Ids], shared: int, most: Mapping[Ids, int]) -> dict[Ids, dict[Ids, int]]:
    found: dict[Ids, dict[Ids, int]] = {}
    left = sorted(cluster, key=len, reverse=True)
    while left:
        trunk, *others = left
        starts = {one: min(_common(trunk, one), most[one]) for one in others}
        found[trunk] = {one: start for one, start in starts.items() if start >= shared + LEAST_BRANCH}
        left = [one for one in others if one not in found[trunk]]
    return found


def _common(one: Ids, other: Ids) -> int:
    """Return how many tokens both begin with, by halving."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
