"""Tasks in files: items in .jsonl, .csv or .parquet, and a small .toml beside them (docs/tasks.md).

open_file("items.jsonl")    # settings from items.toml, where that is there
open_file("items.toml")     # items from the file it names, or from items.jsonl, .csv or .parquet beside it
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tellapart.errors import UserMistake
from tellapart.tasks.contains import Contains
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.floor import Floor, derived_floor, given_floor
from tellapart.tasks.item import Item, Scorer, Task
from tellapart.tasks.items import make_items
from tellapart.tasks.place import Place, is_there
from tellapart.tasks.python_code import load_steps
from tellapart.tasks.rows import SUFFIXES, RawRow, read_rows
from tellapart.tasks.scorers import make_scorer, target_mistake
from tellapart.tasks.settings import Settings, read_settings
from tellapart.tasks.split import by_hash
from tellapart.tasks.template import missing_fields, render


class _Placed(NamedTuple):
    item: Item
    place: Place


def open_file(path: Path, seed: int = 0) -> Task:
    """Return the task in `path` (.jsonl, .csv, .parquet or .toml). `seed` draws `demonstrations_from` items.

    Raises UserMistake with file, line and the way out for everything that is wrong in it.
    """
    items_path, settings = _resolve(path)
    return replace(task_from(read_rows(items_path), settings, items_path, seed), source=str(path))


def task_from(rows: Sequence[RawRow], settings: Settings, items_path: Path, seed: int) -> Task:
    """Return the task that rows and settings make. `items_path` is where the rows are from, for messages and for code
    beside them."""
    notes: list[str] = []
    placed = _placed(rows, make_items(rows, notes))
    scorer = _scorer(settings, items_path, placed, notes)
    _check_items(placed, settings, scorer)
    shown, questions = _set_apart(placed, settings, items_path, scorer, seed)
    items = tuple(placed_item.item for placed_item in questions)
    floor = _floor(settings, items_path, items, notes)
    task = Task(
        name=settings.name or items_path.stem,
        items=items,
        template=settings.template,
        scorer=scorer,
        guess_floor=floor.value,
        max_tokens=settings.max_tokens,
        stop=settings.stop,
        steps=load_steps(settings.steps, items_path.parent) if settings.steps else None,
        demonstrations=_shown(shown, settings, settings.answer),
        step_demonstrations=_shown(shown, settings, settings.worked) if settings.worked else (),
        source=str(items_path),
        notes=tuple(notes),
        program=settings.program,
    )
    return fingerprinted(task)


def _resolve(path: Path) -> tuple[Path, Settings]:
    """Return the item file and the settings that `path` stands for."""
    if path.suffix != ".toml":
        beside = path.with_suffix(".toml")
        settings = read_settings(beside) if is_there(beside) else Settings()
        if settings.items and (path.parent / settings.items).resolve() != path.resolve():
            raise settings.place("items", path).mistake(f"items = {settings.items!r}, not {path.name!r}")
        return path, settings
    settings = read_settings(path)
    if settings.items:
        return path.parent / settings.items, settings
    there = [path.with_suffix(suffix) for suffix in SUFFIXES if is_there(path.with_suffix(suffix))]
    if len(there) != 1:
        raise UserMistake(f'{path}: names no items: add items = "FILE" ({", ".join(SUFFIXES)})')
    return there[0], settings


def _placed(rows: Sequence[RawRow], items: Sequence[Item]) -> list[_Placed]:
    return [_Placed(item, row.place) for row, item in zip(rows, items, strict=True)]


def _scorer(settings: Settings, path: Path, placed: Sequence[_Placed], notes: list[str]) -> Scorer:
    name = settings.scorer
    if not name:
        name = "choice" if all(placed_item.item.choices for placed_item in placed) else "exact"
        notes.append(f"no scorer was named: {name} is used")
    given = dict(settings.scorer_settings)
    if name == Contains.name:
        given.setdefault(
            "others", sorted({target for placed_item in placed for target in placed_item.item.target})
        )
    try:
        return make_scorer(name, given, path.parent)
    except UserMistake as mistake:
        key = next((key for key in settings.scorer_settings if key in str(mistake)), "scorer")
        raise settings.place(key, path).mistake(str(mistake)) from None


def _check_items(placed: Sequence[_Placed], settings: Settings, scorer: Scorer) -> None:
    """Refuse items that the template cannot be filled from or that the scorer could never find right."""
    for item, place in placed:
        for reason in missing_fields(settings.template, item):
            raise place.mistake(reason)
        if not render(settings.template, item).strip():
            raise place.mistake("the prompt is empty")
        if scorer.name == "choice_logprob" and not item.choices:
            raise place.mistake("no 'choices': scorer choice_logprob picks one of them")
        if reason := target_mistake(scorer, item):
            raise place.mistake(reason)


def _set_apart(
    placed: list[_Placed], settings: Settings, path: Path, scorer: Scorer, seed: int
) -> tuple[list[_Placed], list[_Placed]]:
    """Return (items shown as demonstrations, items asked)."""
    count = settings.demonstrations_from
    if settings.demonstrations and count:
        raise settings.place("demonstrations_from", path).mistake(
            "give demonstrations or demonstrations_from, not both"
        )
    if settings.demonstrations:
        rows = read_rows(path.parent / settings.demonstrations)
        shown = _placed(rows, make_items(rows))
        _check_items(shown, settings, scorer)
        _refuse_shown(shown, placed, settings)
        return shown, placed
    if count >= len(placed):
        raise settings.place("demonstrations_from", path).mistake(
            f"demonstrations_from = {count}, the task has {len(placed)} items: leave some to ask"
        )
    chosen = set(by_hash((placed_item.item.id for placed_item in placed), seed)[:count])
    return [placed_item for placed_item in placed if placed_item.item.id in chosen], [
        placed_item for placed_item in placed if placed_item.item.id not in chosen
    ]


def _refuse_shown(shown: Sequence[_Placed], questions: Sequence[_Placed], settings: Settings) -> None:
    """Refuse a demonstration that is also asked: its answer would be shown."""
    prompts = {render(settings.template, placed_item.item): placed_item.place for placed_item in questions}
    for item, place in shown:
        prompt = render(settings.template, item)
        if prompt in prompts:
            raise place.mistake(
                f"this demonstration is also asked ({prompts[prompt].path}, line "
                f"{prompts[prompt].line}): its answer would be shown; take it out of one file"
            )


def _shown(shown: Sequence[_Placed], settings: Settings, written: str) -> tuple[tuple[str, str], ...]:
    """Return (prompt, answer) texts, the answers written by the template `written`."""
    pairs = []
    for item, place in shown:
        with_target = replace(item, fields={**item.fields, "target": item.target[0]})
        for reason in missing_fields(written, with_target):
            raise place.mistake(reason)
        pairs.append((render(settings.template, item), render(written, with_target)))
    return tuple(pairs)


def _floor(settings: Settings, path: Path, items: Sequence[Item], notes: list[str]) -> Floor:
    if settings.guess_floor is not None:
        try:
            return given_floor(settings.guess_floor)
        except UserMistake as mistake:
            raise settings.place("guess_floor", path).mistake(str(mistake)) from None
    floor = derived_floor(items)
    notes.append(
        f"guess floor {'not known' if floor.value is None else format(floor.value, '.4g')}: {floor.method}"
    )
    return floor
