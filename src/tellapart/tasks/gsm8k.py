"""GSM8K's test.jsonl as it is (Cobbe et al. 2021, arXiv 2110.14168): the target stands after "####".

    open_gsm8k("/path/to/grade_school_math/data/test.jsonl")

Answers are scored by their last number: models end in "#### 18", "A: 18" or "The answer is 18". Where train.jsonl
lies beside, eight of its problems are demonstrations.
"""

import re
from pathlib import Path

from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, Task
from tellapart.tasks.numeric import LastNumber
from tellapart.tasks.place import is_there
from tellapart.tasks.rows import RawRow, read_rows
from tellapart.tasks.split import by_hash

TEMPLATE = "Question: {question}\nAnswer:"
MAX_TOKENS = 400
SHOWN = 8
_CALCULATOR = re.compile(r"<<[^<>\n]*>>")


def open_gsm8k(reference: str, seed: int = 0) -> Task:
    """Return the task of a GSM8K file. `seed` draws the demonstrations. Raises UserMistake where it is none."""
    path = Path(reference)
    items = tuple(_item(row, index) for index, row in enumerate(read_rows(path)))
    train = path.with_name("train.jsonl")
    shown: list[Item] = []
    if is_there(train) and train != path:
        pool = {str(index): _item(row, index) for index, row in enumerate(read_rows(train))}
        shown = [pool[name] for name in by_hash(pool, seed)[:SHOWN]]
    task = Task(
        name="gsm8k",
        items=items,
        template=TEMPLATE,
        scorer=LastNumber(),
        max_tokens=MAX_TOKENS,
        stop=("\nQuestion:",),
        demonstrations=tuple((_prompt(item), f" {item.target[0]}") for item in shown),
        step_demonstrations=tuple((_prompt(item), f" {_steps(item)}") for item in shown),
        source=f"gsm8k:{path}",
        notes=("guess floor: not known: answers are open numbers",),
    )
    return fingerprinted(task)


def _item(row: RawRow, index: int) -> Item:
    for key in ("question", "answer"):
        if not isinstance(text := row.values.get(key), str) or not text.strip():
            raise row.place.mistake(f"no {key!r} text: a GSM8K line has question and answer")
    _, marker, target = str(row.values["answer"]).rpartition("####")
    if not marker or LastNumber().canonical(Item("", {}, ()), target) is None:
        raise row.place.mistake('no number after "####" in answer')
    fields = {"question": row.values["question"], "answer": row.values["answer"]}
    return Item(str(index), fields, (target.strip(),))


def _prompt(item: Item) -> str:
    return TEMPLATE.replace("{question}", str(item.fields["question"]))


def _steps(item: Item) -> str:
    """Return the worked answer without calculator annotations, ended by "The answer is N."."""
    steps, _, target = str(item.fields["answer"]).rpartition("####")
    return f"{_CALCULATOR.sub('', steps).strip()}\nThe answer is {target.strip()}."
