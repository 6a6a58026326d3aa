"""One vector per layer trained by cross-entropy on right answers, all weights frozen.

The answers are the base's own on the fit split, where it has any that are right (compare Zelikman et al. 2022, arXiv
2203.14465): then the only thing told is which are right. Where it has none, the task's worked demonstrations. The
null control has random vectors of equal norm in each layer.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, NamedTuple, final

from tellapart.elicit.elicitor import Elicited, Elicitor, Mechanism, Need
from tellapart.elicit.own_answers import own_answers
from tellapart.elicit.steered import Steered, local_model, random_control, stored_bits, vectors_of
from tellapart.errors import NotApplicable
from tellapart.jsonvalue import JsonObject, wholes
from tellapart.runs.asking import Ask, Pair

if TYPE_CHECKING:
    from tellapart.models.local import LocalModel
    from tellapart.training.settings import Example, Trained


class Lessons(NamedTuple):
    """What is learned from: examples, where they come from, and the bits of choosing them (None: the description
    length of their answers)."""

    examples: "tuple[Example, ...]"
    source: str
    bits: float | None


@final
@dataclass(frozen=True)
class SteeringSft(Elicitor):
    """Vectors trained on right answers."""

    name: ClassVar[str] = "steering_sft"
    source: ClassVar[str] = (
        "after Sinii et al. 2025, arXiv 2505.18706, with cross-entropy in place of a reward"
    )
    needs: ClassVar[frozenset[Need]] = frozenset({"text", "training", "logprobs", "weights"})
    value: ClassVar[type[Elicited]] = Steered
    mechanism: ClassVar[Mechanism] = "steering"

    steps: int = 60

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return vectors for all layers. Raises UserMistake where there is no right answer to learn from."""
        from tellapart.training.settings import SftSettings
        from tellapart.training.sft import sft
        from tellapart.training.vectors import RATE, LayerVectors

        model = local_model(pair.base, self.name)
        lessons = lessons_of(model, ask, self.name)
        norms = norms_on(model, ask)
        settings = SftSettings(
            steps=self.steps, rate=RATE, seed=ask.seed, quiet=ask.scratch is None, title=self.name
        )
        trained = sft(model, LayerVectors(norms), lessons.examples, settings, ask.scratch)
        bits_given = (
            trained.supervision_bits if lessons.bits is None else min(lessons.bits, trained.supervision_bits)
        )
        label = f"a vector in each of {len(norms)} layers, {len(lessons.examples)} {lessons.source}"
        return learned(
            self.name, trained, norms, bits_given, {"label": label, "steps": self.steps, "rate": RATE}
        )

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return random vectors of equal norm in each layer."""
        assert isinstance(elicited, Steered)
        return random_control(elicited, seed)


def lessons_of(model: "LocalModel", ask: Ask, name: str) -> Lessons:
    """Return the base's own right answers on the fit split; where it has none, the task's worked demonstrations."""
    from tellapart.training.settings import Example

    own = own_answers(Pair(model), ask)
    if own.right:
        examples = tuple(Example(prompt, answer) for prompt, answer in dict.fromkeys(own.right))
        return Lessons(examples, "own right answers", own.verdict_bits)
    shown = tuple(Example(prompt, answer) for prompt, answer in ask.task.step_demonstrations)
    if not shown:
        raise NotApplicable(
            f"{name} on {ask.task.name}: the base answers nothing right and the task has no step_demonstrations: "
            "give some"
        )
    return Lessons(shown, "worked demonstrations (no own answer was right)", None)


def norms_on(model: "LocalModel", ask: Ask) -> tuple[float, ...]:
    """Return the residual stream's norm after each layer, over the fit split's prompts."""
    from tellapart.models.states import residual_norms

    return tuple(residual_norms(model, [ask.task.prompt(item) for item in ask.items]).tolist())


def learned(
    name: str, trained: "Trained", norms: tuple[float, ...], bits_given: float, setting: JsonObject
) -> Steered:
    """Return trained vectors as a value, charged the smaller of what was told and what they are stored in."""
    import numpy as np

    layers = wholes(setting, "layers") if setting.get("layers") else range(len(norms))
    vectors = np.zeros((1, len(norms), trained.weights["vectors"].shape[1]))
    vectors[0, list(layers)] = trained.weights["vectors"]
    weights = vectors_of(vectors, np.array(norms))
    stored = stored_bits(weights["vectors"])
    lengths = np.linalg.norm(vectors[0], axis=1)
    value = Steered(
        name,
        {
            **setting,
            "where": "everywhere",
            "norms": [round(float(length), 4) for length in lengths],
            "bits_by": f"the smaller of {bits_given:.1f} bits told and {stored:.0f} bits of vectors in float16",
        },
        min(bits_given, stored),
        weights=weights,
    )
    if weights["vectors"].any():
        return value
    reason = "nothing was ever rewarded or fitted: the vectors stayed 0"
    return replace(value, setting={**value.setting, "learned_nothing": reason})
