"""evalscope reviews: outputs/TIME/reviews/MODEL/DATASET_SUBSET.jsonl, one object a sample.

The main score of a sample (`main_score_name`, else the first) is the score; `path#METRIC` chooses another. Repeats of
a sample (group_id) are its samples. Up to version 0.x a review lies in each of `choices`.
"""

from collections.abc import Iterator

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.logs.metric import Metric, choose
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import Logged, Recorded, recorded
from tellapart.logs.source import Source, records
from tellapart.logs.value import field, identity, listing, mapping, number, numeric, short, spoken, text

TOOL = "evalscope"


def read(source: Source) -> Recorded:
    """Return one row a sample; raises UserMistake naming the line that has no score."""
    notes: list[str] = []
    placed = list(records(source, notes))
    old = not source.has("sample_score")
    metrics = [Metric("result")] if old else _metrics(placed)
    if not metrics:
        raise UserMistake(f"{source.path}: no sample has a score")
    metric = choose(metrics, source.choice, str(source.path), notes)
    rows = [
        row
        for where, record in placed
        for row in (_old(record, where) if old else [_new(record, metric.name, where)])
    ]
    model = text(source.head.get("model")) or source.path.resolve().parent.name
    return recorded(rows, origin(source, TOOL, model, task_of(source), metric, metrics), notes)


def _metrics(placed: list[tuple[str, dict[str, Json]]]) -> list[Metric]:
    names: list[str] = []
    for where, record in placed:
        score = _score(record, where)
        values = mapping(score.get("value") or {}, f"{where}: value")
        main = score.get("main_score_name")
        names += [*([str(main)] if main in values else []), *numeric(values)]
    return [Metric(name) for name in dict.fromkeys(names)]


def _score(record: JsonObject, where: str) -> JsonObject:
    held = mapping(field(record, "sample_score", where), f"{where}: sample_score")
    return mapping(field(held, "score", where), f"{where}: score")


def _new(record: JsonObject, metric: str, where: str) -> Logged:
    held, score = mapping(record["sample_score"], where), _score(record, where)
    group = held.get("group_id")
    index = group if group is not None else held.get("sample_id", record.get("index"))
    values = mapping(score.get("value") or {}, f"{where}: value")
    return Logged(
        item=identity(index, where),
        score=number(values.get(metric), f"{where}: {short(metric)}"),
        question=spoken(record.get("input"), where),
        completion=text(score.get("prediction") or score.get("extracted_prediction")),
        target=text(record.get("target")),
    )


def _old(record: JsonObject, where: str) -> Iterator[Logged]:
    given = record.get("raw_input")
    inputs = given if isinstance(given, dict) else {}
    question = next(
        (inputs[name] for name in ("question", "problem", "input", "prompt") if inputs.get(name)), given
    )
    for choice in listing(field(record, "choices", where), f"{where}: choices"):
        choice = mapping(choice, where)
        review = mapping(field(choice, "review", where), f"{where}: review")
        yield Logged(
            item=identity(field(record, "index", where), where),
            score=number(field(review, "result", where), f"{where}: result"),
            question=spoken(question, where) if not isinstance(question, dict) else text(question),
            completion=spoken(choice.get("message"), where),
            target=text(review.get("gold")),
        )


def task_of(source: Source) -> str:
    """Return the data set and subset that a file of reviews is named after."""
    return source.name.partition(".")[0]


def _recognises(source: Source) -> bool:
    if source.kind != "jsonl":
        return False
    if source.has("sample_score"):
        return isinstance(source.head["sample_score"], dict)
    choices = source.head.get("choices") if source.has("index") else None
    return (
        isinstance(choices, list)
        and bool(choices)
        and isinstance(choices[0], dict)
        and "review" in choices[0]
    )


READER = Reader(TOOL, _recognises, read, task_of=task_of)
