"""Problems and rollouts -> the findings of `guard`: pure functions."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from tellapart.findings.finding import Finding
from tellapart.findings.guard import (
    PROBLEMS,
    AlarmLine,
    GroupAdvantage,
    ProblemLine,
    ProblemsTable,
    SignalsTable,
)
from tellapart.findings.guard import SIGNALS as GUARD_SIGNALS
from tellapart.stats.advantages import binary_advantages
from tellapart.stats.chains import Chains
from tellapart.stats.difficulty import MOST_MORE, fitted_prior, learnable_share, spread_ranks
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import mean_score, wilson
from tellapart.stats.rollout_signals import SIGNALS
from tellapart.studies.guard.alarms import BY_HAND, Alarm, Limits, baseline_steps, find_alarms
from tellapart.studies.guard.behind import behind
from tellapart.studies.guard.canaries import MARGIN, lost, over_steps, scores_by_step
from tellapart.studies.guard.decide import DECISIONS, Decided
from tellapart.studies.guard.problems import Problems
from tellapart.studies.guard.seen import seen_in, signals_of
from tellapart.studies.guard.training_log import TrainingLog

BEFORE = "Will RL on these problems harm?"
DURING = "Is the run harming?"
SHOWN = 2000
"""Problems that findings.json lists; all are in kept.jsonl, held.jsonl and dropped.jsonl."""


def before(problems: Problems, decided: Decided, group: int) -> Finding:
    """Return the finding on the problems, for training in groups of `group`."""
    frame = problems.frame
    counts = Counter(decided.decision)
    estimates: dict[str, Estimate] = {
        "success": mean_score(decided.rates.value, unit="score"),
        "learnable_share": _learnable(frame, group),
        **{f"{name}_share": wilson(counts[name], len(frame)) for name in DECISIONS},
        "lucky_share": _lucky(frame),
        "open_share": wilson(int(decided.open.sum()), len(frame)),
    }
    caveats = list(problems.notes)
    if frame["checked"].sum() == 0:
        caveats.append("no steps were checked: whether reward comes with reasoning is not known")
    if by_luck := _by_luck(frame, decided):
        caveats.append(by_luck)
    counted = ", ".join(f"{counts[name]} {name}" for name in DECISIONS)
    label, beside = _sorted_out(frame, decided)
    return Finding(
        question=BEFORE,
        verdict=label,
        probability=math.nan,
        sentence=f"{beside}Of {len(frame)} problems: {counted}.{_more_rollouts(decided)}",
        estimates=estimates,
        caveats=tuple(caveats),
        tables=PROBLEMS.write(
            ProblemsTable(
                group=group,
                total=len(frame),
                problems=_lines(frame, decided),
                prior=tuple(fitted_prior(frame["n"], frame["c"])),
                advantages=_advantages(group),
            )
        ),
    )


def during(log: TrainingLog, success: float, limits: Limits = BY_HAND, margin: float = MARGIN) -> Finding:
    """Return the finding on a run's rollouts; `margin` is what a canary may lose."""
    steps, signals = signals_over(log, success)
    canary_scores = scores_by_step(log.canaries)
    alarms = sorted(
        [*find_alarms(steps, signals, limits), *lost(canary_scores, margin)],
        key=lambda alarm: (alarm.step, not alarm.harm, alarm.signal),
    )
    label, sentence = _said(len(steps), alarms, limits)
    if why := _no_advantage(log):
        label = label if label == "alarm" else "no advantage anywhere"
        sentence = f"No advantage anywhere: {why}. {sentence}"
    signals = {**signals, **over_steps(canary_scores, steps)}
    return Finding(
        question=DURING,
        verdict=label,
        probability=math.nan,
        sentence=sentence,
        estimates={f"last_{name}": _last(values, name) for name, values in signals.items()},
        caveats=(*log.notes, limits.source),
        tables=GUARD_SIGNALS.write(
            SignalsTable(
                steps=tuple(steps),
                baseline=baseline_steps(len(steps), limits),
                signals={name: tuple(values) for name, values in signals.items()},
                alarms=tuple(AlarmLine(*alarm) for alarm in alarms),
                behind=tuple(line for alarm in alarms for line in behind(log, alarm, success)),
            )
        ),
    )


def signals_over(log: TrainingLog, success: float) -> tuple[list[int], dict[str, list[float]]]:
    """Return the steps of a run, and each signal over them."""
    steps: list[int] = []
    by_step: list[dict[str, float]] = []
    chains = Chains()
    for step, rows in log.frame.groupby("step", sort=True):
        steps.append(int(step))  # pyright: ignore
        by_step.append(signals_of(seen_in(rows), success, chains))
    return steps, {name: [values[name] for values in by_step] for name in SIGNALS}


def _sorted_out(frame: pd.DataFrame, decided: Decided) -> tuple[str, str]:
    """Return the verdict on the problems, and what stands before their counts."""
    kept = decided.decision.count("keep")
    if not frame["differs"].any():
        alone = (frame["n"] == 1).all()
        why = "one rollout a problem is a group of one" if alone else "no problem has two rewards that differ"
        return "no advantage anywhere", f"No advantage anywhere: {why}. "
    if kept:
        return ("keep all" if kept == len(frame) else "keep some"), ""
    return ("too few rollouts" if decided.open.any() else "nothing to keep"), ""


def _more_rollouts(decided: Decided) -> str:
    """Return in words how many problems have too few rollouts, and how many more these need."""
    if not decided.open.any():
        return ""
    more = decided.more[decided.open]
    finite = more[np.isfinite(more)]
    held = f" {more.size} of those held have too few rollouts"
    if not finite.size:
        return f"{held}, and {MOST_MORE:,} more each would not tell either."
    rest = f", {more.size - finite.size} cannot be settled so" if finite.size < more.size else ""
    return f"{held}: about {finite.sum():,.0f} more in all would tell (median {np.median(finite):.0f} a problem{rest})."


def _by_luck(frame: pd.DataFrame, decided: Decided) -> str:
    """Return in words how many of the successes that are open would be lucky hits."""
    hits = decided.open & (frame["c"].to_numpy(dtype=float) > 0)
    expected = float(decided.lucky[hits].sum())
    if expected < 1:
        return ""
    return (
        f"of {int(hits.sum())} problems with a success and too few rollouts about {expected:.0f} are lucky hits, "
        "as the successes of all problems together let expect"
    )


def _learnable(frame: pd.DataFrame, group: int) -> Estimate:
    n, c = frame["n"].to_numpy(dtype=float), frame["c"].to_numpy(dtype=float)
    if (c != np.floor(c)).any():
        return missing("share", "the rollouts behind the accuracies are not known")
    return learnable_share(n, c, group)


def _lucky(frame: pd.DataFrame) -> Estimate:
    checked = int(frame["checked"].sum())
    if not checked:
        return missing("share", "no rewarded answer has checked steps")
    return wilson(int(frame["lucky"].sum()), checked)


def _lines(frame: pd.DataFrame, decided: Decided) -> tuple[ProblemLine, ...]:
    has_spread = frame["spread"].notna().all()
    ranks = spread_ranks(frame["spread"]).tolist() if has_spread else [None] * len(frame)
    rates = decided.rates
    columns = zip(
        frame["item"], frame["question"], frame["n"], frame["c"], rates.value.tolist(), rates.low.tolist(),
        rates.high.tolist(), frame["spread"], ranks, decided.decision, decided.reason, decided.open.tolist(),
        decided.more.tolist(), strict=True,
    )  # fmt: skip
    return tuple(
        ProblemLine(item, str(question)[:200], int(n), float(c), *rest)
        for item, question, n, c, *rest in itertools.islice(columns, SHOWN)
    )


def _advantages(group: int) -> tuple[GroupAdvantage, ...]:
    c = np.arange(1, group)
    advantages = binary_advantages(c / group)
    return tuple(
        GroupAdvantage(int(right), float(up), float(down))
        for right, up, down in zip(c, advantages.success, advantages.failure, strict=True)
    )


def _last(values: Sequence[float], name: str) -> Estimate:
    """Return the mean of a signal over the last quarter of the steps; no interval, for steps hang together."""
    tail = np.asarray(values[-max(1, len(values) // 4) :], dtype=np.float64)
    finite = tail[np.isfinite(tail)]
    unit = {"length": "", "entropy": "nats", "reward": "reward"}.get(name, "share")
    if not finite.size:
        return missing(unit, "the log does not tell")
    return Estimate(
        float(finite.mean()), math.nan, math.nan, finite.size, unit, "mean of the last quarter of the steps"
    )


def _no_advantage(log: TrainingLog) -> str:
    """Return in words why no group of a step had an advantage, "" where one had."""
    groups = log.frame.groupby(["step", "item"])["score"]
    if (groups.nunique() > 1).any():
        return ""
    return (
        "all groups are of one answer" if (groups.size() == 1).all() else "all rewards of a group are equal"
    )


def _said(count: int, alarms: Sequence[Alarm], limits: Limits) -> tuple[str, str]:
    harm = [alarm for alarm in alarms if alarm.harm]
    noticed = [alarm.signal for alarm in alarms if not alarm.harm]
    beside = f" Noticed, no harm by itself: {', '.join(map(_plain, noticed))}." if noticed else ""
    if harm:
        alarms_text = "; ".join(
            f"{_plain(a.signal)} {a.value:.3g} at step {a.step} ({_against(a)})" for a in harm
        )
        return "alarm", f"{alarms_text}.{beside}"
    if count < baseline_steps(count, limits) + 2:
        return "too few steps", f"{count} steps: a baseline and two steps after it are needed.{beside}"
    return "no alarm", f"No signal of harm left its limits in {count} steps.{beside}"


def _against(alarm: Alarm) -> str:
    if alarm.baseline == alarm.limit:
        return f"limit {alarm.limit:.3g} at any step"
    return f"began at {alarm.baseline:.3g}"


def _plain(signal: str) -> str:
    return signal.replace("_", " ")
