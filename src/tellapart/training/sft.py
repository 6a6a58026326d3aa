"""Supervised fine-tuning of a Change through TRL's SFTTrainer: the loss is on the answers' tokens only.

trained = sft(model, Lora(rank=8), [Example("2+2=", "4")], SftSettings(steps=30), scratch)
"""

import itertools
import math
import os
from collections.abc import Sequence
from pathlib import Path

from datasets import Dataset
from trl.trainer.sft_config import SFTConfig

from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights
from tellapart.jsonvalue import Json
from tellapart.models.local import LocalModel
from tellapart.training.change import Attached, Change, attached
from tellapart.training.kept import finished, keep, key_of
from tellapart.training.kinds import FULL_BELOW, parameters_of
from tellapart.training.lora import AttachedBeside, AttachedLora
from tellapart.training.settings import Example, SftSettings, Trained
from tellapart.training.trainers import (
    CHECKPOINTED_ABOVE,
    IGNORED,
    Arguments,
    SftRun,
    order,
    run_trainer,
    workplace,
)
from tellapart.training.untouched import left_as_it_was, padded_tokenizer

Ids = tuple[int, ...]


def sft(
    model: LocalModel,
    change: Change,
    examples: Sequence[Example],
    settings: SftSettings,
    scratch: Path | None,
    start: Weights | None = None,
) -> Trained:
    """Train `change` on `examples`, from `start` on (None: from the plain model), and return it; the model is as
    before afterwards.

    With `scratch` it goes on from the last checkpoint after a kill, and what is finished is not trained again.
    `supervision_bits` are -log2 p of the answers under the plain model, each distinct example once. Raises
    UserMistake for no examples, or one that is longer than the model's context.
    """
    if not examples:
        raise UserMistake("no example to fine-tune on: give at least one")
    told: list[Json] = [*examples, *([start.digest] if start else [])]
    with workplace(scratch, key_of("sft", model, change, settings, told)) as folder:
        if (before := finished(folder)) is not None:
            return before
        encoded = encode(model, examples)
        bits = description_bits(model, encoded)
        with left_as_it_was(model), attached(model, change, start) as place:
            units = min(settings.batch, len(encoded))
            longest = max(len(prompt) + len(answer) for prompt, answer in encoded)
            shared = shared_length(place, model, [prompt for prompt, _ in encoded])
            arguments = Arguments(str(folder), units, 1, longest, shared)
            trainer = SftRun(
                model=model.module,
                args=SFTConfig(
                    **arguments.common(model, change, settings),
                    max_length=None,
                    loss_type="nll",
                    dataset_kwargs={"skip_prepare_dataset": True},
                ),
                train_dataset=dataset_of(encoded).select(
                    order(len(encoded), settings.steps * units, settings.seed)
                ),
                processing_class=padded_tokenizer(model),
            )
            trainer.shares = None if shared else False
            log = run_trainer(trainer, place, folder, settings, turn=-(-len(encoded) // units))
            return keep(
                folder, Trained(place.weights(), tuple(log), trainer.state.global_step, bits, place.count)
            )


def shared_length(place: Attached, model: LocalModel, prompts: Sequence[Ids]) -> int:
    """Return how many tokens all prompts begin with, of which a step may keep the cache: 0 where it may not, for
    small models, whose rows are short, and where all weights are trained."""
    alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
    mixture = getattr(model.module.config, "output_router_logits", False)  # its loss has a part of its own
    if (
        not isinstance(place, AttachedLora | AttachedBeside)
        or not alone
        or mixture
        or not FULL_BELOW <= parameters_of(model) <= CHECKPOINTED_ABOVE
    ):
        return 0
    first, last = min(prompts), max(prompts)  # of sorted rows the first and the last differ soonest
    alike = (one == other for one, other in zip(first, last, strict=False))
    return min(sum(itertools.takewhile(bool, alike)), min(map(len, prompts)) - 1)


def encode(model: LocalModel, examples: Sequence[Example]) -> list[tuple[Ids, Ids]]:
    """Return the ids of each (prompt, answer and end of text)."""
    pairs = model.vocabulary.encode_pairs([(one.prompt, one.answer) for one in examples])
    end = model.tokenizer.eos_token_id
    closing = (end,) if isinstance(end, int) else ()
    encoded = [(prompt, (*answer, *closing)) for prompt, answer in pairs]
    for example, (prompt, answer) in zip(examples, encoded, strict=True):
        if len(prompt) + len(answer) > model.asked.context:
            raise UserMistake(
                f"example {example.prompt!r:.40}: {len(prompt) + len(answer)} tokens, the model's context holds "
                f"{model.asked.context}: shorten it"
            )
    return encoded


def description_bits(model: LocalModel, encoded: Sequence[tuple[Ids, Ids]]) -> float:
    """Return -log2 p of the answers under the model, each distinct (prompt, answer) once."""
    distinct = list(dict.fromkeys(encoded))
    return -math.fsum(value for one in model.score(distinct) for value in one.logprobs) / math.log(2)


def dataset_of(encoded: Sequence[tuple[Ids, Ids]]) -> Dataset:
    """Return rows of ids and labels; the prompt's labels are ignored in the loss."""
    rows = [
        {"input_ids": [*prompt, *answer], "labels": [IGNORED] * len(prompt) + list(answer)}
        for prompt, answer in encoded
    ]
    return Dataset.from_list(rows)
