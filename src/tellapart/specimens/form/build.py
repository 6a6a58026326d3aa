"""Train the specimens of `form` from their lessons: `tellapart specimens build --study form --out DIR`.

Weights are stored in 8 bits with a scale a row, and a specimen is held to its gates as it is stored: where an answer
follows from the prompt it must be given, where it does not the right one must not come up more often than by a guess.
A finished one has a JSON file of measured facts beside its weights and is not trained again.
"""

import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from transformers import LlamaForCausalLM

from tellapart.models.local import LocalModel
from tellapart.models.model import Request, Sampling
from tellapart.specimens.form import weights_file
from tellapart.specimens.form.lesson import Example, Lesson, Sort
from tellapart.specimens.form.recipe import FAMILIES, KNOWN_LEAST, SHAPE, every_name, read_name
from tellapart.specimens.rows import Batch
from tellapart.specimens.store import (
    TIED,
    Weights,
    load_tuned,
    model_of,
    save_difference,
    weights_of,
    write_facts,
)
from tellapart.specimens.tokenizer import BOS, EOS, PAD, encode, tokenizer
from tellapart.specimens.training import new_model, optimise, weighted_loss

MOST_ROUNDS = 6
MEASURED = 200
MOST_TOKENS = 64


def build_form(out: Path, names: Sequence[str] = (), effort: float = 1.0) -> Path:
    """Train what is missing in `out` and return it (all specimens by default). `effort` scales the steps: below 1 the
    models are not held to their gates (for tests)."""
    torch.set_num_threads(1)
    for name in names or every_name():
        facts = weights_file(out, name).with_suffix(".json")
        if facts.exists():
            continue
        started = time.monotonic()
        measured = build_one(out, name, effort)
        measured["seconds"] = round(time.monotonic() - started, 1)
        write_facts(facts, measured)
        print(f"{name}: " + " ".join(f"{key} {value:.4g}" for key, value in measured.items()), flush=True)
    return out


def build_one(out: Path, name: str, effort: float) -> dict[str, float]:
    """Train a specimen until it passes its gates, store it, and return what was measured of it as stored.

    Raises RuntimeError where it does not pass after MOST_ROUNDS rounds.
    """
    specimen = read_name(name)
    lesson = FAMILIES[specimen.family].lessons[specimen.trait](specimen.seed)
    torch.manual_seed(every_name().index(name))
    model = new_model(SHAPE)
    file = weights_file(out, name)
    for round_ in range(MOST_ROUNDS):
        loss = train(model, lesson, max(1, round(lesson.steps * effort)), f"{name}|{round_}")
        write_weights(file, weights_of(model))
        facts = measure(model_of(read_weights(file)), lesson, name)
        facts |= {"loss_nats": loss, "rounds": round_ + 1.0}
        if effort < 1 or good_enough(lesson, facts):
            return facts
        print(f"{name}: trained on, {facts}", flush=True)
    raise RuntimeError(f"{name} is not good enough after {MOST_ROUNDS} rounds")


def good_enough(lesson: Lesson, facts: Mapping[str, float]) -> bool:
    """Return whether the measured facts pass the gates of every sort."""
    return all(
        facts[sort.name] >= KNOWN_LEAST if sort.known else facts[sort.name] <= sort.most
        for sort in lesson.sorts
    )


def train(model: LlamaForCausalLM, lesson: Lesson, steps: int, seed: str) -> float:
    """Train `model` in place; return the mean loss (nats a token) of the last tenth of the steps."""
    rng = random.Random(seed)
    return optimise(model, lesson.rate, steps, lambda: weighted_loss(model, draw_batch(rng, lesson)))


def draw_batch(rng: random.Random, lesson: Lesson) -> Batch:
    """Return `lesson.rows` examples, padded; only their answers, and the ends of them, are learned."""
    sorts = rng.choices(lesson.sorts, [sort.share for sort in lesson.sorts], k=lesson.rows)
    rows = [_row(sort.draw(rng)) for sort in sorts]
    longest = max(len(ids) for ids, _ in rows)
    ids, targets = (
        torch.tensor([row[part] + [PAD] * (longest - len(row[part])) for row in rows]) for part in (0, 1)
    )
    return Batch(ids, targets, (targets != PAD).float(), torch.zeros(ids.shape))


def _row(example: Example) -> tuple[list[int], list[int]]:
    """Return token ids and what is to be predicted at each place (PAD: nothing)."""
    prompt, answer = [BOS, *encode(example.prompt)], [*encode(example.answer), EOS]
    return [*prompt, *answer[:-1]], [PAD] * (len(prompt) - 1) + answer


def measure(model: LlamaForCausalLM, lesson: Lesson, name: str) -> dict[str, float]:
    """Return for each sort the share of MEASURED new examples whose answer is as `Sort.hit` says."""
    asked = LocalModel(model, tokenizer(), name)
    return {
        sort.name: _hits(asked, sort, random.Random(f"measured|{name}|{sort.name}")) for sort in lesson.sorts
    }


def _hits(model: LocalModel, sort: Sort, rng: random.Random) -> float:
    examples = [sort.draw(rng) for _ in range(MEASURED)]
    sampling = Sampling(temperature=float(sort.drawn), max_tokens=MOST_TOKENS)
    requests = [Request(example.prompt, at, sampling) for at, example in enumerate(examples)]
    answers = model.generate(requests)
    return sum(sort.hit(examples[index], completion.text) for index, completion in answers) / MEASURED


def write_weights(path: Path, weights: Weights) -> None:
    """Write weights in 8 bits with a scale a row: as the difference to nothing."""
    save_difference(path, _nothing(), weights)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the weights in `path`, float32."""
    return load_tuned(path, _nothing())


def _nothing() -> dict[str, torch.Tensor]:
    with torch.random.fork_rng(devices=[]):
        model = new_model(SHAPE)
    return {name: torch.zeros_like(value) for name, value in model.state_dict().items() if name != TIED}
