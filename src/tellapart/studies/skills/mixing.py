"""`tellapart skills mix`: a mix by hand, by a first pass or a learned weighting of each prompt, or by a few examples;
scored on a task."""

import json
import time
from collections import Counter
from collections.abc import Sequence

from rich.console import Console

from tellapart.errors import UserMistake
from tellapart.findings.finding import without_nan
from tellapart.jsonvalue import Json
from tellapart.models.model import Request, Sampling
from tellapart.runs.asking import row_seed
from tellapart.stats.intervals import mean_score
from tellapart.stats.paired import paired_difference
from tellapart.studies.skills.cem import Range, search
from tellapart.studies.skills.commands import MixSpec
from tellapart.studies.skills.dispatch import choose, dispatcher_of
from tellapart.studies.skills.expert import expert_name
from tellapart.studies.skills.mix import Mix
from tellapart.studies.skills.mixed_run import Lanes
from tellapart.studies.skills.opened import Experts, keep_mix, open_experts
from tellapart.studies.skills.weighting import learn_weighting
from tellapart.tasks.item import Item, Task
from tellapart.tasks.sources import open_task
from tellapart.tasks.split import by_hash

MOST_WEIGHT = 10.0
PUBLISHED = "published for Transformer-squared: 13 / 19 / 47 % (Sun et al. 2025)"


def run_mix(spec: MixSpec) -> dict[str, Json]:
    """Mix, answer the task, and return (and print) the scores with and without the mix."""
    if not spec.task:
        raise UserMistake("skills mix needs a --task")
    if spec.how == "hand" and not spec.mix:
        raise UserMistake("mixing by hand needs --mix, as in --mix digits+0.5*letters")
    if spec.learn_on and spec.how != "learned":
        raise UserMistake(f"--learn-on is for --how learned, not {spec.how}")
    if spec.save and spec.how != "cem":
        raise UserMistake(f"--save keeps a mix that cem found: --how {spec.how} finds none")
    if not 0 < spec.most <= MOST_WEIGHT:
        raise UserMistake(f"--most {spec.most}: give a weight above 0 and at most {MOST_WEIGHT:g}")
    if spec.how == "classifier" and not spec.judge:
        raise UserMistake("a classifier needs --judge: the expert that was trained to tell prompts apart")
    task = open_task(spec.task, seed=spec.seed)
    experts = open_experts(spec.folder, spec.device, spec.max_rows)
    items = in_order(task, spec.seed)
    taken = spec.shots if spec.how in ("cem", "learned") else 0
    if taken >= len(items):
        raise UserMistake(
            f"--shots {spec.shots}: the task has {len(items)} items, and some must be left to score"
        )
    with Lanes(experts.model, experts.weights) as lanes:
        report = _scored(spec, experts, lanes, task, items[:taken], items[taken:][: spec.limit])
    if spec.json:
        print(json.dumps(without_nan(report), indent=1, ensure_ascii=False))
    else:
        _print(report)
    return report


def in_order(task: Task, seed: int) -> list[Item]:
    """Return the task's items in the order in which they are taken as examples."""
    order = by_hash([item.id for item in task.items], seed)
    place = {name: at for at, name in enumerate(order)}
    return sorted(task.items, key=lambda item: place[item.id])


def _scored(
    spec: MixSpec, experts: Experts, lanes: Lanes, task: Task, shots: Sequence[Item], items: Sequence[Item]
) -> dict[str, Json]:
    start = time.perf_counter()
    mixes, more = _mixes(spec, experts, lanes, task, shots, items)
    first = time.perf_counter() - start
    start = time.perf_counter()
    scores = ask(spec, lanes, task, items, mixes)
    second = time.perf_counter() - start
    plain = ask(spec, lanes, task, items, [Mix()] * len(items))
    report: dict[str, Json] = {
        "task": task.name,
        "how": spec.how,
        "items": len(items),
        "base_score": mean_score(plain).as_json(),
        "mix_score": mean_score(scores).as_json(),
        "gain": paired_difference(plain, scores).as_json(),
        "first_pass_seconds": first,
        "second_pass_seconds": second,
        **more,
    }
    if spec.how in ("prompt", "classifier"):
        report["first_pass_share"] = first / second
    return report


def _mixes(
    spec: MixSpec, experts: Experts, lanes: Lanes, task: Task, shots: Sequence[Item], items: Sequence[Item]
) -> tuple[list[Mix], dict[str, Json]]:
    """Return the mix of each item, and what there is to tell of how it was had."""
    if spec.how == "hand":
        mix = experts.mix(spec.mix)
        return [mix] * len(items), {"mix": mix.name, "weights": mix.as_json()}
    if spec.how == "cem":
        searched = search(lanes, task, shots, Range(spec.rounds, spec.by_layer, spec.most), spec.seed)
        lanes.forget()
        if spec.save:
            keep_mix(experts, spec.save, searched.mix)
        return [searched.mix] * len(items), {
            "mix": searched.mix.name,
            "weights": searched.mix.as_json(),
            "shots": len(shots),
            "shots_score": searched.score,
            "shots_loglik": searched.loglik,
            "rounds": [list(round_found) for round_found in searched.rounds],
            "answers_drawn": searched.answers,
        }
    if spec.how == "learned":
        return _learned(spec, experts, lanes, task, shots, items)
    dispatcher = dispatcher_of(
        list(experts.weights), spec.template, spec.label, spec.judge if spec.how == "classifier" else ""
    )
    mixes = [choice.mix for choice in choose(lanes, dispatcher, [task.prompt(item) for item in items])]
    return mixes, {"chosen": dict(Counter(mix.name for mix in mixes))}


def _learned(
    spec: MixSpec, experts: Experts, lanes: Lanes, task: Task, shots: Sequence[Item], items: Sequence[Item]
) -> tuple[list[Mix], dict[str, Json]]:
    """Return the mix of each item by a weighting learned on examples; the task's own are among them where it is named,
    or no other is."""
    others = [open_task(name, seed=spec.seed) for name in spec.learn_on if name != spec.task]
    given: list[tuple[Task, Sequence[Item]]] = [
        (other, in_order(other, spec.seed)[: spec.shots]) for other in others
    ]
    if spec.task in spec.learn_on or not given:
        given.append((task, shots))
    names = [name for name in experts.weights if not spec.judge or name != expert_name(spec.judge)]
    with lanes.aside():
        weighting = learn_weighting(
            experts.model, {name: experts.weights[name] for name in names}, given, spec.seed
        )
        mixes = weighting.mixes(experts.model, [task.prompt(item) for item in items])
    mean = dict.fromkeys(names, 0.0)
    for mix in mixes:
        for name, values in mix.weights:
            mean[name] += values[0] / len(mixes)
    described = {"learned_on": [other.name for other, _ in given], "numbers": weighting.numbers}
    return mixes, {
        **described,
        "shots": sum(len(shots_here) for _, shots_here in given),
        "mean_weights": mean,
    }


def ask(spec: MixSpec, lanes: Lanes, task: Task, items: Sequence[Item], mixes: Sequence[Mix]) -> list[float]:
    """Return the score of an answer to each item under its mix."""
    sampling = Sampling(temperature=spec.temperature, max_tokens=task.max_tokens, stop=task.stop)
    requests = [Request(task.prompt(item), row_seed(spec.seed, item.id, 0), sampling) for item in items]
    scores = [0.0] * len(items)
    for index, completion in lanes.generate(list(zip(requests, mixes, strict=True))):
        if completion.finish == "failed":
            raise UserMistake(f"{requests[index].prompt!r:.60}: {completion.error}")
        scores[index] = task.score(items[index], completion.text)
    return scores


def _print(report: dict[str, Json]) -> None:
    console = Console()
    for name, value in report.items():
        if isinstance(value, dict) and "low" in value:
            middle, low, high = (
                float("nan") if value[k] is None else value[k] for k in ("value", "low", "high")
            )
            text = f"{middle:.3f} [{low:.3f}, {high:.3f}] n = {value['n']}"
        else:
            text = f"{value:.3g}" if isinstance(value, float) else str(value)
        console.print(f"{name:20} {text}", markup=False, highlight=False, soft_wrap=True)
    if "first_pass_share" in report:
        console.print(f"first pass over second, in time; {PUBLISHED}", markup=False, highlight=False)
