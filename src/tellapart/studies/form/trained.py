"""Arms that were trained: did each training take, and do the figures hold over trainings as well as over items?

A training that did not fit the labels it was given, or left one answer to everything, shows nothing of what such labels
teach: its arm decides nothing. An item's score is its mean over training seeds. Intervals hold over items and seeds:
the variance between the seeds' means is added to that between items, with Student's quantile for so few trainings.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from tellapart.findings.form import TrainingRow
from tellapart.stats.equivalence import Equivalence
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import wilson
from tellapart.stats.paired import paired_difference
from tellapart.studies.form.arms import Arms
from tellapart.studies.form.facts import ArmFacts, Facts, TrainedFacts, condition
from tellapart.studies.form.reading import Reading
from tellapart.studies.form.shares import Measured
from tellapart.studies.gain.collapse import collapsed, commonest

FITTED, FITTABLE, STEPS, LOSS = "label_given", "label_fittable", "training_steps", "training_loss"
"""Measures in a row of an item that was trained on: 1 where the copy gives the label that it was taught; 1 where
the prompt could tell it that label (it came with no other one more often); steps and last loss of its training."""
FITTED_LEAST = 0.9
POWER = float(stats.norm.isf(0.025) + stats.norm.ppf(0.8))


class Spread(NamedTuple):
    """How an arm's score varies over trainings: the standard deviation of `seeds` means, each over all items."""

    deviation: float
    seeds: int

    @property
    def variance(self) -> float:
        """The variance of the mean over seeds."""
        return self.deviation**2 / self.seeds if self.seeds else 0.0


UNTRAINED = Spread(0.0, 0)


class Trainings(NamedTuple):
    """`arms` are the arms, those set aside as probes; `refusals` say why no verdict can stand, `caveats` what was set
    aside; `table` has a row a training."""

    arms: dict[str, ArmFacts]
    estimates: dict[str, Estimate]
    refusals: tuple[str, ...]
    caveats: tuple[str, ...]
    table: list[TrainingRow]


def fit_condition(family: str, arm: str) -> str:
    """Return the name of an arm's answers to items that it was trained on."""
    return f"{family}.fit/{arm}"


def read_trainings(
    rows: pd.DataFrame, family: str, arm_facts: Mapping[str, ArmFacts], facts: Facts
) -> Trainings:
    """Return what became of the trainings of a family: an arm of which any training did not take decides nothing."""
    about = facts.trained[family]
    base = next((arm for arm, about in arm_facts.items() if about.role == "base"), None)
    plain = _answers(rows, condition(family, base), facts) if base else []
    table = [
        row
        for arm, facts_of_arm in arm_facts.items()
        if facts_of_arm.role != "base"
        for row in _trainings(rows, family, arm, about, facts, [text for text, _ in plain])
    ]
    kept, estimates, refusals, caveats = dict(arm_facts), {}, [], []
    for arm in (arm for arm, about in arm_facts.items() if about.role != "base"):
        own = [row for row in table if row.arm == arm]
        estimates[f"fitted/{arm}"] = _fitted(rows, fit_condition(family, arm))
        reason = _why_not(own, about)
        if not reason:
            continue
        said = f"Under {arm.replace('_', ' ')} {reason}: it decides nothing"
        if arm_facts[arm].role == "full" or arm_facts[arm].decides:
            refusals.append(said)
        else:
            kept[arm] = replace(arm_facts[arm], role="probe")
            caveats.append(f"{said}.")
    return Trainings(kept, estimates, tuple(refusals), tuple(caveats), table)


def _trainings(
    rows: pd.DataFrame, family: str, arm: str, about: TrainedFacts, facts: Facts, plain: list[str]
) -> list[TrainingRow]:
    """Return one row a training of an arm that left an answer."""
    fit = rows[(rows["condition"] == fit_condition(family, arm)) & (rows["status"] != "failed")]
    own = rows[(rows["condition"] == condition(family, arm)) & (rows["status"] != "failed")]
    table = []
    for seed in range(about.seeds):
        measures = [
            dict(measured) for measured in fit.loc[fit["sample"] == seed, "measures"] if measured is not None
        ]
        rows_here = own[own["sample"] // about.samples == seed]
        if rows_here.empty and not measures:
            continue
        pairs = _answers(rows_here, condition(family, arm), facts)
        answers, targets = [text for text, _ in pairs], [target for _, target in pairs]
        most = commonest(answers)
        table.append(
            TrainingRow(
                arm=arm,
                training=seed + 1,
                labels=about.labels,
                steps=_mean(measures, STEPS),
                loss=_mean(measures, LOSS),
                labels_given=_mean(measures, FITTED),
                labels_fittable=_mean(measures, FITTABLE),
                score=float(rows_here["score"].mean()) if len(rows_here) else math.nan,
                commonest_answer=f"{most.text[:40]!r} in {100 * most.share:.0f} %",
                collapsed=collapsed(answers, targets, plain) is not None,
            )
        )
    return table


def _answers(rows: pd.DataFrame, name: str, facts: Facts) -> list[tuple[str, str]]:
    own = rows[(rows["condition"] == name) & (rows["status"] != "failed")]
    items, answered = own["item"].tolist(), zip(own["answer"], own["completion"], strict=True)
    return [
        (str(answer or text), facts.targets.get(item, ""))
        for item, (answer, text) in zip(items, answered, strict=True)
    ]


def _mean(measures: Sequence[Mapping[str, float]], name: str) -> float:
    values = [float(measure[name]) for measure in measures if name in measure]
    return math.fsum(values) / len(values) if values else math.nan


def _fitted(rows: pd.DataFrame, name: str) -> Estimate:
    own = rows[(rows["condition"] == name) & (rows["status"] != "failed")]
    fits = [dict(measured).get(FITTED) for measured in own["measures"] if measured is not None]
    given = [float(fit) for fit in fits if fit is not None]
    return wilson(sum(given), len(given)) if given else missing("share", "no trained item was asked")


def _why_not(table: Sequence[TrainingRow], about: TrainedFacts) -> str:
    """Return why an arm's trainings decide nothing; nothing where all of them took."""
    if len(table) < about.seeds:
        return f"{len(table)} of {about.seeds} trainings were done"
    unread = [row for row in table if math.isnan(row.labels_given)]
    if unread:
        return "it was not seen whether the training fitted its labels"
    unfitted = [row for row in table if row.labels_given < FITTED_LEAST * row.labels_fittable]
    if unfitted:
        least = min(unfitted, key=lambda row: row.labels_given / max(row.labels_fittable, 1e-9))
        said = f"{len(unfitted)} of {len(table)} trainings did not fit their labels"
        needed = 100 * FITTED_LEAST * least.labels_fittable
        return f"{said} ({100 * least.labels_given:.0f} % given, {needed:.0f} % needed)"
    fallen = [row for row in table if row.collapsed]
    if fallen:
        return (
            f"{len(fallen)} of {len(table)} trainings collapsed to one answer ({fallen[0].commonest_answer})"
        )
    return ""


def spreads(
    rows: pd.DataFrame, family: str, arm_facts: Mapping[str, ArmFacts], arms: Arms, about: TrainedFacts
) -> dict[str, Spread]:
    """Return the spread over training seeds of every trained arm's score, over the items of `arms`."""
    result = {}
    for arm in (arm for arm in arms.scores if arm_facts[arm].role != "base"):
        own = rows[(rows["condition"] == condition(family, arm)) & rows["item"].isin(arms.items.tolist())]
        own = own[(own["status"] != "failed") & own["score"].notna()]
        means = own.groupby(own["sample"] // about.samples)["score"].mean().to_numpy(dtype=np.float64)
        result[arm] = Spread(float(means.std(ddof=1)) if len(means) > 1 else math.nan, len(means))
    return result


def over_seeds(measured: Measured, arms: Arms, spread: Mapping[str, Spread]) -> Measured:
    """Return the figures with intervals that hold over trainings too. `spread` has no entry for an untrained arm."""
    roles, estimates = measured.roles, dict(measured.estimates)
    own = {arm: spread.get(arm, UNTRAINED) for arm in arms.scores}
    full = own[roles["full"]] if "full" in roles else UNTRAINED
    for name, arm in (("base_score", roles.get("base")), ("full_score", roles.get("full"))):
        if arm is not None and name in estimates:
            estimates[name] = _wider(estimates[name], (own[arm],))
    effect = estimates["gain"] = _wider(measured.effect, (full,))
    same: dict[str, Equivalence] = {}
    for arm, its in own.items():
        estimates[f"score/{arm}"] = _wider(estimates[f"score/{arm}"], (its,))
        if f"arm_difference/{arm}" in estimates:
            estimates[f"arm_difference/{arm}"] = _wider(estimates[f"arm_difference/{arm}"], (full, its))
            drop = estimates[f"smallest_drop/{arm}"]
            error = math.sqrt(full.variance + its.variance)
            estimates[f"smallest_drop/{arm}"] = replace(drop, value=math.hypot(drop.value, POWER * error))
        if arm in measured.same:
            same[arm] = _wider_equivalence(measured.same[arm], (full, its))
        if (share := estimates.get(f"form_share/{arm}")) is not None:
            estimates[f"form_share/{arm}"] = _wider_share(share, effect, (its, full))
    deciding = roles.get("form")
    if deciding is not None and "form_share" in estimates:
        estimates["form_share"] = estimates[f"form_share/{deciding}"]
    for arm, its in spread.items():
        estimates[f"seed_spread/{arm}"] = _estimate_spread(its)
    return measured._replace(effect=effect, estimates=estimates, same=same)


def against_guess(arms: Arms, about: TrainedFacts, spread: Mapping[str, Spread]) -> dict[str, Estimate]:
    """Return what a random guess of the output space scores, and every arm's score above that, item by item."""
    guesses = np.array([about.guesses[str(item)] for item in arms.items], dtype=np.float64)
    value = float(guesses.mean())
    method = "1 over the labels of each item's instruction (Kung & Peng 2023)"
    estimates = {"random_guess": Estimate(value, value, value, len(guesses), "score", method)}
    for arm, scores in arms.scores.items():
        there = np.isfinite(scores)
        clusters = None if arms.clusters is None else arms.clusters[there]
        above = paired_difference(guesses[there], scores[there], clusters)
        estimates[f"guess_difference/{arm}"] = _wider(above, (spread.get(arm, UNTRAINED),))
    return estimates


def measure_trained(
    rows: pd.DataFrame,
    family: str,
    trainings: Trainings,
    arms: Arms,
    measured: Measured,
    about: TrainedFacts,
) -> Measured:
    """Return a trained family's figures over items and trainings, beside the random guess and what was fitted."""
    spread = spreads(rows, family, trainings.arms, arms, about)
    wider = over_seeds(measured, arms, spread)
    more = {**against_guess(arms, about, spread), **trainings.estimates}
    return wider._replace(estimates={**wider.estimates, **more})


def with_trainings(reading: Reading, trainings: Trainings, measured: Measured) -> Reading:
    """Return `reading` with what forbids a verdict: trainings that did not take, or a score that a guess reaches."""
    refusals = (*trainings.refusals, *reading.refusals, *_below_guess(measured))
    return reading._replace(refusals=refusals, caveats=(*reading.caveats, *trainings.caveats))


def _below_guess(measured: Measured) -> list[str]:
    above = measured.estimates.get(f"guess_difference/{measured.roles.get('full')}")
    if above is None or above.low > 0:
        return []
    points = f"{100 * above.value:+.1f} points [{100 * above.low:+.1f}, {100 * above.high:+.1f}]"
    return [f"Full is not shown to lie above a random guess of the output space ({points})"]


def describe_guess(measured: Measured) -> str:
    """Return in words what the arms scored beside the random guess, and by how much trainings of one arm differ."""
    estimates = measured.estimates
    arms = [arm for arm in (measured.roles.get("full"), measured.roles.get("form")) if arm is not None]
    parts = [f"{100 * estimates[f'score/{arm}'].value:.1f} % after {arm.replace('_', ' ')}" for arm in arms]
    spread = [estimate.value for name, estimate in estimates.items() if name.startswith("seed_spread/")]
    most = max((value for value in spread if math.isfinite(value)), default=math.nan)
    spread_text = (
        f"; trainings of one arm differ by {100 * most:.1f} points (sd) at most"
        if math.isfinite(most)
        else ""
    )
    guess = f"a random guess of the output space scores {100 * estimates['random_guess'].value:.1f} %"
    return f"Scores are {' and '.join(parts)}; {guess}{spread_text}."


def _estimate_spread(spread: Spread) -> Estimate:
    if spread.seeds < 2:
        return missing("score", f"{spread.seeds} training", spread.seeds)
    method = f"sd of the scores of {spread.seeds} trainings"
    return Estimate(spread.deviation, math.nan, math.nan, spread.seeds, "score", method)


def _error(spreads: tuple[Spread, ...], weights: tuple[float, ...] = ()) -> tuple[float, float]:
    """Return the standard error that trainings add, and its degrees of freedom (Satterthwaite 1946)."""
    weights = weights or (1.0,) * len(spreads)
    parts = [
        (weight**2 * spread.variance, spread.seeds - 1)
        for spread, weight in zip(spreads, weights, strict=True)
        if spread.seeds
    ]
    total = math.fsum(part for part, _ in parts)
    if not total > 0:
        return total, math.inf
    return math.sqrt(total), total**2 / math.fsum(part**2 / freedom for part, freedom in parts)


def _half(spreads: tuple[Spread, ...], tail: float, weights: tuple[float, ...] = ()) -> float:
    """Return half the interval that trainings alone would give; infinite where one training says nothing of it."""
    error, freedom = _error(spreads, weights)
    if math.isnan(error):
        return math.inf
    return float(stats.t.isf(tail, freedom)) * error if error else 0.0


def _wider(estimate: Estimate, spreads: tuple[Spread, ...]) -> Estimate:
    """Return the estimate with limits whose distances from the value are added in squares to those of trainings (Zou &
    Donner 2008)."""
    return _widened(estimate, _half(spreads, 0.025))


def _widened(estimate: Estimate, half: float) -> Estimate:
    if not half or math.isnan(estimate.value):
        return estimate
    low = estimate.value - math.hypot(estimate.value - estimate.low, half)
    high = estimate.value + math.hypot(estimate.high - estimate.value, half)
    return replace(estimate, low=low, high=high, method=f"{estimate.method}; over items and trainings")


def _wider_share(share: Estimate, effect: Estimate, spreads: tuple[Spread, Spread]) -> Estimate:
    """Return the form share over trainings too: d share = d arm / effect - share d full / effect."""
    if math.isnan(share.value):
        return share
    if not effect.low > 0:
        return missing("share", f"no effect to share out over trainings: {effect.low:+.4f} or less", share.n)
    weights = (1 / effect.value, share.value / effect.value)
    return _widened(share, _half(spreads, 0.025, weights))


def _wider_equivalence(same: Equivalence, spreads: tuple[Spread, ...]) -> Equivalence:
    half = _half(spreads, 0.05)
    if not half:
        return same
    low = same.value - math.hypot(same.value - same.low90, half)
    high = same.value + math.hypot(same.high90 - same.value, half)
    error = (high - low) / (2 * float(stats.norm.isf(0.05)))
    p = float(stats.norm.sf((same.margin - abs(same.value)) / error))
    inside = low > -same.margin and high < same.margin
    return same._replace(equivalent=inside, p=p, low90=low, high90=high)
