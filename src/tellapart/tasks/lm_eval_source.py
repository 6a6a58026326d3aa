"""Tasks of the Language Model Evaluation Harness, through its own package (`pip install lm-eval`).

    open_lm_eval("arc_easy")             # a task it knows; its data are downloaded or cached by `datasets`
    open_lm_eval("/path/to/mine.yaml")   # a task configuration of your own

Taken over: documents, prompts, targets, choices, stop strings, and a regular expression among its filters.
multiple_choice is scored by log-probability (acc; its acc_norm is `normalise = "bytes"`).
"""

import re
from pathlib import Path
from typing import Any

from tellapart.errors import UserMistake
from tellapart.tasks.choice import ChoiceLogprob
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.floor import derived_floor
from tellapart.tasks.item import Item, Scorer, Task
from tellapart.tasks.items import make_item
from tellapart.tasks.pattern import Regex
from tellapart.tasks.place import Place
from tellapart.tasks.rows import RawRow
from tellapart.tasks.text_match import Exact, Normalised

KINDS = ("multiple_choice", "generate_until")
MAX_TOKENS = 256


def open_lm_eval(name: str) -> Task:
    """Return the lm-eval task `name`, its test documents (or validation ones) as items.

    Raises UserMistake where the package is missing, the task or its data are not available, or it is of a kind that
    neither generates text nor chooses.
    """
    loaded = _load(name)
    kind = loaded.config.output_type
    if kind not in KINDS:
        raise UserMistake(f"lm-eval:{name} is {kind}: only {' and '.join(KINDS)} tasks can be asked")
    documents = list(loaded.test_docs() if loaded.has_test_docs() else loaded.validation_docs())
    if not documents:
        raise UserMistake(f"lm-eval:{name} has no test or validation documents")
    place = Place(Path(f"lm-eval:{name}"), unit="document")
    items = tuple(
        _item(loaded, kind, document, place._replace(line=index + 1))
        for index, document in enumerate(documents)
    )
    scorer, note = _scorer(loaded, kind)
    generation = loaded.config.generation_kwargs or {} if kind == "generate_until" else {}
    until = generation.get("until", [])
    task = Task(
        name=loaded.config.task,
        items=items,
        template="{prompt}",
        scorer=scorer,
        guess_floor=derived_floor(items).value,
        max_tokens=int(generation.get("max_gen_toks", MAX_TOKENS)),
        stop=tuple([until] if isinstance(until, str) else until),
        source=f"lm-eval:{name}",
        notes=(note, "few-shot examples of the configuration are left out"),
    )
    return fingerprinted(task)


def _load(name: str) -> Any:
    """Return lm-eval's task object. Its exceptions are of every kind, so each is told in one line."""
    try:
        from lm_eval.tasks import TaskManager
    except ImportError:
        raise UserMistake(f"lm-eval:{name} needs the lm-eval package: pip install lm-eval") from None
    try:
        if Path(name).suffix == ".yaml":
            loaded = TaskManager(include_path=str(Path(name).resolve().parent), include_defaults=False)
            loaded = loaded.load_task_or_group([_own_name(Path(name))])
        else:
            loaded = TaskManager().load_task_or_group([name])
    except Exception as error:
        raise UserMistake(
            f"lm-eval:{name} could not be loaded: {type(error).__name__} {str(error)[:200]}"
        ) from error
    if len(loaded) != 1 or isinstance(next(iter(loaded.values())), dict):
        raise UserMistake(f"lm-eval:{name} is a group of tasks: name one of them")
    return next(iter(loaded.values()))


def _own_name(file: Path) -> str:
    """Return the task's name as its configuration says, under which lm-eval files it; else that of the file."""
    said = re.search(
        r"^task:[ \t]*(['\"]?)([^'\"#\s\[]+)\1[ \t]*(?:#.*)?$", file.read_text("utf-8"), re.MULTILINE
    )
    return said[2] if said else file.stem


def _item(loaded: Any, kind: str, document: Any, place: Place) -> Item:
    """Return one document as an Item, checked as an item of a file is."""
    target = loaded.doc_to_target(document)
    values: dict[str, Any] = {"id": str(place.line - 1), "prompt": loaded.doc_to_text(document)}
    if not isinstance(values["prompt"], str):
        raise place.mistake("its prompt is not one text: tasks with a choice among contexts cannot be asked")
    if kind == "multiple_choice":
        values["choices"] = list(loaded.doc_to_choice(document))
        if isinstance(target, int):
            target = values["choices"][target]
    return make_item(
        RawRow(place, {**values, "target": list(target) if isinstance(target, list | tuple) else target})
    )


def _scorer(loaded: Any, kind: str) -> tuple[Scorer, str]:
    """Return the scorer that fits the configuration best, and a note that says what was taken over."""
    if kind == "multiple_choice":
        return ChoiceLogprob(), "scored by acc: the choice of highest log-probability"
    for pipeline in loaded.config.filter_list or []:
        for step in pipeline["filter"]:
            if step["function"] == "regex" and "regex_pattern" in step:
                take = "last" if step.get("group_select") == -1 else "first"
                return Regex(step["regex_pattern"], take), f"scored by its filter {pipeline['name']!r}"
    metrics = loaded.config.metric_list or []
    if any(metric.get("ignore_case") or metric.get("ignore_punctuation") for metric in metrics):
        return Normalised(), "scored by normalised text: its metric ignores case or punctuation"
    return Exact(), "scored by exact text"
