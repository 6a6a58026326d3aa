"""Rooms import one way (docs/architecture.md): what tools/rooms.py finds in a planted package, and in ours."""

import runpy
from pathlib import Path

import pytest

ROOMS = runpy.run_path(str(Path(__file__).parents[1] / "tools" / "rooms.py"))


def planted(folder: Path, low: str) -> Path:
    """Write a package of two rooms, of which `high` imports `low`, and `low` holds this text."""
    for room, text in (("high", "from tellapart.low.thing import name\n"), ("low", low)):
        (folder / "tellapart" / room).mkdir(parents=True)
        (folder / "tellapart" / room / "__init__.py").touch()
        (folder / "tellapart" / room / "thing.py").write_text(text)
    (folder / "tellapart" / "__init__.py").touch()
    return folder


@pytest.mark.parametrize(
    "low",
    [
        "from tellapart.high.thing import name\n",
        "from ..high import thing\n",
        "def run():\n    import tellapart.high.thing\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tellapart.high import thing\n",
    ],
)
def test_an_import_that_points_back_makes_a_knot(low: str, tmp_path: Path) -> None:
    crossings = ROOMS["read_crossings"](planted(tmp_path, low))
    assert {(one.room, one.to) for one in crossings} == {("low", "high"), ("high", "low")}
    assert ROOMS["find_knots"]({"low": {"high"}, "high": {"low"}}) == [["high", "low"]]


def test_our_rooms_form_no_knot() -> None:
    edges: dict[str, set[str]] = {}
    for crossing in ROOMS["read_crossings"]():
        edges.setdefault(crossing.room, set()).add(crossing.to)
    assert len(edges) > 15
    assert ROOMS["find_knots"](edges) == []
    assert all("__init__" not in to for to in edges.values())


def test_every_folder_of_modules_is_a_package() -> None:
    """import-linter does not see modules in a folder without __init__.py."""
    folders = {path.parent for path in (ROOMS["SOURCE"] / "tellapart").rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []
