"""How a change is trained, and what comes of it. No torch here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from tellapart.interventions.weights import Weights


class Example(NamedTuple):
    """A prompt as it is put to the model, and the answer to learn (the end-of-text token is added to it)."""

    prompt: str
    answer: str


@dataclass(frozen=True)
class Fitting:
    """What sft and grpo have in common.

    `rate` is AdamW's learning rate (None: by the model's width and the change, trainers.learning_rate). `steps` are
    updates. `save_every` steps a checkpoint of the trained parameters and the optimizer is written to the scratch
    folder. `report_to` names trackers as transformers knows them (wandb, mlflow, trackio, tensorboard).
    """

    steps: int = 20
    rate: float | None = None
    seed: int = 0
    warmup: int = 0
    save_every: int = 20
    report_to: tuple[str, ...] = ()
    quiet: bool = False
    title: str = ""


@dataclass(frozen=True)
class SftSettings(Fitting):
    """Supervised fine-tuning: `batch` examples a step, every one once before any comes again, in orders drawn
    by `seed`.

    Training ends before `steps` once the mean loss (nats a token) of the steps that it takes to meet every example is
    below `until` (0: never). With `decays` the rate goes down to 0 in a line. `optimizer` is AdamW, or gradient descent
    without momentum ("sgd"); a gradient that is longer than `clip` is cut to it.
    """

    batch: int = 16
    until: float = 0.0
    decays: bool = False
    optimizer: Literal["adamw", "sgd"] = "adamw"
    clip: float = 1.0


@dataclass(frozen=True)
class GrpoSettings(Fitting):
    """Group relative policy optimisation (Shao et al. 2024, arXiv 2402.03300): `prompts` a step, `group` answers each.

    Advantages are (r - mean) / std within the group. `kl` weighs the divergence from the plain model. Training ends
    early where no group had different rewards for `patience` steps: nothing is learned there (0: never). Answers have
    the task's `max_tokens` and stop strings.
    """

    prompts: int = 8
    group: int = 16
    kl: float = 0.0
    temperature: float = 1.0
    patience: int = 6


@dataclass(frozen=True)
class Trained:
    """What came of it: the weights of the change, a log (one mapping a step: loss, reward ...), the steps done, the
    bits of supervision consumed, and the scalars trained. `moved` is false where nothing was learned at all."""

    weights: "Weights"
    log: tuple[Mapping[str, float], ...]
    steps: int
    supervision_bits: float
    parameters: int

    @property
    def moved(self) -> bool:
        """Whether any step had something to learn from (GRPO: a group with different rewards)."""
        return any(entry.get("kept_groups", 1.0) > 0 for entry in self.log)

    @property
    def bits(self) -> float:
        """The smaller of what was told and what the trained parameters can hold (32 bits each)."""
        return min(self.supervision_bits, 32.0 * self.parameters)
