"""The experts of a run: trained, or read where an earlier start of the same run has trained them.

Beside each stands LoRA, trained on as many batches with the same terms (its rate, where none is asked for, is the
usual one, calmed as in elicit/local_adapted.py).
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tellapart.errors import UserMistake
from tellapart.findings.typed import from_json, to_json
from tellapart.interventions.weights import Weights, weights_from
from tellapart.jsonvalue import JsonObject
from tellapart.models.local import LocalModel
from tellapart.runs.folder import RunFolder
from tellapart.studies.skills.encoding import Pair
from tellapart.studies.skills.expert import (
    FOLDER,
    Expert,
    base_identity,
    expert_name,
    read_expert,
    write_expert,
)
from tellapart.studies.skills.learn import Course, Learned, Tuning, learn
from tellapart.studies.skills.objectives import Practice, own_answers
from tellapart.studies.skills.paused import LogStep
from tellapart.studies.skills.spec import SkillsSpec
from tellapart.studies.skills.together import learn_together
from tellapart.tasks.item import Item, Task
from tellapart.tasks.split import split_items
from tellapart.training.change import Change
from tellapart.training.lora import Lora
from tellapart.training.matrices import matrices_of
from tellapart.training.svf import Svf
from tellapart.version import __version__

TRAINED, CEILINGS = "trained_", "ceilings"
RATE = 0.56
"""Peak rate of z, shared out over the matrices: 0.04 on the 14 of skills-0, there the best of 0.02, 0.04, 0.08."""
KEPT = 100
"""Prompts of each other task on which an expert is held to the base."""


@dataclass(frozen=True)
class Skill:
    """A task with its items in two parts: trained on, and reported on. `name` is what its expert is called."""

    name: str
    task: Task
    train: tuple[Item, ...]
    report: tuple[Item, ...]


class Trained(NamedTuple):
    """A change for one skill: what it weighs, and how its training went."""

    weights: Weights
    numbers: int
    size: int
    seconds: float
    log: Sequence[LogStep]


def skill_of(spec: SkillsSpec, task: Task) -> Skill:
    """Return a task with its parts; `limit` bounds the items reported on."""
    if task.mode != "generate":
        raise UserMistake(f"task {task.name!r} picks among choices: skills are trained on written answers")
    parts = split_items(task, spec.seed, spec.train_share)
    return Skill(expert_name(task.name), task, parts.fit, parts.report[: spec.limit])


def answers_elsewhere(spec: SkillsSpec, model: LocalModel, skills: Sequence[Skill]) -> dict[str, list[Pair]]:
    """Return the base's own answers to KEPT training items of each skill, by its name."""
    if not spec.keep:
        return {}
    return {
        skill.name: [
            Pair(prompt, answer)
            for prompt, answer, _ in own_answers(
                model, skill.task, skill.train[:KEPT], f"{spec.seed}|{skill.name}"
            )
        ]
        for skill in skills
    }


def svf_for(spec: SkillsSpec, model: LocalModel) -> tuple[Svf, float]:
    """Return the change that experts are, and its rate."""
    change = Svf(spec.targets)
    return change, spec.rate or RATE / len(matrices_of(model.module, spec.targets))


def train_experts(
    folder: RunFolder,
    spec: SkillsSpec,
    model: LocalModel,
    skills: Sequence[Skill],
    elsewhere: Mapping[str, Sequence[Pair]],
) -> dict[str, Trained]:
    """Return the expert of each skill, trained side by side but for the judge, which no mix has beside another; apart
    where asked."""
    beside = [] if spec.apart else [skill for skill in skills if skill.name != judge_of(spec)]
    if len(beside) > 1 and not all(_read_trained(folder, model, skill.name) for skill in beside):
        change, rate = svf_for(spec, model)
        start = time.perf_counter()
        practices = {skill.name: practice(spec, skill) for skill in beside}
        scratch = folder.scratch("experts")
        learned = learn_together(model, change, practices, elsewhere, tuning(spec, rate), scratch)
        seconds = (time.perf_counter() - start) / len(beside)
        for skill in beside:
            _write(folder, spec, model, skill, learned[skill.name], seconds)
        folder.clear_scratch("experts")
    return {
        skill.name: train_expert(folder, spec, model, skill, elsewhere_than(elsewhere, skill.name))
        for skill in skills
    }


def judge_of(spec: SkillsSpec) -> str:
    """Return the name of the expert that tells prompts apart; empty where there is none."""
    return expert_name(spec.judge) if spec.judge else ""


def place_of(folder: RunFolder, name: str) -> Path:
    """Return where an expert is kept; those trained on joint tasks, which only compare, are apart from the others."""
    return folder.path / (CEILINGS if name.startswith(TRAINED) else FOLDER) / f"{name}.safetensors"


def elsewhere_than(elsewhere: Mapping[str, Sequence[Pair]], name: str) -> list[Pair]:
    """Return the base's answers to the other skills' prompts."""
    return [pair for other, pairs in elsewhere.items() if other != name for pair in pairs]


def train_expert(
    folder: RunFolder, spec: SkillsSpec, model: LocalModel, skill: Skill, others: Sequence[Pair]
) -> Trained:
    """Return the expert of a skill, trained by itself; it is written to the run folder's experts."""
    stored = _read_trained(folder, model, skill.name)
    if stored is not None:
        return stored
    change, rate = svf_for(spec, model)
    start = time.perf_counter()
    course = Course(f"expert {skill.name}", folder.scratch(f"expert-{skill.name}"))
    learned = learn(model, change, practice(spec, skill), others, tuning(spec, rate), course)
    trained = _write(folder, spec, model, skill, learned, time.perf_counter() - start)
    folder.clear_scratch(f"expert-{skill.name}")
    return trained


def _read_trained(folder: RunFolder, model: LocalModel, name: str) -> Trained | None:
    """Return an expert that an earlier start of the run has finished."""
    path, facts = place_of(folder, name), folder.read_artifact(f"expert-{name}")
    if facts is None or not path.exists():
        return None
    weights = read_expert(path, model).weights
    return Trained(
        weights,
        facts["count"],
        path.stat().st_size,
        facts["seconds"],
        from_json(Sequence[LogStep], facts["log"]),
    )


def _write(
    folder: RunFolder, spec: SkillsSpec, model: LocalModel, skill: Skill, learned: Learned, seconds: float
) -> Trained:
    change, rate = svf_for(spec, model)
    path = place_of(folder, skill.name)
    provenance = provenance_of(spec, skill, change, rate)
    write_expert(path, Expert(skill.name, learned.weights, base_identity(model.module), provenance))
    facts = {"count": learned.numbers, "seconds": seconds, "log": to_json(learned.log)}
    folder.write_artifact(f"expert-{skill.name}", facts)
    return Trained(learned.weights, learned.numbers, path.stat().st_size, seconds, learned.log)


def train_lora(
    folder: RunFolder, spec: SkillsSpec, model: LocalModel, skill: Skill, others: Sequence[Pair]
) -> Trained:
    """Return the LoRA beside an expert; it is kept among the run's artifacts."""
    facts = f"lora-{skill.name}"
    artifact = folder.read_artifact(facts)
    if artifact is not None:
        data = folder.read_bytes(artifact["file"])
        weights = weights_from(data, artifact["digest"])
        log = from_json(Sequence[LogStep], artifact["log"])
        return Trained(weights, artifact["count"], len(data), artifact["seconds"], log)
    change = Lora(rank=spec.lora_rank)
    start = time.perf_counter()
    from tellapart.elicit.local_adapted import rate_for

    rate = spec.lora_rate or rate_for(model, change)
    course = Course(f"LoRA {skill.name}", folder.scratch(facts))
    how = tuning(spec, rate)._replace(steps=spec.lora_steps or spec.steps)
    learned = learn(model, change, practice(spec, skill), others, how, course)
    data, seconds = learned.weights.as_bytes(), time.perf_counter() - start
    file = f"lora-{learned.weights.digest}.safetensors"
    folder.write_bytes(file, data)
    described = {"file": file, "digest": learned.weights.digest, "count": learned.numbers, "seconds": seconds}
    folder.write_artifact(facts, {**described, "log": to_json(learned.log)})
    folder.clear_scratch(facts)
    return Trained(learned.weights, learned.numbers, len(data), seconds, learned.log)


def practice(spec: SkillsSpec, skill: Skill) -> Practice:
    """Return what is practised for a skill."""
    return Practice(
        skill.task, skill.train, spec.objective, spec.batch, spec.group, not spec.no_baseline, spec.seed
    )


def tuning(spec: SkillsSpec, rate: float) -> Tuning:
    """Return how it is trained."""
    return Tuning(spec.steps, rate, spec.kl, spec.keep)


def provenance_of(spec: SkillsSpec, skill: Skill, change: Change, rate: float) -> JsonObject:
    """Return what stands in the expert's header."""
    settings = {
        name: getattr(spec, name)
        for name in ("objective", "steps", "batch", "kl", "keep", "apart", "no_baseline", "seed")
    }
    return {
        "tellapart": __version__,
        "change": change.as_json(),
        "model": spec.model,
        "task": skill.task.name,
        "task_fingerprint": skill.task.fingerprint,
        "items": len(skill.train),
        "rate": rate,
        **settings,
    }


def null_of(weights: Weights, seed: int) -> Weights:
    """Return the null control: each matrix's z in another order, so that its values and its norm stay."""
    rng = np.random.default_rng(seed)
    return Weights({name: rng.permutation(z) for name, z in weights.items()})
