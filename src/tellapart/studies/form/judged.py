"""`form --pairs FILE`: answers that somebody judged side by side, a model or people. Is what wins style or substance?

A line a judgement (JSONL): `item`, `model_a`, `model_b`, `answer_a`, `answer_b`, `winner` (a | b | tie); where known,
`score_a`, `score_b` (how right each answer is, 0 to 1) and `finish_a`, `finish_b` ("length": truncated). The judge sees
A first. Judge controls: a model that gives one constant answer must not win (Zheng et al. 2024, arXiv 2410.07137: a
null model got 76.9 % raw and 86.5 % length-controlled on a public leaderboard), the longer answer must not win for its
length, and the same pair judged in the other order must get the same winner.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tellapart.errors import UserMistake
from tellapart.jsonvalue import JsonObject
from tellapart.logs import alpaca_eval, arena, mt_bench
from tellapart.logs.source import as_rows, in_form, open_source, records
from tellapart.logs.value import field, number, short, text
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import wilson

WINS = {"a": 1.0, "b": 0.0, "tie": 0.5}
CONSTANT_MOST = 0.1
"""A constant answer that wins more often than this, surely, flags the judge."""
LEAST_CONSTANT = 5
CONSTANT_SHARE = 0.9
"""A model that gives one answer to this share of the items or more gives a constant answer."""
LONGEST_MOST = 0.75
TRUNCATED = "length"


class Judgement(NamedTuple):
    """One judged pair; `won` is 1 where A was preferred, 0 where B was, 0.5 for a tie. `scores` say how right each
    answer is (None: not known), `truncated` whether it ran into its token limit."""

    item: str
    models: tuple[str, str]
    answers: tuple[str, str]
    won: float
    scores: tuple[float, float] | None = None
    truncated: tuple[bool, bool] = (False, False)


class JudgeCheck(NamedTuple):
    """A control of the judge: what was measured, and whether it flags the judge."""

    name: str
    observed: str
    estimate: Estimate
    flagged: bool


def read_pairs(path: str) -> tuple[list[Judgement], tuple[str, ...]]:
    """Return the judgements of a file and notes. Raises UserMistake naming the line that is none."""
    with in_form(path):
        return _read_pairs(path)


FORMATS = (
    (alpaca_eval.recognises, alpaca_eval.pairs),
    (mt_bench.is_pairs, mt_bench.pairs),
    (arena.recognises, arena.pairs),
)
"""What recognises the judged pairs of other tools, and what reads them."""


def _read_pairs(path: str) -> tuple[list[Judgement], tuple[str, ...]]:
    source = open_source(path, Path(path), "")
    rows = source if source.kind in ("jsonl", "csv", "parquet") else as_rows(source)
    notes: list[str] = []
    pairs = None if rows is None else next((read for recognises, read in FORMATS if recognises(rows)), None)
    if rows is not None and pairs is not None:
        judged = [Judgement(pair.item, pair.models, pair.answers, pair.won) for pair in pairs(rows, notes)]
        if not judged:
            raise UserMistake(f"{path}: holds no judged pair")
        return judged, tuple(notes)
    if rows is None or rows.kind != "jsonl":
        raise UserMistake(
            f"{path}: give JSONL with item, model_a, model_b, answer_a, answer_b, winner in each line, AlpacaEval's "
            "annotations.json, MT-bench's judgements of pairs or an arena's battles"
        )
    source = rows
    judgements = []
    for where, record in records(source, notes):
        winner = text(field(record, "winner", where)).strip().lower()
        if winner not in WINS:
            raise UserMistake(f"{where}: winner is {short(winner)}: write a, b or tie")
        a, b = (text(field(record, name, where)) for name in ("model_a", "model_b"))
        if not a or not b or a == b:
            raise UserMistake(f"{where}: model_a and model_b must name two models")
        first, second = (text(field(record, name, where)) for name in ("answer_a", "answer_b"))
        item, scores, truncated = (
            text(field(record, "item", where)),
            scores_of(record, where),
            _truncated(record),
        )
        judgements.append(Judgement(item, (a, b), (first, second), WINS[winner], scores, truncated))
    all_or_none([judgement.scores for judgement in judgements], path)
    return judgements, tuple(notes)


def all_or_none(scores: Sequence[tuple[float, float] | None], path: str) -> None:
    """Raise UserMistake where some lines hold scores and others do not."""
    scored = sum(score is not None for score in scores)
    if 0 < scored < len(scores):
        raise UserMistake(
            f"{path}: {scored} of {len(scores)} lines hold score_a and score_b: give all or none"
        )


def scores_of(record: JsonObject, where: str) -> tuple[float, float] | None:
    """Return how right each answer of a line is, None where it does not say. Raises UserMistake for one alone, and
    outside 0 to 1."""
    if "score_a" not in record and "score_b" not in record:
        return None
    a, b = (number(field(record, name, where), f"{where}, {name}") for name in ("score_a", "score_b"))
    if not (0 <= a <= 1 and 0 <= b <= 1):
        raise UserMistake(f"{where}: score_a {a:g} and score_b {b:g}: give scores from 0 to 1")
    return a, b


def _truncated(record: JsonObject) -> tuple[bool, bool]:
    a, b = (record.get(name) == TRUNCATED for name in ("finish_a", "finish_b"))
    return a, b


def wins_of(judged: Sequence[Judgement], model: str) -> list[float]:
    """Return how often the model won each of its pairs; judgements of one pair (in both orders) count as one."""
    won: dict[tuple[str, frozenset[tuple[str, str]]], list[float]] = {}
    for judgement in judged:
        if model in judgement.models:
            pair = (judgement.item, frozenset(zip(judgement.models, judgement.answers, strict=True)))
            won.setdefault(pair, []).append(
                judgement.won if judgement.models[0] == model else 1 - judgement.won
            )
    return [sum(wins) / len(wins) for wins in won.values()]


def judge_checks(judged: Sequence[Judgement]) -> list[JudgeCheck]:
    """Return the controls of the judge that these pairs allow."""
    return [*_constant(judged), _longest(judged), _swapped(judged)]


def constant_models(judged: Sequence[Judgement]) -> list[str]:
    """Return the models that give one and the same answer to nearly all of at least LEAST_CONSTANT different items."""
    answers: dict[str, dict[str, str]] = {}
    for judgement in judged:
        for model, answer in zip(judgement.models, judgement.answers, strict=True):
            answers.setdefault(model, {})[judgement.item] = " ".join(answer.split())
    return [
        model
        for model, given in answers.items()
        if len(given) >= LEAST_CONSTANT
        and max(Counter(given.values()).values()) >= CONSTANT_SHARE * len(given)
    ]


def _constant(judged: Sequence[Judgement]) -> list[JudgeCheck]:
    result = []
    for model in constant_models(judged):
        wins = wins_of(judged, model)
        rate = wilson(sum(wins), len(wins))
        flagged = rate.low > CONSTANT_MOST
        observed = f"{model} gives one answer to nearly every item and wins {percent(rate)}"
        result.append(
            JudgeCheck(
                f"constant answer ({model})", observed + (": FLAGGED" if flagged else ""), rate, flagged
            )
        )
    return result


def _longest(judged: Sequence[Judgement]) -> JudgeCheck:
    """Return how often the longer answer wins; judgements of one pair (in both orders) count as one."""
    won: dict[tuple[str, frozenset[tuple[str, str]]], list[float]] = {}
    gaps: dict[tuple[str, frozenset[tuple[str, str]]], int] = {}
    for judgement in judged:
        gap = len(judgement.answers[0]) - len(judgement.answers[1])
        pair = (judgement.item, frozenset(zip(judgement.models, judgement.answers, strict=True)))
        gaps[pair] = abs(gap)
        won.setdefault(pair, []).append(judgement.won if gap > 0 else 1 - judgement.won)
    return longest_check(list(gaps.values()), [sum(wins) / len(wins) for wins in won.values()])


def longest_check(gaps: Sequence[float], wins: Sequence[float]) -> JudgeCheck:
    """Return how often the longer answer wins, ties left out; flagged where that is surely above LONGEST_MOST.

    `gaps` are lengths less the other's, `wins` those of the answer that is longer where its gap is above 0.
    """
    longer = [won if gap > 0 else 1 - won for gap, won in zip(gaps, wins, strict=True) if gap and won != 0.5]
    observed = "no decided pair of different length"
    if not longer:
        return JudgeCheck("longest answer", observed, missing("share", observed), False)
    rate = wilson(sum(longer), len(longer))
    flagged = rate.low > LONGEST_MOST
    observed = f"the longer answer wins {percent(rate)}"
    return JudgeCheck("longest answer", observed + (": FLAGGED" if flagged else ""), rate, flagged)


def _swapped(judged: Sequence[Judgement]) -> JudgeCheck:
    """Return how often a pair judged in both orders gets the same winner; flagged below three of four."""
    seen: dict[tuple[str, tuple[str, str], tuple[str, str]], float] = {}
    same: Counter[bool] = Counter()
    for judgement in judged:
        (a, b), (first, second) = judgement.models, judgement.answers
        mirrored = (judgement.item, (b, a), (second, first))
        if mirrored in seen:
            same[seen[mirrored] == 1 - judgement.won] += 1
        seen[judgement.item, judgement.models, judgement.answers] = judgement.won
    total = sum(same.values())
    if not total:
        observed = "no pair was judged in both orders"
        return JudgeCheck("order swap", observed, missing("share", observed), False)
    rate = wilson(same[True], total)
    flagged = rate.high < 0.75
    observed = f"{percent(rate)} of {total} pairs get the same winner in the other order"
    return JudgeCheck("order swap", observed + (": FLAGGED" if flagged else ""), rate, flagged)


def percent(rate: Estimate) -> str:
    """Return a share and its interval in per cent."""
    return f"{100 * rate.value:.0f} % [{100 * rate.low:.0f}, {100 * rate.high:.0f}]"
