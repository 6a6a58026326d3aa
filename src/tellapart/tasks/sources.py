"""Opening a task by its reference: a file, or KIND:NAME. Everything wrong with it is told before a model is loaded.

open_task("items.jsonl")   open_task("bbh:/path/to/navigate.json")   open_task("specimen:NAME", limit=50)
"""

from collections.abc import Callable
from pathlib import Path

from tellapart.errors import UserMistake, closest
from tellapart.tasks import OPENERS
from tellapart.tasks.bbh import open_bbh
from tellapart.tasks.files import open_file
from tellapart.tasks.gsm8k import open_gsm8k
from tellapart.tasks.item import Task
from tellapart.tasks.puzzles import open_puzzle
from tellapart.tasks.rows import SUFFIXES
from tellapart.tasks.split import limited


def open_task(reference: str, *, limit: int | None = None, seed: int = 0) -> Task:
    """Return the task that `reference` names, with `limit` of its items drawn by `seed` (all by default).

    References: a path (.jsonl, .csv, .parquet, .toml), bbh:PATH_or_NAME, gsm8k:PATH, specimen:NAME,
    lm-eval:NAME, inspect:FILE@TASK, puzzle:KIND. Raises UserMistake, in one line, for everything that is wrong.
    """
    kind, colon, name = reference.partition(":")
    sources = {**SOURCES, **OPENERS}
    if colon and kind in sources:
        if not name:
            raise UserMistake(f"{reference!r} names no task: write {kind}:NAME")
        task = sources[kind](name, seed)
    elif Path(reference).suffix in (*SUFFIXES, ".toml"):
        task = open_file(Path(reference), seed)
    else:
        guess = closest(kind, sources) if colon else ""
        raise UserMistake(
            f"{reference!r} is no task{guess}: give a file ({', '.join(SUFFIXES)}, .toml) or "
            + ", ".join(f"{source}:..." for source in sources if source != "given")
        )
    return limited(task, limit, seed)


def _lm_eval(name: str, seed: int) -> Task:
    from tellapart.tasks.lm_eval_source import open_lm_eval

    return open_lm_eval(name)


def _inspect(name: str, seed: int) -> Task:
    from tellapart.tasks.inspect_source import open_inspect

    return open_inspect(name)


def _given(name: str, seed: int) -> Task:
    from tellapart.tasks.given import open_given

    return open_given(name, seed)


SOURCES: dict[str, Callable[[str, int], Task]] = {
    "bbh": lambda name, seed: open_bbh(name),
    "gsm8k": open_gsm8k,
    "lm-eval": _lm_eval,
    "inspect": _inspect,
    "puzzle": open_puzzle,
    "given": _given,
}
"""What stands before the colon of a reference, and what opens it; beside them stand those of higher rooms, OPENERS."""
