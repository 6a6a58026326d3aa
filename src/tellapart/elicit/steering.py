"""Contrastive steering: the difference of mean residual streams between texts that show the skill and texts that do
not (Panickssery et al. 2023, arXiv 2312.06681; Turner et al. 2023, arXiv 2308.10248).

Two sources, neither of which needs a tuned model: `worked`, the last token of prompts that show worked demonstrations
against prompts that show direct ones (or none); `own`, the tokens of the base's own right answers against those
of answers to the same items picked blindly. Layer and source are chosen on the fit split at one
strength, then strength and place. The null control adds random directions as long at the same layer and place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, NamedTuple, final

from tellapart.elicit.choosing import choose
from tellapart.elicit.elicitor import NULL, Elicited, Elicitor, Mechanism, Need, Tells
from tellapart.elicit.own_answers import Pick, own_answers
from tellapart.elicit.prompted import demonstrated, exchanged
from tellapart.elicit.steered import Steered, local_model, random_control, stored_bits, vectors_of
from tellapart.elicit.steering_sft import norms_on
from tellapart.errors import NotApplicable
from tellapart.interventions.weights import Weights
from tellapart.jsonvalue import JsonObject, number
from tellapart.models.model import Turns
from tellapart.runs.asking import Ask, Pair

if TYPE_CHECKING:
    from torch import Tensor

    from tellapart.models.local import LocalModel
    from tellapart.models.states import Part

FIRST_STRENGTH = 0.5
STRENGTHS: dict[str, tuple[float, ...]] = {"first": (0.25, 0.5, 1.0), "answer": (0.05, 0.1, 0.25)}
"""In units of the residual stream's norm; what is added at every step of an answer must be smaller."""

MOST_LAYERS = 8
MOST_TEXTS = 128


class Texts(NamedTuple):
    """Texts that show the skill and texts that do not, and the bits that were told to have them."""

    source: str
    shown: "list[Part]"
    plain: "list[Part]"
    bits: float


@final
@dataclass(frozen=True)
class Steering(Elicitor):
    """The best difference of means."""

    name: ClassVar[str] = "steering"
    source: ClassVar[str] = "Panickssery et al. 2023, arXiv 2312.06681"
    needs: ClassVar[frozenset[Need]] = frozenset({"text", "weights"})
    value: ClassVar[type[Elicited]] = Steered
    mechanism: ClassVar[Mechanism] = "steering"

    layers: int = MOST_LAYERS

    def tells_of(self, name: str, setting: JsonObject) -> Tells:
        """Return "labels" where the vector was made of answers that the task called right."""
        return self.null_tells if name.endswith(NULL) or setting.get("source") == "worked" else "labels"

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the best direction, layer, place and strength. Raises UserMistake where there is no contrast."""
        model = local_model(pair.base, self.name)
        norms = norms_on(model, ask)
        contrasts = texts_of(model, ask)
        if not contrasts:
            raise NotApplicable(
                f"{self.name} on {ask.task.name}: no contrast: the task has no step_demonstrations, and the base's "
                "own answers are never right"
            )
        layers = spread(len(norms), self.layers)
        sites = [
            at_layer(self.name, texts, vectors, layer, norms)
            for texts in contrasts
            for vectors in (directions(model, texts),)
            for layer in layers
        ]
        site = choose(pair, ask, sites)
        assert isinstance(site, Steered)
        return choose(
            pair, ask, [moved(site, where, s) for where, strengths in STRENGTHS.items() for s in strengths]
        )

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return random directions of equal norm at the same layer and place."""
        assert isinstance(elicited, Steered)
        return random_control(elicited, seed)


def texts_of(model: "LocalModel", ask: Ask) -> list[Texts]:
    """Return the texts that can be contrasted on the fit split."""
    own = own_answers(Pair(model), ask)
    (shown, plain), bits = worked_parts(model, ask)
    every = (
        Texts("own", answer_parts(model, own.right), answer_parts(model, own.blind), own.verdict_bits),
        Texts("worked", shown, plain, bits),
    )
    return [texts for texts in every if texts.shown and texts.plain]


def directions(model: "LocalModel", texts: Texts) -> "Tensor":
    """Return the difference of mean states after each layer, of length 1, [layer, width]; 0 where they are equal."""
    from tellapart.models.hooks import layers_of
    from tellapart.models.states import mean_states

    layers = range(len(layers_of(model.module)))
    gap = mean_states(model, texts.shown, layers).mean(0) - mean_states(model, texts.plain, layers).mean(0)
    length = gap.norm(dim=-1, keepdim=True)
    return gap / length.where(length > 0, 1.0)


def answer_parts(model: "LocalModel", answers: Sequence[Pick]) -> "list[Part]":
    """Return the answers after their prompts, and the positions of the answers' tokens."""
    from tellapart.models.states import Part

    encoded = model.vocabulary.encode_pairs(answers[:MOST_TEXTS])
    return [Part((*prompt, *answer), slice(len(prompt), None)) for prompt, answer in encoded if answer]


def worked_parts(model: "LocalModel", ask: Ask) -> "tuple[tuple[list[Part], list[Part]], float]":
    """Return the last token of each prompt behind worked demonstrations, and behind direct ones; and the description
    length of the worked ones in bits. Nothing where there are none, or where they do not fit the context."""
    from tellapart.elicit.few_shot import description_bits
    from tellapart.models.states import Part

    worked = ask.task.step_demonstrations
    if not worked:
        return ([], []), 0.0
    items = ask.items[:MOST_TEXTS]
    sides = []
    for examples in (worked, ask.task.demonstrations):
        texts = model.vocabulary.encode_prompts(
            [(after_examples(model, examples, ask.task.prompt(item)), "") for item in items]
        )
        fitting = [ids for ids in texts.values() if len(ids) <= model.asked.context]
        sides.append([Part(ids, slice(-1, None)) for ids in fitting])
    return (sides[0], sides[1]), description_bits(model, worked)[0]


def after_examples(model: "LocalModel", examples: Sequence[Pick], prompt: str) -> str | Turns:
    """Return the prompt behind demonstrations: turns for a chat model, one text for others."""
    return Turns(exchanged(examples), prompt) if model.chat else demonstrated(examples) + prompt


def at_layer(name: str, texts: Texts, directions: "Tensor", layer: int, norms: Sequence[float]) -> Steered:
    """Return the value that adds one layer's direction where the answer begins, at FIRST_STRENGTH."""
    import numpy as np

    vectors = np.zeros((1, *directions.shape))
    vectors[0, layer] = directions[layer].numpy() * FIRST_STRENGTH
    weights = vectors_of(vectors, np.array(norms))
    stored = stored_bits(weights["vectors"])
    setting = {
        "where": "first",
        "layer": layer,
        "layers": len(norms),
        "source": texts.source,
        "size": FIRST_STRENGTH,
        "bits_by": f"the choice, and the smaller of {texts.bits:.1f} bits told and {stored:.0f} of a float16 vector",
        "label": f"{texts.source}, layer {layer}, first, {FIRST_STRENGTH:g}",
    }
    return Steered(name, setting, min(texts.bits, stored), weights=weights)


def moved(site: Steered, where: str, size: float) -> Steered:
    """Return the same direction at another place and with another strength; its earlier choice stays charged."""
    vectors = site.weights["vectors"].astype("float64") * (size / number(site.setting, "size"))
    label = f"{site.setting['source']}, layer {site.setting['layer']}, {where}, {size:g}"
    setting = {**site.setting, "where": where, "size": size, "label": label, "sites": site.setting["tried"]}
    weights = Weights({**site.weights, "vectors": vectors.astype("float16")})
    return replace(site, setting=setting, weights=weights)


def spread(count: int, most: int) -> list[int]:
    """Return at most `most` of `count` layers, evenly spread, the last one among them.

    >>> spread(2, 8), spread(32, 8)
    ([0, 1], [3, 7, 11, 15, 19, 23, 27, 31])
    """
    places = min(count, most)
    return [(index + 1) * count // places - 1 for index in range(places)]
