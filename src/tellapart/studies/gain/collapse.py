"""Did a method leave a model that gives one answer to everything? Such a method was not tried: it says nothing of what
the base could have been brought to show."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

NEARLY_ALL = 0.9
VARIED = 0.75
"""Targets of which one makes up more than this share do not vary: to give that one is no collapse."""
FEWEST = 10


class Commonest(NamedTuple):
    """The most frequent of some texts (case and white space aside), and its share of them."""

    text: str
    share: float


def commonest(texts: Sequence[str]) -> Commonest:
    """Return the most frequent text and its share; of none the empty text and 0."""
    counted = Counter(" ".join(text.split()).casefold() for text in texts)
    if not counted:
        return Commonest("", 0.0)
    text, count = counted.most_common(1)[0]
    return Commonest(text, count / len(texts))


def collapsed(answers: Sequence[str], targets: Sequence[str], plain: Sequence[str] = ()) -> str | None:
    """Return in words that `answers` are nearly all the same, while `targets` vary and the `plain` model's answers
    (where given) do not; None where they are not, or where there are fewer than FEWEST of them.

    >>> collapsed(["7"] * 19 + ["8"], [str(n) for n in range(20)], [str(n % 5) for n in range(20)])
    "collapsed to one answer ('7' in 95 % of 20)"
    """
    answer = commonest(answers)
    if len(answers) < FEWEST or answer.share < NEARLY_ALL:
        return None
    if commonest(targets).share > VARIED or commonest(plain).share >= NEARLY_ALL:
        return None
    share = f"{100 * answer.share:.0f} % of {len(answers)}"
    return f"collapsed to one answer ({answer.text[:40]!r} in {share})"
