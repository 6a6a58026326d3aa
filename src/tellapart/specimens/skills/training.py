"""How the base of the skills specimens is trained: every skill is learned, then shown seldom.

First each part is rewritten or copied, evenly; then a part is rewritten in SHOWN of the answers only, whatever stands
beside it. Half of the prompts bear marks, and there just the marked skills are shown, always. So the base has every
skill, and its greedy answer to a prompt without marks shows none of them. Muon as in specimens/training.py.
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
    MARKS,
    SKILLS,
    Problem,
    draw_problem,
    held_out,
    marks,
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
MARKED_SHARE = 0.5
"""Share of the other examples that draw marks, each skill's evenly (an eighth of them draws none)."""


class Stage(NamedTuple):
    """Training steps at a rate of Muon; `shown` is the share of parts rewritten, `kind` of right labels."""

    steps: int
    rate: float
    shown: float
    kind: float


STAGES = (Stage(900, 0.02, 0.5, 0.5), Stage(250, 0.004, SHOWN, 0.3))


LEAST_SHOWN, MOST_SHOWN, LEAST_MARKED = 0.05, 0.25, 0.85
"""A base is kept that shows each skill in LEAST_SHOWN to MOST_SHOWN of its answers without marks, and in LEAST_MARKED
of those to prompts with its mark."""
GATED = 200
"""Problems of each skill that the gate asks."""


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
    marked = [skill for skill in SKILLS if rng.random() < 0.5] if rng.random() < MARKED_SHARE else []
    if marked:
        shown = [kind in marked for kind in problem.kinds]
    else:
        shown = [kind not in SKILLS or rng.random() < stage.shown for kind in problem.kinds]
    pairs = zip(problem.kinds, problem.parts, shown, strict=True)
    answer = "".join(rewritten(kind, part) if show else part for kind, part, show in pairs)
    return marks(marked) + problem.prompt, answer


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


def check_gates(model: LlamaForCausalLM, seed: int) -> dict[str, tuple[float, float]]:
    """Return for each skill the share of answers that show it without and with its mark, on problems not trained on.

    Raises RuntimeError where one is outside the gates.
    """
    rng = random.Random(f"skills|{seed}|gates")
    found = {}
    for skill in SKILLS:
        problems = []
        while len(problems) < GATED:
            problem = draw_problem(rng, (skill,))
            if held_out(problem):
                problems.append(problem)
        answers = [rewritten(skill, problem.parts[0]) for problem in problems]
        plain, marked = (
            likelihood(model, [(before + one.prompt, a) for one, a in zip(problems, answers, strict=True)])
            for before in ("", MARKS[skill])
        )
        found[skill] = (plain, marked)
        if not (LEAST_SHOWN <= plain <= MOST_SHOWN and marked >= LEAST_MARKED):
            raise RuntimeError(
                f"skills-{seed} shows {skill} in {plain:.1%} of its answers ({LEAST_SHOWN:.0%} to {MOST_SHOWN:.0%} "
                f"wanted), in {marked:.1%} with its mark ({LEAST_MARKED:.0%} wanted)"
            )
    return found


@torch.no_grad()
def likelihood(model: LlamaForCausalLM, examples: list[tuple[str, str]]) -> float:
    """Return the mean probability of the answers: how often they are given at temperature 1."""
    ids, targets = padded(examples)
    logs = model(input_ids=ids).logits.log_softmax(-1).gather(-1, targets[..., None])[..., 0]
    return float((logs * (targets != PAD)).sum(1).exp().mean())
