"""How likely base is to answer an item right, from base's and tuned's samples and their log-probabilities.

Plain sampling needs a million samples where p is 1e-6. Tuned's samples visit the right answers often, and base's
probability of each is known exactly. So an item's success is the sum of three parts:

1. known: the exact mass under base of every distinct right completion seen by either side;
2. unseen within tuned's reach (n_tuned p_tuned >= n_base p_base): estimated from tuned's singletons, whose
   mean of p_base/p_tuned speaks for what tuned has not shown yet (importance sampling; Good 1953), times the
   mass tuned has not shown, which is known exactly; base's own draws correct it;
3. unseen outside it (a base that guesses right without the skill): from base's draws, pooled over items.

It covers only what either side visits: read a small effective sample size as "cannot tell". Two-strata form of
the balance heuristic (Veach & Guibas 1995), which bounds every weight by 1/n_base.

    base_success(Draws(item, source, logp_base, logp_tuned, right, form)).low
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tellapart.stats.arrays import Floats, Integers
from tellapart.stats.forms import BASE, Draws, Forms, distinct_forms, total
from tellapart.stats.unseen import (
    Discoveries,
    discoveries,
    discovery_log_likelihood,
    prior_log_density,
    sample_cells,
    shared_prior,
    unseen_grid,
)

POSTERIOR_DRAWS = 2000
SMALL_ESS = 5.0
MANY = 8
"""Right singletons from which on their ratios speak for a skewed distribution."""
NEAR_KNOWN = 0.1
"""An interval that starts within this share of its width above the known mass is extended to it."""
PSEUDO = 1.0
"""Weight of what tuned has shown, as one more singleton, when speaking of what it has not shown."""


class ItemSuccess(NamedTuple):
    """Per item (items,): base's probability of success, with intervals at the confidence asked for.

    `value`, `low`, `high` join both sources where that has the smaller variance (`by_importance`), and rest on
    base's samples alone elsewhere, as `plain_*` do everywhere (Beta posterior, uniform prior). `known` is the
    exact lower bound. `ess` is the effective sample size of the weights of right answers. `cannot_tell`: ess
    below 5 and less than half of the value known. `posterior` holds draws (items, 2000) for aggregates.
    """

    value: Floats
    low: Floats
    high: Floats
    plain_value: Floats
    plain_low: Floats
    plain_high: Floats
    by_importance: NDArray[np.bool_]
    known: Floats
    ess: Floats
    cannot_tell: NDArray[np.bool_]
    tuned_right: Integers
    n_base: Integers
    n_tuned: Integers
    posterior: Floats


def base_success(draws: Draws, confidence: float = 0.9, seed: int = 0) -> ItemSuccess:
    """Return base's probability of success for every item. Raises UserMistake for impossible input.

    Intervals are the shortest that hold `confidence` of the posterior: they reach down to `known` where the
    draws allow it.
    """
    forms = distinct_forms(draws)
    rng = np.random.default_rng(seed)
    fresh = forms.right & ~forms.scored & (forms.tuned_draws == 0)
    reach = _within_reach(forms)
    p_base = np.exp(forms.logp_base)
    seen_success, room = total(forms, forms.right * p_base), np.maximum(1 - total(forms, p_base), 0.0)
    grid = unseen_grid(room)
    unseen = np.zeros((room.size, POSTERIOR_DRAWS))
    for part, log_prior in ((fresh & ~reach, _log_prior_outside), (fresh & reach, _log_prior_inside)):
        seen = _discovered(forms, part, room)
        logs = log_prior(forms, part, seen.mass[:, None] + grid[0]) + discovery_log_likelihood(seen, grid[0])
        unseen += sample_cells(logs, grid[1], rng.random(unseen.shape))
    posterior = seen_success[:, None] + np.minimum(unseen, room[:, None])
    return _summary(forms, seen_success, posterior, confidence)


def _within_reach(forms: Forms) -> NDArray[np.bool_]:
    """Return which forms tuned is expected to show at least as often as base (balance heuristic above 1/2)."""
    expected_base = np.log(forms.n_base)[forms.item] + forms.logp_base
    expected_tuned = np.log(forms.n_tuned)[forms.item] + forms.logp_tuned
    shown = total(forms, forms.right & (forms.tuned_draws > 0) & (expected_tuned >= expected_base)) > 0
    return (expected_tuned >= expected_base) & shown[forms.item]


def _discovered(forms: Forms, part: NDArray[np.bool_], room: Floats) -> Discoveries:
    """Return base's draws, in order, as discoveries of forms in `part`."""
    of_base = forms.of_draw[forms.source == BASE]
    order = np.argsort(forms.item[of_base], kind="stable")
    ranked = of_base[order]
    starts = np.cumsum(forms.n_base) - forms.n_base
    column = np.arange(ranked.size) - np.repeat(starts, forms.n_base)
    first = np.zeros(ranked.size, dtype=bool)
    first[np.unique(ranked, return_index=True)[1]] = True
    shape = (room.size, int(forms.n_base.max()))
    masses, hit, drawn = np.zeros(shape), np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    place = (forms.item[ranked], column)
    drawn[place] = True
    hit[place] = first & part[ranked]
    masses[place] = np.where(first & part[ranked], np.exp(forms.logp_base[ranked]), 0.0)
    return discoveries(masses, hit, drawn, room)


def _log_prior_outside(forms: Forms, part: NDArray[np.bool_], rates: Floats) -> Floats:
    """Return the log prior density of mass outside tuned's reach: one prior over all items."""
    hits = total(forms, forms.base_draws * part).astype(np.int64)
    return prior_log_density(shared_prior(hits, forms.n_base), rates)


def _log_prior_inside(forms: Forms, part: NDArray[np.bool_], rates: Floats) -> Floats:
    """Return the log prior density of mass within tuned's reach that tuned has not shown.

    Its centre is the mass not shown under tuned, times the mean of right * p_base/p_tuned over singletons and
    (as one more) over all of tuned's draws. Its shape is log t where singletons are many (skewed weights),
    gamma where few are right (there may be nothing left).
    """
    ratio = np.exp(forms.logp_base - forms.logp_tuned) * (forms.right & _within_reach(forms))
    single = (forms.tuned_draws == 1) & ~forms.scored
    count = total(forms, single)
    typical = total(forms, forms.tuned_draws * ratio) / forms.n_tuned
    centre = (total(forms, single * ratio) + PSEUDO * typical) / (count + PSEUDO)
    spread = total(forms, single * (ratio - centre[forms.item]) ** 2)
    spread += PSEUDO * (typical**2 + (typical - centre) ** 2)
    square = spread / (count + PSEUDO) ** 2 / np.maximum(centre**2, 1e-300)
    shown = forms.scored | (forms.tuned_draws > 0)
    hidden = np.maximum(1 - total(forms, shown * np.exp(forms.logp_tuned)), 0.0)
    hits = total(forms, single & (ratio > 0))
    square += (1 - hidden) / (hits + 1)
    middle, square = np.maximum(hidden * centre, 1e-14)[:, None], np.maximum(square, 1e-6)[:, None]
    scale, logs = np.sqrt(np.log1p(square)), np.log(rates)
    skewed = stats.t.logpdf((logs - np.log(middle) + scale**2 / 2) / scale, count[:, None] + PSEUDO) - logs
    few = stats.gamma.logpdf(rates, 1 / square, scale=middle * square)
    return np.where((hits >= MANY)[:, None], skewed, few)


def _summary(forms: Forms, seen: Floats, joint: Floats, confidence: float) -> ItemSuccess:
    right, n = total(forms, forms.base_draws * forms.right), forms.n_base
    estimate = joint.mean(axis=1)
    by_importance = joint.var(axis=1) <= estimate * (1 - estimate) / n
    posterior = joint.copy()
    a, b = 1 + right, 1 + n - right
    quantiles = (np.arange(joint.shape[1]) + 0.5) / joint.shape[1]
    alone = ~by_importance
    posterior[alone] = stats.beta.ppf(quantiles, a[alone, None], b[alone, None])
    low, high = _shortest(posterior, confidence)
    low = np.where(low - seen < NEAR_KNOWN * (high - low), seen, low)
    ess = _effective_size(forms)
    value = np.where(by_importance, estimate, right / n)
    tail = (1 - confidence) / 2
    return ItemSuccess(
        value,
        low,
        high,
        right / n,
        stats.beta.ppf(tail, a, b),
        stats.beta.ppf(1 - tail, a, b),
        by_importance,
        seen,
        ess,
        (ess < SMALL_ESS) & (seen < value / 2),
        total(forms, forms.tuned_draws * forms.right).astype(np.int64),
        n,
        forms.n_tuned,
        posterior,
    )


def _shortest(posterior: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Return the ends of the shortest window that holds `confidence` of each row's draws."""
    ranked = np.sort(posterior, axis=1)
    span = int(np.ceil(confidence * ranked.shape[1])) - 1
    start = np.argmin(ranked[:, span:] - ranked[:, : ranked.shape[1] - span], axis=1)
    rows = np.arange(ranked.shape[0])
    return ranked[rows, start], ranked[rows, start + span]


def _effective_size(forms: Forms) -> Floats:
    """Return (sum w)^2 / sum w^2 over right draws, w = p_base / (n_base p_base + n_tuned p_tuned)."""
    odds = forms.n_tuned[forms.item] * np.exp(np.minimum(forms.logp_tuned - forms.logp_base, 700.0))
    weight = forms.right / (forms.n_base[forms.item] + odds)
    count = forms.base_draws + forms.tuned_draws
    once, twice = total(forms, count * weight), total(forms, count * weight**2)
    return np.divide(once**2, twice, out=np.zeros(once.size), where=twice > 0)
