"""Mixes of experts: z = 1 + sum of weight * (z of the expert - 1), the weight one number or one for each layer.

    read_mix("digits+0.5*letters-capitals", names)       # add, scale, subtract; 0.3*a+0.7*b interpolates

The paper (Sun et al. 2025, arXiv 2501.06252, eq. 3) writes z = sum of weight * z; both are the same where the weights
sum to 1. Where they do not (two skills at once, each in full), the paper's form would scale the whole model.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights

MOST_TERMS = 32
LARGEST = 100.0
_TERM = re.compile(r"\s*([+-]?)\s*(?:(\d+(?:\.\d*)?|\.\d+)\s*\*\s*)?([^\W\d]\w*)\s*")


@dataclass(frozen=True)
class Mix:
    """Weights by expert: one number, or one for each layer. Empty: the base."""

    weights: tuple[tuple[str, tuple[float, ...]], ...] = ()

    @property
    def name(self) -> str:
        """Return the mix as `read_mix` reads it (a mean where layers differ, marked by ~)."""
        terms = []
        for skill, values in self.weights:
            value, even = sum(values) / len(values), len(set(values)) == 1
            sign = "-" if value < 0 else "+"
            size = "" if even and abs(value) == 1 else f"{abs(value):.4g}{'' if even else '~'}*"
            terms.append(f"{sign}{size}{skill}")
        return "".join(terms).removeprefix("+") or "base"

    def as_json(self) -> dict[str, list[float]]:
        """Return the weights by expert."""
        return {skill: list(values) for skill, values in self.weights}


def mix_of(weights: Mapping[str, float | Sequence[float]]) -> Mix:
    """Return the mix with these weights; experts of weight 0 are left out."""
    rows = {
        k: (float(v),) if isinstance(v, int | float) else tuple(map(float, v)) for k, v in weights.items()
    }
    for skill, values in rows.items():
        if not values or not all(math.isfinite(v) and abs(v) <= LARGEST for v in values):
            raise UserMistake(f"weight {values} of {skill!r}: give numbers from -{LARGEST:g} to {LARGEST:g}")
    return Mix(tuple((skill, values) for skill, values in rows.items() if any(values)))


def read_mix(text: str, names: Sequence[str]) -> Mix:
    """Return the mix that `text` writes down. Raises UserMistake for an unknown expert or anything else."""
    if text.strip() == "base":
        return Mix()
    weights: dict[str, float] = {}
    at = 0
    while at < len(text):
        match = _TERM.match(text, at)
        if match is None or (at and not match[1]) or len(weights) > MOST_TERMS:
            raise UserMistake(
                f"mix {text[:80]!r}: write experts with + - and weights, as in digits+0.5*letters"
            )
        sign, size, name = match.groups()
        if name not in names:
            raise UserMistake(f"expert {name[:80]!r} asked, there are: base, {', '.join(names) or 'none'}")
        weights[name] = weights.get(name, 0.0) + float(size or 1) * (-1 if sign == "-" else 1)
        at = match.end()
    if not weights:
        raise UserMistake("an empty mix asked: write base for the plain model")
    return mix_of(weights)


def layer_of(name: str) -> int:
    """Return the layer in a matrix's name: the first number in it.

    >>> layer_of("model.layers.7.mlp.up_proj")
    7
    """
    return next((int(part) for part in name.split(".") if part.isdecimal()), 0)


def mixed(mix: Mix, experts: Mapping[str, Weights]) -> Weights:
    """Return z of the mix: 1 where no expert of it has a matrix. Raises UserMistake for too few layers' weights."""
    sums: dict[str, np.ndarray] = {}
    for skill, values in mix.weights:
        for name, z in experts[skill].items():
            layer = layer_of(name) if len(values) > 1 else 0
            if layer >= len(values):
                raise UserMistake(
                    f"{len(values)} weights of {skill!r} by layer, but {name!r} is in layer {layer}"
                )
            sums[name] = sums.get(name, np.zeros_like(z)) + np.float32(values[layer]) * (z - 1)
    return Weights({name: (1 + change).astype(np.float32) for name, change in sums.items()})
