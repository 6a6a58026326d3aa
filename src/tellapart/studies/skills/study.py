"""`tellapart skills train`: tasks -> experts, LoRA beside them -> rows of all on all -> findings -> report."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tellapart.errors import UserMistake
from tellapart.findings.finding import Finding
from tellapart.findings.skills import DISPATCH, MAP, SPECTRUM, TRAINING, SkillMap, SpectrumRow, TrainingLog
from tellapart.findings.table import Tables
from tellapart.findings.typed import to_json
from tellapart.interventions.weights import Weights
from tellapart.models.local import LocalModel
from tellapart.runs.collect import latest
from tellapart.runs.folder import RunFolder, read_json
from tellapart.runs.table import to_table, write_table
from tellapart.studies.opening import identities, opened, tell_chat
from tellapart.studies.skills.analyse import Cost, Facts, analyse, facts_from
from tellapart.studies.skills.few_shots import SHOTS, likeliest
from tellapart.studies.skills.first_pass import Wanted, first_passes, wanted_of
from tellapart.studies.skills.measure import NULL, SkillRun, ask_lora, ask_mixes, condition_name, sums
from tellapart.studies.skills.mix import Mix, layer_of
from tellapart.studies.skills.spec import SkillsSpec
from tellapart.studies.skills.train import (
    TRAINED,
    Skill,
    Trained,
    answers_elsewhere,
    elsewhere_than,
    judge_of,
    null_of,
    skill_of,
    train_expert,
    train_experts,
    train_lora,
)
from tellapart.studies.study import Changes, Opened
from tellapart.tasks.sources import open_task


def open_skills(spec: SkillsSpec, quiet: bool = False) -> Opened:
    """Read the tasks and the model."""
    parts = {
        kind: [skill_of(spec, open_task(name, seed=spec.seed)) for name in getattr(spec, kind)]
        for kind in ("task", "joint", "also", "watch")
    }
    _check_names([skill.name for part in parts.values() for skill in part])
    model = local(opened(spec, spec.model), spec.model)
    tell_chat(spec, (model,), quiet)
    beside = {
        "fingerprint": model.fingerprint,
        "identity": identities({"model": model}),
        "tasks": [skill.task.fingerprint for part in parts.values() for skill in part],
    }

    def find(folder: RunFolder) -> list[Finding]:
        facts = _facts(SkillRun(folder, spec, model), parts)
        folder.write_artifact("facts", facts.as_json())
        write_table(folder.path, to_table(row for rows in facts.rows.values() for row in rows))
        return analyse(facts)

    return Opened(spec, beside, find)


def analyse_again(folder: Path, changes: Changes) -> list[Finding]:
    """Return the findings of a finished run from its rows. Raises UserMistake where it is not finished."""
    facts = read_json(folder / "artifacts" / "facts.json", "the run is not finished, or of an older version")
    kept = RunFolder(folder)
    rows = {(who, task): latest(kept.read_rows(condition_name(who, task))) for who, task in facts["asked"]}
    return analyse(facts_from(facts, rows))


def local(model: object, reference: str) -> LocalModel:
    """Return a model whose weights are available. Raises UserMistake for any other."""
    if not isinstance(model, LocalModel):
        raise UserMistake(f"the weights of {reference} are not available: give a local model")
    return model


def _check_names(names: Sequence[str]) -> None:
    taken = {"base"}
    for name in names:
        if name in taken:
            raise UserMistake(f"two tasks are called {name!r}, or one is called base: rename one")
        taken.add(name)


def _facts(run: SkillRun, parts: Mapping[str, list[Skill]]) -> Facts:
    skills, joint, also = parts["task"], parts["joint"], parts["also"]
    every = [*skills, *joint, *also, *parts["watch"]]
    wanted = wanted_of(run.spec, [skill.name for skill in skills], skills, also)
    elsewhere = answers_elsewhere(run.spec, run.model, skills)
    experts = train_experts(run.folder, run.spec, run.model, skills, elsewhere)
    ceilings = {
        skill_here.name: train_expert(run.folder, run.spec, run.model, _ceiling(skill_here), [])
        for skill_here in joint
    }
    loras = {
        skill_here.name: train_lora(
            run.folder, run.spec, run.model, skill_here, elsewhere_than(elsewhere, skill_here.name)
        )
        for skill_here in (skills if run.spec.lora_rank else [])
    }
    weights = {name: expert.weights for name, expert in experts.items()}
    mixes = sums([name for name in weights if name != judge_of(run.spec)], judge_of(run.spec))
    rows = ask_mixes(run, weights, mixes, every)
    for skill in skills:
        null = f"{skill.name}{NULL}"
        rows |= ask_mixes(run, {null: null_of(weights[skill.name], run.spec.seed)}, [_alone(null)], [skill])
    for skill in joint:
        rows |= ask_mixes(
            run, {TRAINED + skill.name: ceilings[skill.name].weights}, [_alone(TRAINED + skill.name)], [skill]
        )
    for name, lora in loras.items():
        rows |= ask_lora(run, name, lora.weights, every)
    return Facts(
        rows=rows,
        experts=costs(experts),
        loras=costs(loras),
        skills=tuple(skill.name for skill in skills),
        joint=tuple(skill_here.name for skill_here in joint),
        also=tuple(skill_here.name for skill_here in (*also, *parts["watch"])),
        chosen={skill_here.name: _chosen(run, weights, mixes, skill_here) for skill_here in joint},
        tables=_tables(experts) | _dispatch(run, weights, wanted),
    )


def _dispatch(run: SkillRun, weights: Mapping[str, Weights], wanted: Sequence[Wanted]) -> Tables:
    """Return the first passes, measured once: their seconds would differ at each start."""
    artifact = run.folder.read_artifact("first-pass")
    if artifact is None:
        artifact = {"passes": to_json(first_passes(run, weights, wanted))}
        run.folder.write_artifact("first-pass", artifact)
    return {DISPATCH.name: artifact["passes"]}


def _chosen(run: SkillRun, weights: Mapping[str, Weights], mixes: Sequence[Mix], skill: Skill) -> str:
    """Return the sum of two experts that makes the targets of a joint task's training items likeliest."""
    pairs = [mix for mix in mixes if len(mix.weights) > 1] or list(mixes)
    return likeliest(run.model, weights, pairs, skill.task, skill.train[:SHOTS])


def _ceiling(skill: Skill) -> Skill:
    """Return a joint task as a skill of its own, so called that no mix takes it for one of the experts."""
    return Skill(TRAINED + skill.name, skill.task, skill.train, skill.report)


def _alone(name: str) -> Mix:
    return Mix(((name, (1.0,)),))


def costs(trained: Mapping[str, Trained]) -> dict[str, Cost]:
    """Return what each change weighs."""
    return {name: Cost(learned.numbers, learned.size, learned.seconds) for name, learned in trained.items()}


def _tables(experts: Mapping[str, Trained]) -> Tables:
    """Return the tables of a report: z by layer and matrix, how alike experts are, and the logs of training."""
    weights = {name: expert.weights for name, expert in experts.items()}
    return {
        **SPECTRUM.write(
            moved(skill, name, z) for skill, z_of in weights.items() for name, z in z_of.items()
        ),
        **MAP.write(SkillMap(tuple(weights), tuple(map(tuple, cosines(weights))))),
        **TRAINING.write(
            {
                name: TrainingLog(
                    tuple(entry.step for entry in expert.log),
                    tuple(entry.reward for entry in expert.log),
                    tuple(entry.kl for entry in expert.log),
                    tuple(entry.keep_kl for entry in expert.log),
                )
                for name, expert in experts.items()
            }
        ),
    }


def moved(skill: str, name: str, z: np.ndarray) -> SpectrumRow:
    """Return how far an expert's z is from 1 in the matrix `name`."""
    return SpectrumRow(
        skill=skill,
        layer=layer_of(name),
        matrix=name.rpartition(".")[2],
        rms=float(np.sqrt(np.mean((z - 1) ** 2))),
        least=float(z.min()),
        largest=float(z.max()),
        z=tuple(round(float(value), 4) for value in z[:: max(1, len(z) // 128)]),
    )


def cosines(weights: Mapping[str, Weights]) -> list[list[float]]:
    """Return the cosine of each two experts' z - 1, over all matrices (NaN where one did not move)."""
    flat = [
        np.concatenate([(z - 1).ravel() for _, z in sorted(weight.items())]) for weight in weights.values()
    ]
    norms = [float(np.linalg.norm(vector)) for vector in flat]
    return [
        [float(a @ b) / (x * y) if x * y else float("nan") for b, y in zip(flat, norms, strict=True)]
        for a, x in zip(flat, norms, strict=True)
    ]
