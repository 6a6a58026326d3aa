"""Tasks of Inspect, from a task file of the user's, through its own package (`pip install inspect-ai`).

    open_inspect("evals/arithmetic.py@addition")

Loading runs the file: only name one that you trust. Samples become items. Answers are scored by the task's own
first scorer, run on the completion alone, so a scorer that needs a model or a sandbox is refused when it is run;
multiple choice is scored by our `choice`. Solvers are not run: elicitors take their place.
"""

import asyncio
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json
from tellapart.tasks.choice import Choice
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.floor import derived_floor
from tellapart.tasks.item import Item, Scorer, Task
from tellapart.tasks.items import make_items
from tellapart.tasks.place import Place, is_there
from tellapart.tasks.python_code import function_in
from tellapart.tasks.rows import RawRow


def open_inspect(reference: str) -> Task:
    """Return the task TASK of FILE, given as "FILE@TASK". Raises UserMistake where it is not available."""
    file, at, name = reference.rpartition("@")
    path = Path(file)
    if not at or path.suffix != ".py" or not is_there(path):
        raise UserMistake(f"inspect:{reference}: give inspect:FILE.py@TASK with a file that is there")
    try:
        import inspect_ai
    except ImportError:
        raise UserMistake(
            f"inspect:{reference} needs the inspect-ai package: pip install inspect-ai"
        ) from None
    make, source_hash = function_in(path, name)
    try:
        loaded = make()
    except Exception as error:
        raise UserMistake(f"inspect:{reference}: making the task failed: {error!r}") from error
    if not isinstance(loaded, inspect_ai.Task):
        raise UserMistake(f"inspect:{reference}: {name} made a {type(loaded).__name__}, not an Inspect task")
    place = Place(path, unit="sample")
    rows = [_row(sample, place._replace(line=index + 1)) for index, sample in enumerate(loaded.dataset)]
    if not rows:
        raise UserMistake(f"inspect:{reference} has no samples")
    items = make_items(rows)
    listed = all(item.choices for item in items)
    task = Task(
        name=name,
        items=items,
        template="{input}\n\n{choices}\n\nAnswer:" if listed else "{input}",
        scorer=Choice() if listed else _scorer(loaded, reference, source_hash),
        guess_floor=derived_floor(items).value,
        max_tokens=loaded.config.max_tokens or 256,
        stop=tuple(loaded.config.stop_seqs or ()),
        source=f"inspect:{reference}",
        notes=("its solvers are not run",),
    )
    return fingerprinted(task)


@dataclass(frozen=True)
class InspectScorer(Scorer):
    """An Inspect scorer, run on a completion: C is 1, P 0.5, I and N 0, a number itself."""

    reference: str
    source_hash: str
    function: Any
    name = "inspect"

    def answer(self, item: Item, completion: str) -> str | None:
        """Return the answer that the scorer recorded; None where it recorded none."""
        return self._run(item, completion).answer or None

    def score(self, item: Item, completion: str) -> float:
        """Return the score. Raises UserMistake where it is no number in [0, 1]."""
        from inspect_ai.scorer import value_to_float

        value = value_to_float()(self._run(item, completion).value)
        if math.isnan(value) or not 0 <= value <= 1:
            raise UserMistake(
                f"inspect:{self.reference}: score {value!r} of item {item.id!r} is not in [0, 1]"
            )
        return float(value)

    def _run(self, item: Item, completion: str) -> Any:
        from inspect_ai.model import ModelName, ModelOutput
        from inspect_ai.scorer import Target
        from inspect_ai.solver import TaskState

        state = TaskState(
            model=ModelName("none/none"),
            sample_id=item.id,
            epoch=1,
            input=str(item.fields["input"]),
            messages=[],
            output=ModelOutput.from_content("none", completion),
        )
        try:
            result = asyncio.run(self.function(state, Target(list(item.target))))
        except Exception as error:
            raise UserMistake(
                f"inspect:{self.reference}: its scorer failed on {item.id!r}: {error!r}"
            ) from error
        if result is None:
            raise UserMistake(f"inspect:{self.reference}: its scorer gave no score for item {item.id!r}")
        return result


def _row(sample: Any, place: Place) -> RawRow:
    """Return a sample as a raw row: its input must be text, or one message of the user."""
    text = sample.input
    if not isinstance(text, str):
        if len(text) != 1 or text[0].role != "user":
            raise place.mistake(
                "its input is several messages: only text or one message of the user can be asked"
            )
        text = text[0].text
    values: dict[str, Json] = {
        "id": place.line if sample.id is None else sample.id,
        "input": text,
        "target": sample.target,
    }
    if sample.choices:
        values["choices"] = list(sample.choices)
    return RawRow(place, values)


def _scorer(loaded: Any, reference: str, source_hash: str) -> Scorer:
    if not loaded.scorer:
        raise UserMistake(f"inspect:{reference} has no scorer")
    return InspectScorer(reference, source_hash, loaded.scorer[0])
