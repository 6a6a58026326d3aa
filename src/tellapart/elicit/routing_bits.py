"""What a teacher told by taking over some tokens: the bits of its choices and of where it made them.

Two codes tell the choices of an answer: the base's own, -log2 p_base, cheap where the base would have chosen the same;
and the mixture -log2(1/2 p_base + 1/2 KT), KT the adaptive code of the tokens told before: those of the fit split
(`told`), then those of the same answer, cheap where the same is told again and again. An answer is charged
-log2(1/2 p_first + 1/2 p_second): at most 1 bit over the cheaper, whatever other answers are asked.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from tellapart.stats.description import mixture_bits

Positions = Literal["told", "known"]
"""Are the routed positions told from outside, or does the base know them (by its entropy, by count, by a coin)?"""


def choice_bits(
    past: Sequence[int], chosen: Sequence[int], logprobs: Sequence[float], alphabet: int
) -> float:
    """Return the bits of `chosen` tokens; `logprobs` are the base's own of them, in nats.

    >>> choice_bits([], [3, 1, 4], [0.0, 0.0, 0.0], 100) < 1   # the base was sure of them
    True
    >>> choice_bits([7] * 50, [7, 7], [-20.0, -20.0], 100) < 6   # told often before
    True
    """
    if not chosen:
        return 0.0
    before = [0.0] * len(past)
    mixture = mixture_bits([*past, *chosen], alphabet, [*before, *logprobs])[len(past) :].sum()
    own = -math.fsum(logprobs) / math.log(2)
    return float(1.0 - np.logaddexp2(-own, -mixture))


def position_bits(length: int, routed: int, positions: Positions) -> float:
    """Return the bits that say which `routed` of `length` positions: log2(length + 1) + log2 C(length, routed).

    >>> round(position_bits(20, 1, "told"), 4)
    8.7142
    >>> position_bits(20, 1, "known")
    0.0
    """
    if positions == "known":
        return 0.0
    return math.log2(length + 1) + math.log2(math.comb(length, routed))
