"""`--pairs FILE --judge MODEL`: each pair judged in both orders, and a constant answer against the first model's.

So every control of the judge is there: order swap, constant answer, longest answer. The judge is any model reference;
with log-probabilities the likelier of A and B wins (a difference of less than TIE nats is a tie), else what it writes.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tellapart.errors import UserMistake
from tellapart.logs.source import open_source, records
from tellapart.logs.value import field, text
from tellapart.models.model import Model, Request, Sampling
from tellapart.models.picking import answers_of
from tellapart.runs.collect import text_hash
from tellapart.runs.folder import RunFolder
from tellapart.runs.kept import keeping
from tellapart.runs.progress import ticking
from tellapart.studies.form.judged import Judgement, all_or_none, scores_of

ARTIFACT = "judgements"
TIE = 0.05
SCORED_AT_ONCE = 64
CONSTANT_MODEL = "constant answer"
CONSTANT = "This is a comprehensive, accurate and helpful answer to your question. I am confident that it is the best."
CONSTANT_ITEMS = 60
PROMPT = (
    "Which answer to the question is better?\n\nQuestion: {question}\n\nAnswer A: {a}\n\nAnswer B: {b}\n\n"
    "Reply with A or B.\nBetter answer:"
)
_CHOICE = re.compile(r"\b([AB])\b")


class Pair(NamedTuple):
    """Two answers to judge: `question`, two models, two answers, and how right each is where that is known."""

    item: str
    question: str
    models: tuple[str, str]
    answers: tuple[str, str]
    scores: tuple[float, float] | None = None

    @property
    def swapped(self) -> "Pair":
        """Return the pair in the other order."""
        (m, n), (a, b), scores = self.models, self.answers, self.scores
        return self._replace(models=(n, m), answers=(b, a), scores=scores and scores[::-1])


def read_unjudged(path: str) -> list[Pair]:
    """Return the pairs of a JSONL file: item, question, model_a, model_b, answer_a, answer_b; where known
    score_a, score_b in all lines (a winner is not read)."""
    source = open_source(path, Path(path), "")
    if source.kind != "jsonl":
        raise UserMistake(
            f"{path}: give JSONL with item, question, model_a, model_b, answer_a, answer_b in each line"
        )
    result = []
    for where, record in records(source, []):
        names = ("item", "question", "model_a", "model_b", "answer_a", "answer_b")
        item, question, m, n, a, b = (text(field(record, name, where)) for name in names)
        if not m or not n or m == n:
            raise UserMistake(f"{where}: model_a and model_b must name two models")
        result.append(Pair(item, question, (m, n), (a, b), scores_of(record, where)))
    all_or_none([pair.scores for pair in result], path)
    return result


def judge_pairs(folder: RunFolder, model: Model, pairs: Sequence[Pair], quiet: bool) -> list[Judgement]:
    """Return the judgements of all pairs in both orders, and of the constant answer; each is asked once and kept."""
    every = [each for pair in (*pairs, *_constant_pairs(pairs)) for each in (pair, pair.swapped)]
    prompts = [PROMPT.format(question=p.question, a=p.answers[0], b=p.answers[1]) for p in every]
    with keeping(folder, ARTIFACT) as kept:
        pending = list(dict.fromkeys(prompt for prompt in prompts if text_hash(prompt) not in kept.values))
        with ticking("judging", len(pending), quiet) as ticker:
            for prompt, winner in _answers(model, pending):
                kept.add(text_hash(prompt), winner)
                ticker.tick()
        won = [kept.values.get(text_hash(prompt)) for prompt in prompts]
    judged = [
        Judgement(pair.item, pair.models, pair.answers, value, pair.scores)
        for pair, value in zip(every, won, strict=True)
        if value is not None
    ]
    if not judged:
        if not kept.values:
            raise UserMistake(f"--judge {model.reference}: all {len(every)} judgements failed; run again")
        raise UserMistake(
            f"--judge {model.reference}: named neither A nor B in any of {len(every)} judgements"
        )
    return judged


def _constant_pairs(pairs: Sequence[Pair]) -> list[Pair]:
    seen: dict[str, Pair] = {}
    for pair in pairs:
        models, answers = (pair.models[0], CONSTANT_MODEL), (pair.answers[0], CONSTANT)
        seen.setdefault(pair.item, Pair(pair.item, pair.question, models, answers))
    return list(seen.values())[:CONSTANT_ITEMS]


def _answers(model: Model, prompts: Sequence[str]) -> Iterator[tuple[str, float | None]]:
    """Yield 1 where A is judged better, 0 where B is, 0.5 for a tie, None where the judge said neither; what failed is
    left out."""
    if model.can_score:
        for start in range(0, len(prompts), SCORED_AT_ONCE):
            part = prompts[start : start + SCORED_AT_ONCE]
            scored = model.score([(prompt, letter) for prompt in part for letter in (" A", " B")])
            sums = [sum(score.logprobs) for score in scored]
            for prompt, a, b in zip(part, sums[::2], sums[1::2], strict=True):
                yield prompt, _winner(a - b)
        return
    sampling = Sampling(temperature=0.0, max_tokens=8)
    for index, completion in answers_of(model, [Request(prompt, sampling=sampling) for prompt in prompts]):
        if completion.finish != "failed":
            match = _CHOICE.search(completion.text)
            yield prompts[index], None if match is None else float(match.group(1) == "A")


def _winner(gap: float) -> float | None:
    if gap != gap:
        return None
    return 0.5 if abs(gap) < TIE else float(gap > 0)
