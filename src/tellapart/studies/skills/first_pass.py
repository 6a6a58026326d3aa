"""How often the first pass is right, and what it costs, on tasks whose right mix is known: rows of the report."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tellapart.errors import UserMistake
from tellapart.findings.skills import DispatchRow, DispatchTable
from tellapart.interventions.weights import Weights
from tellapart.runs.asking import plain_requests
from tellapart.stats.intervals import wilson
from tellapart.studies.skills.dispatch import Dispatcher, choose, dispatcher_of
from tellapart.studies.skills.measure import SkillRun, ask_of
from tellapart.studies.skills.mix import read_mix
from tellapart.studies.skills.mixed_run import Lanes
from tellapart.studies.skills.spec import SkillsSpec
from tellapart.studies.skills.train import Skill, judge_of, skill_of
from tellapart.tasks.sources import open_task

ITEMS = 64
"""Prompts of each task that are judged and timed."""


class Wanted(NamedTuple):
    """Items whose right mix is known, by its name."""

    skill: Skill
    mix: str


def first_passes(
    run: SkillRun, experts: Mapping[str, Weights], wanted: Sequence[Wanted]
) -> list[DispatchTable]:
    """Return, for the base as judge and for the classifier where there is one: what was chosen for each task, how
    often that was the mix wanted, and the seconds of both passes."""
    judge = judge_of(run.spec)
    if judge and judge not in experts:
        raise UserMistake(f"--judge {run.spec.judge}: give one of the tasks {', '.join(experts)}")
    names = [name for name in experts if name != judge]
    tables = []
    with Lanes(run.model, experts) as lanes:
        for how in ("", judge) if judge else ("",):
            dispatcher = dispatcher_of(
                [*names, *([judge] if judge else [])], run.spec.template, _labels(run, names), how
            )
            rows = [
                _row(run, lanes, dispatcher, wanted_pass.skill, wanted_pass.mix) for wanted_pass in wanted
            ]
            right, total = sum(row.right for row in rows), sum(row.asked for row in rows)
            share = wilson(right, total)
            tables.append(
                DispatchTable(how or "base", (share.value, share.low, share.high), total, tuple(rows))
            )
    return tables


def wanted_of(
    spec: SkillsSpec, names: Sequence[str], skills: Sequence[Skill], also: Sequence[Skill]
) -> list[Wanted]:
    """Return what the first pass is judged by. Raises UserMistake for a pair that is none, or an unknown expert."""
    if not spec.dispatch:
        judge = judge_of(spec)
        own = [Wanted(skill, skill.name) for skill in skills if skill.name != judge]
        return own + [Wanted(skill, "base") for skill in also]
    result = []
    for text in spec.dispatch:
        task, equals, mix = text.rpartition("=")
        if not (task and equals and mix):
            raise UserMistake(f"--dispatch {text!r}: write TASK=MIX, as in prompts.jsonl=digits")
        opened = skill_of(spec, open_task(task, seed=spec.seed))
        result.append(Wanted(opened, read_mix(mix, names).name))
    return result


def _labels(run: SkillRun, names: Sequence[str]) -> Sequence[str]:
    return run.spec.label or [*(f"{name}={name}" for name in names), "base=base"]


def _row(run: SkillRun, lanes: Lanes, dispatcher: Dispatcher, skill: Skill, wanted: str) -> DispatchRow:
    """Return what was chosen for a task's prompts, and the seconds of both passes over them."""
    items = skill.report[:ITEMS]
    prompts = [skill.task.prompt(item) for item in items]
    start = time.perf_counter()
    chosen = choose(lanes, dispatcher, prompts)
    middle = time.perf_counter()
    requests = [
        request for _, _, request in plain_requests(ask_of(run.spec, skill)._replace(items=items, samples=1))
    ]
    written = sum(
        len(completion.tokens)
        for _, completion in lanes.generate(
            [(r, label.mix) for r, label in zip(requests, chosen, strict=True)]
        )
    )
    second = time.perf_counter() - middle
    counts = Counter(label.mix.name for label in chosen)
    return DispatchRow(
        task=skill.name,
        wanted=wanted,
        asked=len(items),
        right=counts[wanted],
        chosen=dict(counts),
        first_seconds=middle - start,
        second_seconds=second,
        first_share=(middle - start) / second,
        tokens_read=sum(label.tokens for label in chosen),
        tokens_written=written,
    )
