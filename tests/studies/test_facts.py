"""Facts beside the rows: what is written with sorted keys is read back in the order in which it was shown or asked."""

import json
from typing import Any

from tellapart.runs.folder import canonical
from tellapart.studies.form import facts as form
from tellapart.studies.gain import facts as gain


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
