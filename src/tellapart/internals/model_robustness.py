"""Do concepts hold under weight noise, and do the others hold while one is fine-tuned away?

Noise: Gaussian, sigma times each tensor's standard deviation (models/hooks.py). `noise_ratio` is the best score over
the sigmas by the clean one (Tice et al. 2024, arXiv 2412.01784). Fine-tuning: a few steps of a small adapter on one
concept's prompts with their answers exchanged; kept is the others' gap after it by that before. The control trains as
long on the same prompts with the answers as they stand.
"""

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np

from tellapart.internals.language import Bench, chosen
from tellapart.models.hooks import perturbing_weights
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import mean

SIGMAS, DRAWS, SHOWN = (0.01, 0.03, 0.1), 4, 0.03
RANK = 4


def noise_estimates(bench: Bench, concepts: Sequence[str], seed: int) -> dict[str, Estimate]:
    """Return the score kept at each sigma, and the noise ratio; t intervals over draws."""
    every = [f"noise_kept_{sigma:.0%}" for sigma in SIGMAS]
    if not concepts:
        return {name: missing("share", "the model shows no concept") for name in (*every, "noise_ratio")}
    clean = _score(bench, concepts)
    kept: dict[str, Estimate] = {}
    for name, sigma in zip(every, SIGMAS, strict=True):
        scores = []
        for draw in range(DRAWS):
            with perturbing_weights(bench.model, sigma, 1000 * seed + draw):
                scores.append(_score(bench, concepts) / clean)
        kept[name] = mean(scores, unit="share")
    best = max(kept.values(), key=lambda estimate: estimate.value)
    method = (
        f"best mean score over sigma {', '.join(f'{s:g}' for s in SIGMAS)} by the clean score; {best.method}"
    )
    return {**kept, "noise_ratio": Estimate(best.value, best.low, best.high, DRAWS, "ratio", method)}


def _score(bench: Bench, concepts: Sequence[str]) -> float:
    right = []
    for concept in concepts:
        plain = bench.plain(chosen(bench.report, concept), bench.report)
        right += [*(plain[0] > 0), *(plain[1] < 0)]
    return float(np.mean(right))


def tuning_estimates(bench: Bench, concepts: Sequence[str], steps: int, seed: int) -> dict[str, Estimate]:
    """Return how much of the other concepts' gaps is kept when one is trained away, and when it is trained on."""
    names = ("tuning_kept", "null_tuning_kept")
    if steps == 0 or len(concepts) < 2 or find_spec("trl") is None or find_spec("peft") is None:
        why = (
            "not asked"
            if steps == 0
            else "fewer than two concepts"
            if len(concepts) < 2
            else "needs tellapart[train]"
        )
        return {name: missing("share of the gap", why) for name in names}
    return {
        name: mean(
            [_kept(bench, concepts, c, steps, seed, swapped=name == names[0]) for c in concepts], unit=unit
        )
        for name, unit in zip(names, ("share of the gap",) * 2, strict=True)
    }


def _kept(bench: Bench, concepts: Sequence[str], concept: str, steps: int, seed: int, swapped: bool) -> float:
    """Return the other concepts' mean gap after fine-tuning on `concept`, by that before."""
    from tellapart.training.change import changed
    from tellapart.training.lora import Lora
    from tellapart.training.settings import Example, SftSettings
    from tellapart.training.sft import sft

    examples = []
    for index in chosen(bench.fit, concept):
        pair = bench.fit.pairs[index]
        answers = (pair.positive_answer, pair.negative_answer)
        first, second = reversed(answers) if swapped else answers
        examples += [Example(pair.positive, first), Example(pair.negative, second)]
    change = Lora(rank=RANK, seed=seed)
    trained = sft(bench.model, change, examples, SftSettings(steps=steps, seed=seed, quiet=True), None)
    others = [name for name in concepts if name != concept]
    with changed(bench.model, change, trained.weights, 1.0):
        after = [_gap(bench, name) for name in others]
    return float(np.mean([gap / _gap(bench, name) for gap, name in zip(after, others, strict=True)]))


def _gap(bench: Bench, concept: str) -> float:
    plain = bench.plain(chosen(bench.report, concept), bench.report)
    return float((plain[0] - plain[1]).mean())
