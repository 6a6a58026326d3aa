"""BIG-Bench Hard task files as they are (Suzgun et al. 2022, arXiv 2210.09261).

    open_bbh("/path/to/BIG-Bench-Hard/bbh/boolean_expressions.json")
    open_bbh("boolean_expressions")       # looked up in the folder $TELLAPART_BBH

Where the folder `cot-prompts` lies beside, its text gives the instruction and three demonstrations, direct and
with steps. Listed options become choices. Scored as published: what follows "answer is", or the first line.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tellapart.errors import UserMistake
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.floor import Floor, derived_floor
from tellapart.tasks.item import Item, Task
from tellapart.tasks.place import Place, is_there, read_text
from tellapart.tasks.rows import read_json
from tellapart.tasks.text_match import AnswerIs

FOLDER = "TELLAPART_BBH"
MAX_TOKENS = 512
_LETTERED = re.compile(r"^\(([A-Z])\) ?(.*)$", re.MULTILINE)
_DASHED = re.compile(r"^- (.*)$", re.MULTILINE)


class CotPrompt(NamedTuple):
    """What a file of cot-prompts holds: the instruction, and (question, answer with steps) texts."""

    instruction: str
    examples: tuple[tuple[str, str], ...]


def open_bbh(reference: str) -> Task:
    """Return the task of a BIG-Bench Hard file, by path or by name. Raises UserMistake where it is none."""
    path = find_bbh(reference)
    document = read_json(read_text(path), Place(path))
    examples = document.get("examples") if isinstance(document, dict) else None
    if not isinstance(examples, list) or not examples:
        raise UserMistake(
            f'{path}: not a BIG-Bench Hard file: no "examples": [{{"input": ..., "target": ...}}]'
        )
    items = tuple(_item(example, index, path) for index, example in enumerate(examples))
    instruction, shown = _cot_prompt(path)
    ahead = f"{instruction}\n\n" if instruction else ""
    floor = _floor(items)
    task = Task(
        name=path.stem,
        items=items,
        template=f"{ahead.replace('{', '{{').replace('}', '}}')}Q: {{input}}\nA:",
        scorer=AnswerIs(),
        guess_floor=floor.value,
        max_tokens=MAX_TOKENS,
        stop=("\nQ:",),
        demonstrations=tuple((f"{ahead}Q: {question}\nA:", f" {_final(steps)}") for question, steps in shown),
        step_demonstrations=tuple((f"{ahead}Q: {question}\nA:", f" {steps}") for question, steps in shown),
        source=f"bbh:{path}",
        notes=(f"guess floor: {floor.method}",),
    )
    return fingerprinted(task)


def find_bbh(reference: str) -> Path:
    """Return the file of a path or a bare task name. Raises UserMistake with the way out where there is none."""
    path = Path(reference)
    if path.suffix == ".json" or os.sep in reference:
        return path
    folder = os.environ.get(FOLDER, "")
    if not folder:
        raise UserMistake(
            f"bbh:{reference}: give the file, bbh:/path/to/{reference}.json, or set {FOLDER} to its folder"
        )
    for candidate in (Path(folder, f"{reference}.json"), Path(folder, "bbh", f"{reference}.json")):
        if is_there(candidate):
            return candidate
    names = sorted(file.stem for file in (*Path(folder).glob("*.json"), *Path(folder, "bbh").glob("*.json")))
    raise UserMistake(
        f"bbh:{reference}: no such task in {FOLDER}={folder}: it has {', '.join(names) or 'none'}"
    )


def listed_options(text: str) -> tuple[str, ...]:
    """Return the options that follow "Options:", lettered "(A) ..." or dashed "- ..."; none where there are not two.

    >>> listed_options("Which?\\nOptions:\\n(A) one\\n(B) two")
    ('one', 'two')
    """
    _, heading, after = text.rpartition("Options:")
    lettered = _LETTERED.findall(after) if heading else []
    if [letter for letter, _ in lettered] == [chr(65 + index) for index in range(len(lettered))] and lettered:
        options = tuple(option.strip() for _, option in lettered)
    else:
        options = tuple(option.strip() for option in _DASHED.findall(after)) if heading else ()
    return options if len(options) >= 2 and all(options) else ()


def _item(example: Any, index: int, path: Path) -> Item:
    place = Place(path, index + 1, "example")
    if not isinstance(example, dict):
        raise place.mistake("not an object with input and target")
    for key in ("input", "target"):
        if not isinstance(example.get(key), str) or not example[key].strip():
            raise place.mistake(f"no {key!r} text")
    options, target = listed_options(example["input"]), example["target"]
    lettered = [f"({chr(65 + i)})" for i in range(len(options))]
    listed = target in lettered or target in options
    return Item(str(index), {"input": example["input"]}, (target,), options if listed else ())


def _floor(items: Sequence[Item]) -> Floor:
    """Return the floor over the items whose options are known; four targets of the 27 files are no option."""
    listed = [item for item in items if item.choices]
    if not listed or len(listed) == len(items):
        return derived_floor(items)
    value = derived_floor(listed)
    return Floor(value.value, f"{value.method}; {len(items) - len(listed)} without two options left out")


def _cot_prompt(path: Path) -> CotPrompt:
    """Return the cot-prompts text that lies beside a task file; an empty one where there is none."""
    for folder in (path.parent.parent / "cot-prompts", path.parent / "cot-prompts"):
        file = folder / f"{path.stem}.txt"
        if is_there(file):
            return parse_cot_prompt(read_text(file), file)
    return CotPrompt("", ())


def parse_cot_prompt(text: str, path: Path) -> CotPrompt:
    """Return the parts of a cot-prompts text: canary line, "-----", instruction, then "Q: ...\\nA: ..." blocks.

    Raises UserMistake where a block has no answer.
    """
    body = text.split("\n-----\n", 1)[-1].strip()
    instruction, *blocks = re.split(r"(?:^|\n\n?)Q: ", body)
    examples = []
    for number, block in enumerate(blocks, start=1):
        question, marker, steps = block.partition("\nA: ")
        if not marker:
            raise UserMistake(f"{path}: demonstration {number} has no line that begins with 'A: '")
        examples.append((question.strip(), steps.strip()))
    return CotPrompt(instruction.strip(), tuple(examples))


def _final(steps: str) -> str:
    """Return the answer that a worked demonstration ends with, as its scorer reads it."""
    return AnswerIs().answer(Item("", {}, ("",)), steps) or steps
