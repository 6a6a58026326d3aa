"""The verdict of `form`: a plain rule over few terms, every one of which is printed in the report.

The form share of the deciding arm is compared with two thresholds; its interval gives the probability. It stands only
where the controls of the comparison itself hold: another valid form scores the same, destroying both scores lower.
"""

import math
from typing import Literal, NamedTuple

from tellapart.stats.equivalence import Equivalence
from tellapart.stats.estimate import Estimate
from tellapart.stats.share_band import HIGH, LOW, band_of, standard_error, with_lapse
from tellapart.stats.wording import whole
from tellapart.studies.form.facts import NoEffect
from tellapart.studies.form.reading import Reading
from tellapart.studies.form.shares import Measured

Label = Literal["substance", "form", "mixed", "cannot tell"]
State = Literal["held", "broken", "open", "absent"]

SETTLED = 0.6
"""A verdict less probable than this is "cannot tell"."""
SAME, FALLS = "the same within", "falls, as it must"
"""What is said of a negative, and of a positive, control that held; its text begins so."""


class Check(NamedTuple):
    """A control of the comparison: what became of it, the arm, and the difference to full in words."""

    state: State
    arm: str
    words: str


class Verdict(NamedTuple):
    """A label, its probability, one sentence, and the terms (what, value, log-odds it adds)."""

    label: Label
    probability: float
    sentence: str
    terms: tuple[tuple[str, float, float], ...]


def negative_control(measured: Measured, margin: float) -> Check:
    """Return whether another valid form scores the same as full: TOST holds; broken where it differs instead."""
    arm = measured.roles.get("second form")
    if arm is None or arm not in measured.same:
        return Check("absent", "", "no second valid form was run")
    same, difference = measured.same[arm], measured.estimates[f"arm_difference/{arm}"]
    apart = difference.low > 0 or difference.high < 0
    state: State = "held" if same.equivalent else "broken" if apart else "open"
    said = {
        "held": f"{SAME} {100 * margin:g} points (TOST)",
        "broken": "differs: the score follows the wording",
        "open": f"neither the same within {100 * margin:g} points nor different: too few items",
    }
    return Check(state, arm, f"{said[state]}; {_points(difference)}")


def positive_control(measured: Measured) -> Check:
    """Return whether destroying form and substance scores lower than full; broken where it scores the same."""
    arm = measured.roles.get("destroyed")
    if arm is None or arm not in measured.same:
        return Check("absent", "", "no arm with both destroyed was run")
    difference = measured.estimates[f"arm_difference/{arm}"]
    state: State = "held" if difference.high < 0 else "broken" if measured.same[arm].equivalent else "open"
    said = {
        "held": FALLS,
        "broken": "does not fall: nothing that was shown matters to the score",
        "open": "does not clearly fall",
    }
    return Check(state, arm, f"{said[state]}; {_points(difference)}")


def decide(
    measured: Measured,
    checks: tuple[Check, Check],
    no_effect: NoEffect,
    reading: Reading = Reading({}),  # noqa: B008
) -> Verdict:
    """Return the verdict of a family: `checks` are its negative and positive control, `reading` what can be read."""
    negative, _ = checks
    effect = measured.effect
    terms: list[tuple[str, float, float]] = []
    if math.isfinite(effect.value):
        terms.append(("gain", effect.value, math.nan))
    arm = measured.roles.get("form")
    if arm is None and math.isnan(effect.value):
        return Verdict("cannot tell", math.nan, "There is neither a base nor a form-only arm: give both.", ())
    if arm is None:
        return Verdict("cannot tell", math.nan, f"{_describe_effect(measured)}, but no arm keeps one and removes the "
                       "other: run a form-only arm.", tuple(terms))  # fmt: skip
    if reading.refusals:
        return Verdict("cannot tell", math.nan, f"{'; '.join(reading.refusals)}.", tuple(terms))
    if negative.state == "broken":
        sentence = f"Another valid form ({_name(negative.arm)}) {negative.words}. So a form share would mean nothing."
        return Verdict("cannot tell", math.nan, sentence, tuple(terms))
    if not effect.low > 0:
        return _without_effect(measured, arm, no_effect, terms)
    return _by_share(measured, checks, reading, terms)


def _by_share(
    measured: Measured,
    checks: tuple[Check, Check],
    reading: Reading,
    terms: list[tuple[str, float, float]],
) -> Verdict:
    arm, positive = measured.roles["form"], checks[1]
    share = measured.estimates[f"form_share/{arm}"]
    chances = class_probabilities(share)
    label: Label = max(chances, key=lambda name: chances[name])
    sure = chances[label]
    terms.append((f"form_share/{arm}", share.value, math.log(sure / (1 - sure))))
    if sure < SETTLED or (share.low < LOW and share.high > HIGH):
        sentence = (
            f"The evidence does not settle it: under {_name(arm)} {_share(share)} of the effect of "
            f"{_points(measured.effect)} is form; {_power(measured, arm)}."
        )
        return Verdict("cannot tell", math.nan, sentence, tuple(terms))
    obstacles = _obstacles(label, measured, checks, reading)
    if obstacles:
        return Verdict("cannot tell", math.nan, f"{'; '.join(obstacles)}.", tuple(terms))
    sentence = _sentence(label, measured, arm, share)
    if positive.state in ("open", "broken"):
        sentence += f" Less than the form may do: {_name(positive.arm)} {positive.words}."
    return Verdict(label, sure, sentence, tuple(terms))


def _obstacles(label: Label, measured: Measured, checks: tuple[Check, Check], reading: Reading) -> list[str]:
    """Return all that forbids a label: unread answers that would bring it, and controls that it needs and lacks."""
    _, positive = checks
    arm, obstacles = measured.roles["form"], []
    # Unread answers lower the deciding arm: where it keeps the form that looks like substance, else like form.
    lowered: Label = "substance" if measured.keeps == "form" else "form"
    if arm in reading.unread and label in (lowered, "mixed"):
        obstacles.append(f"{_unread(arm, reading)}: its low score may be the scorer's")
    if label == "form":
        return obstacles
    if positive.state in ("open", "broken"):
        obstacles.append(
            f"With form and substance destroyed ({_name(positive.arm)}) the score {positive.words}"
        )
    elif positive.arm in reading.unread:
        obstacles.append(f"{_unread(positive.arm, reading)}: that it falls shows nothing")
    lacking = [check.words for check in checks if check.state == "absent"]
    if label == "substance" and lacking:
        obstacles.append(f"The score looks like substance, but {' and '.join(lacking)}")
    return obstacles


def _unread(arm: str, reading: Reading) -> str:
    return f"Under {_name(arm)} the scorer finds an answer in {_share(reading.estimates[f'readable/{arm}'])} only"


def _without_effect(
    measured: Measured, arm: str, no_effect: NoEffect, terms: list[tuple[str, float, float]]
) -> Verdict:
    """Return the verdict where full is not shown to be above base."""
    base = measured.roles.get("base")
    same = measured.same.get(base or "")
    if base is None or same is None:
        return Verdict(
            "cannot tell", math.nan, f"There is no base arm to compare with {_name(arm)}.", tuple(terms)
        )
    if same.equivalent and no_effect == "form" and measured.same[arm].equivalent:
        sure = with_lapse(1 - max(same.p, measured.same[arm].p))
        sentence = (
            f"Taking the substance away changes nothing: {_name(base)} and {_name(arm)} score the same as full within "
            f"{100 * same.margin:g} points ({_points(measured.effect)})."
        )
        return Verdict("form", sure, sentence, tuple(terms))
    if same.equivalent:
        said = f"{_describe_effect(measured)}: there is no effect to share out"
    elif measured.effect.high < 0:
        said = f"{_describe_effect(measured)}: what is shown does harm, there is no effect to share out"
    else:
        said = f"{_describe_effect(measured)}: its interval includes 0; {_power(measured, base)}"
    return Verdict("cannot tell", math.nan, f"{said}.", tuple(terms))


def settled_label(share: Estimate) -> tuple[Label, float]:
    """Return what a share's interval settles and its probability, or "cannot tell" and NaN.

    Form lies surely above a half, substance surely below, mixed surely between the two thresholds.
    """
    chances = class_probabilities(share)
    label: Label = max(chances, key=lambda name: chances[name])
    sure = {
        "form": share.low > 0.5,
        "substance": share.high < 0.5,
        "mixed": share.low > LOW and share.high < HIGH,
    }
    if chances[label] < SETTLED or not sure[label]:
        return "cannot tell", math.nan
    return label, chances[label]


def class_probabilities(share: Estimate) -> dict[Label, float]:
    """Return the probability of each label given the share's interval (stats/share_band.py)."""
    band = band_of(share.value, standard_error(share))
    return {"form": band.above, "mixed": band.between, "substance": band.below}


def _sentence(label: Label, measured: Measured, arm: str, share: Estimate) -> str:
    effect, part, name = _points(measured.effect), _share(share), _name(arm)
    if measured.keeps == "substance":
        survives = f"under {name} {part} of the effect of {effect} is lost, though only the form was changed"
        heads = {
            "substance": "The score survives another form",
            "form": "The score hangs on the form",
            "mixed": "Both count",
        }
        return f"{heads[label]}: {survives}."
    match label:
        case "substance":
            return f"The score needs the substance: of the effect of {effect} {part} is left to form under {name}."
        case "form":
            return f"The form alone does it: under {name} {part} of the effect of {effect} is form."
        case "mixed":
            return (
                f"Both count: under {name} {part} of the effect of {effect} is form, the rest is substance."
            )
        case "cannot tell":
            raise AssertionError(label)


def _power(measured: Measured, arm: str) -> str:
    drop = measured.estimates[f"smallest_drop/{arm}"]
    if math.isnan(drop.value):
        return "too few items for an interval"
    return f"{drop.n} items could have seen a drop of {100 * drop.value:.1f} points"


def _describe_effect(measured: Measured) -> str:
    if math.isnan(measured.effect.value):
        reason = measured.effect.method.removeprefix("missing: ")
        return f"There is {reason}"
    return f"Full against base: {_points(measured.effect)}"


def _points(difference: Estimate | Equivalence) -> str:
    low, high = (
        (difference.low, difference.high)
        if isinstance(difference, Estimate)
        else (difference.low90, difference.high90)
    )
    return f"{100 * difference.value:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]"


def _share(share: Estimate) -> str:
    return f"{whole(share.value)} % [{whole(share.low)}, {whole(share.high)}]"


def _name(arm: str) -> str:
    return arm.replace("_", " ")
