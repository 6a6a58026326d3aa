"""EvalPlus results: MODEL_eval_results.json, {"eval": {task: [sample, ..]}}, with base and extra ("plus") tests.

A sample is right where it passes base and extra tests (as pass@k of "plus" counts); `path#base` reads the base tests
alone.
"""

from tellapart.jsonvalue import Json, JsonObject
from tellapart.logs.metric import Metric, choose
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import NAN, Logged, Recorded, recorded
from tellapart.logs.source import Source
from tellapart.logs.value import listing, mapping, short, text

TOOL = "evalplus"


def read(source: Source) -> Recorded:
    """Return one row a sample; raises UserMistake naming the task whose samples cannot be read."""
    place = str(source.path)
    tasks = mapping(source.head["eval"], f"{place}: eval")
    metrics = [Metric("plus"), Metric("base")]
    samples = [
        (task, sample) for task, held in tasks.items() for sample in _samples(held, f"{place}: {short(task)}")
    ]
    if all(plus is None for _, (_, plus, _) in samples):
        metrics = [Metric("base")]
    metric = choose(metrics, source.choice, place, [])
    rows = [
        Logged(task, _score(base, plus if metric.name == "plus" else True), completion=solution)
        for task, (base, plus, solution) in samples
    ]
    model = source.name.partition("_eval_results")[0]
    return recorded(rows, origin(source, TOOL, model, metric=metric, metrics=metrics))


def _score(base: bool | None, plus: bool | None) -> float:
    if base is None:
        return NAN
    return NAN if base and plus is None else float(base and bool(plus))


def _samples(held: Json, where: str) -> list[tuple[bool | None, bool | None, str]]:
    """Return (base passed, plus passed, solution) of each sample: a list of objects, or (older) lists of both."""
    if isinstance(held, dict):
        base, plus = (listing(held.get(name) or [], f"{where}: {name}") for name in ("base", "plus"))
        return [(_passed(b), _passed(plus[i]) if i < len(plus) else None, "") for i, b in enumerate(base)]
    made = []
    for sample in listing(held, where):
        fields: JsonObject = mapping(sample, where)
        made.append(
            (
                _passed(fields.get("base_status", fields.get("status"))),
                _passed(fields.get("plus_status")),
                text(fields.get("solution")),
            )
        )
    return made


def _passed(status: Json) -> bool | None:
    status = status[0] if isinstance(status, list) and status else status
    return None if status is None else status in ("pass", "success", True)


def _recognises(source: Source) -> bool:
    tasks = source.head.get("eval") if source.kind == "json" else None
    if not isinstance(tasks, dict):
        return False
    first = next(iter(tasks.values()), None)
    first = first[0] if isinstance(first, list) and first else first
    names = set(first) if isinstance(first, dict) else set()
    return bool({"base_status", "plus_status", "base", "nfiles"} & names) or (
        {"task_id", "solution", "status"} <= names
    )


READER = Reader(TOOL, _recognises, read)
