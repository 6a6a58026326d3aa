"""OpenCompass results with details (--dump-eval-details): results/MODEL/DATASET.json, {"accuracy", "details":
{"0": ..}}.

The score is what the detail calls `correct` (or `is_correct`); where it says neither, whether the prediction equals
the reference, as its accuracy evaluator reckons. Files of predictions hold no scores.
"""

from collections.abc import Iterator

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.logs.metric import Metric
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import Logged, Recorded, recorded
from tellapart.logs.source import Source
from tellapart.logs.value import identity, listed, listing, number, short, spoken, text

TOOL = "open_compass"
RIGHT = ("correct", "is_correct")
GIVEN = ("predictions", "pred", "prediction")
WANTED = ("references", "answer", "refr", "gold", "reference")


def read(source: Source) -> Recorded:
    """Return one row a question; raises UserMistake where its detail says nothing of right or wrong."""
    notes: list[str] = []
    rows = [
        row
        for item, detail in _details(source.head)
        for row in _rows(detail, item, f"{source.path}: detail {short(item)}")
    ]
    if not any(name in detail for _, detail in _details(source.head) for name in RIGHT):
        notes.append(
            "the details do not say what is right: a prediction that equals its reference is taken for right"
        )
    own_accuracy = source.head.get("accuracy")
    scores = [row.score for row in rows if row.score == row.score]
    mean = 100 * sum(scores) / len(scores) if scores else 0.0
    if (
        isinstance(own_accuracy, int | float)
        and abs(own_accuracy - mean) > 0.5
        and abs(own_accuracy - mean / 100) > 0.005
    ):
        notes.append(f"the file's own accuracy is {own_accuracy:g}, that of its details {mean:.4g} %")
    model = source.path.resolve().parent.name
    return recorded(rows, origin(source, TOOL, model, task_of(source), Metric("accuracy")), notes)


def _details(document: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    details = document["details"]
    pairs = details.items() if isinstance(details, dict) else enumerate(listing(details, "details"))
    yield from ((str(name), detail) for name, detail in pairs if isinstance(detail, dict))


def _rows(detail: JsonObject, item: str, where: str) -> Iterator[Logged]:
    """Yield the answers of one detail: one, or, where several were asked for, one for each entry of `correct`."""
    right = next((detail[name] for name in RIGHT if name in detail), None)
    if not isinstance(right, list):
        yield _row(detail, item, right, where)
        return
    for index, judged in enumerate(right):
        parts = {
            name: given[index]
            for name in (*GIVEN, "origin_prediction")
            if isinstance(given := detail.get(name), list) and len(given) == len(right)
        }
        yield _row({**detail, **parts}, item, judged, where)


def _row(detail: JsonObject, item: str, right: Json, where: str) -> Logged:
    given = next((detail[name] for name in GIVEN if name in detail), None)
    wanted = next((detail[name] for name in WANTED if name in detail), None)
    judged = any(name in detail for name in RIGHT)  # null: the judge said nothing
    if not judged and (given is None or wanted is None):
        raise UserMistake(
            f"{where}: says neither correct nor prediction and reference (has {listed(detail)})"
        )
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    if not judged and isinstance(given, list):
        raise UserMistake(f"{where}: has several predictions and does not say which are correct")
    accepted = [text(target).strip() for target in (wanted if isinstance(wanted, list) else [wanted])]
    score = number(right, f"{where}: correct") if judged else float(spoken(given, where).strip() in accepted)
    return Logged(
        item=identity(detail.get("example_abbr") or item, where),
        score=score,
        question=_read_question(detail.get("prompt") or detail.get("origin_prompt"), where),
        completion=spoken(detail.get("origin_prediction", given), where),
        target=" | ".join(accepted) if wanted is not None else "",
    )


def _read_question(prompt: Json, where: str) -> str:
    """Return what was asked: text, or the turns of a conversation ({"role", "prompt"}) a line each."""
    if isinstance(prompt, list):
        return "\n".join(
            text(message.get("prompt")) if isinstance(message, dict) else spoken(message, where)
            for message in prompt
        )
    return spoken(prompt, where)


def task_of(source: Source) -> str:
    """Return the data set that a file of results is named after."""
    return source.name.partition(".")[0]


def _recognises(source: Source) -> bool:
    if source.kind != "json" or not source.has("details"):
        return False
    details = source.head["details"]
    values = (
        list(details.values()) if isinstance(details, dict) else details if isinstance(details, list) else []
    )
    first = next((value for value in values if isinstance(value, dict)), {})
    return any(name in first for name in (*RIGHT, *GIVEN))


READER = Reader(TOOL, _recognises, read, task_of=task_of)
