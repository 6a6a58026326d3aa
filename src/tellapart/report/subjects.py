"""What a run was about, out of its spec: the models and the task, as the user named them; when and how it was asked."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from tellapart.findings.finding import Finding
from tellapart.findings.guard import PROBLEMS
from tellapart.findings.shown import COUNTS
from tellapart.inputs import REFERENCE
from tellapart.jsonvalue import Json, JsonObject

SEVERAL = ("results", "networks", "before", "after")
SUBJECTS = ("base", "tuned", "model", "benign", "data", "before", "after", "task", "results", "networks")


def subjects(spec: JsonObject) -> list[tuple[str, str]]:
    """Return (base | tuned | model | benign | task | results | networks | data | before | after, name) pairs of
    spec.json; two logs stand for base and tuned, those of a form or hidden run for its arms or roles."""
    inner = spec.get("spec", spec)
    if not isinstance(inner, dict):
        return []
    logs = inner.get("logs")
    pairs = inner.get("pairs")
    if inner.get("study") == "form" and isinstance(pairs, str):
        return [("pairs", pairs)]
    if inner.get("study") in ("form", "hidden") and isinstance(logs, list) and logs:
        arms = (str(word).partition("=") for word in logs)
        return [(arm, log) for arm, _, log in arms]
    if isinstance(logs, list) and len(logs) == 2:
        inner = {"base": logs[0], "tuned": logs[1]} | {key: value for key, value in inner.items() if value}
    several = ((key, inner.get(key)) for key in SEVERAL)
    joined = {key: ", ".join(map(str, names)) for key, names in several if isinstance(names, list)}
    names = ((key, _name({**inner, **joined}.get(key))) for key in SUBJECTS)
    return [(key, name) for key, name in names if name]


def portable(name: str) -> str:
    """Return a name for others to read: of a folder of this machine the last two parts."""
    path = Path(name)
    return "/".join(path.parts[-2:]) if path.is_absolute() else name


def describe_run(spec: JsonObject, findings: Sequence[Finding] = ()) -> list[str]:
    """Return when a run began, how many items and samples it asked, and the models' sizes, as far as spec.json tells
    (`models`: by role their `parameters`); of logs and problems how many its findings are of."""
    inner, models = _mapping(spec.get("spec")), _mapping(spec.get("models"))
    items = inner.get("items")
    if isinstance(items, dict):
        items = items.get("report")
    parts = [_date(spec.get("started"))]
    if isinstance(items, int):
        parts.append(f"{items:,} items")
    parts += [words for finding in findings for words in _read(finding)]
    samples = inner.get("samples")
    elsewhere = (
        inner.get("pairs") or inner.get("logs") or (inner.get("study") == "guard" and not inner.get("task"))
    )
    if isinstance(samples, int) and not elsewhere:
        parts.append(f"{samples} plain sample{'s' * (samples != 1)} an item")
    sizes = {name: _mapping(model).get("parameters") for name, model in models.items()}
    whole = {name: size for name, size in sizes.items() if isinstance(size, int) and size > 0}
    parts += (
        [f"{name} {_size(size)}" for name, size in whole.items()]
        if len(set(whole.values())) > 1
        else ([f"{_size(size)} parameters" for size in set(whole.values())])
    )
    return [part for part in parts if part]


def _read(finding: Finding) -> list[str]:
    """Return how many items of logs, with how many answers of each side, or problems a finding is of."""
    parts = []
    paired = _mapping(finding.tables.get("pairing")).get("items")
    if isinstance(paired, int):
        parts.append(f"{paired:,} paired items")
        parts += [f"{line.asked:,} answers of {line.condition.partition('/')[0]}" for line in COUNTS.read(finding)
                 if line.condition in ("base/plain", "tuned/plain")]  # fmt: skip
    problems = PROBLEMS.read(finding)
    return [*parts, f"{problems.total:,} problems"] if problems else parts


def _mapping(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _date(started: Json) -> str:
    try:
        return f"{datetime.fromisoformat(str(started)):%d %B %Y, %H:%M %Z}".lstrip("0")
    except ValueError:
        return ""


def _size(parameters: int) -> str:
    """Return a number of parameters with three figures.

    >>> [_size(one) for one in (69_552, 134_515_008, 8_030_261_248)]
    ['0.0696 M', '135 M', '8.03 G']
    """
    return f"{parameters / 1e6:.3g} M" if parameters < 1e9 else f"{parameters / 1e9:.3g} G"


def _name(value: Json) -> str:
    if isinstance(value, dict):
        value = value.get("reference") or value.get("name")
    if not isinstance(value, str):
        return ""
    given = REFERENCE.fullmatch(value)
    return f"{given['stem'].rpartition('-')[0]} (given in Python)" if given else value
