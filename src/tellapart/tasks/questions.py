"""Which questions are the same: equal but for case, punctuation and white space, with equal targets."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Task

_BETWEEN = re.compile(r"[\W_]+")
_OF_ASCII = {code: None for code in range(128) if not chr(code).isalnum()}
"""What `_BETWEEN` takes out of ASCII: a table is ten times as fast as the pattern."""


def question_key(prompt: str, target: Sequence[str]) -> str:
    """Return the hash (16 hex digits) under which nearly equal questions with equal targets fall together.

    >>> question_key("What is 2 + 2?", ["4"]) == question_key(" what is 2+2", ["4"])
    True
    """
    folded = unicodedata.normalize("NFKC", prompt).casefold()
    words = folded.translate(_OF_ASCII) if folded.isascii() else _BETWEEN.sub("", folded)
    # A question of signs alone would otherwise be the empty text, as would all others of its kind.
    words = words or "".join(folded.split())
    accepted = "\x1f".join(sorted(" ".join(text.split()) for text in target))
    return hashlib.blake2b(
        f"{words}\x1e{accepted}".encode("utf-8", "surrogatepass"), digest_size=8
    ).hexdigest()


def joined(labels: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Return one label for each item such that items of one label (a cluster) or of one key share it.

    >>> joined(["a", "a", "b", "c"], ["1", "2", "2", "3"])
    ['a', 'a', 'a', 'c']
    """
    if len(set(labels)) == len(labels) == len(set(keys)):
        return list(labels)
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for label, key in zip(labels, keys, strict=True):
        left, right = root(f"label {label}"), root(f"key {key}")
        if left != right:
            parent[right] = left
    first: dict[str, str] = {}
    for label in labels:
        first.setdefault(root(f"label {label}"), label)
    return [first[root(f"label {label}")] for label in labels]


def with_duplicates_joined(task: Task) -> Task:
    """Return the task with nearly equal questions in one cluster, so that no split parts them; with a note."""
    keys = [question_key(task.prompt(item), item.target) for item in task.items]
    if len(set(keys)) == len(keys):
        return task
    # A name of its own keeps an item without a cluster from falling in with a cluster of the same name.
    own = [f"item {item.id}" if item.cluster is None else f"cluster {item.cluster}" for item in task.items]
    clusters, repeats = joined(own, keys), Counter(keys)
    items = tuple(
        replace(item, cluster=cluster) if cluster != label or repeats[key] > 1 else item
        for item, cluster, label, key in zip(task.items, clusters, own, keys, strict=True)
    )
    note = (
        f"{len(keys)} items ask {len(set(keys))} distinct questions (case, punctuation and white space apart): "
        "equal ones count as one cluster"
    )
    return fingerprinted(replace(task, items=items, notes=(*task.notes, note)))
