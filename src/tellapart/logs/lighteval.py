"""lighteval details: details_TASK_TIME.parquet, one row a document (the columns doc, model_response and
metric, or the older example, full_prompt, predictions, gold and metrics).

The first metric is the score; `path#METRIC` chooses another. The model is named by the folders:
details/OWNER/MODEL/TIME/.
"""

import re

import pyarrow as pa
import pyarrow.parquet as pq

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.logs.metric import Metric, choose, is_counted
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import NAN, Logged, Recorded, recorded
from tellapart.logs.source import Source
from tellapart.logs.value import hashed, identity, mapping, number, numeric, short, spoken, text

TOOL = "lighteval"
COLUMNS = (
    "doc",
    "model_response",
    "metric",
    "metrics",
    "example",
    "full_prompt",
    "instruction",
    "predictions",
    "gold",
    "choices",
    "gold_index",
    "num_effective_few_shots",
)
NAME = re.compile(r"details_(?P<task>.+?)_(?P<time>\d{4}-\d\d-\d\dT.*)\.parquet")


def read(source: Source) -> Recorded:
    """Return one row a document; raises UserMistake naming the metrics where none can be read."""
    notes: list[str] = []
    try:
        table = pq.read_table(source.path, columns=[name for name in source.head if name in COLUMNS])
    except (pa.ArrowException, OSError) as error:
        raise UserMistake(f"{source.path}: cannot be read: {str(error)[:200]}") from None
    rows = table.to_pylist()
    if not rows:
        raise UserMistake(f"{source.path}: has no rows")
    place = f"{source.path}, row"
    scores = [
        mapping(row.get("metric") or row.get("metrics") or {}, f"{place} {i + 1}: metric")
        for i, row in enumerate(rows)
    ]
    names = dict.fromkeys(name for values in scores for name in numeric(values) if not is_counted(name))
    metrics = [Metric(name) for name in names]
    if not metrics:
        raise UserMistake(f"{source.path}: no row has a metric")
    metric = choose(metrics, source.choice, str(source.path), notes)
    made = [
        _row(row, value, metric.name, (f"{place} {i + 1}", i))
        for i, (row, value) in enumerate(zip(rows, scores, strict=True))
    ]
    if any(several for _, several in made):
        notes.append(
            f"documents have several answers and one {short(metric.name)}: only the first answer is read"
        )
    where = origin(source, TOOL, _model(source), task_of(source), metric, metrics)
    return recorded([row for row, _ in made], where, notes)


def _row(row: JsonObject, values: JsonObject, metric: str, place: tuple[str, int]) -> tuple[Logged, bool]:
    """Return the row of one document, and whether it had several answers."""
    where, index = place
    doc = row.get("doc")
    doc = doc if isinstance(doc, dict) else {}
    response = row.get("model_response")
    answers = response.get("text") if isinstance(response, dict) else row.get("predictions")
    answers = answers if isinstance(answers, list) else [answers]
    choices = doc.get("choices") or row.get("choices")
    gold = _gold(doc.get("gold_index", row.get("gold_index")), choices) or spoken(row.get("gold"), where)
    item = next((doc[name] for name in ("id", "doc_id", "index") if doc.get(name) not in (None, "")), index)
    question = doc.get("query") or row.get("example") or row.get("full_prompt") or row.get("instruction")
    logged = Logged(
        item=identity(item, where),
        score=number(values.get(metric), f"{where}: {short(metric)}") if metric in values else NAN,
        question=text(question),
        completion=spoken(answers[0] if answers else "", where),
        target=gold,
        document=hashed({"query": doc.get("query"), "choices": choices, "gold": doc.get("gold_index")})
        if doc
        else "",
    )
    return logged, len(answers) > 1 and isinstance(answers[0], str)


def _gold(index: Json, choices: Json) -> str:
    places = index if isinstance(index, list) else [index]
    if not isinstance(choices, list):
        return ""
    inside = [place for place in places if isinstance(place, int) and 0 <= place < len(choices)]
    return " | ".join(text(choices[place]).strip() for place in inside) if len(inside) == len(places) else ""


def task_of(source: Source) -> str:
    """Return the task that a details file is named after."""
    name = NAME.fullmatch(source.name)
    return name["task"] if name else ""


def _model(source: Source) -> str:
    parts = source.path.resolve().parts
    if "details" not in parts:
        return ""
    return "/".join(parts[len(parts) - 1 - parts[::-1].index("details") + 1 : -2])


def _recognises(source: Source) -> bool:
    if source.kind != "parquet":
        return False
    return source.has("doc", "model_response", "metric") or (
        source.has("metrics") and source.has("predictions")
    )


READER = Reader(TOOL, _recognises, read, task_of=task_of)
