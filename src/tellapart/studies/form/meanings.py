"""Semantic entropy of the full arm's samples: by an entailment model given by reference, else by equal final answers.

Kuhn, Gal & Farquhar 2023 (arXiv 2302.09664). The entailment model is any that gives log-probabilities: it is asked
whether the first answer entails the second, and "yes" must be likelier than "no".
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tellapart.errors import UserMistake
from tellapart.models.model import Model
from tellapart.runs.collect import text_hash
from tellapart.runs.folder import RunFolder
from tellapart.runs.kept import Kept, keeping
from tellapart.runs.row import Row
from tellapart.stats.confidence import risk_coverage
from tellapart.stats.estimate import Estimate
from tellapart.stats.intervals import mean
from tellapart.stats.semantic_entropy import semantic_entropy
from tellapart.tasks.item import Item, Task

FEWEST = 20
PROMPT = (
    "Question: {question}\nFirst answer: {first}\nSecond answer: {second}\n"
    "Does the first answer entail the second? Answer:"
)


class Meaning(NamedTuple):
    """The semantic entropy of an item's samples, nats, and their mean score."""

    entropy: float
    score: float


Entails = Callable[[str, str, str], bool]
"""(question, first answer, second answer) -> whether the first entails the second."""


def measure_meanings(
    folder: RunFolder, task: Task, rows: Sequence[Row], model: Model | None
) -> dict[str, Meaning] | None:
    """Return what the samples of an item mean, by item, where there are several. The entailment
    model is asked once about each pair; answers that a resumed run added count.

    None where there is one sample an item. Raises UserMistake where the entailment model gives no log-probabilities.
    """
    samples: dict[str, list[Row]] = {}
    for row in rows:
        if row.status != "failed":
            samples.setdefault(row.item, []).append(row)
    if max((len(own) for own in samples.values()), default=0) < 2:
        return None
    if model is not None and not model.can_score:
        raise UserMistake(
            f"--entailment {model.reference} gives no log-probabilities of given text: use another"
        )
    items = {item.id: item for item in task.items}
    with keeping(folder, "entailments") as kept:
        entails = None if model is None else _entailment(model, kept)
        return {
            name: _entropy(task, items[name], own, entails) for name, own in samples.items() if len(own) > 1
        }


def meaning_estimates(meanings: Mapping[str, Meaning] | None) -> dict[str, Estimate]:
    """Return the mean semantic entropy and the selective risk when items of low entropy are kept."""
    if not meanings or len(meanings) < FEWEST:
        return {}
    entropies = np.array([meaning.entropy for meaning in meanings.values()], dtype=np.float64)
    scores = np.array([meaning.score for meaning in meanings.values()], dtype=np.float64)
    confidence = np.exp(-entropies)
    return {
        "semantic_entropy": mean(entropies, unit="nats"),
        "semantic_risk_area": risk_coverage(confidence, np.clip(scores, 0, 1)).area,
    }


def _entropy(task: Task, item: Item, rows: Sequence[Row], entails: Entails | None) -> Meaning:
    texts = [row.completion.strip() for row in rows]
    if entails is None:
        texts = [task.scorer.answer(item, text) or text for text in texts]
    measured = semantic_entropy(texts, lambda a, b: entails is not None and entails(task.prompt(item), a, b))
    return Meaning(measured.entropy, math.fsum(row.score for row in rows) / len(rows))


def _entailment(model: Model, kept: Kept) -> Entails:
    """Return the relation as the model sees it, each pair asked once and kept."""

    def entails(question: str, first: str, second: str) -> bool:
        prompt = PROMPT.format(question=question, first=first, second=second)
        if text_hash(prompt) not in kept.values:
            yes, no = (sum(score.logprobs) for score in model.score([(prompt, " yes"), (prompt, " no")]))
            kept.add(text_hash(prompt), yes > no)
        return kept.values[text_hash(prompt)]

    return entails
