"""When a signal has moved too far from how the run began, or stands where no healthy run stood.

The first steps are the run's own baseline. An alarm needs two steps in a row beyond the baseline's mean by the margin
AND by its prediction limit (Student's t, one-sided 0.5 %, for one further step); or two in a row beyond a level, which
only lucky and thin reward have unless the limits are calibrated on healthy runs. Signals of difficulty never alarm:
they are noticed. So are chains that grow shorter while the reward is shown to rise, unless another signal of harm is
beyond its limit by then: a model that learns needs fewer words.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy import stats

from tellapart.errors import UserMistake
from tellapart.findings.typed import from_json, to_json
from tellapart.jsonvalue import Json, JsonObject

LEAST = 6
TAIL = 0.005
LUCKY = 0.5
RISING = 0.05
SHORTER = ("length", "thin", "thin_paid")
FALSE = 0.05
"""How often a healthy run may alarm, all calibrated limits together."""


@dataclass(frozen=True)
class Rule:
    """Which way is bad (+1 up, -1 down), the least change, whether it is a share of the baseline, whether it is
    harm (alarm) or only difficulty (notice), and the level that is harm at any time (NaN: none)."""

    direction: int
    margin: float
    relative: bool
    harm: bool
    level: float = math.nan


RULES: Mapping[str, Rule] = {
    "all_wrong": Rule(1, 0.15, False, False),
    "all_right": Rule(1, 0.25, False, False),
    "concentration": Rule(1, 0.15, False, False),
    "repeats_within": Rule(1, 0.1, False, True),
    "repeats_across": Rule(1, 0.05, False, True),
    "skipped": Rule(1, 0.1, False, True),
    "thin": Rule(1, 0.1, False, True),
    "thin_paid": Rule(1, 0.1, False, True, LUCKY),
    "lucky": Rule(1, 0.1, False, True, LUCKY),
    "length": Rule(-1, 0.25, True, True),
    "entropy": Rule(-1, 0.5, True, True),
}
LEVELLED = ("repeats_within", "repeats_across", "skipped", "thin", "thin_paid", "lucky")
"""Shares of which a level can be told; length and entropy are only compared with how the run began."""


@dataclass(frozen=True)
class Limits:
    """The rule of each signal, how many steps are the baseline (None: a quarter, at least LEAST), and where the rules
    come from, in words."""

    rules: Mapping[str, Rule]
    begin: int | None = None
    source: str = "alarm margins are set by hand, not calibrated on recorded healthy runs"

    def as_json(self) -> dict[str, Json]:
        """Return the limits as a JSON object; `limits_from` reads it."""
        return {**asdict(self), "rules": to_json(self.rules)}


BY_HAND = Limits(RULES)


class Alarm(NamedTuple):
    """The first step at which a signal is beyond its limit for the second time in a row."""

    signal: str
    step: int
    value: float
    baseline: float
    limit: float
    harm: bool


def limits_from(fields: JsonObject) -> Limits:
    """Return the limits that `Limits.as_json` told of. Raises UserMistake where they are none."""
    try:
        return from_json(Limits, fields)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserMistake("these are no limits of guard: calibrate them anew") from None


def baseline_steps(count: int, limits: Limits = BY_HAND) -> int:
    """Return how many of `count` steps are the baseline."""
    return limits.begin or max(LEAST, math.ceil(count / 4))


def find_alarms(
    steps: Sequence[int], signals: Mapping[str, Sequence[float]], limits: Limits = BY_HAND
) -> list[Alarm]:
    """Return each signal's first alarm or notice, by step. `signals` are those of rollout_signals, one value a step."""
    rules = {name: rule for name, rule in limits.rules.items() if name in signals}
    alarms = [
        alarm
        for name, rule in rules.items()
        if name not in SHORTER and (alarm := _first(name, rule, steps, signals[name], limits))
    ]
    others = min((alarm.step for alarm in alarms if alarm.harm), default=math.inf)
    rising = _rises(steps, signals["reward"]) if "reward" in signals else np.zeros(len(steps), dtype=bool)
    excused = rising & (np.asarray(steps) < others)
    for name in SHORTER:
        if name in rules:
            harm = _first(name, rules[name], steps, signals[name], limits, excused)
            notice = harm or _first(name, replace(rules[name], harm=False), steps, signals[name], limits)
            alarms += [notice] if notice else []
    return sorted(alarms, key=lambda alarm: (alarm.step, not alarm.harm, alarm.signal))


def calibrate(runs: Sequence[Mapping[str, Sequence[float]]], begin: int = LEAST) -> Limits:
    """Return limits that none of these healthy runs crosses: of each signal of harm the margin and the level.

    Each is the larger of the greatest that a healthy run reached for two steps in a row, and the prediction limit of
    these for one more run (Student's t), at FALSE over the number of limits (Bonferroni): so that in all a healthy run
    alarms at most that often. The hand-set level of lucky reward is never raised. No margin is below half of the
    hand-set one and no level below the whole: less than that is no harm. Raises UserMistake for fewer than 3 runs.
    """
    if len(runs) < 3:
        raise UserMistake(f"{len(runs)} healthy runs given: limits need 3 or more, and are wide below 10")
    rules = {
        name: _calibrated(name, rule, [run[name] for run in runs if name in run], begin)
        if rule.harm
        else rule
        for name, rule in RULES.items()
    }
    return Limits(rules, begin, f"limits calibrated on {len(runs)} healthy runs")


def _calibrated(name: str, rule: Rule, runs: Sequence[Sequence[float]], begin: int) -> Rule:
    drifts, levels = [], []
    for run in runs:
        values = np.asarray(run, dtype=np.float64)
        held = values[:begin][np.isfinite(values[:begin])]
        if held.size >= LEAST:
            scale = abs(held.mean()) if rule.relative else 1.0
            drifts.append(_held_for_two(rule.direction * (values[begin:] - held.mean()) / (scale or 1.0)))
        levels.append(_held_for_two(values))
    margin, level = _beyond_all(drifts), _beyond_all(levels) if name in LEVELLED else math.nan
    if level == level:
        level = max(level, rule.margin)
        level = min(LUCKY, level) if name == "lucky" else level if level < 1 else math.nan
    else:
        level = rule.level
    return replace(
        rule, margin=rule.margin if margin != margin else max(margin, rule.margin / 2), level=level
    )


def _held_for_two(values: np.ndarray) -> float:
    """Return the greatest value reached for two steps in a row, NaN where there are none."""
    pairs = np.minimum(values[1:], values[:-1])
    finite = pairs[np.isfinite(pairs)]
    return float(finite.max()) if finite.size else math.nan


def _beyond_all(extremes: Sequence[float]) -> float:
    finite = np.asarray([value for value in extremes if math.isfinite(value)])
    if finite.size < 3:
        return math.nan
    count = sum(rule.harm for rule in RULES.values()) + len(LEVELLED)
    wide = float(stats.t.isf(FALSE / count, finite.size - 1)) * math.sqrt(1 + 1 / finite.size)
    return float(max(finite.max(), finite.mean() + wide * finite.std(ddof=1)))


def _rises(steps: Sequence[int], given: Sequence[float]) -> np.ndarray:
    """Return of each step whether the reward is shown to have risen up to it: the slope of all steps so far, from LEAST
    on (one-sided RISING)."""
    values = np.asarray(given, dtype=np.float64)
    rises = np.zeros(values.size, dtype=bool)
    for at in range(LEAST - 1, values.size):
        x, y = np.asarray(steps[: at + 1], dtype=np.float64), values[: at + 1]
        finite = np.isfinite(y)
        if finite.sum() >= LEAST and np.ptp(y[finite]) > 0:
            fit = stats.linregress(x[finite], y[finite], alternative="greater")
            rises[at] = fit.pvalue < RISING  # pyright: ignore[reportAttributeAccessIssue]
    return rises


def _first(
    name: str,
    rule: Rule,
    steps: Sequence[int],
    given: Sequence[float],
    limits: Limits,
    excused: np.ndarray | None = None,
) -> Alarm | None:
    values = np.asarray(given, dtype=np.float64)
    begun = baseline_steps(values.size, limits)
    held = values[:begun][np.isfinite(values[:begun])]
    ways = []
    if held.size >= LEAST and values.size > begun:
        mean = float(held.mean())
        noise = float(stats.t.isf(TAIL, held.size - 1) * held.std(ddof=1) * math.sqrt(1 + 1 / held.size))
        limit = mean + rule.direction * max(rule.margin * (abs(mean) if rule.relative else 1.0), noise)
        ways.append((begun, mean, limit))
    if math.isfinite(rule.level):
        ways.append((0, rule.level, rule.level))
    alarms = [_crossed(name, rule, steps, values, way, excused) for way in ways]
    return min((alarm for alarm in alarms if alarm), key=lambda alarm: alarm.step, default=None)


def _crossed(
    name: str,
    rule: Rule,
    steps: Sequence[int],
    values: np.ndarray,
    way: tuple[int, float, float],
    excused: np.ndarray | None = None,
) -> Alarm | None:
    start, mean, limit = way
    beyond = rule.direction * (values - limit) > 0  # NaN is not beyond
    for at in range(start + 1, values.size):
        if beyond[at] and beyond[at - 1] and not (excused is not None and excused[at]):
            return Alarm(name, int(steps[at]), float(values[at]), mean, limit, rule.harm)
    return None
