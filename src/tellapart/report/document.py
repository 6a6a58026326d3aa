"""Read what a report shows out of a run folder: findings.json back into Findings, spec.json, a few row columns."""

import contextlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import TemplateError

from tellapart.errors import UserMistake
from tellapart.findings.finding import FINDINGS_VERSION, Finding
from tellapart.runs.files import read_whole
from tellapart.stats.estimate import Estimate

ROW_COLUMNS = ("condition", "item", "score", "status", "tokens", "seconds")


FORM = (
    KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RecursionError, StopIteration,
    TemplateError,
)  # fmt: skip
"""What showing findings may raise that are not in the form of docs/run-folder.md."""


@contextlib.contextmanager
def in_form(what: object) -> Iterator[None]:
    """Turn what showing odd findings raises into a UserMistake that names them."""
    try:
        yield
    except FORM as error:
        raise UserMistake(
            f"{what} not in the form of findings ({type(error).__name__}: {str(error)[:200]}); analyse the run again"
        ) from error


def read_findings(run_folder: Path) -> list[Finding]:
    """Return the findings of a run; a UserMistake names what is not in the form of docs/run-folder.md."""
    path = run_folder / "findings.json"
    document = _read_json(path)
    if document.get("version") != FINDINGS_VERSION:
        raise UserMistake(
            f"{path} has version {document.get('version')!r}, this tellapart reads {FINDINGS_VERSION}: "
            "view it with the tellapart that wrote it (spec.json names its version)"
        )
    with in_form(f"{path} is"):
        return [finding_from_json(value) for value in document["findings"]]


def with_tokens(findings: Sequence[Finding], run_folder: Path) -> list[Finding]:
    """Return the findings as they are shown: the first one with the tokens that the run spent, where it counts them.

    They are no finding: a run that was killed and gone on with finds the same, and has spent more.
    """
    path = run_folder / "artifacts" / "tokens.json"
    if not findings or not path.exists():
        return list(findings)
    first, *others = findings
    return [replace(first, tables={**first.tables, "tokens": _read_json(path)}), *others]


def read_spec(run_folder: Path) -> dict[str, Any]:
    """Return spec.json as it stands."""
    return _read_json(run_folder / "spec.json")


def read_row_columns(run_folder: Path) -> pd.DataFrame | None:
    """Return the columns of rows.parquet that a page sums up, None where the run has no rows.parquet yet."""
    path = run_folder / "rows.parquet"
    if not path.exists():
        return None
    try:
        return pd.read_parquet(path, columns=list(ROW_COLUMNS))
    except (ValueError, OSError, KeyError) as error:
        raise UserMistake(f"{path} cannot be read ({error}); analyse the run again") from error


def finding_from_json(value: Mapping[str, Any]) -> Finding:
    """Return the Finding whose `as_json` is `value`; null figures become NaN."""
    return Finding(
        question=str(value["question"]),
        verdict=str(value["verdict"]),
        probability=number(value["probability"]),
        sentence=str(value["sentence"]),
        estimates={str(name): _estimate(inner) for name, inner in value["estimates"].items()},
        controls={str(name): str(told) for name, told in value.get("controls", {}).items()},
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


def _estimate(value: Mapping[str, Any]) -> Estimate:
    return Estimate(
        number(value["value"]),
        number(value["low"]),
        number(value["high"]),
        int(value["n"]),
        str(value["unit"]),
        str(value["method"]),
    )


def _read_json(path: Path) -> dict[str, Any]:
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
