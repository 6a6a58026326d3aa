"""How often the first pass is right, and what it costs, on tasks whose right mix is known: rows of the report."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tellapart.elicit.elicitor import plain_requests
from tellapart.elicit.weights import Weights
from tellapart.errors import UserMistake
from tellapart.stats.intervals import wilson
from tellapart.studies.skills.dispatch import Dispatcher, choose, dispatcher_of
from tellapart.studies.skills.expert import expert_name
from tellapart.studies.skills.measure import Asked, ask_of
from tellapart.studies.skills.mixed_run import Lanes
from tellapart.studies.skills.train import Skill

AT_ONCE = 32
ITEMS = 64
"""Prompts of each task that are judged and timed."""


def first_passes(
    run: Asked, experts: Mapping[str, Weights], skills: Sequence[Skill], also: Sequence[Skill]
) -> list[dict[str, Any]]:
    """Return, for the base as judge and for the classifier where there is one: what was chosen for each task, how
    often that was the task's own expert (for `also`: the base), and the seconds of both passes."""
    judge = expert_name(run.spec.judge) if run.spec.judge else ""
    if judge and judge not in experts:
        raise UserMistake(f"--judge {run.spec.judge}: give one of the tasks {', '.join(experts)}")
    names = [name for name in experts if name != judge]
    wanted = {skill.name: skill.name for skill in skills if skill.name != judge} | {
        s.name: "base" for s in also
    }
    tasks = [skill for skill in (*skills, *also) if skill.name in wanted]
    told = []
    with Lanes(run.model, experts) as lanes:
        for how in ("", judge) if judge else ("",):
            dispatcher = dispatcher_of(
                [*names, *([judge] if judge else [])], run.spec.template, _labels(run, names), how
            )
            rows = [_row(run, lanes, dispatcher, skill, wanted[skill.name]) for skill in tasks]
            right, asked = sum(row["right"] for row in rows), sum(row["asked"] for row in rows)
            share = wilson(right, asked)
            told.append(
                {
                    "judge": how or "base",
                    "share": [share.value, share.low, share.high],
                    "n": asked,
                    "rows": rows,
                }
            )
    return told


def _labels(run: Asked, names: Sequence[str]) -> Sequence[str]:
    return run.spec.label or [*(f"{name}={name}" for name in names), "base=base"]


def _row(run: Asked, lanes: Lanes, dispatcher: Dispatcher, skill: Skill, wanted: str) -> dict[str, Any]:
    """Return what was chosen for a task's prompts, and the seconds of both passes over them."""
    items = skill.report[:ITEMS]
    prompts = [skill.task.prompt(item) for item in items]
    start = time.perf_counter()
    chosen = [
        one
        for at in range(0, len(prompts), AT_ONCE)
        for one in choose(lanes, dispatcher, prompts[at : at + AT_ONCE])
    ]
    middle = time.perf_counter()
    requests = [
        request for _, _, request in plain_requests(ask_of(run.spec, skill)._replace(items=items, samples=1))
    ]
    written = sum(
        len(completion.tokens)
        for _, completion in lanes.generate([(r, one.mix) for r, one in zip(requests, chosen, strict=True)])
    )
    second = time.perf_counter() - middle
    counts = Counter(one.mix.name for one in chosen)
    return {
        "task": skill.name,
        "wanted": wanted,
        "asked": len(items),
        "right": counts[wanted],
        "chosen": dict(counts),
        "first_seconds": middle - start,
        "second_seconds": second,
        "first_share": (middle - start) / second,
        "tokens_read": sum(one.tokens for one in chosen),
        "tokens_written": written,
    }
