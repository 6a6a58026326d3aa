"""One vector per layer trained with a verifiable reward, all weights frozen (Sinii et al. 2025, arXiv 2505.18706).

What comes back this way was in the base: the vectors are some 0.002 % of the parameters. Two variants: all layers, and
`steering_rl@last_layer`, which is a constant added to what the logits are read from, so a bias on tokens and no more.
The null controls have random vectors of equal norm in each layer.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

from tellapart.elicit.elicitor import Elicited, Elicitor, Mechanism, Need
from tellapart.elicit.steered import Steered, local_model, random_control
from tellapart.elicit.steering_sft import learned, norms_on
from tellapart.runs.asking import Ask, Pair

if TYPE_CHECKING:
    from tellapart.models.local import LocalModel


@final
@dataclass(frozen=True)
class SteeringRl(Elicitor):
    """Vectors trained by GRPO on the task's own score."""

    name: ClassVar[str] = "steering_rl"
    source: ClassVar[str] = "Sinii et al. 2025, arXiv 2505.18706"
    needs: ClassVar[frozenset[Need]] = frozenset({"text", "training", "weights"})
    value: ClassVar[type[Elicited]] = Steered
    mechanism: ClassVar[Mechanism] = "steering"

    steps: int = 20
    prompts: int = 8
    group: int = 16

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return vectors for all layers."""
        model = local_model(pair.base, self.name)
        return self.trained(self.name, model, ask, norms_on(model, ask), ())

    def curve(self, pair: Pair, ask: Ask) -> tuple[Elicited, ...]:
        """Return vectors for all layers, and one for the last layer alone."""
        model = local_model(pair.base, self.name)
        norms = norms_on(model, ask)
        last = (len(norms) - 1,)
        return (
            self.trained(self.name, model, ask, norms, ()),
            self.trained(f"{self.name}@last_layer", model, ask, norms, last),
        )

    def trained(
        self, name: str, model: "LocalModel", ask: Ask, norms: tuple[float, ...], layers: tuple[int, ...]
    ) -> Steered:
        """Return vectors for `layers` (empty: all) trained by GRPO on `ask.items`."""
        from tellapart.training.grpo import Practice, grpo
        from tellapart.training.rewards import TRUE
        from tellapart.training.settings import GrpoSettings
        from tellapart.training.vectors import RATE, LayerVectors

        settings = GrpoSettings(
            steps=self.steps, rate=RATE, seed=ask.seed, save_every=5, quiet=ask.scratch is None, title=name,
            prompts=self.prompts, group=self.group, temperature=ask.sampling.temperature or 1.0,
        )  # fmt: skip
        trained = grpo(
            model, LayerVectors(norms, layers), Practice(ask.task, ask.items, TRUE), settings, ask.scratch
        )
        where = f"layer {layers[0]} alone" if layers else f"each of {len(norms)} layers"
        rewards = [round(float(entry["reward"]), 4) for entry in trained.log]
        setting = {
            "label": f"a vector in {where}, {self.steps} steps of {self.prompts} x {self.group} answers",
            "layers": list(layers),
            "steps": self.steps,
            "rate": RATE,
            "rewards": rewards,
        }
        return learned(name, trained, norms, trained.supervision_bits, setting)

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return random vectors of equal norm in each layer."""
        assert isinstance(elicited, Steered)
        return random_control(elicited, seed)
