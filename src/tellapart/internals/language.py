"""Concepts inside a language model: the states that hold them, and what steering and interchanges move.

    fit, report = both_halves(model, pairs)
    found = effects(Bench(model, fit, report, layer=3), ["plural"], seed=0)

Layer and directions are chosen on one half of the pairs, everything that is reported comes from the other. A unit of
effect is the concept's own gap: how much further apart its two prompts put the answers than no difference would.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from tellapart.elicit.steering import spread
from tellapart.internals.concepts import ConceptPair, halves, names
from tellapart.internals.directions import METHODS, difference
from tellapart.internals.interchange import Question, margins, slopes
from tellapart.models.hooks import layers_of
from tellapart.models.local import LocalModel
from tellapart.models.states import Part, mean_states

MOST_LAYERS = 8
ENOUGH = 0.5
"""Share of the gap that a layer before the last must move to be taken."""
NULLS = 4
"""Random directions, as long as the concept's, that stand beside each effect."""


class Half(NamedTuple):
    """Pairs, and the states of their prompts' last tokens, [pair, side, layer, width], positive first."""

    pairs: list[ConceptPair]
    states: np.ndarray


class Steered(NamedTuple):
    """Change of each prompt's margin, in gaps: `moved` [2, pair] towards the other side, `any` [2, pair] either way."""

    moved: np.ndarray
    any: np.ndarray


@dataclass(frozen=True)
class Effects:
    """What steering does on the report half. `own` and `null` by concept (share of the gap, one a prompt), `cross`
    by (steered, read), `cross_null` [draw, side, pair] along random vectors of equal norm, `transfer` by (concept,
    fitted in, applied in), `methods` by (concept, method). `direct` and `full` are interchanges along the direction
    and of the whole state, `direct_null` along random ones.
    """

    own: Mapping[str, np.ndarray]
    null: Mapping[str, np.ndarray]
    cross: Mapping[tuple[str, str], np.ndarray]
    cross_null: Mapping[tuple[str, str], np.ndarray]
    transfer: Mapping[tuple[str, str, str], np.ndarray]
    methods: Mapping[tuple[str, str], np.ndarray]
    direct: Mapping[str, np.ndarray]
    direct_null: Mapping[str, np.ndarray]
    full: Mapping[str, np.ndarray]


def read_half(model: LocalModel, pairs: Sequence[ConceptPair]) -> Half:
    """Return the states of all prompts of `pairs`, read in batches."""
    prompts = [text for pair in pairs for text in (pair.positive, pair.negative)]
    encoded = model.vocabulary.encode_prompts([(text, "") for text in prompts])
    parts = [Part(encoded[text, ""], slice(-1, None)) for text in prompts]
    states = mean_states(model, parts, range(len(layers_of(model.module)))).double().cpu().numpy()
    return Half(list(pairs), states.reshape(len(pairs), 2, *states.shape[1:]))


def both_halves(model: LocalModel, pairs: Sequence[ConceptPair]) -> tuple[Half, Half]:
    """Return the half to fit on and the half to report."""
    fit, report = halves(pairs)
    return read_half(model, fit), read_half(model, report)


def chosen(half: Half, concept: str, context: str | None = None) -> np.ndarray:
    """Return the indices of a concept's pairs, of one context where given."""
    return np.array(
        [at for at, p in enumerate(half.pairs) if p.concept == concept and context in (None, p.context)]
    )


def plain_margins(model: LocalModel, half: Half, at: np.ndarray) -> np.ndarray:
    """Return the margins [2, pair] of some pairs' prompts, positive ones first, as the model is."""
    return _margins(model, half, at, 0, None)


def _margins(
    model: LocalModel, half: Half, at: np.ndarray, layer: int, shift: np.ndarray | None
) -> np.ndarray:
    """Return margins [2, pair] under shift [2, pair, width]."""
    questions = [
        Question(prompt, pair.positive_answer, pair.negative_answer)
        for side in (0, 1)
        for pair in (half.pairs[index] for index in at)
        for prompt in ((pair.positive, pair.negative)[side],)
    ]
    added = None if shift is None else torch.from_numpy(shift.reshape(-1, shift.shape[-1]))
    return margins(model, questions, layer, added).numpy().reshape(2, len(at))


class Bench:
    """One model with its halves at one layer: what steering and interchanges are tried on. Plain margins are kept."""

    def __init__(self, model: LocalModel, fit: Half, report: Half, layer: int) -> None:
        self.model, self.fit, self.report, self.layer = model, fit, report, layer
        self._plain: dict[tuple[int, ...], np.ndarray] = {}

    def vector(self, concept: str, context: str | None = None, method: str = "difference") -> np.ndarray:
        """Return the shift (width) from the negative to the positive side, by the fit half."""
        states = self.fit.states[chosen(self.fit, concept, context), :, self.layer]
        direction = METHODS[method](states[:, 0], states[:, 1])
        return direction * float((states[:, 0].mean(axis=0) - states[:, 1].mean(axis=0)) @ direction)

    def plain(self, at: np.ndarray, half: Half | None = None) -> np.ndarray:
        """Return the plain margins [2, pair] of pairs of the report half."""
        if half is not None:
            return plain_margins(self.model, half, at)
        key = tuple(at.tolist())
        if key not in self._plain:
            self._plain[key] = plain_margins(self.model, self.report, at)
        return self._plain[key]

    def steer(self, vector: np.ndarray, at: np.ndarray, half: Half | None = None) -> Steered:
        """Return what adding the vector to negative prompts and taking it from positive ones does."""
        plain = self.plain(at, half)
        signs = np.array([-1.0, 1.0])[:, None, None]
        shift = np.broadcast_to(signs * vector, (2, len(at), len(vector))).copy()
        change = _margins(self.model, half or self.report, at, self.layer, shift) - plain
        gap = float((plain[0] - plain[1]).mean())
        return Steered(change * np.array([[-1.0], [1.0]]) / gap, np.abs(change) / abs(gap))

    def interchange(self, at: np.ndarray, direction: np.ndarray | None) -> np.ndarray:
        """Return the share of the gap that each prompt moves when its state is replaced by the other side's, wholly or
        along a direction of length 1."""
        states = self.report.states[at][:, :, self.layer]
        apart = np.stack([states[:, 1] - states[:, 0], states[:, 0] - states[:, 1]])
        shift = apart if direction is None else (apart @ direction)[..., None] * direction
        plain = self.plain(at)
        change = _margins(self.model, self.report, at, self.layer, np.ascontiguousarray(shift)) - plain
        return change * np.array([[-1.0], [1.0]]) / float((plain[0] - plain[1]).mean())


def read_slopes(bench: Bench, concept: str) -> np.ndarray:
    """Return the slopes [2 * pair, width] of a concept's prompts of the report half, positive ones first, by the state
    at the bench's layer; those of negative prompts are turned round, so that the sides' means differ by their sum."""
    pairs = [bench.report.pairs[index] for index in chosen(bench.report, concept)]
    prompts = [*(pair.positive for pair in pairs), *(pair.negative for pair in pairs)]
    requests = [
        Question(prompt, pair.positive_answer, pair.negative_answer)
        for prompt, pair in zip(prompts, [*pairs, *pairs], strict=True)
    ]
    signs = np.repeat([1.0, -1.0], len(pairs))[:, None]
    return slopes(bench.model, requests, bench.layer).double().numpy() * signs


def layer_scores(model: LocalModel, fit: Half, answered: Sequence[str]) -> dict[int, float]:
    """Return, by layer, how well each context's own difference of means steers that context's prompts on the fit half,
    in shares of the gap, mean over concepts and contexts; without answers, how far apart the classes' means lie for
    their spread. Contexts are steered one by one, so that a layer with a direction for each counts as much as one
    with a direction for all."""
    layers = [
        *spread(max(len(layers_of(model.module)) - 1, 1), MOST_LAYERS),
        len(layers_of(model.module)) - 1,
    ]
    if not answered:
        return {layer: _apart(fit, layer) for layer in layers[:-1]}
    scores = {}
    for layer in dict.fromkeys(layers):
        bench = Bench(model, fit, fit, layer)
        moved = [
            float(bench.steer(bench.vector(name, context), chosen(fit, name, context)).moved.mean())
            for name in answered
            for context in dict.fromkeys(pair.context for pair in fit.pairs if pair.concept == name)
        ]
        scores[layer] = float(np.nanmean(moved)) if np.isfinite(moved).any() else -np.inf
    return scores


def best_layer(scores: Sequence[Mapping[int, float]]) -> int:
    """Return the layer with the best mean score over models. After the last layer nothing is left that could use a
    concept, so it is taken only where no other moves ENOUGH of the gap and it moves more: where there are few layers, a
    concept may be worked out in the last."""
    means = {layer: float(np.mean([score[layer] for score in scores])) for layer in scores[0]}
    last = max(means)
    early = {layer: score for layer, score in means.items() if layer != last} or means
    best = max(early, key=lambda layer: early[layer])
    return last if len(scores[0]) > 1 and early[best] < min(ENOUGH, means[last]) else best


def _apart(half: Half, layer: int) -> float:
    ratios = []
    for concept in names(half.pairs):
        states = half.states[chosen(half, concept), :, layer]
        direction = difference(states[:, 0], states[:, 1])
        read = states @ direction
        ratios.append(float((read[:, 0] - read[:, 1]).mean() / (read.std(axis=0).mean() + 1e-12)))
    return float(np.mean(ratios))


def effects(bench: Bench, answered: Sequence[str], seed: int) -> Effects:
    """Return all effects of steering and interchange on the report half."""
    random = np.random.default_rng(seed)
    own, null, cross, cross_null, transfer, methods = {}, {}, {}, {}, {}, {}
    direct, direct_null, full = {}, {}, {}
    for concept in answered:
        at, vector = chosen(bench.report, concept), bench.vector(concept)
        blind = [_random(random, vector) for _ in range(NULLS)]
        own[concept] = bench.steer(vector, at).moved
        null[concept] = np.mean([bench.steer(vector, at).moved for vector in blind], axis=0)
        for other in answered:
            there = chosen(bench.report, other)
            cross[concept, other] = bench.steer(vector, there).any
            cross_null[concept, other] = np.stack([bench.steer(vector, there).any for vector in blind])
        for method in METHODS:
            methods[concept, method] = bench.steer(bench.vector(concept, None, method), at).moved
        contexts = list(dict.fromkeys(bench.report.pairs[index].context for index in at))
        for fitted in contexts:
            for applied in contexts:
                there = chosen(bench.report, concept, applied)
                moved = bench.steer(bench.vector(concept, fitted), there).moved
                transfer[concept, fitted, applied] = moved
        length = float(np.linalg.norm(vector)) or 1.0
        direct[concept] = bench.interchange(at, vector / length)
        along = [bench.interchange(at, vector / float(np.linalg.norm(vector) or 1.0)) for vector in blind]
        direct_null[concept] = np.mean(along, axis=0)
        full[concept] = bench.interchange(at, None)
    return Effects(own, null, cross, cross_null, transfer, methods, direct, direct_null, full)


def _random(random: np.random.Generator, vector: np.ndarray) -> np.ndarray:
    drawn = random.standard_normal(len(vector))
    return drawn * (float(np.linalg.norm(vector)) / float(np.linalg.norm(drawn)))
