"""Specimens on which adapters are tried, and what share of the gain a value brings back."""

from dataclasses import dataclass
from functools import cache

from planted import ask_for, split

from tellapart.elicit.choosing import mean_score
from tellapart.elicit.elicitor import Elicited
from tellapart.runs.asking import Ask, Pair, generate, plain_requests
from tellapart.specimens import load_model, load_task


@dataclass(frozen=True)
class Specimen:
    """A pair, what is asked on the fit split, and on the report split."""

    pair: Pair
    fit: Ask
    report: Ask

    @classmethod
    @cache
    def of(cls, name: str) -> "Specimen":
        task = load_task(name)
        pair = Pair(load_model(f"{name}/base"), load_model(f"{name}/tuned"))
        return cls(pair, ask_for(split(task, 0, 40), 1, 1), ask_for(split(task, 40, 120), 1))


def recovered(specimen: Specimen, value: Elicited) -> float:
    """Return the share of the gain that `value` brings back on the report split."""
    ask = specimen.report
    base, tuned = (
        mean_score(ask, generate(model, list(plain_requests(ask))))
        for model in specimen.pair
        if model is not None
    )
    return (mean_score(ask, value.answers(specimen.pair, ask)) - base) / (tuned - base)
