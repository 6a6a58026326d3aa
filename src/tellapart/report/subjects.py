"""What a run was about, out of its spec: the models and the task, as the user named them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tellapart.inputs import REFERENCE


def subjects(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (base | tuned | model | benign | task | results, name) pairs of spec.json; two logs stand for base and
    tuned, those of a form or hidden run for its arms or roles."""
    inner = spec.get("spec", spec)
    if not isinstance(inner, dict):
        return []
    logs = inner.get("logs")
    if inner.get("study") == "form" and isinstance(inner.get("pairs"), str):
        return [("pairs", inner["pairs"])]
    if inner.get("study") in ("form", "hidden") and isinstance(logs, list) and logs:
        arms = (str(word).partition("=") for word in logs)
        return [(arm, log) for arm, _, log in arms]
    if isinstance(logs, list) and len(logs) == 2:
        inner = {"base": logs[0], "tuned": logs[1]} | {key: value for key, value in inner.items() if value}
    if isinstance(inner.get("results"), list):
        inner = {**inner, "results": ", ".join(str(name) for name in inner["results"])}
    names = ((key, _name(inner.get(key))) for key in ("base", "tuned", "model", "benign", "task", "results"))
    return [(key, name) for key, name in names if name]


def portable(name: str) -> str:
    """Return a name for others to read: of a folder of this machine the last two parts."""
    path = Path(name)
    return "/".join(path.parts[-2:]) if path.is_absolute() else name


def _name(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("reference") or value.get("name")
    if not isinstance(value, str):
        return ""
    given = REFERENCE.fullmatch(value)
    return f"{given['stem'].rpartition('-')[0]} (given in Python)" if given else value
