"""Train the experts of several skills side by side, so that each also works beside the others.

    learned = learn_together(model, change, practices, elsewhere, tuning)      # {skill: Learned}

Every row of a batch is a prompt of one skill under a random set of experts, z = 1 + sum of (z of the expert - 1) over
the set: a z for each row. Where the row's own expert is in the set it learns from the objective; where it is not, the
row is held to the base by KL(mixed || base). So experts learn to bring their skill out whatever stands beside them,
and to leave the other skills alone. The paper (Sun et al. 2025, arXiv 2501.06252) trains each by itself; so does
`learn`.
"""

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tellapart.elicit.weights import Weights
from tellapart.models.local import LocalModel
from tellapart.runs.progress import ticking
from tellapart.studies.skills.encoding import Pair
from tellapart.studies.skills.learn import Learned, Tuning, read, update
from tellapart.studies.skills.objectives import Practice, draw_batch
from tellapart.training.change import as_array, attached
from tellapart.training.svf import AttachedSvf, Svf

BESIDE = 0.5
"""Chance of each other expert to be in a row's set."""


class _Row(NamedTuple):
    """A prompt and an answer, the experts in its set (by place), and the weight of its likelihood (None: held)."""

    pair: Pair
    beside: tuple[int, ...]
    weight: float | None


def learn_together(
    model: LocalModel,
    change: Svf,
    practices: Mapping[str, Practice],
    elsewhere: Mapping[str, Sequence[Pair]],
    tuning: Tuning,
) -> dict[str, Learned]:
    """Return what was learned for each skill; the model is as before afterwards.

    A step takes a batch of one skill in turn, `tuning.steps` for each; half as many rows beside it are held.
    """
    names = list(practices)
    logs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with attached(model, change) as place, ticking("experts", tuning.steps * len(names)) as ticker:
        assert isinstance(place, AttachedSvf)
        moved = {
            name: nn.Parameter(torch.zeros(len(names), len(z), device=z.device))
            for name, z in place.parameters.items()
        }
        optimizer = torch.optim.AdamW(list(moved.values()), lr=tuning.rate, weight_decay=0.0)
        for step in range(tuning.steps):
            for index, name in enumerate(names):
                rng = random.Random(f"{practices[name].seed}|together|{step}|{index}")
                place.serve({key: 1 + one[index].detach() for key, one in moved.items()})
                batch = draw_batch(model, practices[name], step)
                rows = [
                    _Row(Pair(one.prompt, one.answer), _set(rng, names, index, True), one.weight)
                    for one in batch
                ]
                if tuning.keep:
                    rows += [_held(rng, names, elsewhere) for _ in range(len(batch) // 2)]
                told = backward(place, moved, rows, tuning)
                update(optimizer, tuning, step)
                reward = sum(one.reward for one in batch) / len(batch)
                logs[name].append({"step": float(step), "reward": reward, **told})
                ticker.tick()
        place.serve({})
        return {name: _learned(moved, index, logs[name]) for index, name in enumerate(names)}


def _learned(moved: Mapping[str, nn.Parameter], index: int, log: list[dict[str, float]]) -> Learned:
    weights = Weights({name: as_array(1 + one[index]) for name, one in moved.items()})
    return Learned(weights, sum(z.size for z in weights.values()), log)


def _set(rng: random.Random, names: Sequence[str], own: int, inside: bool) -> tuple[int, ...]:
    return tuple(
        at for at in range(len(names)) if (at == own and inside) or (at != own and rng.random() < BESIDE)
    )


def _held(rng: random.Random, names: Sequence[str], elsewhere: Mapping[str, Sequence[Pair]]) -> _Row:
    own = rng.randrange(len(names))
    beside = _set(rng, names, own, False)
    while not beside and len(names) > 1:
        beside = _set(rng, names, own, False)
    return _Row(rng.choice(elsewhere[names[own]]), beside, None)


def backward(
    place: AttachedSvf, moved: Mapping[str, nn.Parameter], rows: Sequence[_Row], tuning: Tuning
) -> dict[str, float]:
    """Add the gradient of the loss to `moved`; return loss, kl and keep_kl (nats a token)."""
    count = len(next(iter(moved.values())))
    sets = torch.tensor([[float(at in row.beside) for at in range(count)] for row in rows])
    sets = sets.to(next(iter(moved.values())).device)
    place.serve({name: 1 + sets @ one for name, one in moved.items()})
    found = read(place, [row.pair for row in rows], True)
    learns = torch.tensor([row.weight is not None for row in rows], device=sets.device)
    weights = torch.tensor([row.weight or 0.0 for row in rows], device=sets.device)
    sizes = torch.tensor([float(len(row.pair.answer)) for row in rows], device=sets.device)
    term = -(found.logprobs.sum(1) * weights).sum() / sizes[learns].sum()
    kl = found.divergence[learns].sum() / sizes[learns].sum()
    keep = _over(found.divergence[~learns].sum(), sizes[~learns].sum())
    (term + tuning.kl * kl + tuning.keep * keep).backward()
    return {"loss": term.item(), "kl": kl.item(), "keep_kl": keep.item()}


def _over(total: Tensor, size: Tensor) -> Tensor:
    return total / size.clamp(min=1.0)
