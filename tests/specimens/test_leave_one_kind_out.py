"""The calibration's bookkeeping: a kind is judged by a model that saw none of it, labels and kinds weigh alike."""

import json
from pathlib import Path

import numpy as np
import pytest

from tellapart.specimens import calibration
from tellapart.specimens.calibration import Case, balanced, fitted, judge, leave_one_kind_out, store
from tellapart.stats.calibration import CANNOT_TELL

SHARES = {"elicited": 0.95, "mixed": 0.5, "acquired": 0.02}


def case(kind: str, number: int, truth: str, share: float, ruled: str | None = None) -> Case:
    return Case(f"{kind}-{number}", kind, truth, {"share": share, "share_error": 0.03}, ruled)


def cases() -> list[Case]:
    rng = np.random.default_rng(0)
    kinds = {"a": "elicited", "b": "elicited", "c": "mixed", "d": "mixed", "e": "acquired", "f": "acquired"}
    return [
        case(kind, number, truth, SHARES[truth] + rng.normal(0, 0.03))
        for kind, truth in kinds.items()
        for number in range(4)
    ]


def test_kinds_that_were_left_out_are_told_by_what_the_others_taught() -> None:
    held = leave_one_kind_out(cases())
    assert held.accuracy_decided == 1.0
    assert held.cannot_tell_share == 0.0
    assert held.brier.value < 0.1
    assert held.confusion == {label: {label: 8} for label in SHARES}


def test_a_kind_against_its_label_is_judged_by_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind whose truth is upside down is called by the others wrong; a model that saw it would know better."""
    odd = [case("odd", number, "acquired", 0.95) for number in range(4)]
    seen: list[set[str]] = []

    def watched(known: list[Case], names: tuple[str, ...]):
        seen.append({one.kind for one in known})
        return fitted(known, names)

    monkeypatch.setattr(calibration, "fitted", watched)
    held = leave_one_kind_out([*cases(), *odd])
    assert [{*"abcdef", "odd"} - kinds for kinds in seen] == [{kind} for kind in (*"abcdef", "odd")]
    assert {one.verdict for one in held.judged if one.case.kind == "odd"} == {"elicited"}
    assert held.confusion["acquired"]["elicited"] == 4


def test_the_verdict_does_not_hear_the_truth() -> None:
    known = cases()
    model = fitted(known)
    lied = [one.__class__(one.name, one.kind, "mixed", one.features, None) for one in known]
    assert [judge(model, one).chances for one in known] == [judge(model, one).chances for one in lied]


def test_labels_and_kinds_weigh_alike_however_many_specimens_they_have() -> None:
    crowded = [*cases(), *(case("a", number, "elicited", 0.9) for number in range(10, 30))]
    weights: dict[str, float] = {}
    for one, weight in zip(crowded, balanced(crowded), strict=True):
        weights[one.kind] = weights.get(one.kind, 0.0) + weight
    assert max(weights.values()) == pytest.approx(min(weights.values()))


def test_what_the_gain_itself_settles_is_taken_as_it_is() -> None:
    settled = [case("g", 0, "no gain", float("nan"), "no gain"), case("g", 1, "no gain", 0.9, CANNOT_TELL)]
    held = leave_one_kind_out([*cases(), *settled])
    verdicts = {one.case.name: one.verdict for one in held.judged}
    assert verdicts["g-0"] == "no gain"
    assert verdicts["g-1"] == CANNOT_TELL
    assert held.accuracy_decided == 1.0
    assert held.cannot_tell_share == pytest.approx(1 / 26)


def test_what_is_stored_says_where_it_comes_from(tmp_path: Path) -> None:
    known = cases()
    store(tmp_path / "calibration.json", known, leave_one_kind_out(known))
    told = json.loads((tmp_path / "calibration.json").read_text())["provenance"]
    assert told["specimens"] == [one.name for one in known]
    assert told["kinds"] == list("abcdef")
    assert told["leave_one_kind_out"]["n"] == 24
