"""Was the direction there before tuning? Vectors read in the base and in the tuned model, each applied to both.

table = two_by_two(Pair(base, tuned), fit, report)
table.effects["base vector on base"]      # an Estimate: score with the vector minus score without

The same texts (elicit/steering.py) are read by both models, and the difference of mean states is taken in each, at the
layer, place and strength that are best on the base. If tuning made the direction, the tuned model's vector is another;
if tuning only came to use what was there, the two are alike and both work on the base. A tuned model that is right
already has little to gain, so the opposite direction is applied too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from tellapart.elicit.choosing import mean_score
from tellapart.elicit.elicitor import Elicited
from tellapart.elicit.steered import Steered, local_model, random_control, vectors_of
from tellapart.elicit.steering import Steering, directions, texts_of
from tellapart.elicit.steering_sft import norms_on
from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject, number, whole
from tellapart.models.model import Model
from tellapart.runs.asking import Ask, Elicitation, Pair, generate, plain_requests
from tellapart.stats.estimate import Estimate
from tellapart.stats.paired import paired_difference

ROLES = ("base", "tuned")


@dataclass(frozen=True)
class TwoByTwo:
    """Effects on the mean score, by "VECTOR vector on MODEL" (VECTOR: base, tuned, reversed base, reversed tuned,
    random), the plain scores by model, and the cosine of the two vectors after each layer (NaN: one is 0)."""

    effects: Mapping[str, Estimate]
    scores: Mapping[str, float]
    cosines: tuple[float, ...]
    layer: int
    setting: JsonObject

    def as_json(self) -> dict[str, Json]:
        """Return a JSON object; NaN becomes null."""
        return {
            "effects": {name: estimate.as_json() for name, estimate in self.effects.items()},
            "scores": dict(self.scores),
            "cosines": [None if np.isnan(cosine) else cosine for cosine in self.cosines],
            "layer": self.layer,
            "setting": dict(self.setting),
        }


def two_by_two(pair: Pair, fit: Ask, report: Ask) -> TwoByTwo:
    """Return the table: vectors from the items of `fit`, effects from those of `report`.

    Raises UserMistake without a tuned model, where the two do not share a tokenizer or a shape, and where no contrast
    can be had on the base.
    """
    if pair.tuned is None:
        raise UserMistake("two_by_two compares a base with a tuned model: give both")
    models = {
        role: local_model(model, "two_by_two") for role, model in zip(ROLES, pair, strict=True) if model
    }
    base, tuned = models["base"], models["tuned"]
    if base.tokenizer_id != tuned.tokenizer_id:
        raise UserMistake(
            f"{base.reference} and {tuned.reference} have other tokens: they cannot read the same texts"
        )
    value = Steering().fit(Pair(base), fit)
    assert isinstance(value, Steered)
    texts = next(
        texts_here for texts_here in texts_of(base, fit) if texts_here.source == value.setting["source"]
    )
    unit_vectors = {role: directions(model, texts).numpy() for role, model in models.items()}
    if unit_vectors["base"].shape != unit_vectors["tuned"].shape:
        raise UserMistake(
            f"{base.reference} and {tuned.reference} differ in layers or width: their vectors too"
        )
    vectors = {
        role: placed(value, unit_vectors[role], np.array(norms_on(model, fit)))
        for role, model in models.items()
    }
    vectors |= {f"reversed {role}": replace(vectors[role], strength=-1.0) for role in ROLES}
    vectors["random"] = random_control(vectors["base"], fit.seed)
    plain = {role: plain_scores(model, report) for role, model in models.items()}
    clusters = clusters_of(report)
    effects = {
        f"{name} vector on {role}": paired_difference(plain[role], scores_of(vector, model, report), clusters)
        for name, vector in vectors.items()
        for role, model in models.items()
    }
    means = {role: float(np.mean(scores)) for role, scores in plain.items()}
    described = {name: value.setting[name] for name in ("source", "where", "size", "label")}
    return TwoByTwo(
        effects,
        means,
        cosines(unit_vectors["base"], unit_vectors["tuned"]),
        whole(value.setting, "layer"),
        described,
    )


def placed(value: Steered, unit_vectors: np.ndarray, norms: np.ndarray) -> Steered:
    """Return the value with a model's own direction at its layer, as long as the fitted one in that model's norms."""
    layer = whole(value.setting, "layer")
    vectors = np.zeros((1, *unit_vectors.shape))
    vectors[0, layer] = unit_vectors[layer] * number(value.setting, "size")
    return replace(value, weights=vectors_of(vectors, norms))


def plain_scores(model: Model, ask: Ask) -> list[float]:
    """Return the mean score of each item, asked plainly."""
    return by_item(ask, generate(model, list(plain_requests(ask))))


def scores_of(value: Elicited, model: Model, ask: Ask) -> list[float]:
    """Return the mean score of each item under a value."""
    return by_item(ask, value.answers(Pair(model), ask))


def by_item(ask: Ask, answers: Iterable[Elicitation]) -> list[float]:
    """Return the mean score of each item; an answer that failed is left out. Raises UserMistake where all of an item
    failed."""
    answers_of: list[list[Elicitation]] = [[] for _ in ask.items]
    for answer in answers:
        answers_of[answer.item].append(answer)
    return [mean_score(ask, answers_here) for answers_here in answers_of]


def clusters_of(ask: Ask) -> list[str] | None:
    """Return each item's cluster; None where items are independent."""
    if all(item.cluster is None for item in ask.items):
        return None
    return [f"item {item.id}" if item.cluster is None else item.cluster for item in ask.items]


def cosines(left: np.ndarray, right: np.ndarray) -> tuple[float, ...]:
    """Return the cosine of each pair of rows; NaN where a row is 0."""
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return tuple(float(c) for c in np.where(lengths > 0, (left * right).sum(1) / lengths, np.nan))


class Line(NamedTuple):
    """A vector, and its effects."""

    vector: str
    on_base: Estimate
    on_tuned: Estimate


def lines(table: TwoByTwo) -> list[Line]:
    """Return the table, one line a vector, for a report."""
    names = dict.fromkeys(name.rpartition(" vector on ")[0] for name in table.effects)
    effect = table.effects
    return [Line(name, effect[f"{name} vector on base"], effect[f"{name} vector on tuned"]) for name in names]
