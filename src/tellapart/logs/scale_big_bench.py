"""BIG-bench score files: `bigbench/benchmark_tasks/TASK/results/scores_MODEL.json` (Srivastava et al. 2022)."""

from collections.abc import Iterator

from tellapart.logs.scale_points import NAN, Point
from tellapart.logs.source import Source
from tellapart.logs.value import listing, mapping, number, short, text

AGGREGATE = "normalized_aggregate_score"


def recognises(source: Source) -> bool:
    """Say whether the document holds BIG-bench scores."""
    return source.kind == "json" and source.has("scores", "model") and isinstance(source.head["scores"], list)


def read(source: Source) -> Iterator[Point]:
    """Yield a point for each subtask, shot count and metric; the aggregate over subtasks is left out. The scale is
    the parameters outside the embedding, as in the paper's figures (all of them where those are not told)."""
    document = mapping(source.first, str(source.path))
    model = mapping(document["model"], f"{source.path}: model")
    task = document.get("task")
    task_name = text(task.get("task_name") or task.get("name")) if isinstance(task, dict) else text(task)
    task_name = task_name or source.path.parent.parent.name
    sizes = [
        number(model.get(key), f"{source.path}: {key}") for key in ("non_embedding_params", "total_params")
    ]
    parameters = next((size for size in sizes if size > 0), NAN)
    family = text(model.get("model_family"))
    for index, entry in enumerate(listing(document["scores"], f"{source.path}: scores")):
        where = f"{source.path}: scores {index}"
        entry = mapping(entry, where)
        subtask = text(entry.get("subtask_description")) or task_name
        shots = entry.get("number_of_shots")
        for metric, value in mapping(entry.get("score_dict"), f"{where}: score_dict").items():
            if metric == AGGREGATE:
                continue
            yield Point(
                subtask if subtask.startswith(task_name) else f"{task_name}:{subtask}",
                metric,
                number(value, f"{where}: {short(metric)}"),
                f"{family} {text(model.get('model_name'))}".strip(),
                family,
                f"{shots}-shot" if shots is not None else "",
                parameters=parameters,
            )
