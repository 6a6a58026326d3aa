"""The notebook runs as it stands, cell by cell, and shows what is stored in it."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

BOOK = Path(__file__).parents[2] / "examples" / "two_logs.ipynb"


def cells() -> list[dict[str, Any]]:
    return [cell for cell in json.loads(BOOK.read_text())["cells"] if cell["cell_type"] == "code"]


def shown_by(source: str, space: dict[str, Any]) -> Any:
    """Run a cell and return the value of its last line, as a notebook shows it."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, str(BOOK), "exec"), space)
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), str(BOOK), "eval"), space)


def test_every_cell_runs_and_shows_what_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {"__name__": "__main__"}
    shown = {}
    for cell in cells():
        value = shown_by("".join(cell["source"]), space)
        stored = [one["data"].get("text/html") for one in cell["outputs"] if "data" in one]
        if value is not None:
            shown[cell["id"]] = value._repr_html_()
            if type(value).__module__.startswith("tellapart"):  # how pandas shows a frame is its own business
                assert "".join(stored[0]) == shown[cell["id"]], cell["id"]
    assert sum("<img" in html for html in shown.values()) >= 3
    assert space["run"].findings[0].verdict == "cannot tell"
    assert space["steered_run"].findings[0].verdict == "elicited"
    assert space["unstated"].findings[0].verdict == "cannot tell"
    assert (tmp_path / "runs" / "two-logs" / "report.html").is_file()


def test_a_frame_takes_three_lines() -> None:
    (cell,) = [one for one in cells() if "".join(one["source"]).startswith("run = tellapart.gain(logs=")]
    assert len(cell["source"]) <= 3
