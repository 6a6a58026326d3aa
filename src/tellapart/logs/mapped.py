"""Any table of rows by a map of its keys: `FILE#item=task_id,correct=passed`, or `tellapart read FILE --map ...`.

Left of = stands a column of plain scores (counts.py), right of it a key of the file, dotted where it lies deeper
(`metrics.acc`); for `correct` and `score` also `A==B` (two keys, or a key and a text) and `A>=NUMBER`.
"""

import csv
import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.logs import counts
from tellapart.logs.columns import RIGHT
from tellapart.logs.metric import Metric
from tellapart.logs.recorded import Recorded, encodable
from tellapart.logs.source import Source, as_rows, records
from tellapart.logs.value import listed, number, short, text

TOOL = "mapped"
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,30})(?:\.\d{1,30})?")
FIELDS = tuple(dict.fromkeys((*counts.TEXTS, *counts.NUMBERS)))
_ENTRY = re.compile(r"^\s*(?P<field>[a-z_]+)\s*=(?!=)\s*(?P<key>.+?)\s*$", re.DOTALL)
_COMPARED = re.compile(r"^(?P<left>.+?)\s*(?P<sign>==|>=)\s*(?P<right>.*)$", re.DOTALL)
ITEMS = (
    "item", "item_id", "task_id", "question_id", "sample_id", "example_id", "problem_id", "instance_id", "doc_id", "id",
    "idx", "index", "uid", "qid", "unique_id", "key", "name", "_key", "question", "problem", "prompt", "instruction",
)  # fmt: skip
SCORES = (
    "correct", "is_correct", "passed", "pass", "score", "reward", "resolved", "success", "solved", "accuracy", "acc",
    "exact_match", "em", "is_right", "right", "is_solved", "correctness", "judge_correct", "rating", "grade",
)  # fmt: skip
GIVEN = (
    "pred",
    "prediction",
    "predicted",
    "model_answer",
    "extracted_answer",
    "parsed_answer",
    "predicted_answer",
    "output",
)
WANTED = (
    "answer",
    "target",
    "gold",
    "label",
    "ground_truth",
    "gt",
    "reference",
    "expected",
    "expected_answer",
    "solution",
)
TEXTUAL = {
    "model": ("model", "model_name", "model_id"),
    "sample": ("sample", "sample_index", "attempt", "epoch", "run", "trial"),
    "question": ("question", "problem", "prompt", "instruction", "input", "query"),
    "completion": ("completion", "response", "output", "generation", "model_output", "generated_text"),
    "cluster": ("category", "subject", "subset", "task", "domain", "subtask", "dataset"),
}  # fmt: skip


def mapping_of(choice: str) -> dict[str, str] | None:
    """Return the map that `choice` is, None where it is none (the name of a model or metric). Raises
    UserMistake for a map that names no field of ours."""
    if "=" not in choice:
        return None
    entries = [_ENTRY.match(part) for part in _parts(choice)]
    first = entries[0]
    if first is None or (first["field"] not in FIELDS and not all(entries)):
        return None
    result: dict[str, str] = {}
    for part, entry in zip(_parts(choice), entries, strict=True):
        if entry is None or entry["field"] not in FIELDS:
            raise UserMistake(f"--map {short(part)}: give FIELD=KEY with FIELD one of {', '.join(FIELDS)}")
        if entry["field"] in result:
            raise UserMistake(f"--map: {entry['field']} is there twice")
        result[entry["field"]] = entry["key"]
    if "item" not in result or not ({"correct", "score"} & set(result) or {"n", "c"} <= set(result)):
        raise UserMistake(f"--map {short(choice)}: give item and correct (or score, or n and c)")
    return result


def _parts(choice: str) -> list[str]:
    """Return the entries of a map; a comma inside a key is no comma between entries."""
    return re.split(r",(?=\s*[a-z_]+\s*=(?!=))", choice)


def read(source: Source, mapping: Mapping[str, str]) -> Recorded:
    """Return the log whose columns are those that the map names; of several models the one named after a second `#`.
    Raises UserMistake naming the keys that are there."""
    *_, last = mapping
    key, sign, model = mapping[last].rpartition("#")
    if sign and "model" in mapping and mapping[last] not in _known_keys(source):
        mapping = {**mapping, last: key}
    else:
        model = ""
    view = source if source.kind in ("jsonl", "csv", "parquet") else as_rows(source)
    if view is None:
        raise UserMistake(f"{source.path}: holds no rows that could be mapped{_keys(source)}")
    notes: list[str] = []
    columns: dict[str, list[str]] = {name: [] for name in mapping}
    seen: set[str] = set()
    for where, row in _rows(view, mapping, notes):
        for name, key in mapping.items():
            value = _value(row, key, where, seen, score=name in ("correct", "score"))
            columns[name].append(text(value))
    if not columns["item"]:
        raise UserMistake(f"{source.path}: has no rows")
    for name, key in mapping.items():
        for key_part in _keys_in(key):
            if key_part not in seen:
                quotes = "; a text stands in quotes, as key=='right'" if "==" in key else ""
                raise UserMistake(
                    f"{source.path}: no key {short(key_part)} for {name}{quotes}{_keys(source)}"
                )
    table = pa.table(
        {name: pa.array(encodable(values, name, notes), pa.string()) for name, values in columns.items()}
    )
    scored_by = mapping.get("correct") or mapping.get("score") or f"{mapping['c']} of {mapping['n']}"
    return counts.from_table(table, counts.TableSource(view, TOOL, Metric(scored_by)), model, notes)


def _rows(view: Source, mapping: Mapping[str, str], notes: list[str]) -> Iterable[tuple[str, JsonObject]]:
    if view.kind == "jsonl":
        yield from records(view, notes)
        return
    tops = {path.split(".", 1)[0] for key in mapping.values() for path in _keys_in(key)}
    tops |= {path for key in mapping.values() for path in _keys_in(key)}
    names = [str(name) for name in view.head if name in tops]
    if not names:
        raise UserMistake(f"{view.path}: has none of the keys {listed(sorted(tops))}{_keys(view)}")
    if view.kind == "parquet":
        try:
            table = pq.read_table(view.path, columns=names)
        except (pa.ArrowException, OSError) as error:
            raise UserMistake(f"{view.path}: cannot be read: {str(error)[:200]}") from None
    else:
        table = counts.load(view, names, (), notes)
    lists = [table[name].to_pylist() for name in names]
    for index, values in enumerate(zip(*lists, strict=True)):
        yield f"{view.path}, row {index + 1}", dict(zip(names, values, strict=True))


def _keys_in(key: str) -> list[str]:
    """Return the keys that an expression reads; a text right of == stands in quotes."""
    compared = _COMPARED.match(key)
    if compared is None:
        return [key]
    right = compared["right"]
    return [compared["left"]] if compared["sign"] == ">=" or _quoted(right) else [compared["left"], right]


def _quoted(text: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] and text[0] in "'\""


def _value(row: JsonObject, key: str, where: str, seen: set[str], score: bool) -> Json:
    compared = _COMPARED.match(key) if score else None
    if compared is None:
        return _at(row, key, seen)
    left = _at(row, compared["left"], seen)
    if left is None or left == "":
        return None
    if compared["sign"] == ">=":
        least = number(compared["right"], f"--map {short(key)}")
        value = number(left, f"{where}: {short(compared['left'])}")
        return None if math.isnan(value) else value >= least
    right = compared["right"][1:-1] if _quoted(compared["right"]) else _at(row, compared["right"], seen)
    if right is None or right == "":
        return None
    return _plain(left) == _plain(right) or _equal_numbers(left, right)


def _equal_numbers(left: Json, right: Json) -> bool:
    """Say whether both are one number, however it is written: a column of whole numbers with a gap has 7.0 for 7."""
    if not all(_NUMBER.fullmatch(_plain(side)) for side in (left, right)):
        return False
    return Decimal(_plain(left)) == Decimal(_plain(right))


def _plain(value: Json) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return text(value).strip()


def _at(row: JsonObject, key: str, seen: set[str]) -> Json:
    """Return what lies at a dotted key, None where the row has nothing there."""
    if key in row:
        seen.add(key)
        return row[key]
    value: Json = row
    for part in key.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    seen.add(key)
    return value


def _answers(lower: Mapping[str, str], used: set[str], completion: str) -> dict[str, str]:
    """Return where the answer and its target stand, by which chance is measured; nothing where one is not there.
    "answer" is what was answered only where another key has the target, and none has the answer."""
    said = [completion] if completion else [lower[name] for name in GIVEN if name in lower]
    wanted = [lower[name] for name in WANTED if name in lower and lower[name] not in used]
    if not said and "answer" in lower and len(wanted) > 1:
        said = [lower["answer"]]
    target = [key for key in wanted if key not in said]
    return {"completion": said[0], "target": target[0]} if said and target else {}


def proposal(source: Source) -> str:
    """Return the keys of a file that is no known log, and the --map that would read it, for a message."""
    keys = _known_keys(source)
    if not keys:
        return f" ({_begins(source)})"
    lower = {key.lower().rsplit(".", 1)[-1]: key for key in reversed(keys)}
    item = next((lower[name] for name in ITEMS if name in lower), "")
    score = next((lower[name] for name in SCORES if name in lower), "")
    if not score:
        given = next((lower[name] for name in GIVEN if name in lower), "")
        wanted = next((lower[name] for name in WANTED if name in lower and lower[name] != given), "")
        score = f"{given}=={wanted}" if given and wanted else _worded(source)
    described = f": it has the keys {listed(keys)}"
    if not item or not score:
        missing = " and ".join(
            what for what, there in (("an item's id", item), ("a score", score)) if not there
        )
        return f"{described}; none looks like {missing}: say with --map item={item or 'KEY'},correct={score or 'KEY'}"
    fields: dict[str, str] = {}
    for field, names in TEXTUAL.items():
        free = [lower[name] for name in names if name in lower and lower[name] not in (item, score)]
        if free:
            fields[field] = free[0]
    if "==" not in score:
        fields |= _answers(lower, {item, score, *fields.values()}, fields.get("completion", ""))
    entries = [f"item={item}", f"correct={score}", *(f"{field}={key}" for field, key in fields.items())]
    wanted = ",".join(entries)
    quote = '"' if "'" in wanted else ""  # or the shell would take the quotes of a text
    return (
        f"{described}; if these are scored answers, say --map {quote}{wanted}{quote} "
        f"(or {quote}{source.path.name}#{wanted}{quote})"
    )


LOOKED_AT = 2**16
"""Bytes of a table in which its first row is looked for."""
_OPPOSITE = {wrong: right for right, wrong in reversed(RIGHT.items())}
_SCORED = re.compile(r"correct|pass|right|score|succ|solved|acc", re.IGNORECASE)


def _worded(source: Source) -> str:
    """Return the first key whose first value says right or wrong, as a word (result=='PASS') or, where its name tells
    of scores, as a number; "" where none does."""
    view = source if source.kind in ("jsonl", "csv") else as_rows(source)
    if view is None or not isinstance(view.first, Mapping):
        return ""
    first = view.first
    if view.kind == "csv":
        begins = view.data[:LOOKED_AT].decode("utf-8", "replace").splitlines()
        values = next(islice(csv.reader(begins, delimiter=view.separator), 1, None), [])
        first = dict(zip(first, values, strict=False))
    for key, value in first.items():
        word = value.strip() if isinstance(value, str) else ""
        said = word if word.lower() in RIGHT else _OPPOSITE.get(word.lower(), "")
        if said:
            shape = str.upper if word.isupper() else str.title if word.istitle() else str
            return f"{key}=='{said if said == word else shape(said)}'"
        if not word and _SCORED.search(str(key)) and isinstance(value, int | float):
            return str(key)
    return ""


def _keys(source: Source) -> str:
    keys = _known_keys(source)
    return f"; it has the keys {listed(keys)}" if keys else f" ({_begins(source)})"


def _known_keys(source: Source) -> list[str]:
    """Return the keys of a file's rows, those one level down dotted."""
    view = source if source.kind in ("jsonl", "csv", "parquet") else as_rows(source)
    if view is None or not isinstance(view.first, Mapping):
        return []
    first = view.first
    if view.kind == "parquet":
        return _parquet_keys(view)
    if view.kind == "csv" and len(first) < 2:
        return []
    keys = []
    for name, value in first.items():
        keys += [f"{name}.{key}" for key in value] if isinstance(value, Mapping) and value else [str(name)]
    return keys


def _parquet_keys(view: Source) -> list[str]:
    keys = []
    for column in pq.read_schema(view.path):
        if pa.types.is_struct(column.type):
            keys += [f"{column.name}.{column.type.field(i).name}" for i in range(column.type.num_fields)]
        else:
            keys.append(column.name)
    return keys


def _begins(source: Source) -> str:
    if isinstance(source.first, Mapping) and source.first:
        keys = ", ".join(str(name)[:30] for name in list(source.first)[:8])
        lists = [str(key) for key, value in source.head.items() if isinstance(value, list) and len(value) > 1]
        if len(lists) > 1:
            return f"holds several lists, {listed(lists)}, and does not say which are scored answers: give one alone"
        return f"begins with {keys}; no list of scored answers is in it: give the file that holds a row an answer"
    return "a ZIP archive" if source.kind == "zip" else "holds no rows"
