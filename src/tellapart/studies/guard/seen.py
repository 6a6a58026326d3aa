"""The answers of one training step, as the guard sees them: live or out of a log, the same signals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from tellapart.stats.chains import Chains, count_steps
from tellapart.stats.rollout_signals import Rollouts, step_signals


@dataclass(frozen=True)
class Seen:
    """One entry an answer (n,): problem, completion, reward, final answer, steps (valid | invalid | absent | "" for
    not checked), tokens. `entropy` is the mean over the step's tokens (nats), NaN where it is not known."""

    items: Sequence[str]
    completions: Sequence[str]
    scores: Sequence[float]
    answers: Sequence[str]
    steps: Sequence[str]
    tokens: Sequence[float]
    entropy: Sequence[float] | float = math.nan


def seen_in(rows: pd.DataFrame) -> Seen:
    """Return the rows of one step of `TrainingLog.frame`."""
    return Seen(
        rows["item"].tolist(), rows["completion"].tolist(), rows["score"].tolist(), rows["answer"].tolist(),
        rows["steps"].tolist(), rows["length"].tolist(), rows["entropy"].tolist(),
    )  # fmt: skip


def signals_of(seen: Seen, success: float, chains: Chains) -> dict[str, float]:
    """Return each of SIGNALS for one step, and add the step to `chains`: steps must come in order."""
    thin = None
    if any(seen.completions):
        counts = [count_steps(completion) for completion in seen.completions]
        thin = chains.judge(seen.items, counts, seen.tokens)
        chains.learn(seen.items, counts, seen.tokens)
    given = seen.entropy
    entropy = [float(given)] * len(seen.items) if isinstance(given, int | float) else given
    rollouts = Rollouts(seen.scores, seen.items, seen.answers, seen.steps, seen.tokens, entropy, thin)
    return step_signals(rollouts, success)
