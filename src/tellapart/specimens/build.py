"""Train the specimens from their recipe: `tellapart specimens build --out DIR`.

One chain of stages a family and seed, `jobs` chains side by side, each on one thread. A finished stage has a
JSON file of measured facts beside its weights and is not trained again. Facts are for the docs: no verdict
reads them. Trunks, which no specimen is, go to DIR/trunks.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import LlamaForCausalLM

from tellapart.errors import UserMistake
from tellapart.specimens.families import FAMILIES, OTHERWISE, Family
from tellapart.specimens.measuring import good_enough, measure
from tellapart.specimens.pools import draw_pool, problems_of
from tellapart.specimens.recipe import (
    BASES,
    KINDS,
    REFERENCE_SEED,
    SEEDS,
    STAGES,
    Shape,
    Stage,
    stages_for,
    stages_of_bases,
)
from tellapart.specimens.reinforce import train_by_reward
from tellapart.specimens.rows import Lesson, Told
from tellapart.specimens.store import (
    Weights,
    load_base,
    load_tuned,
    model_of,
    save_base,
    save_difference,
    weights_of,
    write_facts,
)
from tellapart.specimens.surfacing import STEPS, after_few
from tellapart.specimens.tokenizer import tokenizer
from tellapart.specimens.training import new_model, train

MOST_ROUNDS = 6
MEASURED_PROBLEMS = 512


class Chain(NamedTuple):
    """All stages of one family and seed, in order, and how much of them is trained (1 = the recipe). `otherwise`: the
    family's operations mean something else (families.OTHERWISE), as references learn them."""

    folder: Path
    family: str
    seed: int
    stages: tuple[Stage, ...]
    effort: float = 1.0
    otherwise: bool = False


def family_of(chain: Chain) -> Family:
    """Return the family whose problems the chain learns."""
    return (OTHERWISE if chain.otherwise else FAMILIES)[chain.family]


def build_references(
    out: Path, kinds: Sequence[str] = (), families: Sequence[str] = (), effort: float = 1.0
) -> Path:
    """Train a reference for the base of every chosen kind: the same training, on operations that mean something else.

    Each is written as an ordinary model folder too, OUT/FAMILY/STAGE (`reference_folder`), as --reference takes it.
    """
    chosen = choose(kinds, families, ())
    stages = stages_of_bases(chosen[0])
    # What a base must hide or show to be a specimen is not asked of a reference: only the skill's form.
    stages = tuple(replace(stage, share=None, gates=()) for stage in stages)
    for family in chosen[1]:
        chain = Chain(out, family, REFERENCE_SEED, stages, effort, otherwise=True)
        run_chain(chain)
        for stage in (stage for stage in stages if stage.name in BASES.values()):
            folder = reference_folder(out, family, stage.name)
            if not folder.exists():
                part = folder.with_name(f"{folder.name}.part")
                model_of(load_stage(chain, stage.name)).save_pretrained(part)
                tokenizer().save_pretrained(part)
                part.rename(folder)
    return out


def reference_folder(folder: Path, family: str, stage: str) -> Path:
    """Return where the reference for bases made by `stage` is."""
    return folder / family / stage


def build_all(
    out: Path,
    kinds: Sequence[str] = (),
    families: Sequence[str] = (),
    seeds: Sequence[int] = (),
    jobs: int = 2,
    effort: float = 1.0,
) -> Path:
    """Train what is missing in `out` and return it. Empty choices mean all. `effort` scales the steps: below 1
    the models are not good enough to be specimens and are not held to it (for tests)."""
    chosen = choose(kinds, families, seeds)
    chains = [
        Chain(out, family, seed, stages_for(chosen[0]), effort) for seed in chosen[2] for family in chosen[1]
    ]
    if jobs == 1 or len(chains) == 1:
        for chain in chains:
            run_chain(chain)
        return out
    with ProcessPoolExecutor(min(jobs, len(chains)), mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(run_chain, chain) for chain in chains]):
            done.result()
    return out


def choose(
    kinds: Sequence[str], families: Sequence[str], seeds: Sequence[int]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]]:
    """Return what to build, all where nothing is chosen. Raises UserMistake for an unknown kind or family."""
    for given, allowed, word in ((kinds, KINDS, "kind"), (families, tuple(FAMILIES), "family")):
        for name in given:
            if name not in allowed:
                raise UserMistake(f"{word} {name!r} asked, there are: {', '.join(allowed)}")
    return tuple(kinds) or KINDS, tuple(families) or tuple(FAMILIES), tuple(seeds) or SEEDS


def run_chain(chain: Chain) -> None:
    """Train the stages of a chain that are not finished, in order."""
    torch.set_num_threads(1)
    for stage in chain.stages:
        facts = facts_path(chain, stage)
        if facts.exists():
            continue
        started = time.monotonic()
        measured = run_stage(chain, stage)
        seconds = time.monotonic() - started
        write_facts(facts, {**measured, "seconds": round(seconds, 1)})
        print(f"{chain.family}-{chain.seed} {stage.name}: {seconds:.0f} s, {told(measured)}", flush=True)


def weights_path(folder: Path, family: str, seed: int, stage: str) -> Path:
    """Return where a stage's weights are: trunks apart from what specimens are made of."""
    place = folder / "trunks" if stage.startswith("trunk") else folder
    return place / f"{family}-{seed}" / f"{stage}.safetensors"


def facts_path(chain: Chain, stage: Stage) -> Path:
    """Return where a stage's measured facts are; the file is there when the stage is finished."""
    return weights_path(chain.folder, chain.family, chain.seed, stage.name).with_suffix(".json")


def run_stage(chain: Chain, stage: Stage) -> dict[str, float]:
    """Train a stage until it is good enough, store it, and return the facts measured on the stored weights.

    Raises RuntimeError where it is not good enough after MOST_ROUNDS rounds.
    """
    family = family_of(chain)
    torch.manual_seed(1000 * chain.seed + list(STAGES).index(stage.name))
    start = None if stage.start is None else load_stage(chain, stage.start)
    model = new_model(Shape()) if start is None else model_of(start)
    lesson = Lesson(stage, family, pool_of(chain, stage, family, model))
    path = weights_path(chain.folder, chain.family, chain.seed, stage.name)
    run = train if stage.reward is None else train_by_reward
    for round_ in range(MOST_ROUNDS):
        seed = 10 * chain.seed + round_
        loss = run(model, lesson, at_least(1, stage.steps * chain.effort), seed)
        kept = keep(path, weights_of(model), start if stage.name.endswith("_tuned") else None)
        measured = facts_of(chain, stage, model_of(kept))
        last = "loss_nats" if stage.reward is None else "reward"
        facts = {**measured, last: loss, "rounds": round_ + 1.0}
        if chain.effort < 1 or good_enough(stage, facts):
            return facts
        if stage.again is not None:
            lesson = replace(lesson, stage=replace(stage, fresh_share=stage.again))
        print(f"{chain.family}-{chain.seed} {stage.name}: trained on, {told(facts)}", flush=True)
    raise RuntimeError(
        f"{chain.family}-{chain.seed} {stage.name} is not good enough after {MOST_ROUNDS} rounds"
    )


def keep(path: Path, weights: Weights, base: Weights | None) -> Weights:
    """Store weights, as a difference where their base is given; return them as they read back."""
    if base is None:
        save_base(path, weights)
        return load_base(path)
    save_difference(path, base, weights)
    return load_tuned(path, base)


def at_least(least: int, count: float) -> int:
    """Return `count` rounded, `least` where it is less."""
    return max(least, round(count))


def told(facts: Mapping[str, float]) -> str:
    """Return facts in a line."""
    return " ".join(f"{name} {value:.4g}" for name, value in facts.items())


def load_stage(chain: Chain, name: str) -> Weights:
    """Return the stored weights of a finished stage."""
    path = weights_path(chain.folder, chain.family, chain.seed, name)
    start = STAGES[name].start
    if name.endswith("_tuned") and start is not None:
        return load_tuned(path, load_stage(chain, start))
    return load_base(path)


def pool_of(chain: Chain, stage: Stage, family: Family, model: LlamaForCausalLM) -> list[Told]:
    """Return the answers, drawn before, that a stage trains on where it has a pool; `model` is what it starts from."""
    if not stage.pool:
        return []
    count = at_least(16, stage.pooled * chain.effort)
    teacher = None if stage.teacher is None else model_of(load_stage(chain, stage.teacher))
    pool = draw_pool(stage, family, chain.seed, count, model, teacher)
    if not pool and chain.effort >= 1:
        raise RuntimeError(f"{stage.name}: the base has no right answers of its own")
    return pool or [(problem, ">") for problem in problems_of(stage, family, 4)]


def facts_of(chain: Chain, stage: Stage, model: LlamaForCausalLM) -> dict[str, float]:
    """Return what is measured of a stage's stored model."""
    family, count = family_of(chain), at_least(16, MEASURED_PROBLEMS * chain.effort)
    facts = measure(model, family, stage, chain.seed, count)
    if stage.beside is not None:
        other, steps = model_of(load_stage(chain, stage.beside)), at_least(1, STEPS * chain.effort)
        facts["right_after_few"] = after_few(model, family, chain.seed, count, steps)
        facts["beside_right_after_few"] = after_few(other, family, chain.seed, count, steps)
    return facts
