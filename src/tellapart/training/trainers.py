"""TRL's trainers, made to train a Change: what is kept of a run, what is told of it, and nothing left behind.

A checkpoint holds the trained parameters and their optimizer, not the frozen model. Nothing is sent anywhere: no
model card, no telemetry. DDP under `accelerate launch` is supported; FSDP and DeepSpeed shard what is trained and
are not.
"""

import json
import os
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.utils.data import SequentialSampler
from transformers import PrinterCallback, TrainerCallback
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.sft_trainer import SFTTrainer

from tellapart.errors import UserMistake
from tellapart.models.budget import current
from tellapart.models.local import LocalModel
from tellapart.runs.progress import Ticker, ticking
from tellapart.training.change import Attached, Change
from tellapart.training.kinds import parameters_of
from tellapart.training.settings import Fitting, GrpoSettings, SftSettings
from tellapart.training.shared_prefix import logits_after_shared, sharing_holds

IGNORED = -100
"""The label of tokens that are not in the loss."""
WEIGHTS_FILE = "change.safetensors"
CHECKPOINTED_ABOVE = 1_000_000_000
"""Models with more parameters recompute activations in the backward pass: slower, and far less memory."""


BATCH_BYTES = 4_000_000_000
"""Activations held for the backward pass: 34 numbers a token, layer and width (Korthikanti et al. 2022), 2 where
they are recomputed; and three copies of the logits in float32."""
CPU_BATCH_BYTES = 500_000_000
"""The same on a CPU: a hundred tokens at a time cost some CPU seconds more, and gigabytes less (LOG.md, 2026-11-29)."""


class Keeps:
    """Mixed into a trainer: checkpoints hold the parameters of `place` and nothing else of the model."""

    place: Attached

    def _save(self, output_dir: str | None = None, state_dict: Mapping[str, Any] | None = None) -> None:
        assert output_dir is not None
        Path(output_dir).mkdir(parents=True, exist_ok=True)
        kept = {name: value.detach().cpu().contiguous() for name, value in self.place.parameters.items()}
        save_file(kept, Path(output_dir) / WEIGHTS_FILE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        kept = load_file(Path(resume_from_checkpoint) / WEIGHTS_FILE)
        if kept.keys() != self.place.parameters.keys():
            raise UserMistake(f"{resume_from_checkpoint} is a checkpoint of another change: delete it")
        with torch.no_grad():
            for name, parameter in self.place.parameters.items():
                parameter.copy_(kept[name])

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write no model card."""

    def _send_telemetry(self) -> None:
        """Send nothing."""


class SftRun(Keeps, SFTTrainer):
    """SFTTrainer over a Change; rows are taken in the dataset's order. Where `shares` is None it finds out at the first
    step whether what all rows begin with may be read once."""

    shares: bool | None = False

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Charge the tokens in the loss, and return it."""
        current().charge("trained", int((inputs["labels"] != IGNORED).sum()))
        if self.shares is None:
            self.shares = sharing_holds(lambda shares: loss_of(model, inputs, shares))
        if not self.shares or return_outputs:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        total = loss_of(model, inputs, shares=True)
        return total / (
            (inputs["labels"] != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
        )

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        rows: Any = self.train_dataset if train_dataset is None else train_dataset
        return SequentialSampler(rows)


def loss_of(module: Any, inputs: Mapping[str, torch.Tensor], shares: bool) -> torch.Tensor:
    """Return the sum of the losses of a batch in nats; with `shares` what its rows begin with is read once, and logits
    are made where something is learned."""
    ids, mask, labels = inputs["input_ids"], inputs["attention_mask"], inputs["labels"][:, 1:]
    if shares:
        columns = (labels != IGNORED).any(0).nonzero().squeeze(1)
        logits, labels = logits_after_shared(module, ids, mask, columns), labels[:, columns]
    else:
        logits = module(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1].float()
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )


class GrpoRun(Keeps, GRPOTrainer):
    """GRPOTrainer over a Change; groups whose rewards are all equal teach nothing and do not count in the loss.

    Advantages are divided by the population std of the group, as published (TRL's has n - 1 in it).
    """

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Charge the tokens in the loss, and return it."""
        current().charge("trained", int(inputs["completion_mask"].sum()))
        return super().compute_loss(model, inputs, *args, **kwargs)

    def _calculate_rewards(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        rewards = super()._calculate_rewards(*args, **kwargs)
        groups = rewards[:, 0].reshape(-1, int(self.num_generations or 1))
        varied = groups.amax(1) > groups.amin(1)
        told = self._metrics["train"]
        told["kept_groups"].append(float(varied.sum()))
        told["groups"].append(float(len(groups)))
        told["reward_bits"].append(reward_bits(groups.flatten().tolist()))
        return rewards

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        batch: dict[str, Any] = super()._generate_and_score_completions(inputs)
        size = int(self.num_generations or 1)
        varied = (batch["advantages"].reshape(-1, size) != 0).any(1).repeat_interleave(size)
        batch["advantages"] = batch["advantages"] * (size / (size - 1)) ** 0.5
        tokens = (batch["completion_mask"].sum(1) * varied).sum()
        everywhere: Any = self.accelerator.gather(tokens)
        batch["num_items_in_batch"] = everywhere.sum().clamp(min=1)
        return batch


class Telling(TrainerCallback):
    """Ticks once a step, and stops where nothing was learned for `patience` steps (0: never), where the mean loss of
    the last `turn` steps is below `until`, or, with a checkpoint to go on from, where the token budget is spent."""

    def __init__(self, ticker: Ticker, patience: int, until: float = 0.0, turn: int = 1) -> None:
        self.ticker = ticker
        self.patience = patience
        self.until = until
        self.turn = turn
        self.unpaid = False

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stop where the last `patience` steps had no group with different rewards, or all examples are fitted."""
        losses = [one["loss"] for one in state.log_history if "loss" in one][-self.turn :]
        if self.until and len(losses) == self.turn and sum(losses) / self.turn < self.until:
            control.should_training_stop = True
        last = [one["kept_groups"] for one in state.log_history if "kept_groups" in one][-self.patience :]
        if self.patience and len(last) == self.patience and not any(last):
            control.should_training_stop = True

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count what an earlier run has done."""
        self.ticker.done = state.global_step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count one step; stop where the next one cannot be paid for."""
        self.ticker.tick()
        if current().empty and state.global_step < state.max_steps:
            self.unpaid = control.should_save = control.should_training_stop = True


def order(count: int, wanted: int, seed: int) -> list[int]:
    """Return `wanted` indices below `count`: one permutation after another, so that a run that goes on from a
    checkpoint meets what it would have met."""
    rng = random.Random(seed)
    turns = [rng.sample(range(count), count) for _ in range(-(-wanted // count))]
    return [index for turn in turns for index in turn][:wanted]


def reward_bits(rewards: list[float]) -> float:
    """Return the bits of one step's rewards: at most one each where they are 0 or 1, by the adaptive
    (Krichevsky-Trofimov) code where that is shorter; log2 of the number of levels each where they are graded.

    >>> reward_bits([0.0] * 8)
    2.348...
    """
    from math import lgamma, log, log2, pi

    n = len(rewards)
    if set(rewards) <= {0.0, 1.0}:
        c = sum(rewards)
        nats = lgamma(n + 1) - lgamma(c + 0.5) - lgamma(n - c + 0.5) + log(pi)
        return min(float(n), nats / log(2))
    return n * log2(len(set(rewards)))


@dataclass(frozen=True)
class Arguments:
    """How a step is cut up: `units` (prompts, examples) of `each` rows (answers; 1), of at most `length` tokens, of
    which all rows begin with `shared` that are read once.

    Every process takes whole units; a process takes as many rows at a time as BATCH_BYTES of activations allow.
    """

    folder: str
    units: int
    each: int
    length: int
    shared: int = 0

    def common(self, model: LocalModel, change: Change, settings: Fitting) -> dict[str, Any]:
        """Return the arguments of transformers' TrainingArguments."""
        size = parameters_of(model)
        decays = isinstance(settings, SftSettings) and settings.decays
        rows, turns = self.cut(model, size > CHECKPOINTED_ABOVE)
        own: dict[str, Any] = {}
        if isinstance(settings, SftSettings):
            own["max_grad_norm"] = settings.clip
            if settings.optimizer == "sgd":
                own["optim"] = "sgd"
        return {
            **own,
            "output_dir": self.folder,
            "max_steps": settings.steps,
            "learning_rate": learning_rate(model, change, settings),
            "lr_scheduler_type": "linear" if decays else "constant_with_warmup",
            "warmup_steps": settings.warmup,
            "per_device_train_batch_size": rows,
            "gradient_accumulation_steps": turns,
            "seed": settings.seed,
            "logging_steps": 1,
            "save_strategy": "steps" if settings.save_every else "no",
            "save_steps": settings.save_every or 1,
            "save_total_limit": 2,
            "report_to": list(settings.report_to) or "none",
            "disable_tqdm": True,
            "bf16": False,
            "use_cpu": model.module.device.type == "cpu",
            "gradient_checkpointing": size > CHECKPOINTED_ABOVE,
            "dataloader_pin_memory": False,
            "log_level": "error",
        }

    def cut(self, model: LocalModel, recomputed: bool) -> tuple[int, int]:
        """Return rows at a time and turns a step, for each process. Raises UserMistake where units do not go into
        the processes."""
        processes = int(os.environ.get("WORLD_SIZE", "1"))
        if self.units % processes:
            raise UserMistake(
                f"{self.units} prompts a step do not go into {processes} processes: give a multiple"
            )
        config = model.module.config.get_text_config()
        numbers = 2 if recomputed else 34
        held = config.num_hidden_layers * config.hidden_size * numbers * model.module.dtype.itemsize
        token = held + 3 * 4 * config.vocab_size
        mine = self.units // processes * self.each
        room = min(BATCH_BYTES, CPU_BATCH_BYTES) if model.module.device.type == "cpu" else BATCH_BYTES
        most = max(1, (room - self.shared * held) // ((self.length - self.shared) * token))
        turns = next(turns for turns in range(1, mine + 1) if mine % turns == 0 and mine // turns <= most)
        return mine // turns, turns


def learning_rate(model: LocalModel, change: Change, settings: Fitting) -> float:
    """Return the rate given, or the one of "LoRA Without Regret" (Schulman et al. 2025): 5e-5 (2000 / width)^0.781
    for full weights, ten times that for LoRA; three times in GRPO, which fell apart at ten on a small model."""
    if settings.rate is not None:
        return settings.rate
    width = model.module.config.get_text_config().hidden_size
    factor = change.rl_rate_factor if isinstance(settings, GrpoSettings) else change.rate_factor
    return factor * 5e-5 * (2000 / width) ** 0.781


def run_trainer(
    trainer: SftRun | GrpoRun, place: Attached, folder: Path, settings: Fitting, turn: int = 1
) -> list[dict[str, float]]:
    """Train to the end, from the last whole checkpoint in `folder` where there is one; return one log entry a step.
    `turn` steps meet every example once.
    Raises BudgetSpent, with a checkpoint written, where the budget does not pay for all steps."""
    current().require()
    trainer.place = place
    trainer.remove_callback(PrinterCallback)
    start = last_checkpoint(folder)
    patience = settings.patience if isinstance(settings, GrpoSettings) else 0
    until = settings.until if isinstance(settings, SftSettings) else 0.0
    with ticking(settings.title or "training", settings.steps, settings.quiet) as ticker:
        telling = Telling(ticker, patience, until, turn)
        trainer.add_callback(telling)
        trainer.train(resume_from_checkpoint=str(start) if start else None)
    if telling.unpaid:
        raise current().refusal()
    return [
        {name: float(value) for name, value in entry.items() if isinstance(value, int | float)}
        for entry in trainer.state.log_history
        if "loss" in entry
    ]


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint in `folder` that was written to its end (its state file comes last)."""
    found = [path for path in folder.glob("checkpoint-*") if path.name.split("-")[1].isdigit()]
    for path in sorted(found, key=lambda path: int(path.name.split("-")[1]), reverse=True):
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        return path
    return None


@contextmanager
def workplace(scratch: Path | None, key: str) -> Iterator[Path]:
    """Yield the folder of one training, kept where there is a scratch folder."""
    if scratch is None:
        with TemporaryDirectory(prefix="tellapart-") as folder:
            yield Path(folder)
        return
    folder = scratch / key
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
