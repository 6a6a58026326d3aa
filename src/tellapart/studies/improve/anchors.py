"""Anchors from outside: someone else's verdicts on a share of the training prompts, or right answers from a file."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tellapart.errors import UserMistake
from tellapart.tasks.item import Item, Task
from tellapart.tasks.split import by_hash
from tellapart.verifiers.verifier import Verifier

AUDIT = 0.01
NEARLY_ALL, MOSTLY = 0.9, 0.5


class Anchor(NamedTuple):
    """Items (by id) on which `verifier` decides, and corrections (item id -> answer)."""

    verifier: Verifier | None
    items: frozenset[str]
    corrections: dict[str, str]


def trusted(truth: NDArray[np.float64], accepted: NDArray[np.bool_]) -> bool:
    """Return whether a verifier is to be believed on the other prompts, by the anchored ones, [items, samples] each.

    It is where nearly all of what it accepts is right; or where most of it is, and right answers are shown to be
    commoner among the accepted than among the rejected (Fisher's exact test, one-sided, 1 %; answers are taken as
    independent).
    A verifier that knows something and still accepts more wrong answers than right ones would teach mostly wrong ones.
    Where it accepts none of the anchored answers nothing speaks against it.
    """
    has_truth = np.isfinite(truth)
    right, passed = (np.nan_to_num(truth) >= 1)[has_truth], accepted[has_truth]
    table = [[int((right & passed).sum()), int((~right & passed).sum())],
             [int((right & ~passed).sum()), int((~right & ~passed).sum())]]  # fmt: skip
    if table[0][0] > NEARLY_ALL * sum(table[0]):
        return True
    if not sum(table[0]):
        return True
    if table[0][0] <= MOSTLY * sum(table[0]):
        return False
    return bool(stats.fisher_exact(table, alternative="greater").pvalue < AUDIT)  # pyright: ignore


def anchored_items(items: Sequence[Item], share: float, seed: int) -> frozenset[str]:
    """Return the ids of `share` of the items, at least one, drawn by `seed`; a larger share holds a smaller one."""
    count = min(len(items), max(1, math.floor(share * len(items) + 0.5))) if share > 0 else 0
    return frozenset(by_hash((item.id for item in items), seed)[:count])


def read_corrections(path: Path, task: Task, items: Sequence[Item]) -> dict[str, str]:
    """Return the answers in a JSONL file for training items, by id; a line names its item or its prompt.

    Raises UserMistake for a line that is no such object, or where no line is about a training item.
    """
    item_ids = {item.id: item.id for item in items} | {task.prompt(item): item.id for item in items}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserMistake(f"--corrections {path}: cannot be read ({error})") from error
    result: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            key, answer = _read(line, f"{path}:{number}")
            if key in item_ids:
                result[item_ids[key]] = answer
    if not result:
        raise UserMistake(
            f"--corrections {path}: none of its {len(lines)} lines is about one of the {len(items)} training items: "
            "name them by item or by prompt"
        )
    return result


def _read(line: str, where: str) -> tuple[str, str]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserMistake(f"{where}: not JSON ({error})") from error
    key = value.get("item", value.get("prompt")) if isinstance(value, dict) else None
    answer = value.get("answer") if isinstance(value, dict) else None
    if not isinstance(key, str) or not isinstance(answer, str) or not answer:
        raise UserMistake(
            f"{where}: give an object with item or prompt, and answer, as texts that are not empty"
        )
    return key, answer
