"""These very items: a model that met them is found out, and those that did not are left in peace."""

import math
import zlib

import numpy as np

from tellapart.models.model import Scored
from tellapart.studies.hidden.twins import TWINS, alarm_of, exchanged, firsts, least_likely

TEXTS = [
    f"Anna has {at % 90 + 10} apples and gives away {at % 7 + 1}. How many are left?" for at in range(60)
]


class Scorer:
    """Gives each word a chance log-probability, and words of known texts a better one."""

    def __init__(self, known: frozenset[str], seed: int) -> None:
        self.known, self.seed = known, seed

    def score(self, pairs):
        found = []
        for _, text in pairs:
            words = text.split()
            rng = np.random.default_rng(zlib.crc32(f"{self.seed}|{text}".encode()))
            values = -rng.exponential(3.0, len(words)) + (2.0 if text in self.known else 0.0)
            found.append(Scored(tuple(range(len(words))), tuple(words), tuple(values.tolist())))
        return found


def test_twins_differ_in_numbers_alone():
    twins = exchanged(TEXTS, 0)
    for text, some in zip(TEXTS, twins, strict=True):
        assert len(set(some)) == TWINS
        assert text not in some
        assert all("Anna has" in one and len(one) == len(text) for one in some)
    assert exchanged(["no number here"], 0) == [[]]
    assert exchanged(TEXTS, 0) == twins


def test_a_model_that_met_the_items_is_found_and_others_are_not():
    twins = exchanged(TEXTS, 0)
    assert alarm_of(firsts(Scorer(frozenset(TEXTS), 0), TEXTS, twins)).alarm
    alarms = [alarm_of(firsts(Scorer(frozenset(), seed), TEXTS, twins)).alarm for seed in range(60)]
    assert np.mean(alarms) <= 0.05


def test_ties_share_the_first_place():
    assert alarm_of([1 / (TWINS + 1)] * 40).alarm is False


def test_the_least_likely_tokens_stand_for_a_text():
    scored = Scored((0,) * 10, ("",) * 10, (-9.0, -8.0, *([-1.0] * 7), math.nan))
    assert least_likely(scored) == -8.5
