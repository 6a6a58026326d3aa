"""How a round turns accepted answers into training examples, and where its training starts.

star: Zelikman et al. 2022 (arXiv 2203.14465), without its hints; rest_em: Singh et al. 2023 (arXiv 2312.06585), which
bounds the answers a prompt; expert_iteration: Anthony et al. 2017 (arXiv 1705.08439).
"""

from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.studies.improve.ask import Answers
from tellapart.studies.improve.spec import Method
from tellapart.training.settings import Example


class Rule(NamedTuple):
    """Most different answers of a prompt, and whether training starts from the first model each round."""

    most: int
    reset: bool


METHODS: Mapping[Method, Rule] = {
    "star": Rule(1, True),
    "rest_em": Rule(4, True),
    "expert_iteration": Rule(4, False),
}


def examples(
    given: Answers, accepted: NDArray[np.bool_], rule: Rule, corrections: Mapping[str, str]
) -> list[Example]:
    """Return the examples of a round: of each prompt with accepted answers `rule.most`, the first different ones, gone
    through again where they are fewer, so that every prompt weighs alike. A correction stands for all of them."""
    result: list[Example] = []
    for item, texts, passed in zip(given.items, given.texts, accepted, strict=True):
        prompt = given.task.prompt(item)
        chosen = _chosen(texts, passed, rule.most)
        if item.id in corrections:
            chosen = [corrections[item.id]]
        result += [Example(prompt, text) for text in islice(cycle(chosen), rule.most if chosen else 0)]
    return result


def _chosen(texts: Sequence[str | None], passed: Sequence[np.bool_], most: int) -> list[str]:
    """Return the first `most` different accepted answers; an empty one teaches nothing."""
    return list(dict.fromkeys(text for text, yes in zip(texts, passed, strict=True) if yes and text))[:most]
