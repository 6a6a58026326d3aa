"""What a verifier is: it says of a model's own answers which are right, well or badly.

Song et al. 2024 (arXiv 2412.02674): f[w](y|x) ~ f(y|x) w(u(x, y)) is the model after its answers were verified; what
that gains over f is the generation-verification gap. A verifier gives u in [0, 1]; `accepted` is w.

    accept = accepted(verifier, verifier.judge(bench))      # [items, samples] of bool
"""

import abc
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import UserMistake
from tellapart.models.model import Model, Request
from tellapart.runs.asking import row_seed
from tellapart.tasks.item import CRITIQUE_TEMPLATE, Item, Task

Utilities = NDArray[np.float64]
"""[items, samples] in [0, 1]; NaN where no verdict could be read, or where there is no answer."""
Accepted = NDArray[np.bool_]
"""[items, samples]: the answers that a verifier lets through."""
TOP_SHARE = 0.2
"""Share of all answers that a graded verifier accepts: the best fifth over all prompts (Song et al. 2024)."""
Pair = tuple[int, str]
"""(index of the item, text of the answer): equal answers to an item are judged once."""
JUDGING = "{question}{answer}\n\nIs this answer right? Answer "


class Bench(NamedTuple):
    """What is judged: `answers` [items][samples], None where one failed; and who can be asked.

    `now` and `past` are contexts in which the model is asked as it is in this round, and as it was at the start.
    """

    task: Task
    items: Sequence[Item]
    answers: Sequence[Sequence[str | None]]
    now: Callable[[], AbstractContextManager[Model]]
    past: Callable[[], AbstractContextManager[Model]]
    seed: int


class Verifier(abc.ABC):
    """Says of each answer how right it is. `name` is what the command line calls it.

    `outside` verifiers consult what the model did not write itself: the target, a tool, another model. `graded` ones
    have no level of their own, so the best fifth is accepted; of others what is above one half.
    """

    name: str
    source: ClassVar[str]
    outside: bool = False
    graded: ClassVar[bool] = False
    levelled: ClassVar[bool] = True
    """Whether its verdicts say how many answers are right: only then can reward be held against truth."""

    @abc.abstractmethod
    def judge(self, bench: Bench) -> Utilities:
        """Return u of every answer. Raises UserMistake where the task or the model lacks what it needs."""

    def accept(self, utilities: Utilities) -> Accepted:
        """Return which answers are let through; what could not be read is not."""
        scored = np.isfinite(utilities)
        if not self.graded:
            return scored & (np.nan_to_num(utilities) > 0.5)
        if not scored.any():
            return scored
        limit = float(np.quantile(utilities[scored], 1 - TOP_SHARE))
        return scored & (np.nan_to_num(utilities, nan=-1.0) >= limit)


def pairs(bench: Bench) -> list[Pair]:
    """Return the distinct (item, answer) pairs, in order."""
    there = ((i, text) for i, row in enumerate(bench.answers) for text in row if text is not None)
    return list(dict.fromkeys(there))


def filled(bench: Bench, utilities: Mapping[Pair, float]) -> Utilities:
    """Return the utilities of all answers, given those of distinct pairs; NaN for a pair that is not in `found`."""
    rows = [
        [np.nan if text is None else utilities.get((i, text), np.nan) for text in row]
        for i, row in enumerate(bench.answers)
    ]
    return np.array(rows, dtype=np.float64)


def judging_prompt(task: Task, item: Item, answer: str, wanted: str = JUDGING) -> str:
    """Return the text that puts an answer before its judge: the task's own form where it has one."""
    own = task.critique_template != CRITIQUE_TEMPLATE
    return put(task.critique_template if own else wanted, {"question": task.prompt(item), "answer": answer})


def put(template: str, texts: Mapping[str, str]) -> str:
    """Return the template with every {name} of `texts` replaced; the texts themselves are not read as templates."""
    names = "|".join(re.escape(name) for name in texts)
    return re.sub("{(" + names + ")}", lambda match: texts[match.group(1)], template)


def ask(model: Model, requests: Sequence[Request]) -> list[str | None]:
    """Return the texts of the answers, in order; None where one failed."""
    texts: list[str | None] = [None] * len(requests)
    for index, completion in model.generate(requests):
        texts[index] = None if completion.finish == "failed" else completion.text
    return texts


def log_probabilities(model: Model, prompts: Sequence[str], options: Sequence[str]) -> NDArray[np.float64]:
    """Return log p (nats) of each option after each prompt: [prompts, options]. Raises UserMistake where the model
    gives no log-probabilities."""
    if not model.can_score:
        raise UserMistake(f"{model.reference} gives no log-probabilities: use another verifier")
    scored = model.score([(prompt, option) for prompt in prompts for option in options])
    return np.array([sum(score.logprobs) for score in scored]).reshape(len(prompts), len(options))


def judging_seed(bench: Bench, what: str, pair: Pair, draw: int) -> int:
    """Return the seed of one verdict: it depends on the answer judged, not on its place."""
    return row_seed(bench.seed, f"{what}|{bench.items[pair[0]].id}|{pair[1]}", draw)
