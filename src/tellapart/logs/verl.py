"""verl rollout and validation dumps, STEP.jsonl: input, output, score, step, optionally gts and further rewards.

Older versions write every value as text; numbers in text are read as numbers.
"""

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json
from tellapart.logs.metric import Metric, is_counted
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import Logged, Recorded, recorded
from tellapart.logs.rollouts import IDS, numbered, reward_name
from tellapart.logs.source import Source, records
from tellapart.logs.value import field, number, short, text

TOOL = "verl"
OTHER = ("input", "output", "gts", "step", "score")


def read(source: Source) -> Recorded:
    """Return one row a response; items are told apart by their prompt. `path#acc` reads another reward."""
    notes: list[str] = []
    placed = list(records(source, notes))
    further = [
        name
        for name, value in source.head.items()
        if name not in OTHER and _numeric(value) and not is_counted(name) and not Metric(name).is_error
    ]
    reward = reward_name(["score", *further], source.choice, str(source.path), notes)
    items = numbered([text(field(record, "input", where)) for where, record in placed])
    if len({text(record.get("step")) for _, record in placed}) > 1:
        notes.append("answers of several training steps are in one log")
    rows = [
        Logged(
            item=item,
            score=number(field(record, reward, where), f"{where}: {short(reward)}"),
            question=text(record["input"]),
            completion=text(field(record, "output", where)),
            target=text(record.get("gts")),
        )
        for item, (where, record) in zip(items, placed, strict=True)
    ]
    metrics = [Metric(name) for name in ("score", *further)]
    model = f"step {text(source.head.get('step'))}"
    where = origin(source, TOOL, model, metric=Metric(reward), metrics=metrics)
    return recorded(rows, where._replace(numbered=True), notes)


def _numeric(value: Json) -> bool:
    try:
        return number(value, "") == number(value, "")
    except UserMistake:
        return False


def _recognises(source: Source) -> bool:
    """Say whether rows are verl's: they name a step or the ground truth (`gts`), or hold rewards only beside the texts.
    Rows of other tools that hold more (an id, a context) are several items with one input as often."""
    if source.kind != "jsonl" or not source.has("input", "output", "score"):
        return False
    more = [name for name in source.head if name not in OTHER]
    return (
        source.has("step")
        or source.has("gts")
        or all(_numeric(source.head[name]) and name not in IDS for name in more)
    )


READER = Reader(TOOL, _recognises, read)
