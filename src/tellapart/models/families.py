"""Which sequences begin alike: families share one beginning, and within them branches share more with a trunk.

What a family shares is read once for all of it; a branch (one question under several arms, one prompt with several
options) is read from where it leaves its trunk.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from tellapart.models.cache import SlotCache

LEAST_SHARED = 32
"""A common beginning shorter than this is not worth a pass of its own."""
LEAST_BRANCH = 16
"""Tokens that a branch must not have to read again, so that a second pass pays."""
FEW = 16
"""A group of at most so many sequences need not be a family of its own."""
DEEPEST = 8
"""How often a group with one trunk is tried with several instead, and those again."""

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
    than half of what it was. Small groups that trunks and branches serve as well are grouped again by any beginning
    longer than LEAST_SHARED; what has nothing in common makes one last group. Longest members first, within a family
    (trunks before their branches) and between them.
    """
    made, rest = _paying(_alike(most, 0.5), most)
    wider, rest = _paying(_alike({ids: most[ids] for ids in rest}, 0.0), most)
    made += wider
    if rest:
        made.append(Family(_in_order(rest, 0, most), 0, most))
    return sorted(made, key=lambda family: len(family.members[0]), reverse=True)


def _paying(
    groups: Sequence[tuple[list[Ids], int]], most: Mapping[Ids, int]
) -> tuple[list[Family], list[Ids]]:
    """Return the groups that are worth a pass over what they share, as families, and the members of the others."""
    made, rest = [], []
    for group, shared in groups:
        apart = shared + _tokens(trunks(group, shared, most), shared) + LEAST_SHARED
        if len(group) > 1 and (len(group) > FEW or apart < _tokens(trunks(group, 0, most), 0)):
            made.append(Family(_in_order(group, shared, most), shared, most))
        else:
            rest += group
    return made, rest


def _tokens(tree: Mapping[Ids, Mapping[Ids, int]], shared: int) -> int:
    """Return how many tokens of these trunks and branches are read after the `shared` ones."""
    return sum(
        len(trunk) - shared + sum(len(branch) - start for branch, start in branches.items())
        for trunk, branches in tree.items()
    )


def _alike(most: Mapping[Ids, int], part: float) -> list[tuple[list[Ids], int]]:
    """Return groups of sequences and the length of the beginning that each group shares: LEAST_SHARED or more, and from
    the third member on `part` of what it was before."""
    groups: list[tuple[list[Ids], int]] = []
    members: list[Ids] = []
    shared = 0
    for sequence in sorted(most):
        common = min(_common(members[-1], sequence), shared, most[sequence]) if members else 0
        if members and common >= LEAST_SHARED and (len(members) == 1 or common >= int(part * shared)):
            members.append(sequence)
            shared = common
            continue
        if members:
            groups.append((members, shared))
        members, shared = [sequence], most[sequence]
    return [*groups, (members, shared)] if members else groups


def _in_order(members: Sequence[Ids], shared: int, most: Mapping[Ids, int]) -> list[Ids]:
    """Return trunks, longest first, each before its branches."""
    tree = trunks(members, shared, most)
    return [ids for trunk in sorted(tree, key=len, reverse=True) for ids in (trunk, *tree[trunk])]


def trunks(members: Sequence[Ids], shared: int, most: Mapping[Ids, int]) -> dict[Ids, dict[Ids, int]]:
    """Return each trunk and its branches, longest first, with how many tokens they begin with of it."""
    tree: dict[Ids, dict[Ids, int]] = {}
    cluster: list[Ids] = []
    for sequence in sorted(members):
        if cluster and _common(cluster[-1], sequence) < shared + LEAST_BRANCH:
            tree.update(_best(cluster, shared, most, DEEPEST))
            cluster = []
        cluster.append(sequence)
    return {**tree, **_best(cluster, shared, most, DEEPEST)}


def _best(
    cluster: Sequence[Ids], shared: int, most: Mapping[Ids, int], depth: int
) -> dict[Ids, dict[Ids, int]]:
    """Return one trunk for all of a sorted cluster, or trunks for its parts (several questions that share a header),
    whichever reads less."""
    whole = _branched(cluster, shared, most)
    common = [_common(left, right) for left, right in pairwise(cluster)]
    least = min(common, default=0)
    ends = [at + 1 for at, length in enumerate(common) if length == least]
    if not depth or len(ends) == len(common):
        return whole
    apart: dict[Ids, dict[Ids, int]] = {}
    for begin, end in pairwise([0, *ends, len(cluster)]):
        apart |= _best(cluster[begin:end], shared, most, depth - 1)
    return apart if _tokens(apart, shared) < _tokens(whole, shared) else whole


def _branched(cluster: Sequence[Ids], shared: int, most: Mapping[Ids, int]) -> dict[Ids, dict[Ids, int]]:
    """Return the longest as a trunk with all that can branch off from it, the longest of the others, and so on."""
    tree: dict[Ids, dict[Ids, int]] = {}
    left = sorted(cluster, key=len, reverse=True)
    while left:
        trunk, *others = left
        starts = {other: min(_common(trunk, other), most[other]) for other in others}
        tree[trunk] = {branch: start for branch, start in starts.items() if start >= shared + LEAST_BRANCH}
        left = [other for other in others if other not in tree[trunk]]
    return tree


def _common(left: Ids, right: Ids) -> int:
    """Return how many tokens both begin with, by halving."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
