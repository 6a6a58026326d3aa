"""CoT-decoding (Wang & Zhou 2024, arXiv 2402.10200): branch on the first token, trust the surest answer.

The k = 10 likeliest first tokens each begin a path that goes on greedily. A path's confidence is the mean over
its answer's tokens of p(likeliest) - p(second) (their Delta). `cot_decoding@max` takes the surest path;
`cot_decoding@aggregate` sums the confidence over paths with the same answer and takes the best sum. Beyond the
paper: paths (or sums) within TIE of the best count as equally sure, and of them the one with the likeliest first
token is taken; where the vocabulary is small, ten branches reach first tokens that make no sense and still end in
a sure answer. Decoding tells nothing: 0 bits. The null control takes a path at random.
"""

import math
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, final

from tellapart.elicit.access import Branch, Extra, TokenModel, token_model
from tellapart.elicit.answer_span import answer_span, written_texts
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
from tellapart.models.model import Completion, Request, Sampling
from tellapart.runs.asking import Ask, Elicitation, Pair, row_seed
from tellapart.tasks.item import Item, Task

BRANCHES = 10
TIE = 0.01
MARGINS: frozenset[Extra] = frozenset({"margins"})


class Path(NamedTuple):
    """One greedy path: its completion (first token included), answer and confidence (NaN without an answer)."""

    completion: Completion
    answer: str | None
    confidence: float


@final
@dataclass(frozen=True)
class Branched(Switched):
    """Greedy answers from the likeliest first tokens. Setting: `branches`, `by` (max | aggregate | chance).

    It draws nothing, so all samples of an item are one answer (the null control draws a path for each).
    Measures: `confidence`, `drawn_tokens` (all paths, charged to the first sample), `branch` (its rank).
    """

    def bring_out(self, pair: Pair, ask: Ask) -> Iterator[Elicitation]:
        """Yield the picked path of each item, for every sample."""
        by, count = str(self.setting["by"]), whole(self.setting, "branches")
        if count < 2:
            raise NotApplicable(f"{self.name} changes nothing: {count} branches asked, at least 2 are needed")
        for index, paths in paths_of(token_model(pair.base), ask, count):
            item = ask.items[index]
            drawn = total_tokens(path.completion for path in paths)
            for sample in range(ask.samples):
                chance = random.Random(row_seed(ask.seed, f"{self.name}|{item.id}", sample))
                rank = pick_path(by, paths, chance)
                measures = {
                    "confidence": paths[rank].confidence,
                    "branch": float(rank),
                    "drawn_tokens": drawn if sample == 0 else 0.0,
                }
                prompt = ask.task.prompt(item)
                yield Elicitation(index, sample, prompt, paths[rank].completion, 0.0, measures)


@final
@dataclass(frozen=True)
class CotDecoding(Elicitor):
    """The surest of the greedy paths behind the likeliest first tokens."""

    name: ClassVar[str] = "cot_decoding"
    source: ClassVar[str] = "Wang & Zhou 2024, arXiv 2402.10200"
    needs: ClassVar[frozenset[Need]] = frozenset({"text", "tokens"})
    value: ClassVar[type[Elicited]] = Branched
    mechanism: ClassVar[Mechanism] = "decoding"
    tells: ClassVar[Tells] = "nothing"

    branches: int = BRANCHES

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the variant that takes the surest path; nothing is fitted."""
        return branched(self.name, "max", self.branches)

    def curve(self, pair: Pair, ask: Ask) -> tuple[Elicited, ...]:
        """Return both variants."""
        return tuple(branched(self.name, by, self.branches) for by in ("max", "aggregate"))

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return the null control that takes one of the paths at random."""
        setting = {**elicited.setting, "by": "chance"}
        return replace(elicited, name=null_name(elicited.name), setting=setting)


def branched(name: str, by: str, branches: int) -> Branched:
    """Return the variant `by`."""
    return Branched(f"{name}@{by}", {"branches": branches, "by": by, "label": f"{branches} branches, {by}"})


def paths_of(model: TokenModel, ask: Ask, count: int) -> Iterator[tuple[int, list[Path]]]:
    """Yield (item index, its paths in the order of their first tokens' likelihood), all paths in one batch."""
    prompts = [model.encode(ask.task.prompt(item)) for item in ask.items]
    branches = model.next_tokens(prompts, count)
    greedy = replace(ask.sampling, temperature=0.0, top_p=1.0, top_k=0, min_p=0.0)
    rows = [(index, rank) for index, firsts in enumerate(branches) for rank in range(len(firsts))]
    requests = [continued(prompts[index], branches[index][rank], greedy) for index, rank in rows]
    waiting: dict[int, dict[int, Path]] = defaultdict(dict)
    for number, completion in model.generate(requests, record=MARGINS):
        index, rank = rows[number]
        whole = joined(branches[index], rank, completion)
        waiting[index][rank] = path(ask.task, ask.items[index], whole)
        if len(waiting[index]) == len(branches[index]):
            there = waiting.pop(index)
            yield index, [there[place] for place in range(len(there))]


def continued(prompt: tuple[int, ...], branch: Branch, greedy: Sampling) -> Request:
    """Return the request that goes on greedily after `branch`."""
    return Request((*prompt, branch.token), 0, replace(greedy, max_tokens=max(1, greedy.max_tokens - 1)))


def joined(firsts: Sequence[Branch], rank: int, rest: Completion) -> Completion:
    """Return the completion with its first token put before the rest, log-probability and margin included."""
    first = firsts[rank]
    likelihoods = [math.exp(branch.logprob) for branch in firsts]
    margin = likelihoods[0] - likelihoods[1] if len(firsts) > 1 else 1.0
    return replace(
        rest,
        text=first.text + rest.text,
        tokens=(first.token, *rest.tokens),
        token_texts=(first.text, *rest.token_texts),
        logprobs=None if rest.logprobs is None else (first.logprob, *rest.logprobs),
        sampled_logprobs=None,
        margins=None if rest.margins is None else (margin, *rest.margins),
        prompt_tokens=rest.prompt_tokens - 1,
    )


def path(task: Task, item: Item, completion: Completion) -> Path:
    """Return the completion with its answer and the confidence in it."""
    answer = task.scorer.answer(item, completion.text)
    span = answer_span(task.scorer, item, written_texts(completion)) if answer is not None else None
    if span is None or completion.margins is None or completion.finish == "failed":
        return Path(completion, answer, math.nan)
    margins = completion.margins[span[0] : span[1]]
    return Path(completion, answer, math.fsum(margins) / len(margins))


def pick_path(by: str, paths: Sequence[Path], chance: random.Random) -> int:
    """Return the index of the picked path; the first (plain greedy) where no path holds an answer."""
    if by == "chance":
        return chance.randrange(len(paths))
    if by not in ("max", "aggregate"):
        raise InvalidInput(f"path picked by {by!r}: give max, aggregate or chance")
    sure = {index: path.confidence for index, path in enumerate(paths) if not math.isnan(path.confidence)}
    if by == "aggregate":
        sums: dict[str | None, float] = defaultdict(float)
        for index, confidence in sure.items():
            sums[paths[index].answer] += confidence
        sure = {index: sums[paths[index].answer] for index in sure}
    best = max(sure.values(), default=0.0)
    return min((index for index, confidence in sure.items() if confidence >= best - TIE), default=0)
