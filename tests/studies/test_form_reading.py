"""What can be read of each arm: unread answers, full at chance, truncation, missing controls, style beside scores."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from tellapart.findings.finding import Finding
from tellapart.studies.form.analyse import analyse
from tellapart.studies.form.facts import ArmFacts, Facts

N = 300
ARMS = {"base": 40, "full": 260, "form": 45, "again": 260, "gone": 30}
TOLD = {
    "base": ArmFacts("base"),
    "full": ArmFacts("full"),
    "form": ArmFacts("form", decides=True),
    "again": ArmFacts("second form"),
    "gone": ArmFacts("destroyed"),
}


def rows(
    rights: Mapping[str, int],
    read: Mapping[str, float] | None = None,
    cut: Mapping[str, float] | None = None,
    texts: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return answers of each arm, the first of which are right; `read` and `cut` are shares of the others that the
    scorer reads, and of all that ran into the limit."""
    frames = []
    for arm, right in rights.items():
        score = (np.arange(N) < right).astype(float)
        found = (score == 1) | (np.arange(N)[::-1] >= N * (1 - (read or {}).get(arm, 1.0)))
        frames.append(
            pd.DataFrame(
                {
                    "condition": f"k/{arm}", "item": [f"{at:03d}" for at in range(N)], "sample": 0, "cluster": "",
                    "split": "report", "completion": (texts or {}).get(arm, "x"), "score": score, "steps": "",
                    "status": np.where(np.arange(N)[::-1] < N * (cut or {}).get(arm, 0.0), "cut off", "ok"),
                    "logprob": math.nan, "tokens": 4,
                    "measures": [{"answer_found": float(one)} for one in found],
                }
            )
        )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def finding_of(frame: pd.DataFrame, told: Mapping[str, ArmFacts] = TOLD, **facts: object) -> Finding:
    kept = {arm: about for arm, about in told.items() if (frame["condition"] == f"k/{arm}").any()}
    return analyse(frame, Facts({"k": kept}, **facts))[0]  # type: ignore[arg-type]


def test_all_controls_held_is_substance() -> None:
    finding = finding_of(rows(ARMS))
    assert finding.verdict == "substance"
    assert finding.estimates["readable/form"].value == 1


@pytest.mark.parametrize(
    ("lacks", "told"), [("again", "no second valid form"), ("gone", "no arm with both destroyed")]
)
def test_no_substance_without_a_control(lacks: str, told: str) -> None:
    finding = finding_of(rows({arm: right for arm, right in ARMS.items() if arm != lacks}))
    assert finding.verdict == "cannot tell"
    assert told in finding.sentence


def test_a_form_arm_that_nobody_can_read_is_no_substance() -> None:
    finding = finding_of(rows(ARMS, read={"form": 0.2}))
    assert finding.verdict == "cannot tell"
    assert "Under form the scorer finds an answer in" in finding.sentence
    assert finding.estimates["readable/form"].high < 0.5


def test_a_destroyed_arm_that_nobody_can_read_shows_nothing() -> None:
    finding = finding_of(rows(ARMS, read={"gone": 0.1}))
    assert finding.verdict == "cannot tell"
    assert "that it falls shows nothing" in finding.sentence


def test_form_stands_whatever_is_read_of_the_base() -> None:
    assert finding_of(rows({**ARMS, "form": 255}, read={"base": 0.1})).verdict == "form"


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"guess_floor": 0.95}, "no higher than guessing (95.0 %)"),
        (
            {"targets": {f"{at:03d}": "no" if at < 285 else "yes" for at in range(N)}},
            "the best constant answer (95.0 %)",
        ),
        ({"guess_floor": 0.85}, "not shown to lie above guessing"),
    ],
)
def test_a_full_arm_at_chance_is_said(facts: dict[str, object], told: str) -> None:
    finding = finding_of(rows(ARMS), **facts)
    assert finding.verdict == "cannot tell"
    assert told in finding.sentence


def test_truncated_answers_are_said_and_refused_where_they_are_wrong() -> None:
    finding = finding_of(rows({**ARMS, "form": 5}, cut={"form": 0.97}))
    assert finding.verdict == "cannot tell"
    assert "Nearly all answers under form are truncated" in finding.sentence
    right = finding_of(rows({**ARMS, "form": 255}, cut={"form": 1.0}))
    assert right.verdict == "form", "what was right in spite of it stays right"
    assert any("truncated at the token limit" in said for said in right.caveats)


def test_a_share_that_spans_both_thresholds_settles_nothing() -> None:
    rng = np.random.default_rng(0)
    frame = rows({"base": 140, "full": 160, "form": 141, "again": 160, "gone": 100})
    frame["score"] = np.where(rng.random(len(frame)) < 0.04, 1 - frame["score"], frame["score"])
    assert finding_of(frame).verdict == "cannot tell"


def test_the_imitations_style_stands_beside_its_scores_in_one_finding() -> None:
    style = "**Certainly.** According to experts the answer is this.\n- one\n- two"
    texts = {
        "full": style,
        "form": style,
        "again": style,
        "base": "it is this and that and no more than that",
    }
    frame = rows({"base": 30, "full": 260, "form": 60, "again": 258}, texts=texts)
    frame["condition"] = frame["condition"].str.replace("k/", "given/")
    told = {arm: TOLD[arm] for arm in ("base", "full", "form", "again")}
    finding = analyse(frame, Facts({"given": told}))[0]
    assert "form is like it by 1.00 and scores 20 %" in finding.sentence
    assert "again is like it by 1.00 (the ceiling) and scores 86 %" in finding.sentence
    assert "full scores 87 %" in finding.sentence
