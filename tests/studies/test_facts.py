"""Facts beside the rows: what is written with sorted keys is read back in the order in which it was shown or asked."""

import json
import math
from typing import Any

import pytest

from tellapart.errors import UserMistake
from tellapart.internals.two_by_two import TwoByTwo
from tellapart.planting.result import ArmControl
from tellapart.runs.folder import canonical
from tellapart.stats.edl import Signature
from tellapart.stats.estimate import Estimate, missing
from tellapart.studies.form import facts as form
from tellapart.studies.gain import facts as gain
from tellapart.training.description import DescriptionLength, Measured, PassSettings


def stored(value: dict[str, Any]) -> dict[str, Any]:
    return json.loads(canonical(value))


def test_methods_of_gain_keep_the_order_in_which_they_were_asked() -> None:
    elicitors = {name: {"bits_once": 0.0} for name in ("prefill", "few_shot", "best_of_k")}
    facts = gain.Facts(0.25, elicitors=elicitors, notes=("a",))
    read = gain.facts_from(stored(facts.as_json()))
    assert list(read.elicitors) == ["prefill", "few_shot", "best_of_k"]
    assert stored(read.as_json()) == stored(facts.as_json())


def test_arms_of_form_keep_the_order_in_which_they_are_shown() -> None:
    arms = {name: form.ArmFacts("form") for name in ("full", "base", "destroyed")}
    facts = form.Facts(
        {"rationale": arms, "chain": {"own": form.ArmFacts("full")}}, complexity={"i": (3.0, 7.0)}
    )
    read = form.facts_from(stored(facts.as_json()))
    assert [(family, list(told)) for family, told in read.families.items()] == [
        ("rationale", ["full", "base", "destroyed"]),
        ("chain", ["own"]),
    ]
    assert stored(read.as_json()) == stored(facts.as_json())


def test_facts_of_an_older_run_of_form_take_the_order_of_the_controls() -> None:
    told = form.Facts({"knowledge": {}, "choices": {}, "rationale": {}}).as_json()
    del told["order"]
    assert list(form.facts_from(stored(told)).families) == ["rationale", "choices", "knowledge"]


def test_what_trainings_and_vectors_measured_is_read_back_as_it_was() -> None:
    half = Estimate(0.5, 0.4, 0.6, 8, "share", "made up")
    measured = Measured(0, 4, 9.0, 0.5, 2.0, 12, half, half)
    signature = Signature("elicitation", "falls", (4, 8), (half, half), 0.02, 0.1, 2)
    length = DescriptionLength(
        {"kind": "lora", "rank": 2}, PassSettings((4,), (0,)), (measured,), signature, half
    )
    facts = gain.Facts(
        0.25,
        planting={"few_labels": ArmControl("few_labels", True, "found", half, half, 32, 1.5)},
        described={"tuned": length},
        directions=TwoByTwo({"base vector on base": half}, {"base": 0.5}, (0.5,), 1, {"where": "last"}),
        series=[],
    )
    read = gain.facts_from(stored(facts.as_json()))
    assert read == facts
    assert stored(gain.Facts(0.25).as_json())["directions"] == {}


def test_a_figure_that_is_not_known_is_null_in_facts() -> None:
    unknown = missing("share", "not measured")
    control = ArmControl("answer_rank", False, "refused", unknown, unknown, None, 0.0)
    table = TwoByTwo({"base vector on base": unknown}, {}, (math.nan,), 1, {})
    kept = stored(gain.Facts(None, planting={"answer_rank": control}, directions=table).as_json())
    assert kept["planting"]["answer_rank"]["planted"]["value"] is None
    assert kept["directions"]["cosines"] == [None]
    assert math.isnan(gain.facts_from(kept).planting["answer_rank"].planted.value)


def test_a_planting_that_is_none_is_refused_in_one_line() -> None:
    kept = stored(gain.Facts(None).as_json()) | {"planting": {"answer_rank": {"passed": True}}}
    with pytest.raises(UserMistake, match="does not hold the facts of a gain run"):
        gain.facts_from(kept)
