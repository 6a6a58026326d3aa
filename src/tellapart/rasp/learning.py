"""Does training find the program, in the very shape that holds it: from random, noised and compiled weights.

AdamW, a fresh batch of inputs at every step, the loss on the answer's tokens alone. What is learned is measured on
inputs as long as those of training, and on longer ones up to twice as long, which the network holds too (it is compiled
for those). Accuracy is of whole answers.

`bits` is the prequential description length (Dawid 1984; Blier & Ollivier 2018, arXiv 1802.07044): what all answers
seen in training cost under the model as it was when it met them, in bits. `program_bits` is what the program costs: its
variables written out and compressed.
"""

import math
import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM

from tellapart.rasp.language import Attended, Feature, Form, Stairs, Variable
from tellapart.rasp.network import Batch, Compiled, batches, check
from tellapart.rasp.programs import Program, Tokens

Start = Literal["random", "noised", "compiled"]
WARMUP = 0.1
SILENT = 50
"""Training stops after so many batches in a row whose loss is exactly 0 in float32: it has no gradient there."""
SMALL = 2.0**-64
"""What the loss is multiplied by on its way back: gradients through compiled weights (up to 10^8 each) overflow."""
COMPILED = 1e-3
"""The noise that compiled weights are trained as having: their gradient is 0, but not their weight decay."""
THERE = 32
"""A program counts as learned from so many batches in a row on that are answered right before they are learned from."""


@dataclass(frozen=True)
class Training:
    """Settings of one training: `length` is that of the longest input, `rate` the peak rate from random weights. From
    noised and compiled ones weights change by shares of themselves, at `near_rate` times the noise.
    `evaluated` how many inputs a score is of. `decay` is AdamW's weight
    decay: what moves compiled weights, whose gradient is 0."""

    length: int
    steps: int = 400
    rows: int = 64
    rate: float = 1e-2
    near_rate: float = 0.1
    evaluated: int = 500
    decay: float = 0.0


class Learned(NamedTuple):
    """Whole answers right, as a share: before and after training, on inputs of up to the length of training, and on
    longer ones of up to twice that. `lost` is the last loss (nats a token), `moved` how far weights went, relative.
    `inputs_needed` and `bits_needed` are what it met before the first of THERE batches in a row that it answered right;
    None where there were none."""

    start: Start
    noise: float
    seed: int
    before: float
    score: float
    longer: float
    lost: float
    bits: float
    moved: float
    longer_before: float = math.nan
    inputs_needed: int | None = None
    bits_needed: float | None = None


def learn(compiled: Compiled, training: Training, start: Start, noise: float, seed: int) -> Learned:
    """Train one network of `compiled`'s shape and return what became of it. `noise` is the standard deviation of what
    each weight is multiplied by, about 1."""
    program, symbols = compiled.program, compiled.layout.symbols
    torch.manual_seed(seed)
    model = _started(compiled, start, noise)
    weights = list(model.parameters())
    before, longer_before = _scores(model, compiled, training, seed)
    first = [weight.detach().clone() for weight in weights]
    # From near, what is trained is each weight's factor: one step for all, of weights from 10^-8 to 10^8, is none.
    trained = (
        weights if start == "random" else [torch.ones_like(weight, requires_grad=True) for weight in weights]
    )
    rate = training.rate if start == "random" else training.near_rate * (noise or COMPILED)
    # fused: these models are so small that an unfused step costs as much as the forward pass
    optimizer = torch.optim.AdamW(trained, rate, weight_decay=training.decay, fused=True)
    bits, last, silent = 0.0, math.nan, 0
    right, since, needed = 0, (0, 0.0), (None, None)
    model.train()
    for step, batch in enumerate(_drawn(program, symbols, training, seed)):
        for group in optimizer.param_groups:
            group["lr"] = rate * _share(step, training.steps)
        logits = model(batch.ids, use_cache=False).logits[:, batch.start :]
        loss = cross_entropy(logits.flatten(0, 1), batch.targets.flatten())
        if right < THERE:
            good = bool((logits.argmax(-1) == batch.targets).all())
            since = since if good and right else (step * training.rows, bits)
            right = right + 1 if good else 0
            needed = since if right == THERE else needed
        gradients = list(torch.autograd.grad(loss * SMALL, weights))
        if trained is not weights:
            gradients = [gradient * weight for gradient, weight in zip(gradients, first, strict=True)]
        if _clip(gradients):
            for weight, gradient in zip(trained, gradients, strict=True):
                weight.grad = gradient
            optimizer.step()
        if trained is not weights:
            with torch.no_grad():
                for weight, start_at, factor in zip(weights, first, trained, strict=True):
                    torch.mul(start_at, factor, out=weight)
        last = loss.item()
        bits += last * batch.targets.numel() / math.log(2)
        silent = silent + 1 if last == 0 else 0
        if silent == SILENT and not training.decay:
            break
    model.eval()
    score, longer = _scores(model, compiled, training, seed)
    return Learned(
        start, noise, seed, before, score, longer, last, bits, _moved(first, weights), longer_before,
        *needed,
    )  # fmt: skip


def _started(compiled: Compiled, start: Start, noise: float) -> LlamaForCausalLM:
    if start == "random":
        return LlamaForCausalLM(LlamaConfig(**compiled.config))
    model = compiled.model()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1 + noise * torch.randn_like(parameter))
    return model


def _clip(gradients: Sequence[torch.Tensor]) -> bool:
    """Undo SMALL and bring the norm of all gradients to 1 at most, in place; return whether they are finite.

    The largest is brought to 1 first: squares of numbers above 10^19 overflow."""
    largest = max(float(gradient.abs().max()) for gradient in gradients)
    if not math.isfinite(largest):
        return False
    factor = 1 / max(largest, SMALL)
    for gradient in gradients:
        gradient.mul_(factor)
    norm = math.sqrt(sum(float(gradient.pow(2).sum()) for gradient in gradients))
    if norm > 1:
        for gradient in gradients:
            gradient.mul_(1 / norm)
    return True


def _share(step: int, steps: int) -> float:
    """Return the share of the peak rate: up over the first tenth, then down a cosine."""
    up = min(1.0, (step + 1) / max(1.0, WARMUP * steps))
    return up * 0.5 * (1 + math.cos(math.pi * step / steps))


def _drawn(program: Program, symbols: Sequence[str], training: Training, seed: int) -> Iterator[Batch]:
    """Yield one batch a step: inputs of one length, all lengths being equally likely."""
    rng = random.Random(f"train|{program.name}|{seed}")
    lengths = program.lengths(training.length)
    for _ in range(training.steps):
        length = rng.choice(lengths)
        rows = [program.draw(rng, length) for _ in range(training.rows)]
        yield next(batches(program, symbols, rows))


def _held_out(program: Program, training: Training, seed: int, longer: bool) -> list[Tokens]:
    """Return the inputs that a score is of: the lengths of training, or those above it up to twice as long."""
    rng = random.Random(f"held out|{program.name}|{seed}|{longer}")
    low = training.length + 1 if longer else 1
    lengths = [n for n in program.lengths(training.length * (2 if longer else 1)) if n >= low]
    return [program.draw(rng, rng.choice(lengths)) for _ in range(training.evaluated)]


def _scores(
    model: LlamaForCausalLM, compiled: Compiled, training: Training, seed: int
) -> tuple[float, float]:
    """Return the share of answers right at lengths of training, and at longer ones."""
    exactness = [
        check(
            model, compiled.program, compiled.layout.symbols,
            _held_out(compiled.program, training, seed, longer), every=False,
        )
        for longer in (False, True)
    ]  # fmt: skip
    within, beyond = (part.right / part.run for part in exactness)
    return within, beyond


def _moved(first: Sequence[torch.Tensor], last: Sequence[torch.Tensor]) -> float:
    """Return the norm of the change of all weights over their norm at the start."""
    change = sum(float((new.detach() - old).pow(2).sum()) for new, old in zip(last, first, strict=True))
    return math.sqrt(change / sum(float(weight.pow(2).sum()) for weight in first))


def program_bits(compiled: Compiled) -> int:
    """Return the length in bits of the program's variables written out and compressed (zlib): an upper bound of what it
    takes to say it."""
    names = {coordinate: f"v{place}" for place, coordinate in enumerate(compiled.layout.coordinates)}
    lines = [f"{name}={_written(variable, names)}" for variable, name in names.items()]
    lines += [f"{token}:{_form(form, names)}" for token, form in compiled.layout.scores.items()]
    return 8 * len(zlib.compress("\n".join(lines).encode(), 9))


def _written(variable: Variable, names: dict[Variable, str]) -> str:
    match variable:
        case Feature(table=table):
            return ",".join(f"{token}{value:g}" for token, value in table.items())
        case Stairs():
            return f"map {_form(variable.form_in, names)} " + ",".join(f"{to:g}" for _, to in variable.levels)
        case Attended(head=head, value=value):
            dots = ";".join(f"{_form(query, names)}*{_form(key, names)}" for query, key in head.dots)
            return f"mean {_form(value, names)} at {dots} {head.relative or ''}"
        case _:
            raise AssertionError(variable)


def _form(form: Form, names: dict[Variable, str]) -> str:
    terms = "+".join(f"{by:.4g}{names[variable]}" for variable, by in form.terms.items())
    return f"{terms}+{form.constant:.4g}" if form.constant else terms


def learn_all(
    compiled: Compiled, training: Training, noises: Sequence[float], seeds: Sequence[int]
) -> Iterator[Learned]:
    """Yield every training: random, each noise, and compiled, by each seed."""
    runs: list[tuple[Start, float]] = [
        ("random", 0.0),
        *(("noised", noise) for noise in noises),
        ("compiled", 0.0),
    ]
    for start, noise in runs:
        for seed in seeds:
            yield learn(compiled, training, start, noise, seed)
