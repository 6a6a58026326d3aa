"""lm-evaluation-harness results: `results{task{"acc,none"}}` (new) and `results{task{acc, acc_stderr}}` (old)."""

from collections.abc import Iterator
from typing import NamedTuple

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.logs.lm_eval_sample import BYPASS
from tellapart.logs.scale_points import NAN, Point, family_of, parameters_of, step_of
from tellapart.logs.source import Source
from tellapart.logs.value import mapping, number, short, text

NOT_SCORES = {BYPASS, "alias", "name", "sample_len", "sample_count", "samples", "version", "num_fewshot"}


class _Run(NamedTuple):
    """What a file tells of the model that was evaluated."""

    model: str
    family: str
    parameters: float
    steps: float
    shots: Json


def recognises(source: Source) -> bool:
    """Say whether the document holds lm-eval's aggregate results."""
    return (
        source.kind == "json"
        and source.has("results")
        and isinstance(source.head["results"], dict)
        and (source.has("config") or source.has("versions"))
    )


def read(source: Source) -> Iterator[Point]:
    """Yield a point for each task and metric. Raises UserMistake where the file is not in lm-eval's form."""
    where = str(source.path)
    document = mapping(source.first, where)
    run = _run(document, source)
    shots_by_task = document.get("n-shot")
    counts = document.get("n-samples")
    better = document.get("higher_is_better")
    better = better if isinstance(better, dict) else {}
    for task, scores in mapping(document["results"], where).items():
        place = f"{where}: {short(task)}"
        shots = shots_by_task.get(task, run.shots) if isinstance(shots_by_task, dict) else run.shots
        n = _count(counts.get(task), place) if isinstance(counts, dict) else NAN
        higher = better.get(task)
        higher = higher if isinstance(higher, dict) else {}
        for point in _points(
            task, mapping(scores, place), run, f"{shots}-shot" if shots is not None else "", n, place
        ):
            higher_is_better = higher.get(point.metric.partition(",")[0])
            yield (
                point._replace(higher_is_better=str(higher_is_better).lower())
                if isinstance(higher_is_better, bool)
                else point
            )


def _points(task: str, scores: JsonObject, run: _Run, setting: str, n: float, where: str) -> Iterator[Point]:
    for key, value in scores.items():
        metric, _, rest = key.partition(",")
        if metric in NOT_SCORES or metric.endswith("_stderr") or isinstance(value, bool | str | dict | list):
            continue
        error = scores.get(f"{metric}_stderr,{rest}" if rest else f"{metric}_stderr")
        yield Point(
            task,
            metric if rest in ("", "none") else key,
            number(value, f"{where}, {short(key)}"),
            run.model,
            run.family,
            setting,
            error=NAN if isinstance(error, str) else number(error, f"{where}, {short(key)} stderr"),
            n=n,
            parameters=run.parameters,
            steps=run.steps,
        )


def _run(document: JsonObject, source: Source) -> _Run:
    config = document.get("config")
    config = config if isinstance(config, dict) else {}
    arguments = config.get("model_args")
    if isinstance(arguments, str):
        arguments = dict(part.split("=", 1) for part in arguments.split(",") if "=" in part)
    arguments = arguments if isinstance(arguments, dict) else {}
    name = text(
        arguments.get("pretrained")
        or arguments.get("model")
        or document.get("model_name")
        or config.get("model")
    )
    if not name:
        raise UserMistake(f"{source.path}: names no model (config.model_args or model_name)")
    revision = text(arguments.get("revision") or config.get("model_revision"))
    steps = step_of(revision)
    counted = config.get("model_num_parameters")
    counted_parameters = number(counted, f"{source.path}: model_num_parameters") if counted else NAN
    named = parameters_of(name.rsplit("/", 1)[-1])
    parameters = counted_parameters if counted_parameters > 0 else named
    return _Run(name, family_of(name), parameters, steps, config.get("num_fewshot"))


def _count(value: Json, where: str) -> float:
    if isinstance(value, dict):
        value = value.get("effective", value.get("original"))
    return number(value, f"{where}: n-samples")
