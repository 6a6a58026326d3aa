"""GSM8K's example_model_solutions.jsonl: several models' solutions to each problem in one file.

The file's own `is_correct` is the score: these answers end in "A: n", and an extractor that looks for "####"
finds none in them (Cobbe et al. 2021).
"""

from tellapart.logs.choice import one_of
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import Logged, Recorded, recorded
from tellapart.logs.source import Source, records
from tellapart.logs.value import field, mapping, number, text

TOOL = "gsm8k_solutions"


def read(source: Source) -> Recorded:
    """Return the solutions of the model named after `#`; raises UserMistake naming the models without it."""
    models = [key for key, value in source.head.items() if isinstance(value, dict) and "is_correct" in value]
    model = one_of(models, source.choice, source.path, "models")
    notes: list[str] = []
    rows: list[Logged] = []
    for index, (where, record) in enumerate(records(source, notes)):
        answer = mapping(field(record, model, where), where)
        rows.append(
            Logged(
                item=str(index),
                question=text(field(record, "question", where)),
                completion=text(answer.get("solution")),
                score=number(field(answer, "is_correct", where), where),
                target=text(record.get("ground_truth")).rpartition("####")[2].strip(),
            )
        )
    return recorded(rows, origin(source, TOOL, model), notes)


def _recognises(source: Source) -> bool:
    return (
        source.kind == "jsonl"
        and source.has("question", "ground_truth")
        and any(isinstance(value, dict) and "is_correct" in value for value in source.head.values())
    )


READER = Reader(TOOL, _recognises, read)
