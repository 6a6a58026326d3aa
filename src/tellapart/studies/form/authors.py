"""Is style a function of who wrote? Where it is, no regression tells a preference for the one from that for the other.

Four things that may give the leader and the other away in nearly all pairs: length, the measured style, the word that
answers begin or end with, and the place (always shown first, never judged in the other order). Words that one of them
writes to far more questions than the other are no proof of that, but are style as well: they are taken out with it.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from tellapart.controls.style import style_of
from tellapart.stats.estimate import Estimate
from tellapart.stats.intervals import wilson
from tellapart.stats.preference import author_accuracy, style_differences
from tellapart.studies.form.judged import JudgeCheck, Judgement, percent

NEARLY_ALL = 0.95
"""Refused unless the share of pairs that give the author away is surely below this."""
MARKED, UNMARKED = 0.9, 0.1
"""Shares of one author's and of the other's answers that begin (or end) with one word, for it to mark the author."""

MOST_WORDS = 3
LEAST_APART = 0.2
"""Words taken for a manner: the most, and how much more often, at least, one author writes each."""


def signature_words(judged: Sequence[Judgement], first_model: str, second_model: str) -> tuple[str, ...]:
    """Return the words (lower case, as split at white space) that one of two authors writes to far more of the
    questions than the other: what an answer is about goes with the question, a manner with the author."""
    first, second = (
        [set(text.lower().split()) for text in _answers(judged, model).values()]
        for model in (first_model, second_model)
    )
    counts = [Counter(word for words in side for word in words) for side in (first, second)]
    apart = {
        word: abs(counts[0][word] / len(first) - counts[1][word] / len(second))
        for word in counts[0].keys() | counts[1].keys()
    }
    widest = sorted(apart, key=lambda word: (-apart[word], word))[:MOST_WORDS]
    return tuple(word for word in widest if apart[word] >= LEAST_APART)


def author_checks(judged: Sequence[Judgement], first_model: str, second_model: str) -> list[JudgeCheck]:
    """Return what may give the two authors away; what does is flagged."""
    first, second = _answers(judged, first_model), _answers(judged, second_model)
    shared = [item for item in first if item in second]
    # Authors that never met on an item are held against each other at random: only their spread matters.
    items = [(item, item) for item in shared] or list(zip(first, second, strict=False))
    pairs = [(first[a], second[b]) for a, b in items]
    checks = [
        _length(pairs, first_model, second_model),
        _style(pairs, first_model, second_model),
        _place(judged, first_model, second_model),
    ]
    for end, at in (("begin", 0), ("end", -1)):
        marks = _mark(list(first.values()), list(second.values()), at, end, (first_model, second_model))
        checks += [] if marks is None else [marks]
    return checks


def _answers(judged: Sequence[Judgement], model: str) -> dict[str, str]:
    """Return the first answer of a model to each item, in the items' order of appearance."""
    result: dict[str, str] = {}
    for judgement in judged:
        if model in judgement.models:
            result.setdefault(judgement.item, judgement.answers[judgement.models.index(model)])
    return result


def _length(pairs: Sequence[tuple[str, str]], first: str, second: str) -> JudgeCheck:
    gaps = np.array([len(a) - len(b) for a, b in pairs])
    longer = float((gaps > 0).sum() + (gaps == 0).sum() / 2)
    name, count = (first, longer) if 2 * longer >= len(gaps) else (second, len(gaps) - longer)
    rate = wilson(count, len(gaps))
    return _check(
        "length and author", f"{name} writes the longer answer in {percent(rate)} of the pairs", rate
    )


def _style(pairs: Sequence[tuple[str, str]], first: str, second: str) -> JudgeCheck:
    a, b = (np.array([style_of(pair[side]) for pair in pairs]) for side in (0, 1))
    rate = wilson(author_accuracy(style_differences(a, b)) * len(pairs), len(pairs))
    return _check(
        "style and author", f"style alone tells {first} from {second} in {percent(rate)} of the pairs", rate
    )


def _place(judged: Sequence[Judgement], first: str, second: str) -> JudgeCheck:
    own = [pair for pair in judged if set(pair.models) == {first, second}]
    if not own:
        own = [pair for pair in judged if {first, second} & set(pair.models)]
    ahead = sum((pair.models[0] == first) or (pair.models[1] == second) for pair in own)
    name, count = (first, ahead) if 2 * ahead >= len(own) else (second, len(own) - ahead)
    rate = wilson(count, len(own))
    return _check("place and author", f"{name} stands first in {percent(rate)} of the pairs", rate)


def _mark(
    first: Sequence[str], second: Sequence[str], at: int, end: str, names: tuple[str, str]
) -> JudgeCheck | None:
    """Return the word that marks one author's beginnings or endings; None where no word does."""
    sides = [
        [text.split()[at].lower() if text.split() else "" for text in texts] for texts in (first, second)
    ]
    for own, rest, name in ((*sides, names[0]), (*reversed(sides), names[1])):
        word, count = Counter(own).most_common(1)[0]
        if count >= MARKED * len(own) and rest.count(word) <= UNMARKED * len(rest):
            share = 100 * count / len(own)
            observed = f"{name} {end}s its answers with {word[:20]!r} in {share:.0f} %, the other hardly"
            return JudgeCheck(
                f"{'opening' if at == 0 else 'closing'} word and author",
                f"{observed}: FLAGGED",
                wilson(count, len(own)),
                True,
            )
    return None


def _check(name: str, observed: str, rate: Estimate) -> JudgeCheck:
    flagged = rate.high >= NEARLY_ALL
    return JudgeCheck(name, observed + (": FLAGGED" if flagged else ""), rate, flagged)
