"""Fit many generalised logistics (Richards 1959) at once: Levenberg-Marquardt over rows, with Huber weights.

A row of parameters is (ln K, ln B, M, ln v) of y(x) = K (1 + (2^v - 1) e^(-B (x - M)))^(-1/v).
"""

import numpy as np

from tellapart.stats.arrays import Floats

HUBER_SHARE = 0.1
"""Residuals (share of the gain) beyond this weigh less."""
PRIOR = np.array([0.02, 0.01, 0.0, 0.03])
"""Weight of the pull of ln K, ln B, M, ln v to their neutral values: weak, it settles what the data leave open."""
STEPS = 60
BOUNDS = np.array([[-6.0, 2.0], [-3.0, 3.0], [-np.inf, np.inf], [-2.5, 2.5]])
TRIED_MIDPOINTS, TRIED_SLOPES = 7, (0.5, 1.5, 5.0)


def richards(x: Floats, parameters: Floats) -> Floats:
    """Return y (r, m) at x (m,) for parameters (r, 4)."""
    upper, slope, middle, shape = _columns(parameters)
    grown = np.logaddexp(0.0, np.log(np.expm1(shape * np.log(2.0))) - slope * (x - middle))
    return upper * np.exp(-grown / shape)


def richards_inverse(y: float, parameters: Floats) -> Floats:
    """Return the x (r,) at which each curve reaches y > 0; infinity where it never does."""
    upper, slope, middle, shape = (column[:, 0] for column in _columns(parameters))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.expm1(shape * np.log(upper / y)) / np.expm1(shape * np.log(2.0))
        return np.where(upper > y, middle - np.log(ratio) / slope, np.inf)


def fit_richards(x: Floats, y: Floats, start: Floats | None = None) -> Floats:
    """Return the parameters (r, 4) that fit y (r, m) at x (m,); from `start` (1, 4), or from a grid of starts."""
    spread = max(float(np.ptp(x)), 1e-9)
    neutral = np.array([0.0, np.log(8.0 / spread), float(np.median(x)), 0.0])
    if start is not None:
        return _descend(x, y, np.repeat(start, y.shape[0], axis=0), neutral)[0]
    grid = [
        (0.0, np.log(slope * 8.0 / spread), middle, 0.0)
        for middle in np.linspace(x.min(), x.max(), TRIED_MIDPOINTS)
        for slope in TRIED_SLOPES
    ]
    rows, starts = y.shape[0], len(grid)
    fitted, losses = _descend(x, np.repeat(y, starts, axis=0), np.tile(grid, (rows, 1)), neutral)
    best = losses.reshape(rows, starts).argmin(axis=1)
    return fitted.reshape(rows, starts, 4)[np.arange(rows), best]


def _descend(x: Floats, y: Floats, parameters: Floats, neutral: Floats) -> tuple[Floats, Floats]:
    """Return the parameters (r, 4) after Levenberg-Marquardt steps, damped row by row, and the losses (r,)."""
    bounds = BOUNDS + np.array([[0, 0], [neutral[1], neutral[1]], [0, 0], [0, 0]])
    bounds[2] = x.min() - np.ptp(x), x.max() + np.ptp(x)
    parameters = np.clip(parameters, bounds[:, 0], bounds[:, 1])
    damping = np.full(y.shape[0], 1e-2)
    loss = _loss(x, y, parameters, neutral)
    for _ in range(STEPS):
        slopes = _slopes(x, parameters)
        residuals = y - richards(x, parameters)
        weights = np.minimum(1.0, HUBER_SHARE / np.maximum(np.abs(residuals), 1e-12))
        gradient = np.einsum("rmk,rm->rk", slopes, weights * residuals) - PRIOR**2 * (parameters - neutral)
        normal = np.einsum("rmk,rm,rml->rkl", slopes, weights, slopes) + np.diag(PRIOR**2)
        normal = normal + damping[:, None, None] * (np.eye(4) * 1e-3 + normal * np.eye(4))
        step = np.linalg.solve(normal, gradient[..., None])[..., 0]
        tried = np.clip(parameters + np.clip(step, -2.0, 2.0), bounds[:, 0], bounds[:, 1])
        tried_loss = _loss(x, y, tried, neutral)
        better = tried_loss < loss
        parameters = np.where(better[:, None], tried, parameters)
        loss = np.where(better, tried_loss, loss)
        damping = np.clip(np.where(better, damping / 4, damping * 6), 1e-8, 1e8)
    return parameters, loss


def _loss(x: Floats, y: Floats, parameters: Floats, neutral: Floats) -> Floats:
    size = np.abs(y - richards(x, parameters))
    huber = np.where(size <= HUBER_SHARE, size**2, HUBER_SHARE * (2 * size - HUBER_SHARE))
    return huber.sum(axis=1) + (PRIOR**2 * (parameters - neutral) ** 2).sum(axis=1)


def _slopes(x: Floats, parameters: Floats) -> Floats:
    """Return dy / d parameter (r, m, 4) by central differences."""
    width = 1e-5
    return np.stack(
        [
            (richards(x, parameters + width * unit) - richards(x, parameters - width * unit)) / (2 * width)
            for unit in np.eye(4)
        ],
        axis=-1,
    )


def _columns(parameters: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return K, B, M and v, each (r, 1)."""
    upper, slope, middle, shape = parameters.T[:, :, None]
    return np.exp(upper), np.exp(slope), middle, np.exp(shape)
