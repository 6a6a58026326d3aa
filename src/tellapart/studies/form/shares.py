"""Scores, differences, form shares, equivalence and power of the arms of one family."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tellapart.controls.role import Role
from tellapart.stats.equivalence import Equivalence, equivalence
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.form_share import Keeps, form_share, smallest_drop
from tellapart.stats.intervals import mean_score, standard_error
from tellapart.stats.paired import paired_difference, unpaired_difference
from tellapart.studies.form.arms import Arms
from tellapart.studies.form.facts import ArmFacts


class Measured(NamedTuple):
    """`roles` names the arm of each role that is there (the deciding one for form); `same` the equivalence of each
    arm to full. `effect` is full - base; missing where either is not there. `keeps` is what the deciding arm keeps."""

    roles: dict[Role, str]
    effect: Estimate
    estimates: dict[str, Estimate]
    same: dict[str, Equivalence]
    keeps: Keeps = "form"


def measure(arms: Arms, arm_facts: Mapping[str, ArmFacts], margin: float) -> Measured:
    """Return all figures of a family."""
    roles = _roles(arms, arm_facts)
    estimates: dict[str, Estimate] = {}
    for role, name in (("base", "base_score"), ("full", "full_score")):
        if role in roles:
            estimates[name] = _score(arms, roles[role])
    effect = _effect(arms, roles)
    estimates["gain"] = effect
    if {"base", "full"} <= roles.keys():
        estimates |= _errors(arms, roles) | _by_family(arms, roles)
    for arm in arms.scores:
        estimates[f"score/{arm}"] = _score(arms, arm)
    same = {}
    if "full" in roles:
        for arm in arms.scores:
            if arm != roles["full"]:
                (full, own), clusters = arms.compared(roles["full"], arm)
                same[arm] = equivalence(full, own, margin, clusters)
                estimates |= _against_full(arms, roles, arm, arm_facts[arm])
    if "form" in roles and f"form_share/{roles['form']}" in estimates:
        estimates["form_share"] = estimates[f"form_share/{roles['form']}"]
    return Measured(
        roles, effect, estimates, same, arm_facts[roles["form"]].keeps if "form" in roles else "form"
    )


def _score(arms: Arms, arm: str) -> Estimate:
    (scores,), clusters = arms.compared(arm)
    return mean_score(scores, clusters)


def _roles(arms: Arms, arm_facts: Mapping[str, ArmFacts]) -> dict[Role, str]:
    """Return the arm of each role: the one that decides, else the first."""
    roles: dict[Role, str] = {}
    for arm in arms.scores:
        role = arm_facts[arm].role
        if role not in roles or (arm_facts[arm].decides and not arm_facts[roles[role]].decides):
            roles[role] = arm
    return roles


def _effect(arms: Arms, roles: Mapping[Role, str]) -> Estimate:
    if not {"base", "full"} <= roles.keys():
        lacking = " and ".join(role for role in ("base", "full") if role not in roles)
        return missing("score", f"no {lacking} arm", len(arms.items))
    (base, full), clusters = arms.compared(roles["base"], roles["full"])
    return paired_difference(base, full, clusters)


def _against_full(arms: Arms, roles: Mapping[Role, str], arm: str, about: ArmFacts) -> dict[str, Estimate]:
    (full, own), clusters = arms.compared(roles["full"], arm)
    drop, n = smallest_drop(full, own, clusters), len(own)
    method = "seen with power 0.8 at 5 %, from the paired spread"
    estimates = {
        f"arm_difference/{arm}": paired_difference(full, own, clusters),
        f"smallest_drop/{arm}": Estimate(drop, math.nan, math.nan, n, "score", method)
        if math.isfinite(drop)
        else missing("score", "fewer than two items", n),
    }
    if about.role == "form" and "base" in roles:
        (base, own, full), clusters = arms.compared(roles["base"], arm, roles["full"])
        estimates[f"form_share/{arm}"] = form_share(base, own, full, clusters, about.keeps)
    return estimates


def _errors(arms: Arms, roles: Mapping[Role, str]) -> dict[str, Estimate]:
    """Return the standard errors of full - base: unpaired, paired, and clustered by whatever clusters there are."""
    base, full = arms.scores[roles["base"]], arms.scores[roles["full"]]
    n, difference = len(base), full - base
    welch = unpaired_difference(base, full)
    unpaired = math.hypot(standard_error(base).value, standard_error(full).value)
    errors = {
        "unpaired": (unpaired, f"Welch, [{welch.low:.4f}, {welch.high:.4f}]"),
        "paired": (standard_error(difference).value, "sd of the items' differences / sqrt(n)"),
    }
    units = len(set(arms.labels.tolist()))
    if 1 < units < n:
        plain = standard_error(difference, arms.labels, corrected=False)
        corrected = standard_error(difference, arms.labels).value
        method = f"{units} clusters, Miller 2024; {corrected:.4f} with C/(C-1), which intervals use"
        errors["clustered"] = (plain.value, method)
    return {
        f"gain_standard_error/{name}": Estimate(value, math.nan, math.nan, n, "score", method)
        for name, (value, method) in errors.items()
        if math.isfinite(value)
    }


LEAST_IN_A_FAMILY, MOST_FAMILIES = 20, 60


def families_of(labels: NDArray[np.object_]) -> NDArray[np.object_] | None:
    """Return the family of each item: what stands before the first "/" of its cluster "family/subtask".

    None where there is one family only, or families are too many or too small to be reported one by one.
    """
    families = np.array([str(label).partition("/")[0] for label in labels], dtype=object)
    count = len(set(families.tolist()))
    return families if 1 < count <= MOST_FAMILIES and len(families) >= LEAST_IN_A_FAMILY * count else None


def _by_family(arms: Arms, roles: Mapping[Role, str]) -> dict[str, Estimate]:
    """Return macro means over families and how many of them full is worse on; none where items stand alone."""
    families = families_of(arms.labels)
    if families is None:
        return {}
    count = len(set(families.tolist()))
    frame = pd.DataFrame({role: arms.scores[roles[role]] for role in ("base", "full")})
    means = frame.groupby(families).mean()
    method = f"mean over {count} families"
    worse = float((means["full"] < means["base"]).sum())
    return {
        "base_score_by_family": _macro(means["base"], method),
        "full_score_by_family": _macro(means["full"], method),
        "families_worse": Estimate(
            worse, math.nan, math.nan, count, "items", "families where full scores lower"
        ),
    }


def _macro(values: pd.Series, method: str) -> Estimate:
    return replace(mean_score(values.to_numpy(dtype=np.float64)), method=method)
