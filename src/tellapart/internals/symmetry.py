"""Which mirror symmetry the picture has, and how much of the inside shares it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tellapart.internals.features import SAME, standardised

MIRRORS = {"left-right": (1,), "up-down": (0,), "half turn": (0, 1)}
WEAKEST = 0.5
"""A picture whose mirror image correlates less than this has no symmetry to share."""


class Mirror(NamedTuple):
    """A mirror symmetry: its name, the axes that are reversed, how the picture correlates with its mirror image."""

    name: str
    axes: tuple[int, ...]
    correlation: float


def picture_mirror(picture: np.ndarray) -> Mirror:
    """Return the mirror under which the picture (side, side, 3) is most like itself."""
    centred = picture - picture.mean(axis=(0, 1))
    power = float((centred**2).sum())
    mirrors = (
        Mirror(
            name, axes, float((centred * np.flip(centred, axes)).sum()) / power if power > 0 else float("nan")
        )
        for name, axes in MIRRORS.items()
    )
    return max(mirrors, key=lambda mirror: mirror.correlation)


def mirrored(features: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    """Return the features (side * side, features) over the mirrored grid."""
    side = round(len(features) ** 0.5)
    return np.flip(features.reshape(side, side, -1), tuple(axes)).reshape(features.shape)


def symmetric_share(features: np.ndarray, axes: Sequence[int]) -> float:
    """Return the share of features (points, features) whose correlation with their mirror image exceeds SAME."""
    if features.shape[1] == 0:
        return float("nan")
    scaled, _ = standardised(features)
    return float(((scaled * mirrored(scaled, axes)).sum(axis=0) > SAME).mean())


def symmetric_variance(features: np.ndarray, axes: Sequence[int]) -> float:
    """Return the symmetric part's share of all variance: the same in any orthogonal basis of the features."""
    centred = features - features.mean(axis=0)
    total = float((centred**2).sum())
    even = (centred + mirrored(centred, axes)) / 2
    return float((even**2).sum()) / total if total > 0 else float("nan")
