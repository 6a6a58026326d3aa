"""Does the model know what it knows? Calibration and selective risk of the full arm's answers, abstention, and whether
it tells questions with a false premise from sound ones.

Confidence is the geometric mean probability of the answer's tokens. A refusal to answer is found by its words.
"""

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from tellapart.findings.form import RELIABILITY, RISK_COVERAGE, ConfidenceBin, RiskCoverage
from tellapart.findings.table import Tables
from tellapart.stats.confidence import calibration, risk_coverage
from tellapart.stats.detection import detection
from tellapart.stats.estimate import Estimate
from tellapart.stats.intervals import wilson

REFUSES = re.compile(
    r"\b(?:i (?:do not|don[’']t|cannot|can[’']t) (?:know|say|tell|answer)|"
    r"(?:cannot|can[’']t|could not) be (?:determined|answered|known)|"
    r"not (?:enough|sufficient) information|unanswerable|no such|there (?:is|was|are|were) no\b|"
    r"false premise|premise is (?:false|wrong)|did not (?:happen|exist)|does not exist|never (?:happened|existed)|"
    r"is not (?:true|correct)|unknown|n/?a)\b",
    re.IGNORECASE,
)
FEWEST = 20
POINTS = 60


class Knows(NamedTuple):
    """Estimates by name and tables of the curves; both empty where nothing can be said."""

    estimates: dict[str, Estimate]
    tables: Tables


def knows(rows: pd.DataFrame, condition: str, correct_at: float, false_premise: Mapping[str, bool]) -> Knows:
    """Return what the rows of one condition say of its confidence, abstention and false premises."""
    own = rows[(rows["condition"] == condition) & (rows["status"] != "failed") & rows["score"].notna()]
    estimates: dict[str, Estimate] = {}
    refused = np.array([REFUSES.search(text) is not None for text in own["completion"]], dtype=bool)
    right = (own["score"] >= correct_at).to_numpy(dtype=np.float64)
    if refused.any():
        estimates["abstained"] = wilson(int(refused.sum()), len(own))
        kept = ~refused
        estimates["right_when_answered"] = wilson(float(right[kept].sum()), int(kept.sum()))
    estimates |= _premises(own["item"].tolist(), refused, false_premise)
    return Knows(estimates, {}) if len(own) < FEWEST else _confidence(own, right, estimates)


def _premises(
    items: list[str], refused: np.ndarray, false_premise: Mapping[str, bool]
) -> dict[str, Estimate]:
    """Return d' and bias: refusing a false premise is a hit, refusing a sound question a false alarm."""
    if not false_premise:
        return {}
    is_false = np.array([item in false_premise for item in items], dtype=bool)
    refused = refused[is_false]
    false = np.array([false_premise[item] for item in items if item in false_premise], dtype=bool)
    hits, alarms = int((refused & false).sum()), int((refused & ~false).sum())
    detected = detection(hits, int(false.sum()), alarms, int((~false).sum()))
    return {"false_premise_d_prime": detected.d_prime, "false_premise_bias": detected.bias}


def _confidence(own: pd.DataFrame, right: np.ndarray, estimates: dict[str, Estimate]) -> Knows:
    tokens = own["tokens"].to_numpy(dtype=np.float64, na_value=math.nan)
    logs = own["logprob"].to_numpy(dtype=np.float64)
    usable = np.isfinite(logs) & (tokens > 0)
    if usable.sum() < FEWEST:
        return Knows(estimates, {})
    chance, hit = np.exp(np.minimum(logs[usable] / tokens[usable], 0.0)), right[usable]
    calibrated, kept = calibration(chance, hit), risk_coverage(chance, hit)
    estimates["calibration_error"], estimates["brier"] = calibrated.error, calibrated.brier
    estimates["selective_risk_area"] = kept.area
    places = np.unique(np.linspace(0, len(kept.risk) - 1, min(POINTS, len(kept.risk))).astype(int))
    bins = [
        ConfidenceBin(level.confidence, level.right.value, level.right.low, level.right.high, level.right.n)
        for level in calibrated.bins
    ]
    curve = RiskCoverage(
        coverage=tuple(round(float(kept.coverage[at]), 4) for at in places),
        risk=tuple(round(float(kept.risk[at]), 4) for at in places),
        excess=kept.excess,
    )
    return Knows(estimates, {**RELIABILITY.write(bins), **RISK_COVERAGE.write(curve)})
