"""LiveCodeBench results: *_eval_all.json, a list of problems, each with its generated codes (`code_list`) and whether
each passed all tests (`graded_list`)."""

from tellapart.errors import UserMistake
from tellapart.jsonvalue import JsonObject
from tellapart.logs.metric import Metric
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import Logged, Recorded, recorded
from tellapart.logs.source import Source, records
from tellapart.logs.value import field, identity, listing, number, text

TOOL = "live_code_bench"


def read(source: Source) -> Recorded:
    """Return one row a generated code; the folder names the model (output/MODEL/FILE.json)."""
    notes: list[str] = []
    rows = [row for where, record in records(source, notes) for row in _rows(record, where)]
    model = source.path.resolve().parent.name
    return recorded(rows, origin(source, TOOL, model, metric=Metric("passed")), notes)


def _rows(record: JsonObject, where: str) -> list[Logged]:
    graded = listing(field(record, "graded_list", where), f"{where}: graded_list")
    given = listing(record.get("code_list") or [], f"{where}: code_list")
    if given and len(given) != len(graded):
        raise UserMistake(f"{where}: {len(given)} codes but {len(graded)} grades")
    item = identity(field(record, "question_id", where), where)
    question = text(record.get("question_content"))
    return [
        Logged(
            item,
            number(passed, f"{where}: graded_list"),
            question,
            text(given[index]) if given else "",
            index,
        )
        for index, passed in enumerate(graded)
    ]


READER = Reader(
    TOOL, lambda source: source.kind == "jsonl" and source.has("question_id", "graded_list"), read
)
