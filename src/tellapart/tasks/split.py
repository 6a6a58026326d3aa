"""Choosing items by the hash of their ids: the fit and report splits, and a limited task."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from tellapart.errors import UserMistake
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, Task


class Split(NamedTuple):
    """Items on which choices are made, and items from which figures come; each in the task's order."""

    fit: tuple[Item, ...]
    report: tuple[Item, ...]


def split_items(task: Task, seed: int, share_fit: float = 0.25) -> Split:
    """Return the task's items in two parts, `share_fit` of them (as near as clusters let) in `fit`.

    Whole clusters go to one side. It depends on ids, clusters and seed only, not on the order. Raises UserMistake
    where there are fewer than two clusters (or items without one), so that one side would be empty.
    """
    if not 0 < share_fit < 1:
        raise UserMistake(f"share_fit = {share_fit!r}: give a number between 0 and 1")
    sizes: dict[str, int] = {}
    for item in task.items:
        sizes[_unit(item)] = sizes.get(_unit(item), 0) + 1
    if len(sizes) < 2:
        raise UserMistake(
            f"task {task.name!r} has {len(sizes)} item or cluster: at least 2 are needed, to choose on one part "
            "and report on the other"
        )
    chosen: set[str] = set()
    taken = 0
    for unit in by_hash(sizes, seed)[: len(sizes) - 1]:
        if chosen and taken + sizes[unit] / 2 > share_fit * len(task.items):
            break
        chosen.add(unit)
        taken += sizes[unit]
    fit = tuple(item for item in task.items if _unit(item) in chosen)
    return Split(fit, tuple(item for item in task.items if _unit(item) not in chosen))


LABELS = 64
"""So many labelled items may be needed to bring a skill back that is there (planting/plant.py)."""


def share_to_fit(task: Task) -> float:
    """Return the share of items that choices are made on: a quarter, or up to 40 % where that makes LABELS of them.
    Where it does not, the more items are reported on the better."""
    wanted = LABELS / max(1, len(task.items))
    return wanted if 0.25 < wanted <= 0.4 else 0.25


def limited(task: Task, n: int | None, seed: int) -> Task:
    """Return the task with `n` of its items, drawn by `seed`, in their order; with all where it has no more or
    `n` is None. Raises UserMistake for n < 1."""
    if n is None or n >= len(task.items):
        return task
    if n < 1:
        raise UserMistake(f"limit {n}: give at least 1")
    chosen = set(by_hash((item.id for item in task.items), seed)[:n])
    items = tuple(item for item in task.items if item.id in chosen)
    note = f"limited to {n} of {len(task.items)} items, seed {seed}"
    return fingerprinted(replace(task, items=items, notes=(*task.notes, note)))


def by_hash(names: Iterable[str], seed: int) -> list[str]:
    """Return `names` in the order of their hashes under `seed`."""
    return sorted(names, key=lambda name: hashlib.blake2b(f"{seed}|{name}".encode(), digest_size=16).digest())


def _unit(item: Item) -> str:
    return f"item {item.id}" if item.cluster is None else f"cluster {item.cluster}"
