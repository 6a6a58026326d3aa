"""Put tasks to the base, to experts, to mixes, to null controls and to LoRA: rows in the run folder."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import combinations
from typing import NamedTuple

from tellapart.interventions.weights import Weights
from tellapart.models.local import LocalModel
from tellapart.models.model import Sampling
from tellapart.runs.asking import Ask, Elicitation, generate, plain_requests
from tellapart.runs.collect import Condition, collect
from tellapart.runs.folder import RunFolder
from tellapart.runs.row import Row
from tellapart.studies.skills.mix import Mix
from tellapart.studies.skills.mixed_run import Lanes
from tellapart.studies.skills.spec import SkillsSpec
from tellapart.studies.skills.train import Skill
from tellapart.training.change import changed
from tellapart.training.lora import Lora

BASE, NULL, LORA = "base", "~null", "~lora"


class Measured(NamedTuple):
    """Rows by who was asked (`base`, `digits`, `digits+letters`, `digits~null`, `digits~lora`) and task."""

    rows: dict[tuple[str, str], list[Row]]


class SkillRun(NamedTuple):
    """The run, whom it asks, and how."""

    folder: RunFolder
    spec: SkillsSpec
    model: LocalModel


def sums(names: Sequence[str], judge: str = "") -> list[Mix]:
    """Return the base, every expert, and every sum of two but those with the judge, which is asked by itself."""
    alone = [Mix(((name, (1.0,)),)) for name in names]
    judging = [Mix(((judge, (1.0,)),))] if judge else []
    pairs = [Mix((a.weights[0], b.weights[0])) for a, b in combinations(alone, 2)]
    return [Mix(), *alone, *judging, *pairs]


def ask_mixes(
    run: SkillRun, experts: Mapping[str, Weights], mixes: Sequence[Mix], skills: Sequence[Skill]
) -> dict[tuple[str, str], list[Row]]:
    """Return the rows of each mix on each task."""
    result = {}
    with Lanes(run.model, experts) as lanes:
        for mix in mixes:
            digests = [experts[name].digest for name, _ in mix.weights]

            def answer(ask: Ask, mix: Mix = mix) -> Iterator[Elicitation]:
                return through_lanes(lanes, mix, ask)

            for skill in skills:
                result[mix.name, skill.name] = collect(
                    run.folder,
                    condition(run, mix.name, skill, [mix.as_json(), digests]),
                    ask_of(run.spec, skill),
                    answer,
                )
    return result


def through_lanes(lanes: Lanes, mix: Mix, ask: Ask) -> Iterator[Elicitation]:
    """Yield every answer asked for, under one mix."""
    rows = list(plain_requests(ask))
    for index, completion in lanes.generate([(request, mix) for _, _, request in rows]):
        item, sample, request = rows[index]
        yield Elicitation(item, sample, str(request.prompt), completion)


def ask_lora(
    run: SkillRun, name: str, weights: Weights, skills: Sequence[Skill]
) -> dict[tuple[str, str], list[Row]]:
    """Return the rows of a skill's LoRA on each task."""
    who = f"{name}{LORA}"
    result = {}
    change = Lora(rank=run.spec.lora_rank)
    for skill in skills:

        def answer(ask: Ask) -> Iterator[Elicitation]:
            with changed(run.model, change, weights) if weights else nullcontext():
                answers = list(generate(run.model, list(plain_requests(ask))))
            return iter(answers)

        result[who, skill.name] = collect(
            run.folder, condition(run, who, skill, [weights.digest]), ask_of(run.spec, skill), answer
        )
    return result


def condition_name(who: str, task: str) -> str:
    """Return what the rows of one mix, expert or LoRA on one task are called."""
    return f"{who}@{task}"


def condition(run: SkillRun, who: str, skill: Skill, recorded: Sequence[object]) -> Condition:
    """Return the condition `who@task`, known by everything that determines its answers."""
    identity = {
        **run.model.known_by(),
        "task": skill.task.fingerprint,
        "temperature": run.spec.temperature,
        "seed": run.spec.seed,
        "change": list(recorded),
    }
    return Condition("skills", condition_name(who, skill.name), "report", identity)


def ask_of(spec: SkillsSpec, skill: Skill) -> Ask:
    """Return what is asked of each condition."""
    sampling = Sampling(temperature=spec.temperature, max_tokens=skill.task.max_tokens, stop=skill.task.stop)
    return Ask(skill.task, skill.report, spec.samples, spec.seed, sampling)
