"""The base's own right answers on the fit split, picked out by the task's verdict: what adapters are trained on.

Nothing is shown to the base that it did not write itself; what is supplied are the verdicts (one round of rejection
sampling, as in STaR, Zelikman et al. 2022, arXiv 2203.14465). Cross-entropy on them is the first step of REINFORCE with
a reward of 0 or 1. Beside each right answer stands a blind pick: another draw of the same
item, chosen at random. What training on blind picks brings back came from training as such.
"""

import json
import math
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tellapart.errors import NotApplicable
from tellapart.runs.asking import Ask, Pair, generate, plain_requests, row_seed
from tellapart.runs.progress import ticking
from tellapart.stats.description import kt_bits

ROUND = 16
"""Draws of each item before it is looked whether there are enough."""
MOST_DRAWS = 256
A_PIECE = 4
"""Most right answers taken from one item, so that easy items do not rule."""
ENOUGH = 3
"""Right answers an item, on average, at which no more are drawn."""
RIGHT = 1.0

Pick = tuple[str, str]


class OwnAnswers(NamedTuple):
    """(prompt, answer) pairs that were right, as many blind picks of the same items, and how they were had: draws
    in all, and `verdict_bits`, the length of all verdicts under the adaptive (KT) code, at most 1 bit each."""

    right: tuple[Pick, ...]
    blind: tuple[Pick, ...]
    draws: int
    verdict_bits: float


_KEPT: dict[int, OwnAnswers] = {}


class _Draw(NamedTuple):
    item: int
    prompt: str
    text: str
    right: bool


def own_answers(pair: Pair, ask: Ask) -> OwnAnswers:
    """Draw answers of the base to `ask.items` until enough are right, or MOST_DRAWS of each are drawn.

    The rounds that are finished are kept in `ask.scratch`, and the last answers in memory: adapters that learn from the
    same ones follow each other. Raises UserMistake where every draw failed.
    """
    key = _identity(pair, ask)
    if key not in _KEPT:
        answers = _drawn(pair, ask)
        _KEPT.clear()
        _KEPT[key] = answers
    return _KEPT[key]


def _drawn(pair: Pair, ask: Ask) -> OwnAnswers:
    draws: list[_Draw] = []
    rounds = MOST_DRAWS // ROUND
    with ticking("drawing own answers", rounds * ROUND * len(ask.items)) as ticker:
        for turn in range(rounds):
            drawn = _round(pair, ask, turn)
            draws += drawn
            ticker.tick(ROUND * len(ask.items))
            if len(_right(draws)) >= ENOUGH * len(ask.items):
                break
    if not draws:
        raise NotApplicable(f"{pair.base.reference} gave no answer on {ask.task.name}: every draw failed")
    verdicts = [int(draw.right) for draw in draws]
    bits = min(float(len(verdicts)), math.fsum(kt_bits(verdicts, 2)))
    right = _right(draws)
    return OwnAnswers(_picks(right), _picks(_blind(draws, right, ask.seed)), len(draws), bits)


def _right(draws: Sequence[_Draw]) -> list[_Draw]:
    """Return the right draws, in order, at most A_PIECE of an item."""
    taken: dict[int, list[_Draw]] = {}
    for draw in draws:
        if draw.right and len(mine := taken.setdefault(draw.item, [])) < A_PIECE:
            mine.append(draw)
    return [draw for item in sorted(taken) for draw in taken[item]]


def _blind(draws: Sequence[_Draw], right: Sequence[_Draw], seed: int) -> list[_Draw]:
    """Return as many draws of each item as are right, whatever their verdict."""
    by_item: dict[int, list[_Draw]] = {}
    for draw in draws:
        by_item.setdefault(draw.item, []).append(draw)
    wanted = {item: sum(draw.item == item for draw in right) for item in sorted({d.item for d in right})}
    rng = random.Random(row_seed(seed, "blind", 0))
    return [draw for item, count in wanted.items() for draw in rng.sample(by_item[item], count)]


def _picks(draws: Sequence[_Draw]) -> tuple[Pick, ...]:
    return tuple((draw.prompt, draw.text) for draw in draws)


def _round(pair: Pair, ask: Ask, turn: int) -> list[_Draw]:
    """Return ROUND draws of each item, in order; failed ones are left out. Read where they were drawn before."""
    mine = ask._replace(samples=ROUND, seed=row_seed(ask.seed, "own answers", turn))
    path = _path(pair, mine)
    if path is not None and path.is_file():
        return [_Draw(*line) for line in json.loads(path.read_text(encoding="utf-8"))]
    answers = sorted(generate(pair.base, list(plain_requests(mine))), key=lambda answer: answer[:2])
    drawn = [
        _Draw(
            answer.item,
            answer.prompt,
            answer.completion.text,
            _is_right(ask, answer.item, answer.completion.text),
        )
        for answer in answers
        if answer.completion.finish != "failed" and answer.completion.text
    ]
    if path is not None:
        beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        beside.write_text(json.dumps(drawn), encoding="utf-8")
        beside.replace(path)
    return drawn


def _is_right(ask: Ask, item: int, text: str) -> bool:
    return ask.task.score(ask.items[item], text) >= RIGHT


def _identity(pair: Pair, ask: Ask) -> int:
    """Return a hash of everything that the draws depend on."""
    parts = (pair.base.fingerprint, ask.task.fingerprint, [item.id for item in ask.items], ask.sampling)
    return row_seed(ask.seed, json.dumps([*map(str, parts)]), ROUND)


def _path(pair: Pair, ask: Ask) -> Path | None:
    """Return where a round is kept; None where there is no scratch folder."""
    if ask.scratch is None:
        return None
    ask.scratch.mkdir(parents=True, exist_ok=True)
    return ask.scratch / f"own-answers-{_identity(pair, ask):016x}.json"
