"""PROBLEMS -> one line a problem: rollouts, successes, and how its accuracy moved. Hostile until parsed.

{"7": [0.0, 0.125, ...]} | lines with item and n, c | with item and accuracy or accuracies | any scored log
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.logs import read_log
from tellapart.logs.recorded import Recorded
from tellapart.logs.source import Source, records
from tellapart.logs.value import identity, listing, number, short, whole

NAMES = ("item", "id", "index")
RATES = ("accuracies", "accuracy", "acc", "p")
LARGEST_GROUP = 64
_METRIC = re.compile(
    r"(?:pass|cons|maj|best|avg|mean|cover)@\S+|(?:.*[/_.-])?(?:acc|accuracy|exact_match|em|f1|bleu|chrf|meteor|mcc|score|reward"
    r"|rouge\w*|perplexity|ppl|loss|brier\w*|bits_per_\w+|acc_norm|mc[12]|solve_rate|success_rate|win_rate|mean|std|stderr"
    r"|micro_avg|macro_avg|average|overall|avg)(?:_stderr)?(?:,.*)?",
    re.IGNORECASE,
)
"""Names of figures over many problems; what follows a comma is a filter of lm-eval."""


_NUMBERED = re.compile(
    r"(?!(?:step|checkpoint|ckpt|epoch|layer|iter|iteration|global_step|fold|seed|run)\b)(?:.*[/_:#\s-])?\d+",
    re.IGNORECASE,
)
"""Ids of problems: a number, or a name and a number."""


@dataclass(frozen=True)
class Problems:
    """`frame` has one row a problem: item, question, n, c, spread (std of its accuracy over visits, NaN for one),
    visits, checked (rewarded answers whose steps were checked), lucky (those without valid steps), differs (whether any
    two rewards of one group differ, as far as the data tell). `records` are the
    lines as given, to be written out again; `group` is the number of rollouts a visit, 0 where not known."""

    frame: pd.DataFrame
    records: Sequence[JsonObject]
    group: int
    notes: tuple[str, ...] = ()


def from_source(source: Source, group: int | None, success: float | None) -> Problems:
    """Return the problems of a file. Raises UserMistake, one line, where it cannot be used."""
    where = str(source.path)
    if source.kind == "json" and isinstance(source.first, dict) and _is_history(source.first):
        _refuse_metrics(list(source.first), where, most=False)
        given = [{"item": name, "accuracies": values} for name, values in source.first.items()]
        return _from_records([(f"{where}: problem {short(r['item'])}", r) for r in given], group, ())
    if source.kind == "jsonl" and _counted(source.first):
        notes: list[str] = []
        return _from_records(list(records(source, notes)), group, notes)
    return from_log(source.reference, success)


def from_log(reference: str, success: float | None) -> Problems:
    """Return the problems of a scored log of any tool, a file or a folder. Raises UserMistake where it is none."""
    log = read_log(reference)
    return from_answers(log, success_of(log.frame["score"].to_numpy(), success, reference))


def success_of(scores: np.ndarray, given: float | None, where: str) -> float:
    """Return the reward from which an answer is right: as given, else the larger of at most two rewards above 0."""
    if given is not None:
        return given
    values = np.unique(scores[np.isfinite(scores)])
    if values.size > 2:
        raise UserMistake(
            f"{where}: rewards take {values.size} values from {values[0]:g} to {values[-1]:g}; "
            "say with --success from which on an answer counts as right"
        )
    return float(values[-1]) if values.size and values[-1] > 0 else math.inf


def from_answers(log: Recorded, success: float) -> Problems:
    """Return the problems of scored answers; those without a score are left out, with a note."""
    frame = log.frame[log.frame["score"].notna()]
    if frame.empty:
        raise UserMistake(f"{log.source}: no answer has a score")
    # Of equal questions, other options or another answer make another problem; ids may name single rollouts.
    has_question = frame["question"] != ""
    named = pd.factorize(frame["question"].where(has_question, frame["item"]))[0]
    content = frame["document"].where(frame["document"] != "", frame["target"]).where(has_question, "")
    content, contents = pd.factorize(content)
    key = named.astype(np.int64) * len(contents) + content
    right = frame["score"] >= success
    answers = pd.DataFrame(
        {
            "key": key,
            "item": frame["item"],
            "question": frame["question"],
            "n": 1,
            "c": right.astype(int),
            "least": frame["score"],
            "most": frame["score"],
            "checked": (right & (frame["steps"] != "")).astype(int),
            "lucky": (right & frame["steps"].isin(["invalid", "absent"])).astype(int),
        }
    )
    sums = answers.groupby("key", sort=False).agg(
        item=("item", "first"), question=("question", "first"), n=("n", "sum"), c=("c", "sum"),
        checked=("checked", "sum"), lucky=("lucky", "sum"), least=("least", "min"), most=("most", "max"),
    ).reset_index(drop=True)  # fmt: skip
    sums["differs"] = sums.pop("most") > sums.pop("least")
    sums["spread"], sums["visits"] = math.nan, 1
    lines = [
        {"item": item, "prompt": question} if question else {"item": item}
        for item, question in zip(sums["item"], sums["question"], strict=True)
    ]
    return Problems(sums, lines, 0, log.notes)


def _is_history(value: JsonObject) -> bool:
    """Say whether a document holds accuracies by problem: ids with a number in them (7, aime/3), not settings
    or curves."""
    inner = next(iter(value.values()), None)
    if not isinstance(inner, int | float | list) or isinstance(inner, bool):
        return False
    return all(map(_NUMBERED.fullmatch, value)) or any(map(_METRIC.fullmatch, value))


def _counted(first: Json) -> bool:
    if not isinstance(first, Mapping) or not any(name in first for name in NAMES):
        return False
    return ("n" in first and "c" in first) or any(name in first for name in RATES)


def _from_records(
    placed: Sequence[tuple[str, JsonObject]], group: int | None, notes: Sequence[str]
) -> Problems:
    if not placed:
        raise UserMistake("the file holds no problems")
    items = [_item(record, where) for where, record in placed]
    if len(set(items)) < len(items):
        twice = next(item for item in items if items.count(item) > 1)
        raise UserMistake(f"problem {short(twice)} is there twice: give each problem one line")
    _refuse_metrics(items, placed[0][0])
    histories = [_history(record, where) for where, record in placed]
    size = group or _common_group([h for h in histories if h is not None])
    rows = [
        _row(record, where, history, size) for (where, record), history in zip(placed, histories, strict=True)
    ]
    frame = pd.DataFrame(rows)
    frame.insert(0, "item", items)
    frame["checked"] = frame["lucky"] = 0
    remarks = list(notes)
    if any(h is not None for h in histories):
        remarks.append(_describe_group(size, group))
    if (frame["visits"] > 1).any():
        remarks.append("accuracies of several visits are put together: where the model was trained between them, "
                    "the rate is that of its average over training, not of the model as it is now")  # fmt: skip
    return Problems(frame, [record for _, record in placed], size, tuple(remarks))


def _refuse_metrics(items: Sequence[str], where: str, most: bool = True) -> None:
    """Raise UserMistake where what is named are figures over many problems, not problems."""
    named = [item for item in items if _METRIC.fullmatch(item.strip())]
    if 2 * len(named) >= len(items) or (named and not most) or any("@" in item for item in named):
        raise UserMistake(
            f"{where.partition(': ')[0]}: {short(named[0])} is the name of a metric, not of a problem; give counts "
            "(n, c) or accuracies of single problems"
        )


def _item(record: JsonObject, where: str) -> str:
    name = next((name for name in NAMES if name in record), None)
    if name is None:
        raise UserMistake(f"{where}: names no problem; give one of {', '.join(NAMES)}")
    return identity(record[name], where)


def _history(record: JsonObject, where: str) -> list[float] | None:
    """Return the accuracies of a problem, one a visit; None where it has counts."""
    if "n" in record and "c" in record:
        return None
    name = next((name for name in RATES if name in record), None)
    if name is None:
        raise UserMistake(f"{where}: has neither n and c nor one of {', '.join(RATES)}")
    given = record[name]
    values = [
        number(v, f"{where}, {name}") for v in (listing(given, where) if isinstance(given, list) else [given])
    ]
    if not values or any(not 0 <= value <= 1 for value in values):
        raise UserMistake(f"{where}: accuracies must be there and lie between 0 and 1; found {short(given)}")
    return values


def _common_group(histories: Sequence[Sequence[float]]) -> int:
    """Return the smallest group size of which all accuracies are whole counts, 0 where there is none."""
    values = np.unique([value for history in histories for value in history])
    inside = values[(values > 0) & (values < 1)]
    if not inside.size:
        return 0
    sizes = range(2, LARGEST_GROUP + 1)
    return next((g for g in sizes if np.abs(inside * g - np.rint(inside * g)).max() < 1e-3), 0)


def _row(record: JsonObject, where: str, history: list[float] | None, size: int) -> dict[str, Json]:
    question = next(
        (record[k] for k in ("prompt", "question", "problem") if isinstance(record.get(k), str)), ""
    )
    if history is None:
        n, c = whole(record["n"], f"{where}, n"), whole(record["c"], f"{where}, c")
        if not 0 <= c <= n or n < 1:
            raise UserMistake(f"{where}: c = {c} of n = {n}; need 0 <= c <= n and n at least 1")
        return {"question": question, "n": n, "c": c, "spread": math.nan, "visits": 1, "differs": 0 < c < n}
    n = len(history) * (size or 1)
    spread = float(np.std(history)) if len(history) > 1 else math.nan
    total = sum(history) * (size or 1)
    c = round(total) if size else total
    differs = any(0 < value < 1 for value in history)
    return {
        "question": question, "n": n, "c": c, "spread": spread, "visits": len(history), "differs": differs,
    }  # fmt: skip


def _describe_group(size: int, given: int | None) -> str:
    if not size:
        return (
            "rollouts behind an accuracy are not known: each counts as one (say --group), intervals are wide"
        )
    if given:
        return f"{size} rollouts behind each accuracy, as given"
    return f"{size} rollouts behind each accuracy: the fewest that make all of them whole counts"
