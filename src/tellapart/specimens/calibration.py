"""Fit the verdict on specimens, and say how it does on kinds of model that it has not seen.

Every figure comes from leaving one kind out: the model is fitted anew on the other kinds. The truth is read by the
check (check.py), which hands it over as `Case.truth`.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.runs.folder import canonical, write_atomically
from tellapart.runs.provenance import provenance
from tellapart.stats.calibration import CANNOT_TELL, Calibrated
from tellapart.stats.estimate import Estimate
from tellapart.stats.multinomial import Evidence, fit_multinomial
from tellapart.stats.probabilities import brier_score, reliability_table
from tellapart.studies.gain.calibrated import USED, chances, seen_by_model

LABELS = ("acquired", "elicited", "mixed")
NO_GAIN = "no gain"
PENALTY, SETTLED = 1.0, 0.6
"""Set beforehand: with two kinds of a label, one of them left out, nothing is left to choose them on."""
WEIGHT = 60
"""How often a label's cases stand in the fit, all together."""


@dataclass(frozen=True)
class Case:
    """A specimen's evidence beside its truth. `ruled` is a verdict that the gain's own interval settles: "no gain",
    or "cannot tell" for want of a gain; None where the shares decide."""

    name: str
    kind: str
    truth: str
    features: Mapping[str, float | None]
    ruled: str | None


class Judged(NamedTuple):
    """What a specimen was given by a model that saw nothing of its kind."""

    case: Case
    verdict: str
    chances: Mapping[str, float]

    @property
    def right(self) -> bool:
        return self.verdict == self.case.truth


class Held(NamedTuple):
    """Figures over all specimens, each judged with its kind left out."""

    judged: tuple[Judged, ...]
    accuracy_decided: float
    cannot_tell_share: float
    brier: Estimate
    reliability: list[dict[str, Any]]
    confusion: dict[str, dict[str, int]]


def fitted(cases: Sequence[Case], names: tuple[str, ...] = USED) -> Calibrated:
    """Return the verdict's model, fitted on the cases in which the shares decide."""
    known = [case for case in cases if case.ruled is None and case.truth in LABELS]
    rows, labels = (
        np.array([seen_by_model(case.features, names) for case in known]),
        [case.truth for case in known],
    )
    model = fit_multinomial(Evidence(rows, names), labels, LABELS, PENALTY, balanced(known))
    return Calibrated(model, SETTLED)


def balanced(cases: Sequence[Case]) -> NDArray[np.float64]:
    """Return how often each case counts (n,), so that every label weighs the same and, within it, every kind: the
    model's chances are for somebody to whom the labels are equally likely beforehand."""
    kinds = {(case.truth, case.kind) for case in cases}
    fellows = Counter((case.truth, case.kind) for case in cases)
    rivals = Counter(truth for truth, _ in kinds)
    return np.array([WEIGHT / (fellows[case.truth, case.kind] * rivals[case.truth]) for case in cases])


def leave_one_kind_out(cases: Sequence[Case], names: tuple[str, ...] = USED) -> Held:
    """Return what every case is given by a model fitted on the other kinds."""
    judged: list[Judged] = []
    for kind in dict.fromkeys(case.kind for case in cases):
        model = fitted([case for case in cases if case.kind != kind], names)
        judged += [judge(model, case, names) for case in cases if case.kind == kind]
    return summed_up(judged)


def judge(model: Calibrated, case: Case, names: tuple[str, ...] = USED) -> Judged:
    """Return the model's verdict on a case."""
    if case.ruled is not None:
        sure = dict.fromkeys(LABELS, 0.0) | {NO_GAIN: float(case.ruled == NO_GAIN)}
        return Judged(case, case.ruled, sure)
    found = chances(model, case.features, names)
    best = max(found, key=lambda label: found[label])
    return Judged(case, best if found[best] >= model.threshold else CANNOT_TELL, {**found, NO_GAIN: 0.0})


def summed_up(judged: Sequence[Judged]) -> Held:
    """Return the figures over what was judged."""
    decided = [one for one in judged if one.verdict != CANNOT_TELL]
    classes = (*LABELS, NO_GAIN)
    known = [one for one in judged if math.isclose(sum(one.chances.values()), 1.0, abs_tol=1e-6)]
    table = np.array([[one.chances[label] for label in classes] for one in known])
    truth = np.array([classes.index(one.case.truth) for one in known])
    kinds = np.array([one.case.kind for one in known])
    confusion: dict[str, dict[str, int]] = {}
    for one in judged:
        row = confusion.setdefault(one.case.truth, {})
        row[one.verdict] = row.get(one.verdict, 0) + 1
    reliability = [
        {
            "from": bin.low,
            "to": bin.high,
            "n": bin.n,
            "stated": bin.confidence,
            "right": bin.accuracy.value,
            "low": bin.accuracy.low,
            "high": bin.accuracy.high,
        }
        for bin in reliability_table(table, truth)
    ]
    return Held(
        tuple(judged),
        float(np.mean([one.right for one in decided])) if decided else math.nan,
        1 - len(decided) / len(judged),
        brier_score(table, truth, kinds),
        reliability,
        confusion,
    )


def store(path: Path, cases: Sequence[Case], held: Held) -> None:
    """Write the model fitted on all cases, with where it comes from and how it did with each kind left out."""
    model = fitted(cases)
    told = {
        "verdict": model.as_json(),
        "provenance": {
            "specimens": [case.name for case in cases],
            "kinds": sorted({case.kind for case in cases}),
            "features": list(USED),
            "leave_one_kind_out": figures(held),
            "made_by": dict(provenance()),
        },
    }
    write_atomically(path, canonical(json.loads(json.dumps(told))))


def figures(held: Held) -> dict[str, Any]:
    """Return the figures as JSON."""
    return {
        "accuracy_decided": held.accuracy_decided,
        "cannot_tell_share": held.cannot_tell_share,
        "brier": held.brier.value,
        "brier_low": held.brier.low,
        "brier_high": held.brier.high,
        "confusion": held.confusion,
        "reliability": held.reliability,
        "n": len(held.judged),
    }
