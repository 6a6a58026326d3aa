"""findings.json back into Findings: the inverse of `Finding.as_json`."""

import contextlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tellapart.errors import UserMistake
from tellapart.findings.finding import FINDINGS_VERSION, Finding
from tellapart.runs.files import read_whole
from tellapart.stats.estimate import Estimate

FORM = (
    KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RecursionError, StopIteration,
)  # fmt: skip
"""What reading or showing findings may raise that are not in the form of docs/run-folder.md."""


@contextlib.contextmanager
def in_form(what: object, *more: type[Exception]) -> Iterator[None]:
    """Turn what odd findings raise (FORM, and `more`) into a UserMistake that names them."""
    try:
        yield
    except (*FORM, *more) as error:
        raise UserMistake(
            f"{what} not in the form of findings ({type(error).__name__}: {str(error)[:200]}); analyse the run again"
        ) from error


def read_findings(run_folder: Path) -> list[Finding]:
    """Return the findings of a run; a UserMistake names what is not in the form of docs/run-folder.md."""
    path = run_folder / "findings.json"
    document = read_object(path)
    if document.get("version") != FINDINGS_VERSION:
        raise UserMistake(
            f"{path} has version {document.get('version')!r}, this tellapart reads {FINDINGS_VERSION}: "
            "view it with the tellapart that wrote it (spec.json names its version)"
        )
    with in_form(f"{path} is"):
        return [finding_from_json(value) for value in document["findings"]]


def finding_from_json(value: Mapping[str, Any]) -> Finding:
    """Return the Finding whose `as_json` is `value`; null figures become NaN."""
    return Finding(
        question=str(value["question"]),
        verdict=str(value["verdict"]),
        probability=number(value["probability"]),
        sentence=str(value["sentence"]),
        estimates={str(name): estimate_from_json(inner) for name, inner in value["estimates"].items()},
        controls={str(name): str(words) for name, words in value.get("controls", {}).items()},
        caveats=tuple(str(caveat) for caveat in value.get("caveats", ())),
        evidence=tuple(
            (str(what), number(seen), number(adds)) for what, seen, adds in value.get("evidence", ())
        ),
        rows=tuple((str(condition), str(item)) for condition, item in value.get("rows", ())),
        tables=dict(value.get("tables", {})),
    )


def number(value: Any) -> float:
    """Return a JSON number as float, null as NaN."""
    return math.nan if value is None else float(value)


def estimate_from_json(value: Mapping[str, Any]) -> Estimate:
    """Return the Estimate whose `as_json` is `value`; null figures become NaN."""
    return Estimate(
        number(value["value"]),
        number(value["low"]),
        number(value["high"]),
        int(value["n"]),
        str(value["unit"]),
        str(value["method"]),
    )


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file of a finished run. Raises UserMistake, one line, where there is none."""
    try:
        data = read_whole(path)
        if data is None:
            raise UserMistake(f"{path} is not there: give the folder of a finished run")
        value = json.loads(data.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserMistake(f"{path} cannot be read ({error}); analyse the run again") from error
    if not isinstance(value, dict):
        raise UserMistake(f"{path} holds {type(value).__name__}, an object is needed; analyse the run again")
    return value
