"""The finding on abstention: planted refusals give the verdict, its interval and its controls."""

import math

import pandas as pd
import pytest

from tellapart.findings.finding import Finding
from tellapart.studies.form.abstention import abstention_finding
from tellapart.studies.form.facts import ArmFacts, Facts

N = 100
ARMS = {"whole": ArmFacts("full"), "lines": ArmFacts("second form"), "other": ArmFacts("destroyed")}
FALSE = {str(at): at % 2 == 1 for at in range(N)}


def found(refused: dict[str, set[str]], false: dict[str, bool] = FALSE) -> Finding | None:
    """`refused` names, by arm, the items that are answered with "unknown"."""
    rows = pd.DataFrame(
        {
            "condition": f"knowledge/{arm}", "item": item, "sample": 0, "status": "ok", "score": 1.0, "split": "report",
            "completion": "unknown" if item in refused[arm] else "7", "tokens": 1, "logprob": math.nan, "steps": "",
        }
        for arm in refused
        for item in map(str, range(N))
    )  # fmt: skip
    return abstention_finding(rows, Facts(families={"knowledge": ARMS}, false_premise=false))


UNKNOWABLE = {item for item, is_false in FALSE.items() if is_false}


def test_who_refuses_exactly_what_cannot_be_known_knows() -> None:
    finding = found({"whole": UNKNOWABLE, "lines": UNKNOWABLE, "other": set()})
    assert finding is not None
    assert finding.verdict == "substance"
    share = finding.estimates["form_share"]
    assert share.value == 0
    assert share.low <= 0 < share.high < 0.15
    assert finding.controls["second valid form (lines)"].startswith("the same within 5 points")
    assert finding.controls["both destroyed (other)"].startswith("falls, as it must")


def test_refusing_all_once_destroyed_is_a_fall() -> None:
    finding = found({"whole": UNKNOWABLE, "lines": UNKNOWABLE, "other": set(FALSE)})
    assert finding is not None
    told = finding.controls["both destroyed (other)"]
    assert told.startswith("falls, as it must; rightly refused or answered -50.0 points")


@pytest.mark.parametrize("refused", [set(), set(FALSE)])
def test_who_always_answers_or_always_refuses_does_not(refused: set[str]) -> None:
    finding = found({"whole": refused, "lines": refused, "other": refused})
    assert finding is not None
    assert finding.verdict == "form"
    assert finding.estimates["gain"].value == 0
    assert finding.controls["both destroyed (other)"].startswith("does not fall")


def test_half_of_the_refusals_is_mixed_and_another_layout_is_seen() -> None:
    half = {item for item in UNKNOWABLE if int(item) % 4 == 1}
    finding = found({"whole": half, "lines": UNKNOWABLE, "other": set()})
    assert finding is not None
    assert finding.verdict == "mixed"
    assert finding.controls["second valid form (lines)"].startswith("not shown to be the same")


def test_the_interval_is_newcombes() -> None:
    """56 of 70 against 48 of 80: .2 with [.0524, .3339] (Newcombe 1998, table II, example a, method 10)."""
    false = {str(at): at < 70 for at in range(150)}
    refused = {str(at) for at in (*range(56), *range(70, 118))}
    rows = pd.DataFrame(
        {
            "condition": "knowledge/whole", "item": item, "sample": 0, "status": "ok", "score": 1.0, "split": "report",
            "completion": "unknown" if item in refused else "7", "tokens": 1, "logprob": math.nan, "steps": "",
        }
        for item in false
    )  # fmt: skip
    finding = abstention_finding(rows, Facts({"knowledge": {"whole": ArmFacts("full")}}, false_premise=false))
    assert finding is not None
    gain = finding.estimates["gain"]
    assert (gain.value, gain.low, gain.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)


def test_nothing_is_said_where_few_premises_are_false() -> None:
    never: dict[str, set[str]] = {arm: set() for arm in ARMS}
    assert found(never, {str(at): at < 10 for at in range(N)}) is None
    assert found(never, {}) is None
