"""The rule for levels: planted figures and planted states of language models, and what is said of them."""

import math

import numpy as np
import pytest

from tellapart.internals.reuse import reuse_estimate, reuse_limit
from tellapart.stats.estimate import Estimate, missing
from tellapart.studies.inside.levels import RULE, decide_levels, level_of, mean_over_concepts
from tellapart.studies.inside.verdict import Same, Side

SAME = Same(True, "The scores do not tell them apart")
Figures = dict[str, Estimate]


def estimate(value: float, reach: float = 0.05) -> Estimate:
    return Estimate(value, value - reach, value + reach, 24, "", "")


def planted(cross: float = 0.02, limit: float = 0.95, reach: float = 0.05, **reuse: float) -> Figures:
    """Return the figures of an organised model with two concepts, but for what is named."""
    found = {"cross_effect": estimate(cross, reach / 5)}
    for name in ("direction", "unit", "reading"):
        for concept in ("first", "second"):
            found[f"{name}_reuse/{concept}"] = estimate(reuse.get(name, 0.9), reach)
            found[f"{name}_limit/{concept}"] = Estimate(limit, math.nan, math.nan, 24, "", "")
    return found


@pytest.mark.parametrize(
    ("figures", "kind"),
    [
        (planted(), "organised"),
        (planted(direction=0.1), "fractured"),
        (planted(unit=0.1), "fractured"),
        (planted(reading=-0.3), "fractured"),
        (planted(cross=0.3), "fractured"),
        (planted(unit=RULE.reuse + 0.01), "undecided"),
        (planted(unit=RULE.reuse - 0.01), "undecided"),
        (planted(cross=RULE.cross + 0.005), "undecided"),
        (planted(cross=RULE.cross - 0.005), "undecided"),
        (planted(reading=0.2, limit=0.3), "undecided"),
        (planted(reading=0.2, limit=math.nan), "undecided"),
        (planted() | {"unit_reuse/first": missing("cosine", "no units")}, "undecided"),
        (planted(direction=0.1) | {"unit_reuse/first": missing("cosine", "no units")}, "fractured"),
        (planted() | {"cross_effect": missing("share", "one is not shown")}, "undecided"),
    ],
)
def test_a_level_is_known_only_beyond_its_interval(figures: Figures, kind: str) -> None:
    assert level_of(figures).kind == kind


def test_one_concept_alone_has_no_cross_effect_to_be_known() -> None:
    figures = {name: one for name, one in planted().items() if name.endswith("/first")}
    assert level_of(figures).kind == "organised"
    assert "cross_effect" not in level_of(figures).figures


def test_the_mean_over_concepts_has_the_interval_of_a_mean_of_independent_figures() -> None:
    found = mean_over_concepts(
        {"a/x": estimate(0.2, 0.3), "a/y": estimate(0.6, 0.4), "ab/x": estimate(9)}, "a"
    )
    assert found.value == pytest.approx(0.4)
    assert (found.low, found.high) == (pytest.approx(0.15), pytest.approx(0.65))
    assert found.n == 48


@pytest.mark.parametrize(
    ("one", "other", "label", "says"),
    [
        (planted(), planted(unit=0.1), "organised", "b is fractured (unit reuse 0.10"),
        (planted(cross=0.4), planted(), "fractured", "a is fractured (cross effect 0.40"),
        (planted(), planted(unit=0.8), "no difference", "both are organised"),
        (planted(), planted(unit=0.8), "no difference", "b: unit reuse 0.80 [0.76, 0.84], cross effect 0.02"),
        (planted(direction=0.1), planted(cross=0.4), "no difference", "both are fractured"),
        (planted(), planted(reading=0.45), "cannot tell", "b is not to be classed (reading reuse 0.45"),
        (planted(reading=0.45), planted(reading=0.45), "cannot tell", "a is not to be classed"),
    ],
)
def test_the_verdict_compares_classes_and_says_which(
    one: Figures, other: Figures, label: str, says: str
) -> None:
    found = decide_levels(Side("a", one), Side("b", other), SAME)
    assert found.label == label
    assert says in found.sentence
    assert ("sameness of class" in found.sentence) == (label == "no difference")
    assert set(found.rests_on) == {"direction_reuse", "unit_reuse", "reading_reuse", "cross_effect"}
    turned = {"organised": "fractured", "fractured": "organised"}
    assert decide_levels(Side("b", other), Side("a", one), SAME).label == turned.get(label, label)


def test_models_that_do_not_score_the_same_are_not_compared() -> None:
    for same in (Same(False, "unequal"), Same(None, "not scored")):
        assert decide_levels(Side("a", planted()), Side("b", planted(unit=0)), same).label == "cannot tell"


def states(own: bool, noise: float, pairs: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return points of four contexts that hold a concept along one direction, or each along its `own`."""
    random = np.random.default_rng(5)
    side, context = np.tile([1, 0], 4 * pairs), np.repeat(np.arange(4), 2 * pairs)
    held = np.eye(64)[context if own else np.zeros_like(context)] * side[:, None]
    return held + noise * random.standard_normal(held.shape), side, context.astype(str)


@pytest.mark.parametrize("noise", [0.05, 0.3, 0.4])
def test_the_limit_is_the_reuse_of_one_direction_under_the_same_noise(noise: float) -> None:
    reuse, limit = (of(*states(False, noise), 0).value for of in (reuse_estimate, reuse_limit))
    assert limit == pytest.approx(reuse, abs=0.08)
    assert noise < 0.3 or 0.25 < reuse < 0.75
    assert reuse_limit(*states(True, noise), 0).value == pytest.approx(limit, abs=0.08)


@pytest.mark.parametrize(
    ("own", "noise", "kind"),
    [
        (False, 0.05, "organised"),
        (True, 0.05, "fractured"),
        (False, 1.0, "undecided"),
        (True, 1.0, "undecided"),
    ],
)
def test_noise_is_not_taken_for_a_fracture(own: bool, noise: float, kind: str) -> None:
    points, side, context = states(own, noise)
    reuse, limit = reuse_estimate(points, side, context, 0), reuse_limit(points, side, context, 0)
    figures = {f"{name}_{figure}/c": one for name in ("direction", "unit", "reading")
               for figure, one in (("reuse", reuse), ("limit", limit))}  # fmt: skip
    assert level_of(figures).kind == kind
