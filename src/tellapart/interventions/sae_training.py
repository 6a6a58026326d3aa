"""Train a top-k sparse autoencoder (Gao et al. 2024, arXiv 2406.04093).

sae = train_sae(states, layer=1, recipe=Recipe(), checkpoint=Path("sae.safetensors"))

Their recipe: decoder rows of length 1 (the part of a gradient along a row is removed), an encoder that begins as the
decoder's transpose, a bias taken off the input, the k largest features kept, and an auxiliary loss in which features
that have not fired for a while explain what the others left over (weight 1/32). States are scaled so that their mean
norm is sqrt(width).
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from tellapart.errors import UserMistake
from tellapart.interventions.sae import Sae, keep_largest
from tellapart.runs.files import write_atomically
from tellapart.runs.progress import ticking


@dataclass(frozen=True)
class Recipe:
    """How an autoencoder is trained: `features` of which `k` are active; a feature is dead where it has not fired for
    `dead_after` steps; then it helps, with the `aux_k` largest of its kind, at weight `aux_weight`."""

    features: int = 512
    k: int = 16
    steps: int = 600
    batch: int = 512
    rate: float = 1e-3
    seed: int = 0
    dead_after: int = 200
    aux_k: int = 32
    aux_weight: float = 1 / 32
    save_every: int = 200
    quiet: bool = False


class Sight(NamedTuple):
    """How well an autoencoder explains states: explained variance, and the share of features that never fire."""

    explained_variance: float
    dead_share: float
    states: int


def train_sae(states: Tensor, layer: int, recipe: Recipe, checkpoint: Path | None = None) -> Sae:
    """Return an autoencoder of states [state, width] after decoder layer `layer`.

    It is trained where the states are, and returned on the CPU. With `checkpoint` it goes on after a kill from the
    last step written there. Raises UserMistake for fewer than two
    states, states that are not finite or do not vary, and a k outside 1-features.
    """
    if not 1 <= recipe.k <= recipe.features:
        raise UserMistake(f"k {recipe.k} asked: choose 1-{recipe.features}, the number of features")
    if len(states) < 2 or not bool(states.isfinite().all()) or not bool((states != states[0]).any()):
        raise UserMistake(f"{len(states)} states given: at least 2 that differ and are finite are needed")
    states = states.float()
    scale = math.sqrt(states.shape[1]) / float(states.norm(dim=-1).mean())
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(recipe.seed)
        training = Training(states * scale, recipe)
        training.resume(checkpoint)
        with ticking(f"sparse autoencoder, layer {layer}", recipe.steps, recipe.quiet) as ticker:
            ticker.done = training.done
            while training.done < recipe.steps:
                training.step()
                ticker.tick()
                if checkpoint and training.done % recipe.save_every == 0:
                    training.write(checkpoint)
    made = {name: value.detach().cpu().clone() for name, value in training.parts.items()}
    return Sae(**made, threshold=torch.zeros(recipe.features), layer=layer, k=recipe.k, scale=scale)


class Training:
    """An autoencoder in training on states [state, width]: its parts, their optimizer, and the step it is at."""

    def __init__(self, states: Tensor, recipe: Recipe) -> None:
        self.states, self.recipe, self.done = states, recipe, 0
        width = states.shape[1]
        decoder = torch.randn(recipe.features, width, device=states.device)
        decoder /= decoder.norm(dim=1, keepdim=True)
        self.parts = {
            "encoder": nn.Parameter(decoder.clone()),
            "encoder_bias": nn.Parameter(torch.zeros(recipe.features, device=states.device)),
            "decoder": nn.Parameter(decoder),
            "bias": nn.Parameter(states.mean(0)),
        }
        self.optimizer = torch.optim.Adam(self.parts.values(), lr=recipe.rate, eps=6.25e-10)
        self.silent = torch.zeros(recipe.features, dtype=torch.long, device=states.device)

    def step(self) -> None:
        """Learn from one batch; which, depends on the seed and the step alone."""
        chosen = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + self.done)
        batch = self.states[torch.randint(len(self.states), (self.recipe.batch,), generator=chosen)]
        loss, fired = self.loss(batch)
        self.optimizer.zero_grad()
        loss.backward()
        self._along_spheres()
        self.optimizer.step()
        with torch.no_grad():
            self.parts["decoder"].div_(self.parts["decoder"].norm(dim=1, keepdim=True))
        self.silent = torch.where(fired, 0, self.silent + 1)
        self.done += 1

    def loss(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss (error over variance, and the auxiliary one) and which features fired [feature]."""
        parts = self.parts
        drive = (batch - parts["bias"]) @ parts["encoder"].T + parts["encoder_bias"]
        active = keep_largest(drive, self.recipe.k).relu()
        left = batch - parts["bias"] - active @ parts["decoder"]
        variance = (batch - batch.mean(0)).square().mean()
        loss = left.square().mean() / variance
        dead = self.silent >= self.recipe.dead_after
        if bool(dead.any()):
            helping = keep_largest(drive.masked_fill(~dead, 0.0).relu(), self.recipe.aux_k)
            rest = left.detach()
            missed = (rest - helping @ parts["decoder"]).square().mean() / rest.square().mean().clamp_min(
                1e-12
            )
            loss = loss + self.recipe.aux_weight * missed
        return loss, (active > 0).any(0)

    @torch.no_grad()
    def _along_spheres(self) -> None:
        """Take the part along each decoder row out of its gradient."""
        decoder = self.parts["decoder"]
        assert decoder.grad is not None
        decoder.grad -= (decoder.grad * decoder).sum(1, keepdim=True) * decoder

    def write(self, path: Path) -> None:
        """Write parts, optimizer, silence and step, whole or not at all."""
        tensors = {name: value.detach().cpu().contiguous() for name, value in self.parts.items()}
        for name, value in self.parts.items():
            for moment in ("exp_avg", "exp_avg_sq", "step"):
                tensors[f"{name}.{moment}"] = self.optimizer.state[value][moment].detach().cpu().contiguous()
        tensors["silent"] = self.silent.cpu()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, save(tensors, metadata={"step": str(self.done), "recipe": repr(self._told())}))

    def resume(self, path: Path | None) -> None:
        """Go on from a checkpoint of the same recipe; one that is damaged or of another is begun anew."""
        if path is None or not path.is_file():
            return
        try:
            tensors, described = load_file(path), _metadata(path)
        except (OSError, SafetensorError):
            return
        if described.get("recipe") != repr(self._told()):
            return
        with torch.no_grad():
            for name, value in self.parts.items():
                value.copy_(tensors[name])
                self.optimizer.state[value] = {
                    moment: tensors[f"{name}.{moment}"].clone()
                    for moment in ("exp_avg", "exp_avg_sq", "step")
                }
        self.silent, self.done = tensors["silent"].to(self.silent.device), int(described["step"])

    def _told(self) -> tuple[object, ...]:
        r = self.recipe
        states = (tuple(self.states.shape), round(float(self.states.double().sum()), 3))
        return (r.features, r.k, r.batch, r.rate, r.seed, r.dead_after, r.aux_k, r.aux_weight, states)


def _metadata(path: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return dict(file.metadata() or {})


def sight(sae: Sae, states: Tensor) -> Sight:
    """Return how well `sae` explains states [state, width]."""
    from tellapart.interventions.sae import explained_variance, live_features

    dead = 1 - float(live_features(sae, states).float().mean())
    return Sight(explained_variance(sae, states), dead, len(states))
