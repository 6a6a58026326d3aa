"""Choose among candidates on the fit split: the price of a choice among k is log2 k bits."""

import abc
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

from tellapart.elicit.elicitor import Elicited, Switched
from tellapart.errors import NotApplicable, UserMistake
from tellapart.models.model import Request
from tellapart.models.picking import answers_of
from tellapart.runs.asking import Ask, Elicitation, Pair, generate, whole_prompt


@dataclass(frozen=True)
class Requested(Switched):
    """A Switched whose answers are one request each: candidates of this kind are tried in one batch."""

    @abc.abstractmethod
    def requests(self, pair: Pair, ask: Ask) -> Iterator[tuple[int, int, Request]]:
        """Yield (item index, sample, request). Raises UserMistake where it equals the plain request."""

    def bring_out(self, pair: Pair, ask: Ask) -> Iterator[Elicitation]:
        """Yield every answer asked for."""
        return generate(pair.base, list(self.requests(pair, ask)))


def mean_score(ask: Ask, answers: Iterable[Elicitation]) -> float:
    """Return the mean score of `answers`; failed ones are left out. Raises UserMistake where all failed."""
    scores, error = [], "no answer was asked for"
    for answer in answers:
        if answer.completion.finish == "failed":
            error = answer.completion.error
        else:
            scores.append(ask.task.score(ask.items[answer.item], answer.completion.text))
    if not scores:
        raise NotApplicable(f"no answer came while an elicitor was fitted on {ask.task.name}: {error}")
    return math.fsum(scores) / len(scores)


class Tried(NamedTuple):
    """A candidate's mean score on the fit split; NaN and the reason where the model refused it."""

    score: float
    refused: str = ""


def try_together(pair: Pair, ask: Ask, candidates: Sequence[Requested]) -> list[Tried]:
    """Return what each candidate scored, all asked in one batch. Raises UserMistake where the model refuses one."""
    rows = [
        (owner, row) for owner, candidate in enumerate(candidates) for row in candidate.requests(pair, ask)
    ]
    rows_answered: list[list[Elicitation]] = [[] for _ in candidates]
    for index, completion in answers_of(pair.base, [row[2] for _, row in rows]):
        owner, (item, sample, request) = rows[index]
        rows_answered[owner].append(Elicitation(item, sample, whole_prompt(request), completion))
    return [Tried(mean_score(ask, answers)) for answers in rows_answered]


def try_alone(pair: Pair, ask: Ask, candidate: Elicited) -> Tried:
    """Return what the candidate scored, or why the model refused it."""
    try:
        return Tried(mean_score(ask, candidate.answers(pair, ask)))
    except UserMistake as reason:
        return Tried(math.nan, str(reason))


def try_all(pair: Pair, ask: Ask, candidates: Sequence[Elicited]) -> list[Tried]:
    """Return what each candidate scored on `ask.items`, all drawn with the same seeds."""
    together = [candidate for candidate in candidates if isinstance(candidate, Requested)]
    if len(together) == len(candidates):
        with suppress(UserMistake):
            return try_together(pair, ask, together)
    return [try_alone(pair, ask, candidate) for candidate in candidates]


def choose(pair: Pair, ask: Ask, candidates: Sequence[Elicited]) -> Elicited:
    """Return the candidate with the best mean score (the first of equals), log2 of their number added to its bits.

    What was tried stands in its setting under "tried", as [label, mean score on the fit split, ""]; a candidate that
    the model refused (a setting its server lacks, a prompt that is too long) as [label, None, reason], and is not
    counted. Raises UserMistake where none is left.
    """
    if not candidates:
        raise NotApplicable(f"no candidate to choose from on {ask.task.name}: give one in the task file")
    results = try_all(pair, ask, candidates)
    sound = [index for index, result in enumerate(results) if not result.refused]
    if not sound:
        raise NotApplicable(f"{candidates[0].name}: refused by {pair.base.reference}: {results[0].refused}")
    chosen = candidates[max(sound, key=lambda index: (results[index].score, -index))]
    tried = [
        [str(candidate.setting.get("label", "")), None if result.refused else result.score, result.refused]
        for candidate, result in zip(candidates, results, strict=True)
    ]
    return replace(
        chosen,
        setting={**chosen.setting, "tried": tried},
        bits_once=chosen.bits_once + math.log2(len(sound)),
    )
