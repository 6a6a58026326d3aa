"""A run of tellapart as a log: rows.parquet, one condition of it (`run#base/plain`)."""

import pyarrow as pa
import pyarrow.parquet as pq

from tellapart.errors import UserMistake
from tellapart.logs.choice import one_of
from tellapart.logs.columns import numbers, strings, wholes
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import Recorded, from_columns
from tellapart.logs.source import Source

TOOL = "tellapart"
NEEDED = ["condition", "item", "sample", "completion", "score", "status", "logprob", "tokens", "cluster"]


def read(source: Source) -> Recorded:
    """Return the rows of one condition. Rows hold no question text: they pair on the item's id."""
    missing = [name for name in NEEDED if not source.has(name)]
    if missing:
        raise UserMistake(f"{source.path}: has no column {missing[0]!r}, so it is not rows of a run")
    try:
        table = pq.read_table(source.path, columns=[*NEEDED, *_optional(source)])
    except (pa.ArrowException, OSError) as error:
        raise UserMistake(f"{source.path}: cannot be read: {str(error)[:200]}") from None
    names = strings(table, "condition", source)
    condition = one_of([str(name) for name in names.unique()], source.choice, source.path, "conditions")
    table = table.filter(pa.array((names == condition).to_numpy(dtype=bool)))
    columns = {name: strings(table, name, source) for name in ("item", "completion", "status", "cluster")}
    values = {name: numbers(table, name, source) for name in ("score", "logprob", "tokens")}
    data = {**columns, **values, "sample": wholes(table, "sample", source)}
    for name in _optional(source):
        data[name] = table[name].to_pylist()
    return from_columns(data, origin(source, TOOL, condition))


def _optional(source: Source) -> list[str]:
    return ["token_logprobs"] if source.has("token_logprobs") else []


def _recognises(source: Source) -> bool:
    own = ("sample", "completion", "status")
    return (
        source.kind == "parquet" and source.has("condition", "item") and any(source.has(name) for name in own)
    )


READER = Reader(TOOL, _recognises, read)
