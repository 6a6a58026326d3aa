"""The figures of one language model's concepts, and the tables that a report draws of them.

figures = measure_concepts(model, read_concepts("pairs.jsonl"), ConceptSettings(seed=0))
figures.estimates["direction_reuse/plural"]       # an Estimate
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tellapart.internals.concepts import ConceptPair, halves, names
from tellapart.internals.directions import METHODS
from tellapart.internals.entanglement import cross_estimates, matrix_of
from tellapart.internals.features import chance_decodability, held_out_decodability, rotated, spectrum
from tellapart.internals.language import (
    Bench,
    Effects,
    best_layer,
    both_halves,
    chosen,
    effects,
    layer_scores,
    read_half,
    read_slopes,
)
from tellapart.internals.model_robustness import noise_estimates, tuning_estimates
from tellapart.internals.reuse import (
    chance_reuse,
    random_reuse,
    readout,
    reliability,
    reuse,
    reuse_estimate,
    reuse_limit,
)
from tellapart.internals.units import unit_states
from tellapart.jsonvalue import Json, JsonObject
from tellapart.models.hooks import layers_of
from tellapart.models.local import LocalModel
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import mean, mean_score

GAP = "gaps"
CHANCE = 0.5
"""Share of prompts that make their own answer likelier where nothing is known of the concept."""
HIDDEN = "the model does not show the concept: its gap is not above 0, or its score not above chance"


class ConceptSettings(NamedTuple):
    """`layer` None chooses it on the fit half; `tuning` steps of fine-tuning (0: none)."""

    seed: int = 0
    layer: int | None = None
    tuning: int = 20


@dataclass(frozen=True)
class ConceptFigures:
    """`scores` are 1 where a prompt makes the right answer likelier, one a prompt of the report half with answers;
    `turned` are estimates after a random rotation of the states."""

    name: str
    layer: int
    estimates: Mapping[str, Estimate]
    turned: Mapping[str, Estimate]
    scores: Sequence[float]
    tables: JsonObject


class Points(NamedTuple):
    """States of a concept's prompts (points, width), their side (1 positive) and their context."""

    states: np.ndarray
    side: np.ndarray
    contexts: np.ndarray


def measure_concepts(
    model: LocalModel,
    pairs: Sequence[ConceptPair],
    request: ConceptSettings,
    tick: Callable[[str], None] = lambda _: None,
) -> ConceptFigures:
    """Return all figures; `tick` is told what begins. Raises UserMistake where a prompt does not fit the model."""
    tick("states")
    fit, report = both_halves(model, pairs)
    answered = [name for name in names(pairs) if fit.pairs[chosen(fit, name)[0]].answered]
    tick("layer")
    count = len(layers_of(model.module))
    layer = layer_for([model], pairs) if request.layer is None else request.layer
    bench = Bench(model, fit, report, layer)
    scores, estimates, shown = _scores(bench, answered)
    tick("steering")
    measured = effects(bench, shown, request.seed)
    estimates |= _routines(bench, names(pairs), answered, shown, request.seed)
    geometry, turned = _geometry(bench, names(pairs), answered, shown, request.seed)
    estimates |= (
        geometry | _effects(measured, answered, shown) | cross_estimates(measured, shown, request.seed)
    )
    tick("noise")
    estimates |= noise_estimates(bench, shown, request.seed)
    tick("fine-tuning")
    estimates |= tuning_estimates(bench, shown, request.tuning, request.seed)
    tables = _tables(bench, measured, names(pairs), shown) | {"layer": layer, "layers": count}
    return ConceptFigures(model.reference, layer, estimates, turned, scores, tables)


def layer_for(models: Sequence[LocalModel], pairs: Sequence[ConceptPair]) -> int:
    """Return the layer at which all models, which have as many, are read: the best one on the fit half."""
    fit_pairs = halves(pairs)[0]
    answered = list(dict.fromkeys(pair.concept for pair in fit_pairs if pair.answered))
    return best_layer([layer_scores(model, read_half(model, fit_pairs), answered) for model in models])


def _scores(bench: Bench, answered: Sequence[str]) -> tuple[list[float], dict[str, Estimate], list[str]]:
    """Return the scores of all prompts, estimates, and the concepts that the model shows beyond doubt: their gap is
    above 0, and more prompts than a coin's half make their own answer likelier (a model without training can have a
    steady gap that tells no answer)."""
    every: list[float] = []
    estimates: dict[str, Estimate] = {}
    shown = []
    for concept in answered:
        plain = bench.plain(chosen(bench.report, concept))
        right = np.concatenate([plain[0] > 0, plain[1] < 0]).astype(float)
        every += right.tolist()
        score = mean_score(right)
        estimates[f"concept_score/{concept}"] = score
        gap = mean(plain[0] - plain[1], unit="nats")
        estimates[f"gap/{concept}"] = gap
        if gap.low > 0 and score.low > CHANCE:
            shown.append(concept)
    if every:
        estimates = {"concept_score": mean_score(every), **estimates}
    return every, estimates, shown


def points_of(bench: Bench, concept: str) -> Points:
    """Return a concept's prompts of the report half at the bench's layer."""
    at = chosen(bench.report, concept)
    states = bench.report.states[at][:, :, bench.layer]
    contexts = np.array([bench.report.pairs[index].context for index in at])
    side = np.repeat([1, 0], len(at))
    return Points(np.concatenate([states[:, 0], states[:, 1]]), side, np.tile(contexts, 2))


def _geometry(
    bench: Bench, concepts: Sequence[str], answered: Sequence[str], shown: Sequence[str], seed: int
) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """Return decodability of each concept, and that and the direction's reuse after a rotation of the states."""
    plain: dict[str, Estimate] = {}
    turned: dict[str, Estimate] = {}
    for concept in concepts:
        points = points_of(bench, concept)
        whole = points._replace(states=rotated([points.states], seed)[0])
        for points_here, into in ((points, plain), (whole, turned)):
            into[f"linear_decodability/{concept}"] = held_out_decodability(
                points_here.states, points_here.side, seed
            )
        plain[f"null_linear_decodability/{concept}"] = chance_decodability(
            points.states, points.side, seed, copies=2
        )
        every = Counter(pair.context for half in (bench.fit, bench.report) for pair in half.pairs
                        if pair.concept == concept)  # fmt: skip
        fewest = min(every.values())
        plain[f"prompt_pairs/{concept}"] = Estimate(
            fewest, fewest, fewest, sum(every.values()), "pairs", "fewest of a context, as the file has them"
        )
        turned[f"direction_reuse/{concept}"] = (
            missing("cosine", HIDDEN, len(whole.states))
            if concept in answered and concept not in shown
            else reuse_estimate(whole.states, whole.side, whole.contexts, seed)
        )
    return plain, turned


_REUSE = {
    "{}_reuse/{}": reuse_estimate,
    "{}_limit/{}": reuse_limit,
    "{}_readout/{}": readout,
    "null_{}_reuse/{}": random_reuse,
}


def _routines(
    bench: Bench, concepts: Sequence[str], answered: Sequence[str], shown: Sequence[str], seed: int
) -> dict[str, Estimate]:
    """Return how far contexts hold a concept along the same direction, work it out in the same hidden units, up to the
    bench's layer, and how far what comes after reads it along the same direction; and the most that each could be."""
    estimates: dict[str, Estimate] = {}
    for concept in concepts:
        pairs = [bench.report.pairs[index] for index in chosen(bench.report, concept)]
        points, seen = points_of(bench, concept), concept in shown or concept not in answered
        prompts = [*(p.positive for p in pairs), *(p.negative for p in pairs)]
        units = unit_states(bench.model, prompts, bench.layer) if seen else None
        read = read_slopes(bench, concept) if concept in shown else None
        for name, values, why in (
            ("direction", points.states if seen else None, ""),
            ("unit", units, "no hidden units were found in the model's blocks"),
            ("reading", read, "without answers nothing reads the concept"),
        ):
            for figure, of in _REUSE.items():
                estimates[figure.format(name, concept)] = (
                    missing("cosine", why if seen else HIDDEN, len(points.side))
                    if values is None
                    else of(values, points.side, points.contexts, seed)
                )
    return estimates


def _effects(measured: Effects, answered: Sequence[str], shown: Sequence[str]) -> dict[str, Estimate]:
    """Return the effects of steering and interchange, in shares of each concept's own gap."""
    estimates: dict[str, Estimate] = {}
    kinds = {
        "steering_effect": measured.own,
        "null_steering_effect": measured.null,
        "interchange_direction": measured.direct,
        "null_interchange_direction": measured.direct_null,
        "interchange_state": measured.full,
    }
    for concept in answered:
        for kind, values in kinds.items():
            estimates[f"{kind}/{concept}"] = (
                mean(values[concept].mean(axis=0), unit=GAP)
                if concept in shown
                else missing(GAP, "no gap to share out: the model does not show the concept")
            )
        if concept in shown:
            estimates[f"steering_transfer/{concept}"] = _transfer(measured, concept)
            for method in METHODS:
                estimates[f"steering_by/{method}/{concept}"] = mean(
                    measured.methods[concept, method].mean(axis=0), unit=GAP
                )
    return estimates


def _transfer(measured: Effects, concept: str) -> Estimate:
    """Return the mean effect of directions fitted in other contexts; t interval over the contexts they are put to."""
    mine = {key[1:]: float(value.mean()) for key, value in measured.transfer.items() if key[0] == concept}
    contexts = list(dict.fromkeys(fitted for fitted, _ in mine))
    if len(contexts) < 2:
        return missing(GAP, "one context")
    return mean(
        [
            float(np.mean([mine[fitted, applied] for fitted in contexts if fitted != applied]))
            for applied in contexts
        ],
        unit=GAP,
    )


def _tables(
    bench: Bench, measured: Effects, concepts: Sequence[str], shown: Sequence[str]
) -> dict[str, Json]:
    """Return what a report draws: the entanglement matrix, and each concept's cosines, transfer and spectrum."""
    drawn = []
    for concept in concepts:
        points = points_of(bench, concept)
        at = chosen(bench.report, concept)
        agree = reuse(points.states, points.side, points.contexts)
        states = bench.report.states[at][:, :, bench.layer]
        contexts = [] if agree is None else list(agree.contexts)
        drawn.append({
            "concept": concept,
            "contexts": contexts,
            "cosines": [] if agree is None else agree.cosines.tolist(),
            "effective": float("nan") if agree is None else agree.effective,
            "reliability": reliability(points.states, points.side, points.contexts, 0),
            "chance": chance_reuse(points.states, points.side, points.contexts, 0),
            "transfer": [[float(measured.transfer[concept, a, b].mean()) for b in contexts] for a in contexts]
            if concept in shown
            else [],
            "spectrum": spectrum(states[:, 0] - states[:, 1])[:20].tolist(),
        })  # fmt: skip
    return {
        "concepts": drawn,
        "shown": list(shown),
        "matrix": matrix_of(measured.cross, shown).tolist(),
        "null_matrix": matrix_of(measured.cross_null, shown).tolist(),
    }
