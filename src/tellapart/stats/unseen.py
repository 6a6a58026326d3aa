"""The probability mass of right completions that no sample has shown: its posterior, item by item.

A base draw is a discovery when it is right and new. Before draw t the undiscovered mass is the final unseen
mass U plus that of the forms discovered at or after t, which are known exactly; so the draws have likelihood
prod over discoveries of (U + r_t) x prod over the others of (1 - U - r_t) (a partial likelihood of the
Good 1953 kind). Items inform each other through an empirical Bayes prior (Robbins 1956), estimated on a
grid by a few EM steps from Jeffreys' prior (Laird & Louis 1991: few steps keep it smooth).
"""

from typing import NamedTuple

import numpy as np

from tellapart.stats.arrays import Floats, Integers

LOG_RATES = np.linspace(np.log(1e-8), 0.0, 161)
CELLS = 160
MOST_STEPS = 50


class Discoveries(NamedTuple):
    """Per item: `mass` of discovered forms, `room` left for unseen mass, and (items, draws) arrays:
    `remaining` discovered mass before each draw, `hit` where the draw is a discovery, `drawn` where it exists.
    """

    mass: Floats
    room: Floats
    remaining: Floats
    hit: np.ndarray
    drawn: np.ndarray


def discoveries(masses: Floats, hit: np.ndarray, drawn: np.ndarray, room: Floats) -> Discoveries:
    """Return the discoveries: `masses` (items, draws) of the new form where `hit`, else 0."""
    remaining = np.cumsum(masses[:, ::-1], axis=1)[:, ::-1]
    return Discoveries(masses.sum(axis=1), room, remaining, hit, drawn)


def shared_prior(hits: Integers, draws: Integers) -> Floats:
    """Return the prior weights of a rate on LOG_RATES from `hits` of `draws` over items (n,): sums to 1.

    Starts at Jeffreys' prior (density rate^-1/2) and takes n/2 EM steps, at most MOST_STEPS: a lone item
    keeps the start, many items set their own.
    """
    prior = np.exp(0.5 * LOG_RATES)
    prior /= prior.sum()
    rates = np.exp(LOG_RATES)
    with np.errstate(divide="ignore", invalid="ignore"):
        misses = np.where(draws[:, None] > hits[:, None], (draws - hits)[:, None] * np.log1p(-rates), 0.0)
    logs = hits[:, None] * LOG_RATES + misses
    likelihood = np.exp(logs - logs.max(axis=1, keepdims=True))
    for _ in range(min(MOST_STEPS, hits.size // 2)):
        prior = prior * (likelihood / (likelihood @ prior)[:, None]).mean(axis=0)
    return prior


def prior_log_density(prior: Floats, rates: Floats) -> Floats:
    """Return the log density (per unit of rate) of grid weights at `rates`."""
    step = LOG_RATES[1] - LOG_RATES[0]
    logs = np.log(np.maximum(rates, 1e-300))
    return np.interp(logs, LOG_RATES, np.log(np.maximum(prior, 1e-300) / step)) - logs


def unseen_grid(room: Floats) -> tuple[Floats, Floats]:
    """Return cell centres and widths (items, CELLS) of the unseen mass: from 0 up to each item's room."""
    edges = np.concatenate([[0.0], np.geomspace(1e-7, 1.0, CELLS)]) * np.maximum(room, 1e-12)[:, None]
    return (edges[:, 1:] + edges[:, :-1]) / 2, np.diff(edges, axis=1)


def discovery_log_likelihood(seen: Discoveries, unseen: Floats) -> Floats:
    """Return log likelihood (items, cells) of the base draws at each unseen mass (items, cells)."""
    logs = np.zeros(unseen.shape)
    for draw in range(seen.hit.shape[1]):
        rate = np.minimum(unseen + seen.remaining[:, draw, None], 1 - 1e-12)
        hit = seen.hit[:, draw, None]
        logs += np.where(seen.drawn[:, draw, None], np.log(np.where(hit, rate, 1 - rate)), 0.0)
    return logs


def sample_cells(log_density: Floats, widths: Floats, uniforms: Floats) -> Floats:
    """Return draws (items, s) from densities on cells from 0 up, by inversion of `uniforms` (items, s)."""
    weights = np.exp(log_density - log_density.max(axis=1, keepdims=True)) * widths
    ends = np.cumsum(weights, axis=1)
    ends /= ends[:, -1:]
    uppers = np.cumsum(widths, axis=1)
    return np.stack(
        [
            np.interp(u, np.r_[0.0, end], np.r_[0.0, upper])
            for u, end, upper in zip(uniforms, ends, uppers, strict=True)
        ]
    )
