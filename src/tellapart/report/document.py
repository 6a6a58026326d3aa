"""Read what a report shows beside the findings out of a run folder: spec.json, tokens spent, a few row columns."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from tellapart.errors import UserMistake
from tellapart.findings.finding import Finding
from tellapart.findings.reading import read_object
from tellapart.jsonvalue import Json, JsonObject

ROW_COLUMNS = ("condition", "item", "score", "status", "tokens", "seconds")


def with_tokens(findings: Sequence[Finding], run_folder: Path) -> list[Finding]:
    """Return the findings as they are shown: the first one with the tokens that the run spent, where it counts them.

    They are no finding: a run that was killed and resumed finds the same, and has spent more.
    """
    path = run_folder / "artifacts" / "tokens.json"
    if not findings or not path.exists():
        return list(findings)
    first, *others = findings
    return [replace(first, tables={**first.tables, "tokens": read_object(path)}), *others]


def read_spec(run_folder: Path) -> dict[str, Json]:
    """Return spec.json as it stands."""
    return read_object(run_folder / "spec.json")


def with_models(spec: JsonObject, run_folder: Path) -> dict[str, Json]:
    """Return spec.json with what the run knows of its `models`, where it has written that down."""
    path = run_folder / "artifacts" / "facts.json"
    models = read_object(path).get("models") if path.exists() else None
    return {**spec, "models": models} if isinstance(models, dict) else dict(spec)


def read_row_columns(run_folder: Path) -> pd.DataFrame | None:
    """Return the columns of rows.parquet that a page sums up, None where the run has no rows.parquet yet."""
    path = run_folder / "rows.parquet"
    if not path.exists():
        return None
    try:
        return pd.read_parquet(path, columns=list(ROW_COLUMNS))
    except (ValueError, OSError, KeyError) as error:
        raise UserMistake(f"{path} cannot be read ({error}); analyse the run again") from error
