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


@dataclass(frozen=True)
class Training:
    """Settings of one training: `length` is that of the longest input, `rate` the peak rate from random weights and
    `near_rate` from noised and compiled ones, `evaluated` how many inputs a score is of."""

    length: int
    steps: int = 400
    rows: int = 64
    rate: float = 1e-2
    near_rate: float = 1e-4
    evaluated: int = 500


class Learned(NamedTuple):
    """Whole answers right, as a share: before and after training, on inputs of up to the length of training, and on
    longer ones of up to twice that. `lost` is the last loss (nats a token), `moved` how far weights went, relative."""

    start: Start
    noise: float
    seed: int
    before: float
    score: float
    longer: float
    lost: float
    bits: float
    moved: float


def learn(compiled: Compiled, training: Training, start: Start, noise: float, seed: int) -> Learned:
    """Train one network of `compiled`'s shape and return what became of it. `noise` is the standard deviation of what
    each weight is multiplied by, about 1."""
    program, symbols = compiled.program, compiled.layout.symbols
    torch.manual_seed(seed)
    model = _started(compiled, start, noise)
    before = _score(model, compiled, _held_out(program, training, seed, longer=False))
    first = [one.detach().clone() for one in model.parameters()]
    rate = training.rate if start == "random" else training.near_rate
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.0)
    bits, last, silent = 0.0, math.nan, 0
    model.train()
    for step, batch in enumerate(_drawn(program, symbols, training, seed)):
        for group in optimizer.param_groups:
            group["lr"] = rate * _share(step, training.steps)
        logits = model(batch.ids, use_cache=False).logits[:, batch.start :]
        loss = cross_entropy(logits.flatten(0, 1), batch.targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        last = loss.item()
        bits += last * batch.targets.numel() / math.log(2)
        silent = silent + 1 if last == 0 else 0
        if silent == SILENT:
            break
    model.eval()
    return Learned(
        start, noise, seed, before,
        _score(model, compiled, _held_out(program, training, seed, longer=False)),
        _score(model, compiled, _held_out(program, training, seed, longer=True)),
        last, bits, _moved(first, list(model.parameters())),
    )  # fmt: skip


def _started(compiled: Compiled, start: Start, noise: float) -> LlamaForCausalLM:
    if start == "random":
        return LlamaForCausalLM(LlamaConfig(**compiled.config))
    model = compiled.model()
    with torch.no_grad():
        for one in model.parameters():
            one.mul_(1 + noise * torch.randn_like(one))
    return model


def _share(step: int, steps: int) -> float:
    """Return the share of the peak rate: up over the first tenth, then down a cosine."""
    up = min(1.0, (step + 1) / max(1.0, WARMUP * steps))
    return up * 0.5 * (1 + math.cos(math.pi * step / steps))


def _drawn(program: Program, symbols: Sequence[str], training: Training, seed: int) -> Iterator[Batch]:
    """Yield one batch a step: inputs of one length, the lengths drawn by how many inputs they have, none above half."""
    rng = random.Random(f"train|{program.name}|{seed}")
    lengths = program.lengths(training.length)
    for _ in range(training.steps):
        length = rng.choice(lengths)
        some = [program.draw(rng, length) for _ in range(training.rows)]
        yield next(batches(program, symbols, some))


def _held_out(program: Program, training: Training, seed: int, longer: bool) -> list[Tokens]:
    """Return the inputs that a score is of: the lengths of training, or those above it up to twice as long."""
    rng = random.Random(f"held out|{program.name}|{seed}|{longer}")
    low = training.length + 1 if longer else 1
    lengths = [n for n in program.lengths(training.length * (2 if longer else 1)) if n >= low]
    return [program.draw(rng, rng.choice(lengths)) for _ in range(training.evaluated)]


def _score(model: LlamaForCausalLM, compiled: Compiled, inputs: Sequence[Tokens]) -> float:
    found = check(model, compiled.program, compiled.layout.symbols, inputs, every=False)
    return found.right / found.run


def _moved(first: Sequence[torch.Tensor], last: Sequence[torch.Tensor]) -> float:
    """Return the norm of the change of all weights over their norm at the start."""
    change = sum(float((new.detach() - old).pow(2).sum()) for new, old in zip(last, first, strict=True))
    return math.sqrt(change / sum(float(one.pow(2).sum()) for one in first))


def program_bits(compiled: Compiled) -> int:
    """Return the length in bits of the program's variables written out and compressed (zlib): an upper bound of what it
    takes to say it."""
    names = {one: f"v{place}" for place, one in enumerate(compiled.layout.coordinates)}
    lines = [f"{name}={_written(one, names)}" for one, name in names.items()]
    lines += [f"{token}:{_form(form, names)}" for token, form in compiled.layout.scores.items()]
    return 8 * len(zlib.compress("\n".join(lines).encode(), 9))


def _written(one: Variable, names: dict[Variable, str]) -> str:
    match one:
        case Feature(table=table):
            return ",".join(f"{token}{value:g}" for token, value in table.items())
        case Stairs():
            return f"map {_form(one.form_in, names)} " + ",".join(f"{to:g}" for _, to in one.levels)
        case Attended(head=head, value=value):
            dots = ";".join(f"{_form(query, names)}*{_form(key, names)}" for query, key in head.dots)
            return f"mean {_form(value, names)} at {dots} {head.relative or ''}"
        case _:
            raise AssertionError(one)


def _form(form: Form, names: dict[Variable, str]) -> str:
    terms = "+".join(f"{by:.4g}{names[one]}" for one, by in form.terms.items())
    return f"{terms}+{form.constant:.4g}" if form.constant else terms


def learn_all(
    compiled: Compiled, training: Training, noises: Sequence[float], seeds: Sequence[int]
) -> Iterator[Learned]:
    """Yield every training: random, each noise, and compiled, by each seed."""
    runs: list[tuple[Start, float]] = [
        ("random", 0.0),
        *(("noised", one) for one in noises),
        ("compiled", 0.0),
    ]
    for start, noise in runs:
        for seed in seeds:
            yield learn(compiled, training, start, noise, seed)
