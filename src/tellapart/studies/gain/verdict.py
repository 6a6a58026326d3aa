"""The verdict of `gain`: a plain rule over few terms, every one of which is printed in the report.

The elicited share (what was brought back from the base, by an honest way or by selection among its own
samples net of guessing) is compared with two thresholds; its interval gives the probability. The wording is
one-sided: what was recovered was there; what was not may be new, or not found.
"""

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

from tellapart.report.text import whole
from tellapart.stats.calibration import Calibrated
from tellapart.stats.estimate import Estimate
from tellapart.stats.share_band import standard_error, with_lapse
from tellapart.studies.gain.calibrated import chances as chances_of
from tellapart.studies.gain.calibrated import rule_chances, stored
from tellapart.studies.gain.scores import WIDE, Scores

Label = Literal["elicited", "mixed", "acquired", "no gain", "cannot tell"]

SETTLED = 0.6
"""A verdict less probable than this is "cannot tell"."""


class Evidence(NamedTuple):
    """What the verdict rests on. `share` is missing where nothing could bear witness; `probed` says whether
    the base was asked in ways that would have found a hidden skill (elicitors, log-probabilities)."""

    scores: Scores
    share: Estimate
    how: str
    probed: bool
    reason: str
    same_model: bool = False
    features: Mapping[str, float] = {}
    terms: tuple[tuple[str, float, float], ...] = ()


class Verdict(NamedTuple):
    """A label, its probability, one sentence, and the terms (what, value, log-odds it adds)."""

    label: Label
    probability: float
    sentence: str
    terms: tuple[tuple[str, float, float], ...]


def decide(evidence: Evidence) -> Verdict:
    """Return the verdict on the evidence."""
    gain = evidence.scores.gain
    terms: list[tuple[str, float, float]] = [("gain", gain.value, math.nan)]
    if not gain.low > 0:
        return _without_gain(evidence, tuple(terms))
    if evidence.scores.equivalence_small.equivalent:
        return _said("no gain", evidence, with_lapse(1 - evidence.scores.equivalence_small.p), tuple(terms))
    share = evidence.share
    if math.isnan(share.value):
        return _said("cannot tell", evidence, math.nan, tuple(terms))
    model = stored()
    chances = rule(share) if model is None else calibrated_chances(model, evidence.features)
    label: Label = max(chances, key=lambda name: chances[name])
    terms.append((f"recovered share ({evidence.how})", share.value, _log_odds(chances[label])))
    terms.extend(evidence.terms)
    if label != "elicited" and not evidence.probed:
        return _said("cannot tell", evidence, math.nan, tuple(terms))
    if chances[label] < (SETTLED if model is None else model.threshold):
        return _said("cannot tell", evidence, math.nan, tuple(terms))
    return _said(label, evidence, chances[label], tuple(terms))


def calibrated_chances(model: Calibrated, features: Mapping[str, float]) -> dict[Label, float]:
    """Return the calibrated chance of each label, as far as LAPSE from 0 and 1 as every other."""
    labels: tuple[Label, ...] = ("elicited", "mixed", "acquired")
    found = chances_of(model, features)
    return {label: with_lapse(found[label]) for label in labels}


def rule(share: Estimate) -> dict[Label, float]:
    """Return the chance of each label from the share's interval alone."""
    labels: tuple[Label, ...] = ("elicited", "mixed", "acquired")
    found = rule_chances(share.value, standard_error(share))
    return {label: found[label] for label in labels}


def _without_gain(evidence: Evidence, terms: tuple[tuple[str, float, float], ...]) -> Verdict:
    gain, wide = evidence.scores.gain, evidence.scores.equivalence_wide
    if gain.high < 0 or evidence.same_model:
        return _said("no gain", evidence, with_lapse(1.0), terms)
    if wide.equivalent:
        return _said("no gain", evidence, with_lapse(1 - wide.p), terms)
    return _said("cannot tell", evidence, math.nan, terms)


def _log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


def _said(
    label: Label, evidence: Evidence, probability: float, terms: tuple[tuple[str, float, float], ...]
) -> Verdict:
    return Verdict(label, probability, _sentence(label, evidence), terms)


def _sentence(label: Label, evidence: Evidence) -> str:
    gain, share = evidence.scores.gain, evidence.share
    points = f"{100 * gain.value:+.1f} points [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"
    part = f"{whole(share.value)} % [{whole(share.low)}, {whole(share.high)}]"
    match label:
        case "no gain" if evidence.same_model:
            return "Base and tuned are the same model: there is no gain to explain."
        case "no gain" if gain.high < 0:
            return f"The tuned model scores lower ({points}): there is no gain to explain."
        case "no gain":
            return f"Both models score the same within {100 * WIDE:.0f} points ({points}): there is no gain to explain."
        case "elicited":
            said = f"The base already held the gain ({points}): {evidence.how} brought back {part} of it."
            return f"{said} {_narrower(evidence.scores)}".strip()
        case "mixed":
            return (
                f"The base already held part of the gain ({points}): {evidence.how} brought back {part} of it; "
                "the rest is new, or was not found."
            )
        case "acquired":
            return (
                f"Nothing that was tried brought the gain ({points}) out of the base (best: {evidence.how}, {part}): "
                "it is new, or was not found."
            )
        case "cannot tell":
            return f"The evidence does not settle it ({points}): {_why_open(evidence)}."


def _narrower(scores: Scores) -> str:
    """Return what pass@k adds where the base covers as much as tuned at the largest k."""
    k = max(scores.tables["coverage"]["k"])
    base, tuned, difference = (
        scores.estimates[name] for name in (f"base_pass@{k}", f"tuned_pass@{k}", f"pass@{k}_difference")
    )
    if k < 2 or difference.high > WIDE or difference.value > 0:
        return ""
    return (
        f"The tuned model is sharper, hardly wider: in {k} samples it solves {100 * tuned.value:.1f} % of the items, "
        f"the base {100 * base.value:.1f} %."
    )


def _why_open(evidence: Evidence) -> str:
    gain = evidence.scores.gain
    if math.isnan(gain.low):
        return "too few items for an interval"
    if not gain.low > 0:
        return f"the gain's interval includes 0, and is too wide to call it none (within {100 * WIDE:.0f} points)"
    if evidence.reason:
        return evidence.reason
    share = evidence.share
    return f"{evidence.how} brought back {whole(share.value)} % [{whole(share.low)}, {whole(share.high)}]"
