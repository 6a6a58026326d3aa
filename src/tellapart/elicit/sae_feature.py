"""One feature of a sparse autoencoder, steered where the answer begins (arXiv 2601.08058): if a single direction that
the model itself uses elicits a skill, the skill was there.

The autoencoder is trained on the model's own states (interventions/sae_training.py), or given:
SaeFeature(saes=("FOLDER",)). The first few features of each ranking (feature_ranking.py) are tried on the fit split at
one strength, then the best one at the first token and throughout, at several strengths. The null control steers
random live features of the same autoencoder as far.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from tellapart.elicit.choosing import choose
from tellapart.elicit.elicitor import Elicited, Elicitor, Mechanism, Need, null_name
from tellapart.elicit.feature_ranking import Candidate, Evidence, evidence_of, ranked, read_parts
from tellapart.elicit.steered import NULL_DRAWS, Steered, local_model, vectors_of
from tellapart.elicit.steering import FIRST_STRENGTH, STRENGTHS, moved, spread
from tellapart.elicit.steering_sft import norms_on
from tellapart.errors import InvalidInput, NotApplicable
from tellapart.interventions.weights import Weights
from tellapart.jsonvalue import JsonObject, whole
from tellapart.runs.asking import Ask, Pair

if TYPE_CHECKING:
    from torch import Tensor

    from tellapart.interventions.sae import Sae
    from tellapart.interventions.sae_training import Recipe
    from tellapart.models.local import LocalModel
    from tellapart.models.states import Part

MOST_LAYERS = 3
OTHERS = 16
MOST_FEATURES = 16384
MOST_STATES = 1 << 17
STEPS = 300
RATE = 3e-3


@final
@dataclass(frozen=True)
class SaeFeature(Elicitor):
    """The best single feature; `saes` (folders, or RELEASE@ID of sae-lens) are used instead of own autoencoders."""

    name: ClassVar[str] = "sae_feature"
    source: ClassVar[str] = "arXiv 2601.08058; autoencoder: Gao et al. 2024, arXiv 2406.04093"
    needs: ClassVar[frozenset[Need]] = frozenset({"text", "logprobs", "weights"})
    value: ClassVar[type[Elicited]] = Steered
    mechanism: ClassVar[Mechanism] = "steering"

    saes: tuple[str, ...] = ()
    layers: int = MOST_LAYERS
    features: int = MOST_FEATURES
    steps: int = STEPS
    rate: float = RATE

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the best feature, place and strength. Raises UserMistake where nothing tells features apart, or
        where a given autoencoder is not of this model."""
        model = local_model(pair.base, self.name)
        norms = norms_on(model, ask)
        evidence = evidence_of(model, ask)
        sites: list[Steered] = []
        features = 0
        for sae, states in self._autoencoders(model, ask, evidence, len(norms)):
            features += sae.count
            sites += sites_of(self.name, model, sae, states, evidence, np.array(norms))
        if not sites:
            raise NotApplicable(
                f"{self.name} on {ask.task.name}: no feature is active where it would have to be"
            )
        bits = min(evidence.bits, math.log2(features))
        site = choose(pair, ask, [replace(site, bits_once=bits) for site in sites])
        assert isinstance(site, Steered)
        return choose(
            pair, ask, [moved(site, where, s) for where, strengths in STRENGTHS.items() for s in strengths]
        )

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return random live features of the same autoencoder, steered as far at the same place."""
        vectors, others = elicited.weights["vectors"], elicited.weights["others"].astype(np.float64)
        rows = np.random.default_rng(seed).choice(len(others), min(NULL_DRAWS, len(others)), replace=False)
        layer = whole(elicited.setting, "layer")
        drawn = np.zeros((len(rows), *vectors.shape[1:]))
        drawn[:, layer] = others[rows] * np.linalg.norm(vectors[0, layer].astype(np.float64))
        setting = {**elicited.setting, "null": f"{len(rows)} random features, as far", "null_seed": seed}
        weights = vectors_of(drawn, elicited.weights["norms"])
        return replace(elicited, name=null_name(elicited.name), setting=setting, weights=weights)

    def _autoencoders(
        self, model: "LocalModel", ask: Ask, evidence: Evidence, layers: int
    ) -> "Iterator[tuple[Sae, Tensor]]":
        """Yield each autoencoder with the model's states [state, width] at its layer."""
        from tellapart.interventions.sae_public import open_sae
        from tellapart.interventions.sae_training import train_sae

        parts = read_parts(model, ask, evidence)
        for reference in self.saes:
            sae = open_sae(reference)
            if sae.layer >= layers or sae.width != model.module.config.get_text_config().hidden_size:
                raise InvalidInput(
                    f"{reference}: layer {sae.layer}, width {sae.width} do not fit {model.reference}"
                )
            yield sae, states_after(model, parts, sae.layer)
        for layer in () if self.saes else spread(layers, self.layers):
            states = states_after(model, parts, layer)
            kept = None if ask.scratch is None else ask.scratch / f"sae-{layer}.safetensors"
            here = states.to(model.module.device)
            yield train_sae(here, layer, self.recipe(states, ask), kept), states

    def recipe(self, states: "Tensor", ask: Ask) -> "Recipe":
        """Return a recipe by the model's width: twice as many features as it is wide, an eighth of the width
        active (32 at most)."""
        from tellapart.interventions.sae_training import Recipe

        width = states.shape[1]
        features, k = min(2 * width, self.features), max(1, min(32, width // 8))
        quiet = ask.scratch is None
        return Recipe(
            features=features,
            k=k,
            steps=self.steps,
            rate=self.rate,
            seed=ask.seed,
            save_every=100,
            quiet=quiet,
        )


def states_after(model: "LocalModel", parts: "Sequence[Part]", layer: int) -> "Tensor":
    """Return the states [state, width] of the parts after a layer: MOST_STATES at most, the first ones."""
    import torch

    from tellapart.models.states import states

    batches, count = [], 0
    for _, read in states(model, parts, [layer]):
        batches.append(read[0].cpu())
        count += len(batches[-1])
        if count >= MOST_STATES:
            break
    return torch.cat(batches)


def sites_of(
    name: str, model: "LocalModel", sae: "Sae", states: "Tensor", evidence: Evidence, norms: np.ndarray
) -> list[Steered]:
    """Return a value for each feature of `sae` that is worth trying, all at one place and strength.

    Raises UserMistake where the autoencoder explains nothing of the model's states: it is another model's.
    """
    from tellapart.interventions.sae import live_features
    from tellapart.interventions.sae_training import sight

    fit = sight(sae, states)
    if not fit.explained_variance > 0:
        raise NotApplicable(
            f"{name}: the autoencoder of layer {sae.layer} explains {fit.explained_variance:.2f} of the variance of "
            f"{model.reference}'s states: it is another model's, or wants its inputs rescaled"
        )
    live = live_features(sae, states)
    facts = {
        "layer": sae.layer,
        "features": sae.count,
        "explained_variance": round(fit.explained_variance, 4),
        "dead_share": round(fit.dead_share, 4),
        "states": fit.states,
    }
    tried = ranked(model, sae, evidence, live)
    return [
        feature_value(name, sae, candidate, norms, facts, other_features(sae, candidate, live))
        for candidate in tried
    ]


def other_features(sae: "Sae", candidate: Candidate, live: "Tensor") -> np.ndarray:
    """Return the directions [OTHERS, width] of random live features, for the null control."""
    others = [feature for feature in live.nonzero()[:, 0].tolist() if feature != candidate.feature]
    if not others:
        raise NotApplicable(
            f"the autoencoder of layer {sae.layer} has one live feature: there is no other to compare with"
        )
    chosen = np.random.default_rng(candidate.feature).permutation(others)[:OTHERS]
    return np.stack([sae.direction(int(feature)).numpy() for feature in chosen])


def feature_value(
    name: str,
    sae: "Sae",
    candidate: Candidate,
    norms: np.ndarray,
    facts: JsonObject,
    others: np.ndarray,
) -> Steered:
    """Return the value that steers one feature; `facts` are told of it, `others` are kept for the null control."""
    vectors = np.zeros((1, len(norms), sae.width))
    vectors[0, sae.layer] = candidate.sign * sae.direction(candidate.feature).numpy() * FIRST_STRENGTH
    setting = {
        **facts,
        "where": "first",
        "size": FIRST_STRENGTH,
        "source": f"feature {'+' if candidate.sign > 0 else '-'}{candidate.feature} by {candidate.ranking}",
        "label": f"feature {candidate.feature} of layer {sae.layer} by {candidate.ranking}",
        "bits_by": "the choice, and the smaller of what the rankings were told and log2 of all features",
    }
    held = vectors_of(vectors, norms)
    return Steered(name, setting, weights=Weights({**held, "others": others.astype(np.float16)}))
