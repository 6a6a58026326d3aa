"""HumanEval's samples.jsonl_results.jsonl (task_id, completion, result, passed), one line a sample; also of
MBPP and kin that use its `evaluate_functional_correctness`."""

from tellapart.logs.metric import Metric
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import Logged, Recorded, recorded
from tellapart.logs.source import Source, records
from tellapart.logs.value import field, identity, number, text

TOOL = "human_eval"


def read(source: Source) -> Recorded:
    """Return one row a sample; the file names neither model nor problem text: items pair on task_id."""
    notes: list[str] = []
    rows = [
        Logged(
            item=identity(field(record, "task_id", where), where),
            score=number(field(record, "passed", where), f"{where}: passed"),
            question=text(record.get("prompt")),
            completion=text(record.get("completion", record.get("solution"))),
        )
        for where, record in records(source, notes)
    ]
    return recorded(rows, origin(source, TOOL, metric=Metric("passed")), notes)


READER = Reader(TOOL, lambda source: source.kind == "jsonl" and source.has("task_id", "passed"), read)
