"""When rounds end, and why."""

from collections.abc import Sequence

from tellapart.studies.improve.measure import Measured

LEAST = 0.01
"""A round that raises the score by less, and cannot have raised it by MOST, is the last."""
MOST = 0.05
FELL = 0.02


def reason_to_stop(rounds: Sequence[Measured], most: int) -> str:
    """Return in words why no further round is run; empty where one is. `rounds` begin with round 0."""
    last = rounds[-1]
    if last.round == 0:
        return ""
    if last.lost:
        return f"an ability held before was lost: {', '.join(last.lost)}"
    if last.round >= 2 and last.opened and rounds[-2].opened:
        return "training had opened a gap between reward and truth for two rounds"
    if last.step.high < 0 and last.step.value < -FELL:
        return "the score fell"
    if last.round >= 2 and last.step.value < LEAST and last.step.high < MOST:
        return "the last round raised the score no further"
    if last.round >= most:
        return "all rounds were run"
    return ""
