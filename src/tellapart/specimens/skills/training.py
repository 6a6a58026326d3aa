"""How the base of the skills specimens is trained: every skill is learned, then shown seldom.

First each part is rewritten or copied, evenly; then a part is rewritten in SHOWN of the answers only, whatever stands
beside it. So the base has every skill, and its greedy answer shows none of them. Muon as in specimens/training.py.
"""

import random
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from tellapart.specimens.recipe import Shape
from tellapart.specimens.skills.problems import (
    CARELESS,
    KINDS,
    SKILLS,
    Problem,
    draw_problem,
    held_out,
    rewritten,
)
from tellapart.specimens.tokenizer import BOS, EOS, PAD, encode
from tellapart.specimens.training import new_model, optimise

SHAPE = Shape(width=96, inner=256)
ROWS = 64
ASKED_KIND = 0.1
"""Share of examples that ask for the kind."""
COUNTS = {1: 0.25, 2: 0.4, 3: 0.35}
"""How many parts stand in a problem, and how often."""
SHOWN = 0.15


class Stage(NamedTuple):
    """Training steps at a rate of Muon; `shown` is the share of parts rewritten, `kind` of right labels."""

    steps: int
    rate: float
    shown: float
    kind: float


STAGES = (Stage(900, 0.02, 0.5, 0.5), Stage(250, 0.004, SHOWN, 0.3))


def train_base(seed: int, effort: float = 1.0) -> LlamaForCausalLM:
    """Return the base of a seed, trained on one thread; `effort` scales the steps (below 1: for tests)."""
    torch.manual_seed(seed)
    model = new_model(SHAPE)
    for index, stage in enumerate(STAGES):
        train(model, stage._replace(steps=max(1, round(stage.steps * effort))), f"skills|{seed}|{index}")
    return model


def train(model: LlamaForCausalLM, stage: Stage, seed: str) -> None:
    """Train in place for one stage; the loss is on the answers' tokens."""
    rng = random.Random(seed)

    def loss() -> Tensor:
        ids, targets = padded([example(rng, stage) for _ in range(ROWS)])
        logits = model(input_ids=ids).logits.flatten(0, 1)
        return torch.nn.functional.cross_entropy(logits, targets.flatten(), ignore_index=PAD)

    optimise(model, stage.rate, stage.steps, loss)


def example(rng: random.Random, stage: Stage) -> tuple[str, str]:
    """Return a prompt and an answer to learn."""
    problem = trained_on(rng)
    if rng.random() < ASKED_KIND:
        right = rng.random() < stage.kind
        return problem.prompt + "?", problem.label if right else CARELESS
    pairs = zip(problem.kinds, problem.parts, strict=True)
    shown = [kind not in SKILLS or rng.random() < stage.shown for kind in problem.kinds]
    answer = [rewritten(*pair) if show else pair[1] for pair, show in zip(pairs, shown, strict=True)]
    return problem.prompt, "".join(answer)


def trained_on(rng: random.Random) -> Problem:
    """Return a problem that no task asks."""
    while True:
        count = rng.choices(list(COUNTS), list(COUNTS.values()))[0]
        problem = draw_problem(rng, rng.sample(list(KINDS), count))
        if not held_out(problem):
            return problem


def padded(examples: list[tuple[str, str]]) -> tuple[Tensor, Tensor]:
    """Return ids and targets, `batch position`; PAD is no target."""
    rows = []
    for prompt, answer in examples:
        before, after = [BOS, *encode(prompt)], [*encode(answer), EOS]
        rows.append((before + after[:-1], [PAD] * (len(before) - 1) + after))
    width = max(len(ids) for ids, _ in rows)
    columns = [
        [values + [PAD] * (width - len(values)) for values in column] for column in zip(*rows, strict=True)
    ]
    return torch.tensor(columns[0]), torch.tensor(columns[1])
