"""Measure a description length on a model: tell it answers one batch after another, learning as they are told.

Prequential code length L = sum of -log2 p(y_i | x_i, theta_(i-1)) and excess description length EDL = L - n * test
loss of the final model (Donoway et al. 2026, arXiv 2601.04728); answer tokens only, with the end-of-text token. One
pass gives every size, since rate, batch and order do not depend on it.

    found = description_length(model, examples, held_out, FullWeights(), PassSettings(), scratch)
    found.signature.shape       # elicitation, teaching or cannot tell
"""

import hashlib
import json
import math
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights, weights_from
from tellapart.models.budget import current
from tellapart.models.local import LocalModel
from tellapart.runs.progress import Ticker, ticking
from tellapart.stats.content import Costs, content_bits
from tellapart.stats.edl import Before, edl_signature, excess_description_length
from tellapart.stats.estimate import Estimate
from tellapart.stats.prequential import code_lengths
from tellapart.training.change import Attached, Change, as_array, attached
from tellapart.training.description import DescriptionLength, Measured, PassSettings, other_prompts
from tellapart.training.settings import Example, SftSettings
from tellapart.training.sft import encode
from tellapart.training.trainers import learning_rate, workplace

Pair = tuple[tuple[int, ...], tuple[int, ...]]
IGNORED = -100
READ_AT_ONCE = 8
LONGEST_STEP = 1.0
"""Gradients longer than this are cut to it."""


class Sums(NamedTuple):
    """Per example: the bits of its answer before training, and its answer tokens."""

    bits: np.ndarray
    tokens: np.ndarray


class Progress(NamedTuple):
    """How far a pass has come: the bits of the examples told, and by size those of the tested answers."""

    bits: list[float]
    tested: dict[int, list[float]]


def description_length(
    model: LocalModel,
    examples: Sequence[Example],
    held_out: Sequence[Example],
    change: Change,
    settings: PassSettings,
    scratch: Path | None = None,
) -> DescriptionLength:
    """Return code lengths, EDL and its signature over sizes and seeds; the model is as before afterwards.

    Each seed draws its examples and their order. `held_out` must be like `examples` and apart from them. With
    `scratch` every (size, seed) that is done is kept, and a killed pass goes on from there. Raises UserMistake where
    the loss stops being finite (give a lower rate), RuntimeError where training changed nothing.
    """
    settings.checked(len(examples), len(held_out))
    told, tested = encode(model, examples), encode(model, [*held_out, *other_prompts(held_out, 0)])
    key = _key(model, change, settings, [examples, held_out])
    rate = settings.rate or default_rate(model, change, settings)
    plain, plain_tested = _costs(model, told), _costs(model, tested)
    measured: list[Measured] = []
    total = len(settings.seeds) * settings.sizes[-1]
    with workplace(scratch, key) as folder, ticking("description length", total, settings.quiet) as ticker:
        for seed in settings.seeds:
            order = random.Random(f"order|{seed}").sample(range(len(told)), settings.sizes[-1])
            with attached(model, change) as place:
                learner = Learner(model, place, rate)
                run = Run([told[at] for at in order], tested, settings, seed, folder)
                done = first_pass(learner, run, ticker)
            before = Sums(plain.bits[order], plain.tokens[order])
            measured.extend(_measured(seed, settings.sizes, done, before, plain_tested.bits))
    values = [[m.edl.value / m.tokens for m in measured if m.seed == seed] for seed in settings.seeds]
    signature = edl_signature(settings.sizes, values)
    return DescriptionLength(
        change.as_json(),
        replace(settings, rate=rate),
        tuple(measured),
        signature,
        content_of(plain_tested.bits),
    )


def default_rate(model: LocalModel, change: Change, settings: PassSettings) -> float:
    """Return the rate that sft takes by default, less by the root of how much smaller the batches are."""
    smaller = min(settings.batch / SftSettings().batch, 1.0)
    return learning_rate(model, change, SftSettings()) * math.sqrt(smaller)


class Learner:
    """A change in training: what answers cost it, its updates, and its state."""

    def __init__(self, model: LocalModel, place: Attached, rate: float) -> None:
        self.module, self.place, self.rate = model.module, place, rate
        self.parameters = list(place.parameters.values())
        self.optimizer = torch.optim.AdamW(self.parameters, lr=rate, betas=(0.9, 0.95), weight_decay=0.0)

    def update(self, pairs: Sequence[Pair]) -> list[float]:
        """Take one step on the mean loss a token; return what each answer cost before it, in bits."""
        current().charge("trained", sum(len(answer) for _, answer in pairs))
        nats = answer_nats(self.module, pairs)
        if not bool(nats.isfinite().all()):
            raise UserMistake(f"the loss is not finite any more at rate {self.rate:g}: give a lower one")
        torch.autograd.backward(nats.sum() / sum(len(answer) for _, answer in pairs))
        torch.nn.utils.clip_grad_norm_(self.parameters, LONGEST_STEP)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return (nats.detach().double() / math.log(2)).tolist()

    def state(self) -> Weights:
        """Return the trained parameters and the optimizer's state."""
        arrays = {f"change/{name}": value for name, value in self.place.weights().items()}
        for name, parameter in self.place.parameters.items():
            for kind, value in self.optimizer.state[parameter].items():
                arrays[f"{kind}/{name}"] = as_array(value)
        return Weights(arrays)

    def restore(self, state: Weights) -> None:
        """Set parameters and optimizer as they were."""
        parts: dict[str, dict[str, Any]] = {}
        for name, value in state.items():
            kind, _, rest = name.partition("/")
            parts.setdefault(kind, {})[rest] = value
        self.place.load(Weights(parts.pop("change")))
        for name, parameter in self.place.parameters.items():
            held = self.optimizer.state[parameter]
            for kind, values in parts.items():
                held[kind] = torch.from_numpy(values[name].copy())
                if kind != "step":
                    held[kind] = held[kind].to(parameter.device, parameter.dtype)


class Run(NamedTuple):
    """One pass: what is told, in order; what is tested (held-out answers after their own prompts, then the same after
    others'); how, and where it is kept."""

    told: list[Pair]
    tested: list[Pair]
    settings: PassSettings
    seed: int
    folder: Path


def first_pass(learner: Learner, run: Run, ticker: Ticker) -> Progress:
    """Tell every example once; return what each cost when it was told, and the held-out answers at each size."""
    done = _resumed(learner, run)
    ticker.tick(len(done.bits))
    sizes = run.settings.sizes
    while len(done.bits) < sizes[-1]:
        current().require()
        start = len(done.bits)
        stop = min(start + run.settings.batch, next(size for size in sizes if size > start))
        done.bits.extend(learner.update(run.told[start:stop]))
        rng = random.Random(f"replay|{run.seed}|{stop}")
        for _ in range(run.settings.replays):
            learner.update(rng.sample(run.told[:stop], min(run.settings.batch, stop)))
        ticker.tick(stop - start)
        if stop in sizes:
            done.tested[stop] = [bits for part in read_bits(learner.module, run.tested) for bits in part]
            _keep(learner, run, done)
    return done


def answer_nats(module: torch.nn.Module, pairs: Sequence[Pair]) -> Tensor:
    """Return -ln p of each answer after its prompt [pairs]."""
    width = max(len(prompt) + len(answer) for prompt, answer in pairs)
    device = next(module.parameters()).device
    ids = torch.zeros(len(pairs), width, dtype=torch.long)
    seen, targets = torch.zeros_like(ids), torch.full_like(ids, IGNORED)
    for row, (prompt, answer) in enumerate(pairs):
        end = len(prompt) + len(answer)
        ids[row, :end] = torch.tensor([*prompt, *answer])
        seen[row, :end] = 1
        targets[row, len(prompt) - 1 : end - 1] = torch.tensor(answer)
    logits = module(input_ids=ids.to(device), attention_mask=seen.to(device), use_cache=False).logits.float()
    nats = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.to(device).flatten(), reduction="none", ignore_index=IGNORED
    )
    return nats.view(len(pairs), width).sum(1)


@torch.no_grad()
def read_bits(module: torch.nn.Module, pairs: Sequence[Pair]) -> Iterator[list[float]]:
    """Yield the bits of the answers, READ_AT_ONCE at a time, in order."""
    for start in range(0, len(pairs), READ_AT_ONCE):
        batch = pairs[start : start + READ_AT_ONCE]
        current().charge("scored", sum(len(answer) for _, answer in batch))
        nats = answer_nats(module, batch)
        yield (nats.double() / math.log(2)).tolist()


def _costs(model: LocalModel, pairs: Sequence[Pair]) -> Sums:
    bits = [one for part in read_bits(model.module, pairs) for one in part]
    return Sums(np.array(bits), np.array([len(answer) for _, answer in pairs]))


def _measured(
    seed: int, sizes: Sequence[int], done: Progress, plain: Sums, plain_tested: np.ndarray
) -> Iterator[Measured]:
    """Yield what one pass comes to at each size. Raises RuntimeError where the model is as before at the end."""
    if done.tested[sizes[-1]] == plain_tested.tolist():
        raise RuntimeError("training changed nothing: held-out answers cost what they did before")
    own = len(plain_tested) // 2
    for size, length in zip(sizes, code_lengths(done.bits, sizes), strict=True):
        tested = np.array(done.tested[size])
        before = Before(plain.bits[:size], plain_tested[:own])
        edl = excess_description_length(done.bits[:size], tested[:own], before)
        costs = float(length), float(tested[:own].mean()), float(plain_tested[:own].mean())
        yield Measured(seed, size, *costs, int(plain.tokens[:size].sum()), edl, content_of(tested))


def content_of(tested: np.ndarray) -> Estimate:
    """Return the content of answers, from their bits [2 m] after their own prompts, then after others'."""
    return content_bits(Costs(*np.split(tested, 2)))


def _key(model: LocalModel, change: Change, settings: PassSettings, told: object) -> str:
    held = {name: value for name, value in vars(settings).items() if name != "quiet"}
    whole = json.dumps([model.fingerprint, change.as_json(), held, told], sort_keys=True, default=str)
    return f"prequential-{hashlib.blake2b(whole.encode(), digest_size=8).hexdigest()}"


def _keep(learner: Learner, run: Run, done: Progress) -> None:
    """Write how far the pass is: the state first, then the facts that name it; then the older state goes."""
    state = learner.state()
    facts = {"digest": state.digest, "bits": done.bits, "tested": done.tested}
    arrays = f"seed-{run.seed}-{len(done.bits)}.safetensors"
    for name, data in ((arrays, state.as_bytes()), (f"seed-{run.seed}.json", json.dumps(facts).encode())):
        part = run.folder / f"{name}.{os.getpid()}.tmp"
        part.write_bytes(data)
        part.replace(run.folder / name)
    for old in run.folder.glob(f"seed-{run.seed}-*.safetensors"):
        if old.name != arrays:
            old.unlink()


def _resumed(learner: Learner, run: Run) -> Progress:
    """Return how far the pass of an earlier run came, with the learner as it was then."""
    path = run.folder / f"seed-{run.seed}.json"
    if not path.exists():
        return Progress([], {})
    facts = json.loads(path.read_text(encoding="utf-8"))
    bits = [float(value) for value in facts["bits"]]
    data = (run.folder / f"seed-{run.seed}-{len(bits)}.safetensors").read_bytes()
    learner.restore(weights_from(data, facts["digest"]))
    return Progress(bits, {int(size): list(map(float, values)) for size, values in facts["tested"].items()})
