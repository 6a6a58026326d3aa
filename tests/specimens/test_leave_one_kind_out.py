"""The calibration's bookkeeping: caps count kinds, not seeds, and a kind is judged by caps that did not see it."""

import math
from pathlib import Path

import pytest

from tellapart.specimens.calibration import Case, KindCounts, caps, figures, store
from tellapart.studies.gain import calibrated
from tellapart.studies.gain.calibrated import Domain, backing


def case(kind: str, number: int, truth: str, verdict: str) -> Case:
    return Case(f"{kind}-{number}", kind, truth, verdict, 1.0, "LlamaForCausalLM", 100_000)


def cases() -> list[Case]:
    kinds = {"a": "elicited", "b": "elicited", "c": "elicited", "d": "acquired", "e": "acquired"}
    return [case(kind, number, truth, truth) for kind, truth in kinds.items() for number in range(3)]


def test_a_cap_counts_kinds_and_not_seeds() -> None:
    found = caps(cases())
    assert found["elicited"].cap == pytest.approx(4 / 5)
    assert found["acquired"].cap == pytest.approx(3 / 4)


def test_one_wrong_seed_takes_its_kind_out_of_the_right_ones() -> None:
    wrong = [*cases(), case("f", 0, "acquired", "elicited"), case("f", 1, "acquired", "acquired")]
    found = caps(wrong)["elicited"]
    assert (found.kinds, found.always_right) == (4, 3)
    assert found.cap == pytest.approx(4 / 6)


def test_a_kind_is_judged_by_caps_that_did_not_see_it() -> None:
    """The wrong kind's own mistake does not lower what was stated about it."""
    wrong = [*cases(), case("f", 0, "acquired", "elicited")]
    assert caps(wrong, without="f")["elicited"].cap == pytest.approx(4 / 5)
    worse, good = figures(wrong).brier, figures(cases()).brier
    assert worse is not None
    assert good is not None
    assert worse.value > good.value


def test_cannot_tell_is_no_word_and_the_worst_kind_is_named() -> None:
    some = [*cases(), case("g", 0, "mixed", "cannot tell"), case("f", 0, "acquired", "elicited")]
    found = figures(some)
    assert found.cannot_tell_share == pytest.approx(1 / 17)
    assert found.worst_kind == "f"
    assert found.by_kind["g"] == KindCounts(1, 0, 0, 1)
    assert found.as_json()["by_kind"]["g"] == {"n": 1, "right": 0, "wrong": 0, "cannot tell": 1}


def test_outside_the_domain_a_word_has_no_probability(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "calibration.json"
    store(path, cases())
    monkeypatch.setattr(calibrated, "STORED", path)
    calibrated.stored.cache_clear()
    inside = backing((Domain("LlamaForCausalLM", 120_000),))
    assert inside.probability("elicited", 1.0) == pytest.approx(4 / 5)
    for other in (Domain("LlamaForCausalLM", 135_000_000), Domain("Gemma3ForCausalLM", 100_000), None):
        outside = backing((other,))
        assert math.isnan(outside.probability("elicited", 1.0))
        assert outside.reason
    calibrated.stored.cache_clear()
