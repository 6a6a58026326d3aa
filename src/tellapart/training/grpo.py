"""GRPO of a Change (Shao et al. 2024, arXiv 2402.03300) through TRL's GRPOTrainer; our own engine writes the answers.

trained = grpo(model, Lora(rank=8), Practice(task, items, TRUE), GrpoSettings(steps=60), scratch)
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from datasets import Dataset
from torch import nn
from trl.trainer.grpo_config import GRPOConfig

from tellapart.errors import UserMistake
from tellapart.models.budget import current
from tellapart.models.local import LocalModel
from tellapart.models.model import Request, Sampling
from tellapart.runs.asking import row_seed
from tellapart.tasks.item import Item, Task
from tellapart.training.change import Attached, Change, attached
from tellapart.training.kept import finished, keep, key_of
from tellapart.training.rewards import Group, Reward
from tellapart.training.settings import GrpoSettings, Trained
from tellapart.training.trainers import (
    Arguments,
    GrpoRun,
    order,
    run_trainer,
    workplace,
)
from tellapart.training.untouched import left_as_it_was, padded_tokenizer


class Practice(NamedTuple):
    """What is practised: items of a task, and what is paid."""

    task: Task
    items: Sequence[Item]
    reward: Reward


class Watcher(Protocol):
    """Something that watches a run, and may change what is paid or end it. `name` tells all that it does."""

    name: str

    def begin(self, trainer: GrpoRun) -> None:
        """Take hold of a trainer that is ready to run: wrap its rewards, add a callback."""


def grpo(
    model: LocalModel,
    change: Change,
    practice: Practice,
    settings: GrpoSettings,
    scratch: Path | None,
    watcher: Watcher | None = None,
) -> Trained:
    """Train `change` for a reward and return it; the model is as before afterwards.

    With `scratch` it goes on from its last checkpoint after a kill, and what is finished is not trained again. The
    log holds, a step: loss, reward, reward_std, entropy, groups, kept_groups (0 < c < G), reward_bits. Raises
    UserMistake for no items, a group below 2, or a prompt that the model cannot answer. `watcher` sees every
    step (studies/guard/live.py).
    """
    if not practice.items:
        raise UserMistake(f"no item of {practice.task.name} to practise on: give at least one")
    if settings.group < 2:
        raise UserMistake(f"group {settings.group} asked: advantages need at least 2 answers to a question")
    told = (practice.task.fingerprint, [item.id for item in practice.items], practice.reward.name)
    if watcher is not None:
        told = (*told, watcher.name)
    with workplace(scratch, key_of("grpo", model, change, settings, told)) as folder:
        if (before := finished(folder)) is not None:
            return before
        with left_as_it_was(model), attached(model, change) as place:
            trainer = prepare(model, change, practice, settings, place, folder)
            if watcher is not None:
                watcher.begin(trainer)
            log = run_trainer(trainer, place, folder, settings)
            outside = sum(entry["reward_bits"] for entry in log) if practice.reward.outside else 0.0
            trained = Trained(place.weights(), tuple(log), len(log), outside, place.count)
        return keep(folder, trained)


def prepare(
    model: LocalModel,
    change: Change,
    practice: Practice,
    settings: GrpoSettings,
    place: Attached,
    folder: Path,
) -> GrpoRun:
    """Return the trainer, ready to run."""
    length = max(map(len, model.vocabulary.encode_prompts([(p, "") for p in prompts_of(practice)]).values()))
    arguments = Arguments(str(folder), settings.prompts, settings.group, length + practice.task.max_tokens)
    config = GRPOConfig(
        **arguments.common(model, change, settings),
        num_generations=settings.group,
        generation_batch_size=settings.prompts * settings.group,
        max_completion_length=practice.task.max_tokens,
        temperature=settings.temperature,
        beta=0.0,
        loss_type="dapo",
        scale_rewards="group",
        shuffle_dataset=False,
    )
    taken = order(len(practice.items), settings.steps * settings.prompts, settings.seed)
    rows = [{"prompt": prompt, "item": index} for index, prompt in enumerate(prompts_of(practice))]
    trainer = GrpoRun(
        model=model.module,
        reward_funcs=paying(practice, settings),
        args=config,
        train_dataset=Dataset.from_list(rows).select(taken),
        processing_class=padded_tokenizer(model),
        rollout_func=writing(model, practice, settings),
    )
    if settings.kl:
        trainer.beta, trainer.ref_model = settings.kl, Plain(model.module, place)
    return trainer


def prompts_of(practice: Practice) -> list[str]:
    """Return the text that puts each item."""
    return [practice.task.prompt(item) for item in practice.items]


def writing(model: LocalModel, practice: Practice, settings: GrpoSettings) -> Any:
    """Return TRL's rollout function: answers by our engine. Seeds depend on the step and the place in it alone, not on
    how many processes share it."""
    sampling = Sampling(
        temperature=settings.temperature, max_tokens=practice.task.max_tokens, stop=practice.task.stop
    )

    def rollout(prompts: list[str], trainer: GrpoRun) -> dict[str, list[Any]]:
        place = f"rollout {trainer.state.global_step}"
        first = trainer.accelerator.process_index * len(prompts)
        requests = [
            Request(prompt, row_seed(settings.seed, place, first + at), sampling)
            for at, prompt in enumerate(prompts)
        ]
        mode = model.module.training
        model.module.eval()
        with current().whole_batch():  # a step that was begun is finished, and the run stops after it
            answers = [answer.completion for answer in sorted(model.generate(requests))]
        model.module.train(mode)
        for request, answer in zip(requests, answers, strict=True):
            if answer.finish == "failed":
                raise UserMistake(f"GRPO on {practice.task.name}: {request.prompt!r:.60}: {answer.error}")
        ids = model.vocabulary.encode_prompts([(prompt, "") for prompt in prompts])
        return {
            "prompt_ids": [list(ids[prompt, ""]) for prompt in prompts],
            "completion_ids": [list(answer.tokens) for answer in answers],
            "logprobs": [list(answer.sampled_logprobs or ()) for answer in answers],
            "text": [answer.text for answer in answers],
            "draw": [request.seed for request in requests],
        }

    return rollout


def paying(practice: Practice, settings: GrpoSettings) -> Any:
    """Return TRL's reward function: the reward of each group, in order."""

    def pay(item: list[int], text: list[str], draw: list[int], **_others: Any) -> list[float]:
        paid: list[float] = []
        for first in range(0, len(text), settings.group):
            texts = text[first : first + settings.group]
            seed = row_seed(draw[first], "reward", 0)
            paid += practice.reward.of(Group(practice.task, practice.items[item[first]], texts, seed))
        return paid

    pay.__name__ = practice.reward.name
    return pay


class Plain(nn.Module):
    """The model without the change: the reference of the KL term."""

    def __init__(self, module: nn.Module, place: Attached) -> None:
        super().__init__()
        self.whole = [module]
        self.place = place

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the module with the change taken away for the while."""
        with self.place.without(), torch.no_grad():
            return self.whole[0](*args, **kwargs)
