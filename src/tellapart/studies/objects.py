"""What a Python call takes beyond what the command line can say: paths as pathlib.Path, tables in place of task and log
files, a Task, a loaded model with its tokenizer, and a dict for NAME=VALUE options.

    with given(GainSpec, (), {"base": (model, tokenizer), "tuned": "runs/sft", "task": frame}) as spec: ...

Each is held under a reference that names its content (inputs.py), which stands in the spec as a path would.
"""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tellapart import inputs
from tellapart.errors import InvalidInput
from tellapart.studies.options import ModelOptions, RunOptions

MODELS = ("base", "tuned", "reference", "model", "benign", "judge", "paraphraser", "entailment")
TASKS = ("task",)
LOGS = ("logs", "results", "data", "way", "null", "before", "after")
NAMED = ("logs", "way", "null", "bits")
"""Fields that are NAME=VALUE words on the command line (of gain, logs are a pair); a dict says the same."""

_SpecT = TypeVar("_SpecT", bound=RunOptions)


@contextmanager
def given(spec: type[_SpecT], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[_SpecT]:
    """Yield the spec of a Python call; what was handed over lasts as long. Raises InvalidInput, with the field, for an
    object that cannot stand there, and TypeError for an argument that the call does not have."""
    bound = inspect.signature(spec).bind(*args, **kwargs)
    with ExitStack() as stack:
        stack.enter_context(inputs.holding())
        stack.enter_context(_left_as_found())
        made = spec(**{name: _field(name, value) for name, value in bound.arguments.items()})
        _check_executor(made)
        yield made


def _check_executor(spec: RunOptions) -> None:
    """Refuse worker processes for a model that only this process has."""
    if not isinstance(spec, ModelOptions) or spec.executor == "serial":
        return
    for name in MODELS:
        reference = vars(spec).get(name)
        if isinstance(reference, str) and inputs.is_given(reference):
            raise InvalidInput(
                f"executor {spec.executor!r}: {name} was given as an object, which no other process can open: give its "
                "path, or leave out executor"
            )


@contextmanager
def _left_as_found() -> Iterator[None]:
    """Forget tasks and models at the end, where any were handed over."""
    import sys

    try:
        yield
    finally:
        if (tasks := sys.modules.get("tellapart.tasks.given")) is not None:
            tasks.HELD.clear()
        if (models := sys.modules.get("tellapart.models.given")) is not None:
            models.forget()


def _field(name: str, value: Any) -> Any:
    """Return the value of a field as the spec has it."""
    if isinstance(value, str | bool | int | float | None):
        return value
    if isinstance(value, Path):
        return str(value)
    if name in NAMED and isinstance(value, Mapping) and not inputs.is_table(value):
        return tuple(f"{key}={_item(name, item, str(key))}" for key, item in value.items())
    if name in LOGS and inputs.is_table(value):
        held = _item(name, value, name)
        return held if name == "data" else (held,)
    if isinstance(value, list | tuple) and name not in MODELS and not _whole(name, value):
        return tuple(_item(name, item, _role(name, at)) for at, item in enumerate(value))
    return _item(name, value, name)


def _whole(name: str, value: Any) -> bool:
    """Return whether a list or tuple is one thing: a table's rows."""
    return (name in TASKS or name in LOGS) and inputs.is_table(value)


def _role(name: str, at: int) -> str:
    return ("base", "tuned")[at] if name == "logs" and at < 2 else f"{name}_{at}"


def _item(name: str, value: Any, called: str) -> Any:
    """Return one model, task or log as a reference; what is none of these stays as it is."""
    if isinstance(value, str | bool | int | float | None):
        return value
    if isinstance(value, Path):
        return str(value)
    if name in TASKS:
        return _task(value, name)
    if name in LOGS and inputs.is_table(value):
        return inputs.hold(called, ".jsonl", inputs.as_jsonl(inputs.rows_of(value, f"{name} {called!r}")))
    if name in MODELS or name in LOGS:
        from tellapart.models.given import give_model, is_model

        if name in (*MODELS, "before", "after") and is_model(value):
            return give_model(value, called)
        kinds = (
            "a path or name, a loaded (model, tokenizer)"
            if name in MODELS
            else "a path, a list of dicts, a data frame"
        )
        raise InvalidInput(f"{name}: {type(value).__name__} given; give {kinds}")
    if inputs.is_table(value):
        raise InvalidInput(f"{name}: {type(value).__name__} given; give text or a path")
    return value


def _task(value: Any, name: str) -> str:
    from tellapart.tasks.given import give_task, make_task
    from tellapart.tasks.item import Task

    if isinstance(value, Task):
        return give_task(value)
    if inputs.is_table(value):
        return give_task(make_task(value))
    raise InvalidInput(
        f"{name}: {type(value).__name__} given; give a path or name, a list of dicts, a data frame, or what "
        "tellapart.task(...) returns"
    )
