"""How the learning rate goes over the steps of our own loops."""

import math


def share_of_peak(step: int, steps: int, warmup: int) -> float:
    """Return the share of the peak rate at a step: up over `warmup` steps, then down a cosine over all of them."""
    return min(1.0, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * step / steps))
