"""BIG-Bench Mistake (Tyen et al. 2024, arXiv 2311.08516): chains of thought with the first wrong step marked by people.

A folder of `dyck_languages.jsonl` and its siblings is one log; the task is the cluster. `mistake_index` null: every
step is right. So the log tells how often an answer is right although a step is wrong.
"""

from pathlib import Path

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import Logged, Recorded, recorded
from tellapart.logs.source import Source, records
from tellapart.logs.value import field, listing, short, text

TOOL = "big_bench_mistake"
FIELDS = ("input", "steps", "answer", "target", "mistake_index")


def read(source: Source) -> Recorded:
    """Return one row a chain; an answer is right where it equals the target, white space at the ends aside."""
    notes: list[str] = []
    task = source.path.stem
    rows = [_row(record, where, task, at) for at, (where, record) in enumerate(records(source, notes))]
    return recorded(rows, origin(source, TOOL), notes)


def _row(record: dict[str, Json], where: str, task: str, index: int) -> Logged:
    steps = [text(step) for step in listing(field(record, "steps", where), where)]
    answer, target = (text(field(record, name, where)) for name in ("answer", "target"))
    mistake = field(record, "mistake_index", where)
    if mistake is not None and (not isinstance(mistake, int) or not 0 <= mistake < len(steps)):
        raise UserMistake(
            f"{where}: mistake_index is {short(mistake)}, not a step from 0 to {len(steps) - 1}"
        )
    return Logged(
        item=f"{task}/{index}",
        score=float(answer.strip() == target.strip()),
        question=text(field(record, "input", where)),
        completion="\n".join(steps),
        cluster=task,
        target=target,
        steps="valid" if mistake is None else "invalid",
    )


def _whole(folder: Path) -> list[Path]:
    """Return the files of a folder that holds at least two of the data set's tasks."""
    named = (
        "dyck_languages",
        "logical_deduction",
        "multistep_arithmetic",
        "tracking_shuffled_objects",
        "word_sorting",
    )
    files = [folder / f"{name}.jsonl" for name in named]
    there = [file for file in files if file.is_file()]
    return there if len(there) > 1 else []


READER = Reader(TOOL, lambda source: source.kind == "jsonl" and source.has(*FIELDS), read, _whole)
