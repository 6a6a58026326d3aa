"""A task that Python hands over: rows and how they are put and scored, or a Task as it is.

    task = make_task([{"id": 1, "prompt": "2 + 3 =", "target": "5"}], scorer="last_number")

Its reference is `given:NAME-FINGERPRINT`; in the run folder it stands as a task file, items.jsonl and items.toml.
"""

import inspect
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from tellapart import inputs
from tellapart.errors import InvalidInput, Refused
from tellapart.inputs import as_jsonl, rows_of
from tellapart.jsonvalue import Json, JsonObject
from tellapart.tasks.files import open_file, task_from
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, Scorer, Task
from tellapart.tasks.place import Place
from tellapart.tasks.python_code import PythonScorer
from tellapart.tasks.rows import RawRow
from tellapart.tasks.scorers import settings_of
from tellapart.tasks.settings import Settings, check_setting

HELD: dict[str, Task] = {}
"""Tasks that were handed over, by reference, for as long as the call lasts."""


def make_task(
    items: Any,
    *,
    name: str = "items",
    template: str = "{prompt}",
    scorer: str | Scorer | Callable[[Item, str], Any] = "",
    scorer_settings: JsonObject | None = None,
    max_tokens: int = 256,
    stop: Sequence[str] = (),
    guess_floor: float | None = None,
    demonstrations_from: int = 0,
    seed: int = 0,
) -> Task:
    """Return a task made of rows: a list of dicts, a pandas or polars frame, or a datasets.Dataset, each row with `id`,
    `target` (a text or a list of accepted ones) and the fields of `template`; optionally `choices` and `cluster`.

    `scorer` is a name (exact, normalised, numeric, last_number, after_marker, boxed, contains, choice, regex; with its
    `scorer_settings`) or a function (item, completion) -> score in [0, 1]. The others are the keys of a task file
    (docs/tasks.md). Raises InvalidInput or UserMistake with the row for all that is wrong.
    """
    rows = [
        RawRow(
            Place(Path(name), number, "row"), {key: value for key, value in row.items() if value is not None}
        )
        for number, row in enumerate(rows_of(items, f"task {name!r}"), 1)
    ]
    named = scorer if isinstance(scorer, str) else ""
    given: dict[str, Json] = {
        "name": name, "template": template, "scorer": named, "max_tokens": max_tokens, "stop": list(stop),
        "guess_floor": guess_floor, "demonstrations_from": demonstrations_from, **(scorer_settings or {}),
    }  # fmt: skip
    for key, value in given.items():
        if value not in ("", None):
            check_setting(key, value, Place(Path(name)))
    settings = Settings(
        name=name,
        template=template,
        scorer=named,
        max_tokens=max_tokens,
        stop=tuple(stop),
        guess_floor=guess_floor,
        demonstrations_from=demonstrations_from,
        scorer_settings=dict(scorer_settings or {}),
    )
    made = task_from(rows, settings, Path(name), seed)
    if isinstance(scorer, str):
        return made
    own = scorer if isinstance(scorer, Scorer) else called(scorer)
    notes = tuple(note for note in made.notes if not note.startswith("no scorer was named"))
    return fingerprinted(replace(made, scorer=own, notes=notes))


def called(function: Callable[[Item, str], Any]) -> Scorer:
    """Return a function (item, completion) -> score as a scorer, known by its code."""
    if not callable(function):
        raise InvalidInput(
            f"scorer is {type(function).__name__}: give a name or a function (item, completion) -> score"
        )
    code = function if isinstance(function, FunctionType) else type(function)
    return PythonScorer(f"python:{code.__module__}:{code.__qualname__}", _hash_of_code(function), function)


def _hash_of_code(function: Any) -> str:
    """Return a hash of what a function says: its code with all constants, what it closes over and its defaults; of
    another callable its class's source and its own values."""
    if isinstance(function, FunctionType):
        closed = [_of_value(cell.cell_contents) for cell in function.__closure__ or ()]
        said = [
            _of_code(function.__code__),
            closed,
            _of_value(function.__defaults__),
            _of_value(function.__kwdefaults__),
        ]
    else:
        try:
            said = [inspect.getsource(type(function)), _of_value(sorted(vars(function).items()))]
        except (OSError, TypeError) as error:
            raise InvalidInput(
                f"scorer {function!r:.60}: its source cannot be read ({error}); give a function"
            ) from None
    return inputs.hash_of(json.dumps(said, default=repr).encode("utf-8", "surrogatepass"))


def _of_code(code: CodeType) -> list[Any]:
    constants = [_of_value(constant) for constant in code.co_consts]
    return [code.co_code.hex(), constants, code.co_names, code.co_varnames, code.co_freevars]


def _of_value(value: Any) -> Any:
    """Return what a value says, without where it lies in memory."""
    if isinstance(value, FunctionType | CodeType):
        return _of_code(value if isinstance(value, CodeType) else value.__code__)
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def give_task(task: Task) -> str:
    """Hand a task over for as long as `inputs.holding` lasts, and return its reference."""
    task = task if task.fingerprint else fingerprinted(task)
    reference = inputs.reference_of(task.name, task.fingerprint)
    HELD[reference] = task
    name = reference.partition(":")[2]
    inputs.write(f"{name}.jsonl", as_jsonl([_row(item) for item in task.items]))
    inputs.write(f"{name}.toml", _settings_text(task).encode())
    return reference


def open_given(name: str, seed: int) -> Task:
    """Return a task that was handed over, or the file that a run folder keeps of one. Raises UserMistake where it is
    gone, Refused where the file is not the task that its name says."""
    reference = f"{inputs.KIND}:{name}"
    if reference in HELD:
        return HELD[reference]
    path = inputs.find(f"{name}.jsonl") if inputs.is_given(reference) else None
    if path is None:
        raise inputs.gone(reference)
    task = open_file(path, seed)
    if not name.endswith(task.fingerprint[:16]):
        raise Refused(
            f"{path} is not the task that was given: its items or settings were changed, or code scored it"
        )
    return task


def _row(item: Item) -> dict[str, Json]:
    row: dict[str, Json] = {"id": item.id, **item.fields, "target": list(item.target)}
    more = {"choices": list(item.choices) or None, "cluster": item.cluster}
    return json.loads(
        json.dumps(row | {key: value for key, value in more.items() if value is not None}, default=str)
    )


def _settings_text(task: Task) -> str:
    """Return the .toml of a task. A scorer that is code of the caller's is told and cannot be opened from it."""
    scorer = {key: value for key, value in settings_of(task.scorer).items() if key != "class"}
    scorer = {"scorer": scorer.pop("name"), **scorer}
    if isinstance(task.scorer, PythonScorer):
        scorer = {"scorer": task.scorer.name}
    keys = {
        "name": task.name, "template": task.template, "max_tokens": task.max_tokens, "stop": list(task.stop),
        "guess_floor": task.guess_floor, **scorer,
    }  # fmt: skip
    lines = [f"{key} = {_toml(value)}" for key, value in keys.items() if value not in (None, [], "")]
    return "\n".join(("# what Python gave tellapart.gain, or another study, as its task", *lines)) + "\n"


def _toml(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("\x7f", "\\u007f")
