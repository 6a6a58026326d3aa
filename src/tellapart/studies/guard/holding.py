"""Holding problems back: others take their places in the batch, and no step is taken on what is left of the harm.

A group that earns nothing has advantages of 0, but that alone holds little back: Adam's momentum goes on where the
steps before the alarm were heading, also where a batch has no gradient, and one lone group gets a whole step. So
(1) of the problems that a batch is to have, those that are open (solved, and not mostly by luck) stay, a TRIED share
of the batch tries others, and open problems take the other places (cf. the dynamic sampling of DAPO, Yu et al. 2025,
arXiv 2503.14476, which draws until a batch is full); (2) momentum is forgotten at the alarm; (3) a step is as long as
the share of the batch that teaches, a problem counted once: none is taken where nothing teaches.
"""

import random
from collections.abc import Sequence
from typing import Any

import torch
from accelerate.utils import gather_object
from trl.trainer.grpo_trainer import GRPOTrainer

from tellapart.errors import UserMistake
from tellapart.studies.guard.watching import Guard

TRIED = 0.25
"""Share of a batch, one group or more, that tries problems which are not open."""


def refilled(scheduled: Sequence[str], open_: Sequence[str], seed: str) -> list[str]:
    """Return the problems of a batch, [groups], in the places of those scheduled: open ones stay, the first others up
    to TRIED of the batch stay, and open ones drawn by `seed` take the places of the rest.

    None comes again before all open ones are there as often. Where none is open the batch stays as it is.
    """
    if not open_:
        return list(scheduled)
    kept, tries = set(open_), max(1, int(TRIED * len(scheduled)))
    batch: list[str | None] = []
    for problem in scheduled:
        tries -= problem not in kept
        batch.append(problem if problem in kept or tries >= 0 else None)
    rng = random.Random(seed)
    rest = [problem for problem in rng.sample(list(open_), len(open_)) if problem not in batch]
    while len(rest) < len(batch):
        rest += rng.sample(list(open_), len(open_))
    return [next(fill) if problem is None else problem for fill in [iter(rest)] for problem in batch]


def hold_back(trainer: GRPOTrainer, guard: Guard) -> None:
    """Let open problems take the places of those held, in every batch after an alarm, just before it is answered.

    A data set or a sampler that redirects would come a batch late (loaders fetch ahead), and a run that is resumed
    would redirect otherwise than one that was not ended. Raises UserMistake for a data set that cannot be indexed.
    """
    rows: Any = trainer.train_dataset
    model: Any = getattr(trainer, "model", None)
    if not hasattr(rows, "__getitem__") or not hasattr(rows, "__len__"):
        raise UserMistake("act hold takes problems from the data set: give one with an index, or act mask")
    places: dict[str, int] = {}
    for at, prompt in enumerate(rows["prompt"]):
        places.setdefault(text_of(prompt), at)
    guard.problems = len(places)
    answer = trainer._generate_and_score_completions  # pyright: ignore[reportPrivateUsage]

    def answer_refilled(inputs: list[dict[str, Any]]) -> Any:
        return answer(_refill(inputs) if model.training else inputs)

    def _refill(inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        size, own = int(trainer.num_generations or 1), [text_of(row["prompt"]) for row in inputs]
        scheduled = gather_object(own)[::size]
        guard.groups = len(scheduled)
        if guard.alarm is None:
            return inputs
        first = trainer.accelerator.process_index * len(own)
        open_ = [problem for problem in guard.open if problem in places]
        batch = refilled(scheduled, open_, f"hold {trainer.args.seed} {trainer.state.global_step}")
        guard.replaced = sum(a != b for a, b in zip(scheduled, batch, strict=True))
        wanted = [batch[(first + at) // size] for at in range(len(own))]
        return [
            row if prompt == now else dict(rows[places[now]])
            for row, prompt, now in zip(inputs, own, wanted, strict=True)
        ]

    trainer._generate_and_score_completions = answer_refilled  # pyright: ignore


def forget_momentum(optimizer: torch.optim.Optimizer) -> None:
    """Set Adam's first moments to 0; the second ones, the scale of the steps, stay."""
    for state in optimizer.state.values():
        if "exp_avg" in state:
            state["exp_avg"].zero_()


def shorten(optimizer: torch.optim.Optimizer, share: float) -> list[float]:
    """Multiply the rates of one step by `share`, and return those before."""
    rates = [group["lr"] for group in optimizer.param_groups]
    for group in optimizer.param_groups:
        group["lr"] *= share
    return rates


def take_no_step(module: torch.nn.Module) -> None:
    """Take the gradients away: an optimizer leaves alone what has none."""
    for parameter in module.parameters():
        parameter.grad = None


def text_of(said: Any) -> str:
    """Return a prompt or completion as text; a conversation is its messages' contents, a line each."""
    if isinstance(said, str):
        return said
    return "\n".join(str(message.get("content") or "") for message in said)
