"""`form --pairs FILE`: answers that somebody judged side by side, a model or people. Is what wins style or substance?

A line a judgement (JSONL): `item`, `model_a`, `model_b`, `answer_a`, `answer_b`, `winner` (a | b | tie). The judge sees
A first. Judge controls: a model that gives one constant answer must not win (Zheng et al. 2024, arXiv 2410.07137: a
null model got 76.9 % raw and 86.5 % length-controlled on a public leaderboard), the longer answer must not win for its
length, and the same pair judged in the other order must get the same winner.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tellapart.errors import UserMistake
from tellapart.logs.source import open_source, records
from tellapart.logs.value import field, short, text
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import wilson

WINS = {"a": 1.0, "b": 0.0, "tie": 0.5}
CONSTANT_MOST = 0.1
"""A constant answer that wins more often than this, surely, flags the judge."""
LEAST_CONSTANT = 5


class Judgement(NamedTuple):
    """One judged pair; `won` is 1 where A was preferred, 0 where B was, 0.5 for a tie."""

    item: str
    models: tuple[str, str]
    answers: tuple[str, str]
    won: float


class JudgeCheck(NamedTuple):
    """A control of the judge: what was measured, and whether it flags the judge."""

    name: str
    told: str
    estimate: Estimate
    flagged: bool


def read_pairs(path: str) -> tuple[list[Judgement], tuple[str, ...]]:
    """Return the judgements of a file and notes. Raises UserMistake naming the line that is none."""
    source = open_source(path, Path(path), "")
    if source.kind != "jsonl":
        raise UserMistake(
            f"{path}: give JSONL with item, model_a, model_b, answer_a, answer_b, winner in each line"
        )
    notes: list[str] = []
    found = []
    for where, record in records(source, notes):
        winner = text(field(record, "winner", where)).strip().lower()
        if winner not in WINS:
            raise UserMistake(f"{where}: winner is {short(winner)}: write a, b or tie")
        a, b = (text(field(record, name, where)) for name in ("model_a", "model_b"))
        if not a or not b or a == b:
            raise UserMistake(f"{where}: model_a and model_b must name two models")
        answers = tuple(text(field(record, name, where)) for name in ("answer_a", "answer_b"))
        found.append(
            Judgement(text(field(record, "item", where)), (a, b), (answers[0], answers[1]), WINS[winner])
        )
    return found, tuple(notes)


def wins_of(judged: Sequence[Judgement], model: str) -> list[float]:
    """Return how often the model won each of its pairs; judgements of one pair (in both orders) count as one."""
    won: dict[tuple[str, frozenset[tuple[str, str]]], list[float]] = {}
    for one in judged:
        if model in one.models:
            pair = (one.item, frozenset(zip(one.models, one.answers, strict=True)))
            won.setdefault(pair, []).append(one.won if one.models[0] == model else 1 - one.won)
    return [sum(wins) / len(wins) for wins in won.values()]


def judge_checks(judged: Sequence[Judgement]) -> list[JudgeCheck]:
    """Return the controls of the judge that these pairs allow."""
    return [*_constant(judged), _longest(judged), _swapped(judged)]


def constant_models(judged: Sequence[Judgement]) -> list[str]:
    """Return the models that give one and the same answer to at least LEAST_CONSTANT different items."""
    answers: dict[str, set[str]] = {}
    items: dict[str, set[str]] = {}
    for one in judged:
        for model, answer in zip(one.models, one.answers, strict=True):
            answers.setdefault(model, set()).add(" ".join(answer.split()))
            items.setdefault(model, set()).add(one.item)
    return [
        model for model, given in answers.items() if len(given) == 1 and len(items[model]) >= LEAST_CONSTANT
    ]


def _constant(judged: Sequence[Judgement]) -> list[JudgeCheck]:
    found = []
    for model in constant_models(judged):
        wins = wins_of(judged, model)
        rate = wilson(sum(wins), len(wins))
        flagged = rate.low > CONSTANT_MOST
        told = f"{model} gives one answer to every item and wins {_percent(rate)}"
        found.append(
            JudgeCheck(f"constant answer ({model})", told + (": FLAGGED" if flagged else ""), rate, flagged)
        )
    return found


def _longest(judged: Sequence[Judgement]) -> JudgeCheck:
    """Return how often the longer answer wins, ties left out; flagged above three of four."""
    wins = []
    for one in judged:
        gap = len(one.answers[0]) - len(one.answers[1])
        if gap and one.won != 0.5:
            wins.append(one.won if gap > 0 else 1 - one.won)
    rate = wilson(sum(wins), len(wins)) if wins else missing("share", "no decided pair of different length")
    flagged = rate.low > 0.75
    told = f"the longer answer wins {_percent(rate)}" if wins else "no decided pair of different length"
    return JudgeCheck("longest answer", told + (": FLAGGED" if flagged else ""), rate, flagged)


def _swapped(judged: Sequence[Judgement]) -> JudgeCheck:
    """Return how often a pair judged in both orders gets the same winner; flagged below three of four."""
    seen: dict[tuple[str, tuple[str, str], tuple[str, str]], float] = {}
    same: Counter[bool] = Counter()
    for one in judged:
        (a, b), (first, second) = one.models, one.answers
        mirrored = (one.item, (b, a), (second, first))
        if mirrored in seen:
            same[seen[mirrored] == 1 - one.won] += 1
        seen[one.item, one.models, one.answers] = one.won
    total = sum(same.values())
    if not total:
        told = "no pair was judged in both orders"
        return JudgeCheck("order swap", told, missing("share", told), False)
    rate = wilson(same[True], total)
    flagged = rate.high < 0.75
    told = f"{_percent(rate)} of {total} pairs get the same winner in the other order"
    return JudgeCheck("order swap", told + (": FLAGGED" if flagged else ""), rate, flagged)


def _percent(rate: Estimate) -> str:
    return f"{100 * rate.value:.0f} % [{100 * rate.low:.0f}, {100 * rate.high:.0f}]"
