"""Judged pairs -> the finding of the imitation family: how much of the better model's lead is style.

Ratings without and with style in the model (style-controlled Bradley-Terry, stats/preference.py); the form share is the
part of the lead of the best model over the other that goes once style is taken out, with a paired bootstrap over items.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tellapart.controls.style import FEATURES, style_of
from tellapart.errors import UserMistake
from tellapart.report.text import whole
from tellapart.stats.arrays import Floats
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import wilson
from tellapart.stats.preference import bradley_terry, length_controlled_win_rate, style_differences
from tellapart.studies.finding import Finding
from tellapart.studies.form.judged import JudgeCheck, Judgement, constant_models, judge_checks, wins_of
from tellapart.studies.form.verdict import SETTLED, Label, class_probabilities

QUESTION = "Do judges prefer the better model for its substance, or for its style?"
RESAMPLES = 200
FEWEST = 20


class Arrays(NamedTuple):
    """Pairs as arrays: model indices, wins of A, style differences (pairs, features), item codes."""

    a: np.ndarray
    b: np.ndarray
    wins: Floats
    style: Floats
    items: np.ndarray


def judged_finding(judged: Sequence[Judgement], seed: int, notes: tuple[str, ...]) -> Finding:
    """Return the finding. Raises UserMistake for fewer than FEWEST pairs or fewer than two models that do not give one
    constant answer."""
    checks = judge_checks(judged)
    constant = set(constant_models(judged))
    models = sorted({model for one in judged for model in one.models} - constant)
    kept = [one for one in judged if not constant & set(one.models)]
    if len(models) < 2 or len(kept) < FEWEST:
        raise UserMistake(
            f"{len(kept)} judged pairs of {len(models)} models: give {FEWEST} of two models or more"
        )
    arrays = _arrays(kept, models)
    plain, controlled = (bradley_terry(*arrays[:3], style) for style in (None, arrays.style))
    order = sorted(range(len(models)), key=lambda at: -plain.ratings[at].value)
    best, other = order[0], order[1] if len(order) == 2 else order[-1]
    lead, share = _lead(arrays, best, other, seed)
    estimates = {
        "gain": lead,
        "form_share": share,
        **{f"win_rate/{models[at]}": _win_rate(kept, models[at]) for at in order},
        **{f"length_controlled_win_rate/{models[at]}": _length_controlled(kept, models[at]) for at in order},
        **{f"rating/{models[at]}": plain.ratings[at] for at in order},
        **{f"style_controlled_rating/{models[at]}": controlled.ratings[at] for at in order},
        **{f"style_weight/{name}": weight for name, weight in zip(FEATURES, controlled.style, strict=True)},
    }
    label, sure, sentence = _verdict(lead, share, checks, (models[best], models[other]))
    return Finding(
        question=QUESTION,
        verdict=label,
        probability=sure,
        sentence=sentence,
        estimates=estimates,
        controls={f"judge: {check.name}": check.told for check in checks},
        caveats=(*notes, *_caveats(checks, constant)),
        evidence=(("form_share", share.value, math.log(sure / (1 - sure)) if 0 < sure < 1 else math.nan),),
        tables={"ratings": _table(models, order, estimates), "judge controls": _check_table(checks)},
    )


def _arrays(judged: Sequence[Judgement], models: Sequence[str]) -> Arrays:
    place = {model: at for at, model in enumerate(models)}
    a, b = (np.array([place[one.models[side]] for one in judged]) for side in (0, 1))
    first, second = (np.array([style_of(one.answers[side]) for one in judged]) for side in (0, 1))
    _, items = np.unique([one.item for one in judged], return_inverse=True)
    return Arrays(a, b, np.array([one.won for one in judged]), style_differences(first, second), items)


def _gap(arrays: Arrays, best: int, other: int) -> tuple[float, float]:
    """Return the lead of `best` over `other` in log10 odds, without and with style in the model."""
    plain, controlled = (bradley_terry(*arrays[:3], style).ratings for style in (None, arrays.style))
    return plain[best].value - plain[other].value, controlled[best].value - controlled[other].value


def _lead(arrays: Arrays, best: int, other: int, seed: int) -> tuple[Estimate, Estimate]:
    """Return the lead and the share of it that is style; bootstrap over items (a draw that lacks one: again)."""
    lead, left = _gap(arrays, best, other)
    rng, count = np.random.default_rng(seed), int(arrays.items.max()) + 1
    members = [np.flatnonzero(arrays.items == item) for item in range(count)]
    draws = []
    while len(draws) < RESAMPLES:
        chosen = np.concatenate([members[item] for item in rng.integers(0, count, count)])
        sample = Arrays(*(column[chosen] for column in arrays))
        if {best, other} <= set(sample.a.tolist()) | set(sample.b.tolist()):
            draws.append(_gap(sample, best, other))
    leads, lefts = np.array(draws).T
    n, method = len(arrays.wins), f"Bradley-Terry, bootstrap over items, {RESAMPLES} resamples"
    low, high = np.percentile(leads, [2.5, 97.5])
    told = Estimate(lead, float(low), float(high), n, "log10 odds", method)
    if low <= 0:
        return told, missing("share", "no lead to share out: its interval includes 0", n)
    low, high = np.percentile(1 - lefts / leads, [2.5, 97.5])
    return told, Estimate(
        1 - left / lead, float(low), float(high), n, "share", f"1 - style-controlled lead; {method}"
    )


def _win_rate(judged: Sequence[Judgement], model: str) -> Estimate:
    wins = wins_of(judged, model)
    return wilson(sum(wins), len(wins))


def _length_controlled(judged: Sequence[Judgement], model: str) -> Estimate:
    sides = [(one, one.models.index(model)) for one in judged if model in one.models]
    return length_controlled_win_rate(
        [one.won if side == 0 else 1 - one.won for one, side in sides],
        [len(one.answers[side]) for one, side in sides],
        [len(one.answers[1 - side]) for one, side in sides],
    )


def _verdict(
    lead: Estimate, share: Estimate, checks: Sequence[JudgeCheck], names: tuple[str, str]
) -> tuple[Label, float, str]:
    flagged = [check for check in checks if check.flagged]
    if any(check.name.startswith(("constant", "order")) for check in flagged):
        return (
            "cannot tell",
            math.nan,
            f"The judge cannot be trusted: {flagged[0].told.removesuffix(': FLAGGED')}.",
        )
    if math.isnan(share.value):
        return "cannot tell", math.nan, f"No model leads: {share.method.removeprefix('missing: ')}."
    chances = class_probabilities(share)
    label: Label = max(chances, key=lambda name: chances[name])
    part = f"{whole(share.value)} % [{whole(share.low)}, {whole(share.high)}]"
    if chances[label] < SETTLED:
        return (
            "cannot tell",
            math.nan,
            f"The evidence does not settle it: {part} of the lead of {names[0]} is style.",
        )
    return label, chances[label], f"Of the lead of {names[0]} over {names[1]}, {part} is style."


def _caveats(checks: Sequence[JudgeCheck], constant: set[str]) -> list[str]:
    said = [f"Judge control {check.name}: {check.told}." for check in checks if check.flagged]
    if constant:
        said.append(f"{', '.join(sorted(constant))} gives one constant answer: a judge control, not rated.")
    return said


def _table(
    models: Sequence[str], order: Sequence[int], estimates: Mapping[str, Estimate]
) -> list[dict[str, Any]]:
    heads = ("win_rate", "length_controlled_win_rate", "rating", "style_controlled_rating")
    return [
        {
            "model": models[at],
            **{head: estimates[f"{head}/{models[at]}"].as_json()["value"] for head in heads},
        }
        for at in order
    ]


def _check_table(checks: Sequence[JudgeCheck]) -> list[dict[str, Any]]:
    return [{"control": c.name, "seen": c.told, "flagged": "yes" if c.flagged else "no"} for c in checks]
