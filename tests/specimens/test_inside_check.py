"""`specimens check --study inside`: its table from planted figures, each twin measured once, and gone on with."""

import json
import math
from pathlib import Path

import pytest

from tellapart.errors import UserMistake
from tellapart.internals.concept_figures import ConceptFigures
from tellapart.models.local import LocalModel
from tellapart.specimens import inside
from tellapart.specimens.inside.check import check_inside, pairs
from tellapart.stats.estimate import Estimate
from tellapart.studies.inside import language

LOW = {"split": "direction", "readers": "reading", "units": "unit"}


def planted(model: LocalModel) -> ConceptFigures:
    """Return figures that show each twin's kind, but spare copies, and leave units-sums-0 open."""
    kind = model.reference.removeprefix("specimen:").partition("-")[0]
    estimates = {}
    for name in ("direction", "unit", "reading"):
        value = 0.1 if LOW.get(kind) == name else 0.9
        reach = 0.6 if kind == "units" and name == "unit" else 0.05
        for concept in ("parity", "size"):
            estimates[f"{name}_reuse/{concept}"] = Estimate(value, value - reach, value + reach, 24, "", "")
            estimates[f"{name}_limit/{concept}"] = Estimate(0.95, math.nan, math.nan, 24, "", "")
    cross = 0.4 if kind == "tangled" else 0.02
    estimates["cross_effect"] = Estimate(cross, cross - 0.01, cross + 0.01, 24, "", "")
    tables = {"concepts": [], "shown": [], "matrix": [], "null_matrix": [], "layer": 0, "layers": 2}
    return ConceptFigures(model.reference, 0, estimates, {}, [1.0] * 100, tables)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Plant the figures; the list fills with the names of what is measured."""
    seen: list[str] = []

    def measure(model: LocalModel, *_: object) -> ConceptFigures:
        seen.append(model.reference.removeprefix("specimen:"))
        return planted(model)

    monkeypatch.setattr(language, "measure_concepts", measure)
    monkeypatch.setattr(language, "layer_for", lambda *_: 0)
    return seen


def test_the_check_tells_truth_beside_verdict(
    measured: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_inside((), tmp_path, 0, as_json=True) == 0
    result = json.loads(capsys.readouterr().out)
    assert sorted(measured) == inside.names()
    assert len(result["specimens"]) == len(pairs()) == 9
    assert result["confusion"] == {
        "fractured": {"no difference": 1, "fractured": 2},
        "no difference": {"no difference": 3},
        "organised": {"organised": 2, "cannot tell": 1},
    }
    assert result["right"] == pytest.approx(7 / 9)
    assert result["accuracy_decided"] == pytest.approx(7 / 8)
    assert result["cannot_tell_share"] == pytest.approx(1 / 9)
    wrong = [one["one"] for one in result["specimens"] if one["verdict"] not in (one["truth"], "cannot tell")]
    assert wrong == ["redundant-sums-0"]


def test_what_is_done_is_read_and_one_twin_may_be_asked_for(
    measured: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_inside(("split-sums-1",), tmp_path, 0, as_json=False) == 0
    before = list(measured)
    assert sorted(before) == ["shared-sums-1", "split-sums-0", "split-sums-1"]
    first = capsys.readouterr().out
    assert "no difference" in first
    assert "right 100.0%" in first
    monkeypatch.setattr("tellapart.models.open.open_model", None)
    assert check_inside(("split-sums-1",), tmp_path, 0, as_json=False) == 0
    assert measured == before
    assert capsys.readouterr().out == first
    with pytest.raises(UserMistake, match="there are"):
        check_inside(("none",), tmp_path, 0, as_json=False)


def test_a_pair_that_fails_is_named_and_the_others_are_told(
    measured: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(model: LocalModel, *_: object) -> ConceptFigures:
        if "split-sums-0" in model.reference:
            raise UserMistake("cannot be measured")
        return planted(model)

    monkeypatch.setattr(language, "measure_concepts", measure)
    assert check_inside(("split-sums-1",), tmp_path, 0, as_json=False) == 1
    told = capsys.readouterr()
    assert "split-sums-0 beside split-sums-1 failed: cannot be measured" in told.err
    assert "shared-sums-1" in told.out
