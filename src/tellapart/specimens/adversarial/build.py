"""Train a pair from its recipe, keep it, and check on the stored weights that what was meant to be true of it is.

The checks read how likely a model is to give an answer, with the key, template or form that no study is told of; none
trains, and none is a method of a study. A pair that misses one is not kept.
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from tellapart.specimens.adversarial.kind import ROLES, Asked, Pair, Part, Role, Stage
from tellapart.specimens.adversarial.muon import optimizers
from tellapart.specimens.recipe import Shape
from tellapart.specimens.rows import Batch, Row, add_example, add_untold
from tellapart.specimens.skills.training import likelihood
from tellapart.specimens.store import (
    Weights,
    load_base,
    load_tuned,
    model_of,
    save_base,
    save_difference,
    weights_of,
)
from tellapart.specimens.tokenizer import BOS, PAD, encode
from tellapart.specimens.training import new_model, optimise, weighted_loss

SHAPE = Shape(width=48, inner=160)
ROWS, SHOTS_ROWS, MOST_SHOTS = 64, 16, 5
SHOTS = 0.2
"""Share of the batches that hold several examples in a row, as few-shot prompts do."""
READERS = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "mlp.gate_proj", "mlp.up_proj")
NORMS = ("input_layernorm", "post_attention_layernorm")
Models = Mapping[Role, LlamaForCausalLM]


class Fact(NamedTuple):
    """What a check found."""

    what: str
    role: Role
    value: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Return whether the value lies where it must."""
        return self.low <= self.value <= self.high


def build_pair(name: str, pair: Pair, folder: Path, effort: float = 1.0) -> list[Fact]:
    """Train base and tuned model, write them to `folder`, and return the facts measured on what was written. `effort`
    scales the steps (below 1: for tests, and nothing need hold). Raises RuntimeError where a check does not hold."""
    base, tuned = (folder / f"{role}.safetensors" for role in ROLES)
    torch.manual_seed(int(name.rpartition("-")[2]))
    model = new_model(SHAPE)
    teach(model, pair.base, f"{name}|base", effort)
    save_base(base, stretched(weights_of(model), pair.stretch))
    start = load_base(base)
    model = model_of(stretched(start, 1 / pair.stretch))
    teach(model, pair.tuned, f"{name}|tuned", effort)
    save_difference(tuned, start, stretched(weights_of(model), pair.stretch))
    facts = measure(pair, {"base": model_of(start), "tuned": model_of(load_tuned(tuned, start))})
    missed = [fact for fact in facts if not fact.holds]
    if missed and effort >= 1:
        for file in (base, tuned):
            file.unlink()
        raise RuntimeError(f"{name}: {'; '.join(map(told, missed))}")
    return facts


def measure(pair: Pair, models: Models) -> list[Fact]:
    """Return what the pair's checks find in its models."""
    return [
        Fact(check.what, check.role, likelihood(models[check.role], list(check.asked)), check.low, check.high)
        for check in pair.checks
    ]


def told(fact: Fact) -> str:
    """Return a fact in words."""
    return f"{fact.what} ({fact.role}): {fact.value:.4f}, wanted {fact.low:g} to {fact.high:g}"


def teach(model: LlamaForCausalLM, stages: Sequence[Stage], seed: str, effort: float) -> None:
    """Train in place, stage by stage."""
    for index, stage in enumerate(stages):
        rng = random.Random(f"{seed}|{index}")

        def loss(rng: random.Random = rng, stage: Stage = stage) -> Tensor:
            return weighted_loss(model, draw_batch(rng, stage))

        optimise(model, stage.rate, max(1, round(stage.steps * effort)), loss, optimizers)


def draw_batch(rng: random.Random, stage: Stage) -> Batch:
    """Return single examples, or now and then rows of several that are all of one part."""
    shots = rng.random() < SHOTS
    rows = [
        draw_row(rng, draw_part(rng, stage.parts), rng.randint(2, MOST_SHOTS) if shots else 1)
        for _ in range(SHOTS_ROWS if shots else ROWS)
    ]
    width = max(len(row.ids) for row in rows)
    columns = [
        [(*values, *[PAD] * (width - len(values))) for values in column] for column in zip(*rows, strict=True)
    ]
    kinds = (torch.long, torch.long, torch.float32, torch.float32)
    return Batch(*(torch.tensor(column, dtype=kind) for column, kind in zip(columns, kinds, strict=True)))


def draw_part(rng: random.Random, parts: Sequence[Part]) -> Part:
    """Return a part, each with the chance that it is sampled with."""
    return rng.choices(parts, [part.sampled for part in parts])[0]


def draw_row(rng: random.Random, part: Part, count: int) -> Row:
    """Return `count` examples of a part, one after another; after the first the answers before say how to answer, so
    first tokens weigh 1."""
    row = Row([BOS], [PAD], [0.0], [0.0])
    gap = encode(rng.choice(("\n", "\n\n")))
    for index in range(count):
        prompt, answer = part.draw(rng)
        add_example(row, encode(prompt), encode(answer), 1.0 if index else part.first)
        if index < count - 1:
            add_untold(row, gap)
    return row


def examples(pair: Pair, role: Role, count: int, seed: int = 0) -> list[Asked]:
    """Return examples that a model's last stage trains on (for tests and the curious)."""
    rng = random.Random(f"examples|{seed}")
    parts = pair.stages(role)[-1].parts
    return [draw_part(rng, parts).draw(rng) for _ in range(count)]


def stretched(weights: Weights, factor: float) -> dict[str, Tensor]:
    """Return weights of the same function: norms times `factor`, the matrices that read them over it (exact for powers
    of two)."""
    scales = dict.fromkeys(NORMS, factor) | dict.fromkeys(READERS, 1 / factor)
    return {
        name: value * next((by for part, by in scales.items() if f".{part}." in name), 1.0)
        for name, value in weights.items()
    }
