"""Canary tasks: abilities held before, asked again and again while something else is trained.

An ability counts as lost where its items, paired with their first answers, score less by `margin` or more and the
one-sided 95 % bound of the difference is below 0.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tellapart.stats.paired import paired_difference
from tellapart.studies.guard.alarms import Alarm

MARGIN = 0.05
CanaryScores = Mapping[str, Mapping[int, Mapping[str, float]]]
"""Ability -> step -> item -> mean score."""


def scores_by_step(rows: pd.DataFrame) -> dict[str, dict[int, dict[str, float]]]:
    """Return the canary answers of a log, `TrainingLog.canaries`."""
    scores: dict[str, dict[int, dict[str, float]]] = {}
    if rows.empty:
        return scores
    means = rows[rows["score"].notna()].groupby(["canary", "step", "item"], sort=True)["score"].mean()
    for place, score in means.items():
        name, step, item = place  # pyright: ignore
        scores.setdefault(str(name), {}).setdefault(int(step), {})[str(item)] = float(score)
    return scores


def signal(name: str) -> str:
    """Return what an ability's score is called among the signals."""
    return f"canary {name}"


def over_steps(canary_scores: CanaryScores, steps: Sequence[int]) -> dict[str, list[float]]:
    """Return the mean score of each ability at each step, NaN where it was not asked."""
    return {
        signal(name): [
            float(np.mean(list(by_step[step].values()))) if step in by_step else math.nan for step in steps
        ]
        for name, by_step in canary_scores.items()
    }


def lost(canary_scores: CanaryScores, margin: float = MARGIN) -> list[Alarm]:
    """Return the first step at which each ability is lost."""
    alarms = []
    for name, by_step in canary_scores.items():
        first, *later = sorted(by_step)
        for step in later:
            items = sorted(by_step[first].keys() & by_step[step].keys())
            if len(items) < 2:
                continue
            before = [by_step[first][item] for item in items]
            after = [by_step[step][item] for item in items]
            fell = paired_difference(before, after, confidence=0.9)
            if fell.value <= -margin and fell.high < 0:
                began = float(np.mean(before))
                alarms.append(Alarm(signal(name), step, began + fell.value, began, began - margin, True))
                break
    return alarms
