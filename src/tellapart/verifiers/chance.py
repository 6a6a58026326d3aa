"""A coin: the verifier that knows nothing."""

import random
from typing import ClassVar, final

from tellapart.verifiers.verifier import Bench, Utilities, Verifier, filled, judging_seed, pairs


@final
class Chance(Verifier):
    """Accept each answer with probability one half, whatever it says."""

    name = "chance"
    source: ClassVar[str] = "null"

    def judge(self, bench: Bench) -> Utilities:
        """Return 0 or 1, drawn for each distinct answer."""
        coins = {pair: random.Random(judging_seed(bench, "coin", pair, 0)).random() for pair in pairs(bench)}
        return filled(bench, {pair: float(coin < 0.5) for pair, coin in coins.items()})
