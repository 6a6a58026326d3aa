"""Has the model met these very items? Their questions against twins in which the numbers are exchanged.

A question that was trained on is likelier than its twins. Each number gives way to one of as many digits out of the
other questions, so that twins are as ordinary as the original: for one who never met the items the original comes
first in 1 of K + 1. Likelihood is read by its least likely tokens (min-K %: Shi et al. 2023, arXiv 2310.16789).
"""

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from tellapart.errors import UserMistake
from tellapart.findings.hidden import TheseItems
from tellapart.findings.typed import from_json, to_json
from tellapart.models.budget import BudgetSpent
from tellapart.models.model import Model, Scored
from tellapart.runs.asking import row_seed
from tellapart.studies.hidden.analyse import UNKNOWN_ITEMS

if TYPE_CHECKING:
    from tellapart.runs.folder import RunFolder
    from tellapart.studies.gain.ask import Plan

TWINS = 7
LEAST = 0.2
"""The share of tokens, the least likely ones, whose mean log-probability stands for a text."""
MOST_ITEMS = 64
FEWEST_ITEMS = 20
ALARM = 0.01
NUMBER = re.compile(r"\d+")


def exchanged(texts: Sequence[str], seed: int, count: int = TWINS) -> list[list[str]]:
    """Return `count` different twins of each text, [] where too few can be made: each number is one of the others'
    of as many digits.

    >>> exchanged(["7 and 12", "4 and 35", "9 and 80", "3 and 61"], 0, 2)[0] != ["7 and 12"]
    True
    """
    pool: dict[int, list[str]] = {}
    for number in sorted({number for text in texts for number in NUMBER.findall(text)}):
        pool.setdefault(len(number), []).append(number)
    return [_exchange_numbers(text, pool, random.Random(row_seed(seed, text, 0)), count) for text in texts]


def _exchange_numbers(text: str, pool: dict[int, list[str]], rng: random.Random, count: int) -> list[str]:
    copies: dict[str, None] = {}
    for _ in range(20 * count):
        copy = NUMBER.sub(lambda match: rng.choice(pool[len(match.group())]), text)
        if copy != text:
            copies[copy] = None
        if len(copies) == count:
            return list(copies)
    return []


def least_likely(scored: Scored) -> float:
    """Return the mean log-probability (nats) of the least likely LEAST of the tokens, NaN without one."""
    finite = np.sort([logprob for logprob in scored.logprobs if np.isfinite(logprob)])
    return float(finite[: max(1, round(LEAST * len(finite)))].mean()) if len(finite) else float("nan")


def firsts(model: Model, texts: Sequence[str], controls: Sequence[Sequence[str]]) -> list[float]:
    """Return for each text whether it is likelier than all of its twins; a tie for the first place is shared."""
    pairs = [
        ("", text_here)
        for text, own_controls in zip(texts, controls, strict=True)
        for text_here in (text, *own_controls)
    ]
    values = [least_likely(score) for score in model.score(pairs)]
    shares, at = [], 0
    for own_controls in controls:
        own, others = values[at], values[at + 1 : at + 1 + len(own_controls)]
        at += 1 + len(own_controls)
        if not np.isfinite([own, *others]).all():
            raise UserMistake("some questions could not be scored")
        ties = sum(other == own for other in others)
        shares.append(0.0 if max(others) > own else 1 / (1 + ties))
    return shares


def alarm_of(shares: Sequence[float]) -> TheseItems:
    """Return the share of questions that come first, what it is for one who never met them, the p of as many or more
    (binomial, one-sided), and whether that is an alarm."""
    n, expected = len(shares), 1 / (1 + TWINS)
    p = float(stats.binom.sf(np.floor(sum(shares)) - 1, n, expected))
    return TheseItems(n, sum(shares) / n, expected, p, p < ALARM)


def these_items(
    folder: "RunFolder", plan: "Plan", benign: Model | None
) -> tuple[TheseItems | None, tuple[str, ...]]:
    """Return what the twins say (kept beside the run), or nothing and a caveat why they say nothing."""
    kept = folder.read_artifact("these_items")
    if kept is not None:
        return from_json(TheseItems, kept), ()
    try:
        met = _measured(plan, benign)
    except (UserMistake, BudgetSpent) as reason:
        return None, (f"{UNKNOWN_ITEMS} is not known: {reason}.",)
    folder.write_artifact("these_items", to_json(met))
    return met, ()


def _measured(plan: "Plan", benign: Model | None) -> TheseItems:
    model = plan.pair.base
    if plan.spec.plan == "quick":
        raise UserMistake("a quick plan does not ask")
    if not model.can_score:
        raise UserMistake(f"{model.reference} gives no log-probabilities of given text")
    texts = list(dict.fromkeys(plan.task.prompt(item) for item in plan.report))
    controls = exchanged(texts, plan.spec.seed)
    usable = [at for at, own_controls in enumerate(controls) if own_controls][:MOST_ITEMS]
    if len(usable) < FEWEST_ITEMS:
        raise UserMistake(
            f"numbers can be exchanged in {len(usable)} of {len(texts)} questions, {FEWEST_ITEMS} are needed"
        )
    chosen = [texts[at] for at in usable], [controls[at] for at in usable]
    beside = alarm_of(firsts(benign, *chosen)) if benign is not None and benign.can_score else None
    return replace(alarm_of(firsts(model, *chosen)), twins="numbers exchanged", benign=beside)
