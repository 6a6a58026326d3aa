"""TRL's logged completions, completions/completions_STEP.parquet: prompt, completion, one column a reward.

TRL keeps only the last batch of each logging interval. With several rewards the trainer trains on their sum, which
the column `advantage` shows: the sum of the columns that it was made of is the score. `path#REWARD` chooses one,
`path#A+B` a sum. A table with prompt and completion that TRL did not write is read where one column is named as a
score.
"""

import re
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json
from tellapart.logs.columns import numbers, strings
from tellapart.logs.metric import FIRST, Metric, also, is_counted
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import Column, Recorded, from_columns
from tellapart.logs.rollouts import IDS, numbered
from tellapart.logs.source import Source
from tellapart.logs.value import listed, mapping, short, text

TOOL = "trl"
OTHER = ("step", "prompt", "completion", "advantage", "advantages", "entropy", "canary", "target", "answer")
_LIKE_SCORE = re.compile(
    r"reward|score|correct|accura|\bacc\b|pass|success|solved|right|_func$", re.IGNORECASE
)
MOST_REWARDS = 10
"""Columns of which all sums are compared with the advantages."""


def read(source: Source) -> Recorded:
    """Return one row a completion; items are told apart by their prompt."""
    notes: list[str] = []
    try:
        table = pq.read_table(source.path)
    except (pa.ArrowException, OSError) as error:
        raise UserMistake(f"{source.path}: cannot be read: {str(error)[:200]}") from None
    prompts = _texts(table["prompt"].to_pylist(), f"{source.path}: prompt")
    steps = sorted(set(table["step"].to_pylist())) if "step" in table.column_names else []
    if len(steps) > 1:
        notes.append("answers of several training steps are in one log")
    numeric = [
        column.name
        for column in table.schema
        if column.name not in OTHER
        and (
            pa.types.is_floating(column.type)
            or pa.types.is_integer(column.type)
            or pa.types.is_boolean(column.type)
        )
    ]
    values = {name: numbers(table, name, source) for name in numeric}
    groups = _groups(table, prompts)
    chosen = _rewards(table, values, groups, source, notes)
    columns: dict[str, Column] = {
        "item": _items(table, prompts, source),
        "question": prompts,
        "completion": _texts(table["completion"].to_pylist(), f"{source.path}: completion"),
        "score": summed([values[name] for name in chosen]),
    }
    model = f"step {steps[0]}" if len(steps) == 1 else ""
    metrics = [Metric(name) for name in numeric if not is_counted(name)]
    where = origin(source, TOOL, model, metric=Metric("+".join(chosen)), metrics=metrics)
    return from_columns(columns, where._replace(numbered=True), notes)


def _items(table: pa.Table, prompts: Sequence[str], source: Source) -> list[str]:
    """Return each row's item: its prompt's number; in a table that TRL did not write, the id that several rows share.
    Raises UserMistake where ids of single rows and prompts that repeat may be either one's items."""
    name = next((name for name in IDS if name in table.column_names), None)
    if name is None or "step" in table.column_names or pa.types.is_nested(table[name].type):
        return numbered(prompts)
    ids = strings(table, name, source).tolist()
    if "" in ids or len(set(prompts)) == len(prompts):
        return numbered(prompts)
    if len(set(ids)) < len(ids):
        return ids
    raise UserMistake(
        f"{source.path}: {len(ids)} rows have {name}s of their own and {len(set(prompts))} different prompts: say "
        f"which tells items apart, --map item={name},correct=SCORE or --map item=prompt,correct=SCORE"
    )


def summed(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Return the sum of rewards; one that a row lacks does not count in it, and a row without any has none."""
    stacked = np.array(columns)
    return np.where(np.isnan(stacked).all(axis=0), np.nan, np.nansum(stacked, axis=0))


def _rewards(
    table: pa.Table, values: dict[str, np.ndarray], groups: np.ndarray, source: Source, notes: list[str]
) -> tuple[str, ...]:
    """Return the columns whose sum is the score. Raises UserMistake where that cannot be told."""
    where = str(source.path)
    if source.choice:
        chosen = tuple(source.choice.split("+")) if source.choice not in values else (source.choice,)
        if missing := [name for name in chosen if name not in values]:
            raise UserMistake(f"{where}: no reward {short(missing[0])}; it has {listed(values)}")
        return chosen
    names = [name for name in values if not is_counted(name) and not Metric(name).is_error]
    if not names:
        raise UserMistake(
            f"{where}: has no reward" + (f"; choose with #NAME from {listed(values)}" if values else "")
        )
    if len(names) == 1 and ("step" in table.column_names or _LIKE_SCORE.search(names[0])):
        return (names[0],)
    trained_on = _trained_on(table, values, names, groups, source)
    if len(trained_on) > 0:
        if len(trained_on) > 1:
            notes.append(
                f"several rewards: scored by their sum, {' + '.join(trained_on)}, which the column "
                "advantage was made of; "
                "choose one with #NAME"
            )
        else:
            notes.append(also(trained_on[0], (name for name in names if name != trained_on[0])))
        return trained_on
    plain = [name for name in FIRST if name in names]
    if plain:
        notes.append(also(plain[0], (name for name in names if name != plain[0])))
        return (plain[0],)
    raise UserMistake(
        f"{where}: holds numbers beside each answer ({listed(names)}) and does not say which is its reward: choose "
        f"one, {where}#{names[0]}, or a sum, {where}#A+B"
    )


def _trained_on(
    table: pa.Table, values: dict[str, np.ndarray], names: Sequence[str], groups: np.ndarray, source: Source
) -> tuple[str, ...]:
    """Return the fewest columns whose sum, less its mean in the group, is the advantage up to a scale; none
    where there is no advantage or nothing fits."""
    column = next((name for name in ("advantage", "advantages") if name in table.column_names), None)
    if column is None or len(names) > MOST_REWARDS:
        return ()
    try:
        advantage = numbers(table, column, source)
    except UserMistake:
        return ()  # an advantage a token
    if not np.isfinite(advantage).all() or not np.abs(advantage).max(initial=0) > 0:
        return ()
    fitting = [
        chosen
        for size in range(1, len(names) + 1)
        for chosen in combinations(names, size)
        if _fits(summed([values[name] for name in chosen]), advantage, groups)
    ]
    if not fitting:
        return ()
    # a reward that is equal within every group moves no advantage: all that are named as rewards are taken along
    fewest = fitting[0]
    rewards = tuple(name for name in names if name in fewest or "reward" in name.lower())
    return rewards if rewards in fitting else fewest


def _fits(reward: np.ndarray, advantage: np.ndarray, groups: np.ndarray) -> bool:
    if np.isnan(reward).any():
        reward = np.nan_to_num(reward)
    sizes = np.bincount(groups)
    centred = reward - (np.bincount(groups, weights=reward) / sizes)[groups]
    scale = np.sqrt(np.bincount(groups, weights=centred**2) / sizes)
    spread = np.sqrt(np.bincount(groups, weights=advantage**2) / sizes)
    flat = scale <= 1e-9
    if (flat != (spread <= 1e-6)).any():
        return False
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = np.where(flat[groups], 0.0, centred / scale[groups] - advantage / spread[groups])
    return bool(np.abs(difference).max() < 1e-2)


def _groups(table: pa.Table, prompts: Sequence[str]) -> np.ndarray:
    """Return the group of each row: one prompt at one step."""
    steps = table["step"].to_pylist() if "step" in table.column_names else [0] * len(prompts)
    seen: dict[tuple[int | float | str | None, str], int] = {}
    return np.array(
        [seen.setdefault(key, len(seen)) for key in zip(steps, prompts, strict=True)], dtype=np.int64
    )


def _texts(values: Sequence[Json], where: str) -> list[str]:
    """Return prompts or completions as text; a conversation is its messages' contents, a line each."""
    return [_conversation(value, where) if isinstance(value, list) else text(value) for value in values]


def _conversation(messages: list[Json], where: str) -> str:
    return "\n".join(text(mapping(message, where).get("content")) for message in messages)


READER = Reader(TOOL, lambda source: source.kind == "parquet" and source.has("prompt", "completion"), read)
