"""Several draws, one answer: self-consistency (Wang et al. 2022, arXiv 2203.11171) and best-of-k.

Self-consistency takes the commonest of k answers: nothing is told from outside, 0 bits. Best-of-k lets the
task's own scorer pick: an oracle that sees the target, so its score is a ceiling (pass@k), not a way to
elicit, and each pick is told log2 k - (k - 1)/k / ln 2 bits: the divergence of best-of-k from one draw,
an upper bound (Beirami et al. 2024, arXiv 2401.01879). Both have the same draws, so they are asked once where
answers are kept. The null control of both is one of the k draws, at random.
"""

import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, final

from tellapart.elicit.elicitor import (
    Elicited,
    Elicitor,
    Mechanism,
    Need,
    Switched,
    Tells,
    null_name,
    total_tokens,
)
from tellapart.errors import InvalidInput, NotApplicable
from tellapart.jsonvalue import whole
from tellapart.models.model import Completion, Request
from tellapart.runs.asking import Ask, Elicitation, Pair, row_seed
from tellapart.tasks.item import Item, Task

DRAWS = 8


@final
@dataclass(frozen=True)
class Drawn(Switched):
    """One of several draws. Setting: `draws` (how many), `by` (vote | oracle | chance).

    Measures: `drawn_tokens`, the tokens of all draws of the answer.
    """

    def bring_out(self, pair: Pair, ask: Ask) -> Iterator[Elicitation]:
        """Yield the picked draw of each answer as soon as its draws are there."""
        draws, by = whole(self.setting, "draws"), str(self.setting["by"])
        if draws < 2:
            raise NotApplicable(f"{self.name} changes nothing: {draws} draws asked, at least 2 are needed")
        bits = pick_bits(draws) if by == "oracle" else 0.0
        for (index, sample), prompt, drawn in drawn_answers(pair, ask, draws):
            item = ask.items[index]
            chance = random.Random(row_seed(ask.seed, f"{self.name}|{item.id}", sample))
            picked = drawn[pick(by, ask.task, item, drawn, chance)]
            yield Elicitation(index, sample, prompt, picked, bits, {"drawn_tokens": total_tokens(drawn)})


@final
@dataclass(frozen=True)
class SelfConsistency(Elicitor):
    """The commonest of k answers."""

    name: ClassVar[str] = "self_consistency"
    source: ClassVar[str] = "Wang et al. 2022, arXiv 2203.11171"
    needs: ClassVar[frozenset[Need]] = frozenset({"text"})
    value: ClassVar[type[Elicited]] = Drawn
    mechanism: ClassVar[Mechanism] = "decoding"
    tells: ClassVar[Tells] = "nothing"

    draws: int = DRAWS

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the vote; nothing is fitted."""
        return Drawn(self.name, {"draws": self.draws, "by": "vote", "label": f"vote of {self.draws}"})

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return one of the draws at random."""
        return by_chance(elicited)


@final
@dataclass(frozen=True)
class BestOfK(Elicitor):
    """The draw that the task's scorer likes best: a ceiling."""

    name: ClassVar[str] = "best_of_k"
    source: ClassVar[str] = "Beirami et al. 2024, arXiv 2401.01879"
    needs: ClassVar[frozenset[Need]] = frozenset({"text"})
    value: ClassVar[type[Elicited]] = Drawn
    mechanism: ClassVar[Mechanism] = "decoding"
    tells: ClassVar[Tells] = "items"
    oracle: ClassVar[bool] = True

    draws: int = DRAWS

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the oracle's pick; nothing is fitted."""
        return Drawn(self.name, {"draws": self.draws, "by": "oracle", "label": f"best of {self.draws}"})

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return one of the draws at random."""
        return by_chance(elicited)


def by_chance(elicited: Elicited) -> Elicited:
    """Return the null control that picks one of the draws at random."""
    return replace(elicited, name=null_name(elicited.name), setting={**elicited.setting, "by": "chance"})


def pick_bits(draws: int) -> float:
    """Return the bits that one best-of-k pick supplies at most: log2 k - (k - 1)/k / ln 2.

    >>> round(pick_bits(8), 4)
    1.7376
    """
    return math.log2(draws) - (draws - 1) / draws / math.log(2)


def drawn_answers(
    pair: Pair, ask: Ask, draws: int
) -> Iterator[tuple[tuple[int, int], str, list[Completion]]]:
    """Yield ((item index, sample), prompt, draws in order) as soon as all draws of an answer are there.

    The first draw of sample s has the seed of the plain sample s * draws: so draws are plain samples.
    """
    rows: list[tuple[int, int, int, Request]] = []
    for index, item in enumerate(ask.items):
        prompt = ask.task.prompt(item)
        for sample in range(ask.samples):
            if (item.id, sample) in ask.held:
                continue
            for draw in range(draws):
                seed = row_seed(ask.seed, item.id, sample * draws + draw)
                rows.append((index, sample, draw, Request(prompt, seed, ask.sampling)))
    waiting: dict[tuple[int, int], dict[int, Completion]] = {}
    for number, completion in pair.base.generate([row[3] for row in rows]):
        index, sample, draw, request = rows[number]
        there = waiting.setdefault((index, sample), {})
        there[draw] = completion
        if len(there) == draws:
            waiting.pop((index, sample))
            yield (index, sample), str(request.prompt), [there[place] for place in range(draws)]


def pick(by: str, task: Task, item: Item, drawn: Sequence[Completion], chance: random.Random) -> int:
    """Return the index of the picked draw. Failed draws are never picked while another is there."""
    sound = [index for index, answer in enumerate(drawn) if answer.finish != "failed"] or [0]
    if by == "chance":
        return chance.choice(sound)
    if by == "oracle":
        return max(sound, key=lambda index: (task.score(item, drawn[index].text), -index))
    if by != "vote":
        raise InvalidInput(f"picked by {by!r}: give vote, oracle or chance")
    answers = {index: task.scorer.answer(item, drawn[index].text) for index in sound}
    votes = Counter(answer for answer in answers.values() if answer is not None)
    if not votes:
        return sound[0]
    winner = votes.most_common(1)[0][0]
    return next(index for index in sound if answers[index] == winner)
