"""PriDe on a model: which option letters it prefers whatever they say, and its score once that is taken out.

Zheng et al. 2024, arXiv 2309.03882. Some items are asked under every rotation of their options for the prior of the
letters; all others once. Needs log-probabilities of given text and options that the prompt itself lists.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from tellapart.controls.options import shows_options, target_index, with_options
from tellapart.findings.typed import from_json
from tellapart.models.model import Model
from tellapart.runs.folder import RunFolder
from tellapart.stats.arrays import Floats
from tellapart.stats.estimate import Estimate
from tellapart.stats.intervals import mean, mean_score
from tellapart.stats.option_prior import SHARE, debiased, letter_prior
from tellapart.stats.paired import paired_difference
from tellapart.tasks.item import Item, Task
from tellapart.tasks.template import LETTERS, field_names

LEAST_PRIOR = 10
LEAST_LETTERS = 0.1
"""Share of the probability that must fall on letters for their order to be taken as an answer."""
ARTIFACT = "option_bias"


@dataclass(frozen=True)
class OptionBias:
    """The log-probabilities (nats) of the option `letters`: `rotations` by item, rotation and letter, `logprobs` of the
    other items by item and letter, whose right letters are at `right`."""

    letters: Sequence[str]
    rotations: Sequence[Sequence[Sequence[float]]]
    logprobs: Sequence[Sequence[float]]
    right: Sequence[int]


def measure_option_bias(folder: RunFolder, model: Model, task: Task, seed: int) -> OptionBias | None:
    """Return the letters' log-probabilities (an artifact: asked once); None where they are not available."""
    items = _eligible(task)
    if not model.can_score or len(items) < 2 * LEAST_PRIOR:
        return None
    artifact = folder.read_artifact(ARTIFACT)
    if artifact is not None:
        return from_json(OptionBias, artifact)
    bias = _scored(model, task, items, seed)
    folder.write_artifact(ARTIFACT, asdict(bias))
    return bias


def option_estimates(bias: OptionBias | None) -> dict[str, Estimate]:
    """Return the prior of each letter; on the other items how likely a letter is at all, and the letter
    score before and after taking the prior out."""
    if bias is None:
        return {}
    prior = letter_prior(bias.rotations)
    logs, right = np.array(bias.logprobs), np.array(bias.right)
    before = (logs.argmax(axis=1) == right).astype(float)
    after = (debiased(logs, prior).argmax(axis=1) == right).astype(float)
    n, method = len(bias.rotations), "softmax of mean log p over rotations (PriDe)"
    share = {
        f"option_prior/{letter}": Estimate(float(p), float("nan"), float("nan"), n, "share", method)
        for letter, p in zip(bias.letters, prior, strict=True)
    }
    return {
        **share,
        "letter_share": mean(np.exp(np.logaddexp.reduce(logs, axis=1)), unit="share"),
        "letter_score": mean_score(before),
        "debiased_letter_score": mean_score(after),
        "debiasing_difference": paired_difference(before, after),
    }


def option_caveats(bias: OptionBias | None) -> tuple[str, ...]:
    """Return a caveat where the model seldom writes a letter, so that which is likelier tells little."""
    share = option_estimates(bias).get("letter_share")
    if share is None or share.value >= LEAST_LETTERS:
        return ()
    return (
        f"The model gives the option letters {100 * share.value:.2g} % of its probability: letter_score, "
        "option_prior and what debiasing does tell little.",
    )


def _eligible(task: Task) -> list[Item]:
    """Return the items with the most common number of options, listed in the prompt."""
    listed = [item for item in task.items if item.choices and shows_options(task, item)]
    listed = [item for item in listed if target_index(item) is not None]
    if not listed:
        return []
    count = Counter(len(item.choices) for item in listed).most_common(1)[0][0]
    return [item for item in listed if len(item.choices) == count]


def _scored(model: Model, task: Task, items: Sequence[Item], seed: int) -> OptionBias:
    rng, count = random.Random(f"{seed}|option_bias|{task.fingerprint}"), len(items[0].choices)
    order = rng.sample(range(len(items)), len(items))
    few = max(LEAST_PRIOR, round(SHARE * len(items)))
    shown, others = [items[at] for at in order[:few]], [items[at] for at in order[few:]]
    turned = [_rotated(task, item, turn) for item in shown for turn in range(count)]
    logs = _letter_logprobs(model, task, [*turned, *others])
    return OptionBias(
        list(LETTERS[:count]),
        logs[: len(turned)].reshape(len(shown), count, count).tolist(),
        logs[len(turned) :].tolist(),
        [at for item in others if (at := target_index(item)) is not None],
    )


def _rotated(task: Task, item: Item, turn: int) -> Item:
    count, right = len(item.choices), target_index(item) or 0
    choices = [item.choices[(at + turn) % count] for at in range(count)]
    return with_options(task, item, choices, (right - turn) % count)


def _letter_logprobs(model: Model, task: Task, items: Sequence[Item]) -> Floats:
    """Return log p of each letter after each item's prompt, nats: (items, letters).

    A letter counts with a space before it and without one, which are different answers: their shares add up.
    """
    count = len(items[0].choices)
    bare = "choices" in field_names(task.template)
    written = [letter if bare else f"({letter})" for letter in LETTERS[:count]]
    scored = model.score(
        [(task.prompt(item), before + text) for item in items for text in written for before in (" ", "")]
    )
    logs = np.array([sum(score.logprobs) for score in scored]).reshape(len(items), count, 2)
    return np.logaddexp(logs[..., 0], logs[..., 1])
