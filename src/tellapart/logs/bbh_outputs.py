"""Model outputs published with BIG-Bench Hard (Suzgun et al. 2022, arXiv 2210.09261): one file a task, or the folder.

Predictions are scored as published: what follows "answer is", or the first line. The last "Q: ... A:" block of the
input is the question, so direct and chain-of-thought runs pair. Clusters are "family/task": the three sizes of
logical_deduction and of tracking_shuffled_objects are one family, so 27 files are 23 families.
"""

import re
from pathlib import Path

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import Logged, Recorded, recorded
from tellapart.logs.source import Source
from tellapart.logs.value import field, listing, mapping, text
from tellapart.tasks.item import Item
from tellapart.tasks.text_match import AnswerIs

TOOL = "bbh_outputs"
_FILE = "*_few_shot_template_*.json"
_SIZED = re.compile(r"^(.*)_(?:three|five|seven)_objects$")


def read(source: Source) -> Recorded:
    """Return one row an output, scored as published."""
    name = source.path.stem.partition("_few_shot_template")[0]
    sized = _SIZED.match(name)
    outputs = listing(mapping(source.first, str(source.path)).get("outputs"), f"{source.path}, outputs")
    rows = [_row(output, f"{source.path}, output {at + 1}", name, at) for at, output in enumerate(outputs)]
    cluster = f"{sized.group(1) if sized else name}/{name}"
    return recorded([row._replace(cluster=cluster) for row in rows], origin(source, TOOL))


def _row(output: Json, where: str, task: str, index: int) -> Logged:
    record = mapping(output, where)
    shown, prediction, target = (text(field(record, key, where)) for key in ("input", "prediction", "target"))
    if not target.strip():
        raise UserMistake(f"{where}: has no target")
    question = shown.rpartition("Q: ")[2].rpartition("\nA:")[0].strip()
    score = AnswerIs().score(Item("", {}, (target,)), prediction)
    return Logged(f"{task}/{index}", score, question, prediction, target=target)


def _recognises(source: Source) -> bool:
    if source.kind != "json" or not source.has("outputs"):
        return False
    outputs = source.head["outputs"]
    first = outputs[0] if isinstance(outputs, list) and outputs else None
    return isinstance(first, dict) and {"input", "prediction", "target"} <= set(first)


def _whole(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.glob(_FILE) if file.is_file())
    return files if len(files) > 1 else []


READER = Reader(TOOL, _recognises, read, _whole)
