"""A verdict as a report shows it: every measure with its vote, and which the verdict rests on."""

import math
from collections.abc import Mapping

from tellapart.findings.inside import VoteLine
from tellapart.stats.estimate import Estimate
from tellapart.studies.inside.verdict import Verdict

_SAYS = {1.0: "fractured", -1.0: "organised", 0.0: "neither"}


def evidence_of(verdict: Verdict, estimates: Mapping[str, Estimate]) -> tuple[tuple[str, float, float], ...]:
    """Return (measure, its value, NaN: its weight is not known) of what the verdict rests on."""
    return tuple((name, estimates[name].value, math.nan) for name in verdict.rests_on)


def vote_lines(verdict: Verdict) -> tuple[VoteLine, ...]:
    """Return one line a measure: what it says, whether it survives a rotation, whether the verdict rests on it."""
    return tuple(
        VoteLine(name, _SAYS.get(vote.value, "not known"), vote.survives, name in verdict.rests_on)
        for name, vote in verdict.votes.items()
    )
