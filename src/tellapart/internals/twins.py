"""Trained twins of known kind: networks with equal answers, whose routines are shared or split by construction.

    twin = train_twin(Recipe("split", "sum", seed=0))      # about a second
    twin.module, twin.inputs, twin.questions               # what look_inside takes

Each network answers one arithmetic question (as a + b modulo 5) in each of four contexts, for all pairs. All are plain
multilayer perceptrons of one shape; what differs is how they were made:

- shared: no context reaches the routine, so all contexts use one (organised);
- half: two routines, for two contexts each; split: one for each context, on units of its own (fractured);
- pressed, apart: wired alike, every weight free; a term of the loss draws the contexts' activations together, or drives
  their units apart. `free` has no such term, so nothing is known of it.

Further controls: `l1` (a penalty on weights), `pruned` (smallest weights set to 0, the rest trained on), and `turned`
(each hidden layer in a random basis of its own, undone by the next weights: the same function).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from tellapart.errors import UserMistake
from tellapart.internals.modules import Questions

Wiring = Literal["shared", "half", "split", "pressed", "apart", "free"]
WIRINGS: tuple[Wiring, ...] = ("shared", "half", "split", "pressed", "apart", "free")
ROUTINES: Mapping[str, int] = {"shared": 1, "half": 2, "split": 4, "pressed": 1, "apart": 4}
"""How many routines a network has by the way it was made; `free` is not known."""
ANSWERS = {
    "sum": lambda a, b: (a + b) % NUMBERS,
    "product": lambda a, b: (a * b) % NUMBERS,
    "largest": np.maximum,
    "squares": lambda a, b: (a * a + b * b) % NUMBERS,
}
NUMBERS, CONTEXTS, WIDTH = 5, 4, 48
DRAWS, JITTER = 4, 0.05
"""Each pair in each context is put so many times, with noise of this standard deviation on its inputs."""
EDGE = 1e-3
"""What is taken from the second sums: a unit that gets nothing is clearly off, not at the bend of its activation, where
a rotation's rounding would decide its slope."""
OFF = -30.0
"""What a context adds to the sums of units that are not its own."""
STEPS, RATE, PRESSURE, L1, PRUNED = 200, 0.02, 1.0, 2e-4, 0.3
ROUNDS = 5
"""Rounds of STEPS after which a network that is not right everywhere is given up."""


@dataclass(frozen=True)
class Recipe:
    """How a twin is made. `answer` is a key of ANSWERS."""

    wiring: Wiring
    answer: str = "sum"
    seed: int = 0
    sparse: Literal["", "l1", "pruned"] = ""
    turned: bool = False

    @property
    def name(self) -> str:
        """Return a readable name."""
        parts = (self.wiring, self.answer, str(self.seed), self.sparse, "turned" if self.turned else "")
        return "-".join(part for part in parts if part)


class Twin(NamedTuple):
    """A trained module whose activations are "hidden1" and "hidden2", its inputs, and what is asked of it."""

    recipe: Recipe
    module: nn.Module
    inputs: Tensor
    questions: Questions


class Turn(nn.Module):
    """A fixed orthogonal change of basis; at first none."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.basis: Tensor
        self.register_buffer("basis", torch.eye(width))

    def forward(self, units: Tensor) -> Tensor:
        """Return the units (points, width) in the new basis."""
        return units @ self.basis


class Routine(nn.Module):
    """relu(inputs W1 + b1) -> relu(. W2 - EDGE) -> . W3 + b3."""

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(inputs, width) / 2)
        self.second = nn.Parameter(torch.randn(width, width) * (2 / width) ** 0.5)
        self.last = nn.Parameter(torch.randn(width, outputs) * (1 / width) ** 0.5)
        self.shift, self.level = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(outputs))
        self.hidden1, self.hidden2 = Turn(width), Turn(width)

    def forward(self, points: Tensor) -> Tensor:
        """Return the logits (points, outputs)."""
        first = self.hidden1(torch.relu(points @ self.first + self.shift))
        return self.hidden2(torch.relu(first @ self.second - EDGE)) @ self.last + self.level


def table(answer: str, seed: int = 0) -> tuple[Tensor, Questions]:
    """Return all pairs in all contexts as inputs (400, 14), one-hot, the pairs with noise, and their answers as targets
    and as a concept."""
    if answer not in ANSWERS:
        raise UserMistake(f"no answer {answer!r}: choose {', '.join(ANSWERS)}")
    context, _, a, b = (axis.ravel() for axis in np.indices((CONTEXTS, DRAWS, NUMBERS, NUMBERS)))
    right = ANSWERS[answer](a, b).astype(int)
    noise = JITTER * np.random.default_rng(seed).standard_normal((len(right), 2 * NUMBERS))
    columns = [np.eye(NUMBERS)[a] + noise[:, :NUMBERS], np.eye(NUMBERS)[b] + noise[:, NUMBERS:]]
    columns.append(np.eye(CONTEXTS)[context])
    inputs = torch.from_numpy(np.concatenate(columns, axis=1)).float()
    return inputs, Questions(right, {"answer": right}, context)


def train_twin(recipe: Recipe) -> Twin:
    """Return the trained twin, right on every point. RuntimeError where it does not get there in ROUNDS rounds."""
    inputs, questions = table(recipe.answer, recipe.seed)
    assert questions.targets is not None
    targets = torch.from_numpy(questions.targets)
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        module = Routine(inputs.shape[1], WIDTH, NUMBERS)
    masks = _wire(module, recipe.wiring)
    for _ in range(ROUNDS):
        _train(module, masks, inputs, targets, recipe)
        if _right(module, inputs, targets):
            break
    if recipe.sparse == "pruned":
        masks = _pruned(module, masks)
        for _ in range(ROUNDS):
            _train(module, masks, inputs, targets, recipe)
            if _right(module, inputs, targets):
                break
    if not _right(module, inputs, targets):
        raise RuntimeError(f"{recipe.name} is not right everywhere after {ROUNDS} rounds of {STEPS} steps")
    if recipe.turned:
        turn(module, recipe.seed)
    return Twin(recipe, module.eval(), inputs, questions)


def _wire(module: Routine, wiring: Wiring) -> dict[str, Tensor]:
    """Return which weights may be other than what they are now, and set those that may not."""
    masks = {name: torch.ones_like(value) for name, value in module.named_parameters()}
    if wiring in ("pressed", "apart", "free"):
        return masks
    blocks = ROUTINES[wiring]
    owner = torch.arange(WIDTH) * blocks // WIDTH
    serves = torch.arange(CONTEXTS) * blocks // CONTEXTS
    masks["first"][-CONTEXTS:] = 0
    masks["second"] = (owner[:, None] == owner[None, :]).float()
    with torch.no_grad():
        module.first[-CONTEXTS:] = torch.where(serves[:, None] == owner[None, :], 0.0, OFF)
        module.second.mul_(masks["second"] * blocks**0.5)
    return masks


def _train(
    module: Routine, masks: Mapping[str, Tensor], inputs: Tensor, targets: Tensor, recipe: Recipe
) -> None:
    optimizer = torch.optim.Adam(module.parameters(), lr=RATE)
    weights = dict(module.named_parameters())
    for _ in range(STEPS):
        optimizer.zero_grad()
        first = torch.relu(inputs @ module.first + module.shift)
        second = torch.relu(first @ module.second - EDGE)
        loss = nn.functional.cross_entropy(second @ module.last + module.level, targets)
        if recipe.wiring in ("pressed", "apart"):
            loss = loss + PRESSURE * sum(_pressure(layer, recipe.wiring) for layer in (first, second))
        if recipe.sparse == "l1":
            loss = loss + L1 * sum((value * masks[name]).abs().sum() for name, value in weights.items())
        loss.backward()
        for name, value in weights.items():
            assert value.grad is not None
            value.grad.mul_(masks[name])
        optimizer.step()


def _pressure(layer: Tensor, wiring: Wiring) -> Tensor:
    """Return the share of the activations that differs between contexts, or the overlap of the contexts' units: the
    chance that two activations of one unit, drawn by size, lie in different contexts."""
    by_context = layer.reshape(CONTEXTS, -1, NUMBERS**2, layer.shape[1]).mean(dim=1)
    if wiring == "pressed":
        apart = (by_context - by_context.mean(dim=0)).square().mean()
        return apart / by_context.square().mean().clamp_min(1e-6)
    used = by_context.square().mean(dim=1)
    return (1 - used.square().sum(dim=0) / used.sum(dim=0).square().clamp_min(1e-9)).mean()


def _pruned(module: Routine, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Set the smallest share PRUNED of each matrix's free weights to 0, for good."""
    kept = dict(masks)
    with torch.no_grad():
        for name in ("first", "second", "last"):
            value = module.get_parameter(name)
            free = value.abs()[masks[name] > 0]
            bound = free.kthvalue(max(1, int(PRUNED * free.numel()))).values
            kept[name] = masks[name] * (value.abs() > bound)
            value.copy_(torch.where(masks[name] > 0, value * kept[name], value))
    return kept


def turn(module: Routine, seed: int) -> None:
    """Put each hidden layer into a random orthogonal basis and undo it in the next weights."""
    random = np.random.default_rng(seed)
    with torch.no_grad():
        for basis, further in ((module.hidden1.basis, module.second), (module.hidden2.basis, module.last)):
            drawn = np.linalg.qr(random.standard_normal(tuple(basis.shape)))[0]
            basis.copy_(torch.from_numpy(drawn).float())
            further.copy_(basis.T @ further)


@torch.no_grad()
def _right(module: Routine, inputs: Tensor, targets: Tensor) -> bool:
    return bool((module(inputs).argmax(dim=1) == targets).all())
