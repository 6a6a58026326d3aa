"""Judged pairs -> the finding of the imitation family: how much of the better model's lead is style.

Ratings without and with style in the model (style-controlled Bradley-Terry, stats/preference.py). The form share is the
part of the lead of the best model over the other that goes once style is taken out (net of how right the answers are,
where that is known), with a paired bootstrap over items. Refused where style or place is a function of the author.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from tellapart.controls.style import FEATURES, style_of
from tellapart.errors import UserMistake
from tellapart.findings.finding import Finding
from tellapart.findings.form import JUDGE_CONTROLS, RATINGS, JudgeControl, Rating
from tellapart.logs.value import short
from tellapart.stats.arrays import Floats
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import mean_score, wilson
from tellapart.stats.preference import bradley_terry, length_controlled_win_rate, style_differences
from tellapart.stats.share_band import LOW
from tellapart.stats.wording import whole
from tellapart.studies.form.authors import author_checks, signature_words
from tellapart.studies.form.judged import (
    JudgeCheck,
    Judgement,
    constant_models,
    judge_checks,
    percent,
    wins_of,
)
from tellapart.studies.form.verdict import Label, settled_label

QUESTION = "Do judges prefer the better model for its substance, or for its style?"
RESAMPLES = 200
FEWEST = 20
LEAST_LEAD = 3.0
NEARLY_ALL_TRUNCATED = 0.9
HALF = 0.5
"""Of a lead that is called substance, so much at least goes with how right the answers are, where that is known."""
UNCONTROLLED = (
    "Length-controlled win rates of pairs know no difficulty: not the rates that AlpacaEval publishes."
)


class Arrays(NamedTuple):
    """Pairs as arrays: model indices, wins of A, style differences (pairs, features), score differences (pairs, 0 or 1
    columns), item codes."""

    a: np.ndarray
    b: np.ndarray
    wins: Floats
    style: Floats
    scores: Floats
    items: np.ndarray


def judged_finding(judged: Sequence[Judgement], seed: int, notes: tuple[str, ...]) -> Finding:
    """Return the finding. Raises UserMistake for fewer than FEWEST pairs or fewer than two models, unless a model that
    gives one constant answer is among them."""
    checks = judge_checks(judged)
    constant = set(constant_models(judged))
    models = sorted({model for judgement in judged for model in judgement.models} - constant)
    kept = [judgement for judgement in judged if not constant & set(judgement.models)]
    if constant and (len(models) < 2 or len(kept) < FEWEST):
        return _of_constants(judged, checks, constant, notes)
    if len(models) < 2 or len(kept) < FEWEST:
        raise UserMistake(
            f"{len(kept)} judged pairs of {len(models)} models: give {FEWEST} of two models or more"
        )
    arrays = _arrays(kept, models)
    plain = bradley_terry(*arrays[:3])
    order = sorted(range(len(models)), key=lambda at: -plain.ratings[at].value)
    best, other = order[0], order[1] if len(order) == 2 else order[-1]
    names = models[best], models[other]
    words = signature_words(kept, *names)
    arrays = arrays._replace(style=np.column_stack([arrays.style, _uses(kept, words)]))
    controlled = bradley_terry(*arrays[:3], arrays.style)
    lead, share, right = _lead(arrays, best, other, seed, len(models))
    checks += author_checks(kept, *names)
    scores, truncated = _scores(kept, models), _truncated(kept, models)
    estimates = {
        "gain": lead,
        "form_share": share,
        **({"right_share": right} if arrays.scores.shape[1] else {}),
        **{f"win_rate/{models[at]}": _win_rate(kept, models[at]) for at in order},
        **{f"length_controlled_win_rate/{models[at]}": _length_controlled(kept, models[at]) for at in order},
        **{f"rating/{models[at]}": plain.ratings[at] for at in order},
        **{f"style_controlled_rating/{models[at]}": controlled.ratings[at] for at in order},
        **{
            f"style_weight/{name}": weight
            for name, weight in zip(
                (*FEATURES, *(f"the word {short(word)}" for word in words)), controlled.style, strict=True
            )
        },
        **{f"score/{model}": score for model, score in scores.items()},
    }
    label, sure, sentence = _verdict((lead, share, right), checks, names, (scores, truncated))
    return Finding(
        question=QUESTION,
        verdict=label,
        probability=sure,
        sentence=sentence,
        estimates=estimates,
        controls={f"judge: {check.name}": check.observed for check in checks},
        caveats=(*notes, *_caveats(checks, constant, truncated), UNCONTROLLED),
        evidence=(
            ("form_share", share.value, math.log(sure / (1 - sure)) if 0 < sure < 1 else math.nan),
            *([("right_share", right.value, math.nan)] if arrays.scores.shape[1] else []),
        ),
        tables={
            **RATINGS.write(_table(models, order, estimates)),
            **JUDGE_CONTROLS.write(_check_table(checks)),
        },
    )


def _of_constants(
    judged: Sequence[Judgement], checks: Sequence[JudgeCheck], constant: set[str], notes: tuple[str, ...]
) -> Finding:
    """Return what pairs with constant answers tell where they leave too little beside: whether to trust the judge."""
    flagged = [check for check in checks if check.flagged]
    sentence = (
        f"{_distrust(flagged[0])}."
        if flagged
        else "Beside constant answers fewer than two models, or too few pairs, are left: there is no lead to share out."
    )
    return Finding(
        question=QUESTION,
        verdict="cannot tell",
        probability=math.nan,
        sentence=sentence,
        estimates={f"win_rate/{model}": _win_rate(judged, model) for model in sorted(constant)},
        controls={f"judge: {check.name}": check.observed for check in checks},
        caveats=(*notes, *_caveats(checks, constant, {})),
        tables=JUDGE_CONTROLS.write(_check_table(checks)),
    )


def _arrays(judged: Sequence[Judgement], models: Sequence[str]) -> Arrays:
    place = {model: at for at, model in enumerate(models)}
    a, b = (np.array([place[judgement.models[side]] for judgement in judged]) for side in (0, 1))
    first, second = (np.array([style_of(judgement.answers[side]) for judgement in judged]) for side in (0, 1))
    _, items = np.unique([judgement.item for judgement in judged], return_inverse=True)
    scored = [
        judgement.scores[0] - judgement.scores[1] for judgement in judged if judgement.scores is not None
    ]
    scores = np.array(scored)[:, None] if len(scored) == len(judged) else np.zeros((len(judged), 0))
    wins = np.array([judgement.won for judgement in judged])
    return Arrays(a, b, wins, style_differences(first, second), scores, items)


def _uses(judged: Sequence[Judgement], words: Sequence[str]) -> Floats:
    """Return style differences (pairs, words) of whether each answer uses each word."""
    first, second = (
        np.array(
            [[word in judgement.answers[side].lower().split() for word in words] for judgement in judged],
            dtype=float,
        )
        for side in (0, 1)
    )
    return style_differences(first, second)


def _gap(arrays: Arrays, best: int, other: int) -> tuple[float, float, float]:
    """Return the lead of `best` over `other` in log10 odds: as it is, net of scores, and net of scores and style."""

    def lead(features: Floats | None) -> float:
        ratings = bradley_terry(*arrays[:3], features).ratings
        return ratings[best].value - ratings[other].value

    plain = lead(None)
    right = lead(arrays.scores) if arrays.scores.shape[1] else plain
    return plain, right, lead(np.column_stack([arrays.scores, arrays.style]))


def _lead(
    arrays: Arrays, best: int, other: int, seed: int, models: int
) -> tuple[Estimate, Estimate, Estimate]:
    """Return the lead, the share of it that is style, and the share that goes with how right the answers are (missing
    where that is not known); bootstrap over items (a draw that lacks one: again).

    The shares are missing unless the lead is LEAST_LEAD standard errors, or, since the best and the last of many models
    differ by chance, as many as 5 % over all pairs of models ask for.
    """
    lead, right, left = _gap(arrays, best, other)
    rng, count = np.random.default_rng(seed), int(arrays.items.max()) + 1
    members = [np.flatnonzero(arrays.items == item) for item in range(count)]
    draws = []
    while len(draws) < RESAMPLES:
        chosen = np.concatenate([members[item] for item in rng.integers(0, count, count)])
        sample = Arrays(*(column[chosen] for column in arrays))
        if {best, other} <= set(sample.a.tolist()) | set(sample.b.tolist()):
            draws.append(_gap(sample, best, other))
    leads, rights, lefts = np.array(draws).T
    n, method = len(arrays.wins), f"Bradley-Terry, bootstrap over items, {RESAMPLES} resamples"
    low, high = np.percentile(leads, [2.5, 97.5])
    lead_estimate = Estimate(lead, float(low), float(high), n, "log10 odds", method)
    least = max(LEAST_LEAD, float(stats.norm.isf(0.025 / math.comb(models, 2))))
    if low <= 0 or lead < least * float(leads.std()):
        none = missing("share", f"no lead to share out: it is below {least:.1f} standard errors", n)
        return lead_estimate, none, none
    scored = bool(arrays.scores.shape[1])

    def share(value: float, drawn: Floats, what: str) -> Estimate:
        low, high = np.percentile(drawn, [2.5, 97.5])
        return Estimate(value, float(low), float(high), n, "share", f"lead that {what} takes away; {method}")

    style = share(
        (right - left) / lead, (rights - lefts) / leads, f"style{', net of scores,' if scored else ''}"
    )
    if not scored:
        return lead_estimate, style, missing("share", "how right the answers are was not recorded", n)
    return lead_estimate, style, share(1 - right / lead, 1 - rights / leads, "how right the answers are")


def _scores(judged: Sequence[Judgement], models: Sequence[str]) -> dict[str, Estimate]:
    """Return each model's mean score over its answers; nothing where scores are not known."""
    result = {}
    for model in models:
        given = {
            judgement.item: judgement.scores[judgement.models.index(model)]
            for judgement in judged
            if judgement.scores is not None and model in judgement.models
        }
        if given:
            result[model] = mean_score(list(given.values()))
    return result


def _truncated(judged: Sequence[Judgement], models: Sequence[str]) -> dict[str, Estimate]:
    """Return the share of truncated answers of each model that has any."""
    result = {}
    for model in models:
        cut = {
            judgement.item: judgement.truncated[judgement.models.index(model)]
            for judgement in judged
            if model in judgement.models
        }
        if any(cut.values()):
            result[model] = wilson(sum(cut.values()), len(cut))
    return result


def _win_rate(judged: Sequence[Judgement], model: str) -> Estimate:
    wins = wins_of(judged, model)
    return wilson(sum(wins), len(wins))


def _length_controlled(judged: Sequence[Judgement], model: str) -> Estimate:
    sides = [(judgement, judgement.models.index(model)) for judgement in judged if model in judgement.models]
    return length_controlled_win_rate(
        [judgement.won if side == 0 else 1 - judgement.won for judgement, side in sides],
        [len(judgement.answers[side]) for judgement, side in sides],
        [len(judgement.answers[1 - side]) for judgement, side in sides],
    )


def _verdict(
    shares: tuple[Estimate, Estimate, Estimate],
    checks: Sequence[JudgeCheck],
    names: tuple[str, str],
    measured: tuple[Mapping[str, Estimate], Mapping[str, Estimate]],
) -> tuple[Label, float, str]:
    _, share, right = shares
    scores, truncated = measured
    obstacles = _obstacles(checks, truncated, names)
    if obstacles:
        return "cannot tell", math.nan, f"{'; '.join(obstacles)}."
    if math.isnan(share.value):
        return "cannot tell", math.nan, f"No model leads: {share.method.removeprefix('missing: ')}."
    label, chance = settled_label(share)
    part = f"{whole(share.value)} % [{whole(share.low)}, {whole(share.high)}]"
    if label == "cannot tell":
        reason = f"The evidence does not settle it: {part} of the lead of {names[0]} is style."
        return label, math.nan, reason
    if not scores:
        rest = (
            "Whether the rest is substance, or a manner that is not measured"
            if label == "substance"
            else "Whether the judge follows the style, or better answers have more of it"
        )
        reason = (
            f"{part} of the lead of {names[0]} over {names[1]} goes with the style that is measured. {rest}, "
            "these pairs cannot say: give score_a and score_b, how right each is."
        )
        return "cannot tell", math.nan, reason
    if label == "substance" and not (right.value > HALF and right.low > LOW):
        reason = (
            f"Of the lead of {names[0]} over {names[1]}, {part} is the style that is measured, and "
            f"{percent(right)} goes with how right the answers are: what the rest is, these pairs cannot say."
        )
        return "cannot tell", math.nan, reason
    beside = "; ".join(f"{name} scores {percent(scores[name])}" for name in names)
    reason = (
        f"Of the lead of {names[0]} over {names[1]}, {part} is style, {percent(right)} goes with how right"
    )
    return label, chance, f"{reason} the answers are; {beside}."


def _obstacles(
    checks: Sequence[JudgeCheck], truncated: Mapping[str, Estimate], names: tuple[str, str]
) -> list[str]:
    """Return all that forbids a verdict, whatever the share."""
    flagged = [check for check in checks if check.flagged]
    obstacles = [_distrust(check) for check in flagged if check.name.startswith(("constant", "order"))]
    obstacles += [
        f"The judge cannot be told from one that goes by length alone: {_plain(check)}"
        for check in flagged
        if check.name == "longest answer"
    ]
    obstacles += [
        f"Style cannot be told from the author: {_plain(check)}" if "place" not in check.name else
        f"The place cannot be told from the author: {_plain(check)}, and no pair was judged in both orders"
        for check in flagged
        if check.name.endswith("and author")
    ]  # fmt: skip
    obstacles += [
        f"{percent(truncated[name])} of the answers of {name} are truncated"
        for name in names
        if name in truncated and truncated[name].value >= NEARLY_ALL_TRUNCATED
    ]
    return obstacles


def _distrust(check: JudgeCheck) -> str:
    return f"The judge cannot be trusted: {_plain(check)}"


def _plain(check: JudgeCheck) -> str:
    return check.observed.removesuffix(": FLAGGED")


def _caveats(
    checks: Sequence[JudgeCheck], constant: set[str], truncated: Mapping[str, Estimate]
) -> list[str]:
    said = [f"Judge control {check.name}: {check.observed}." for check in checks if check.flagged]
    if constant:
        said.append(f"{', '.join(sorted(constant))} gives one constant answer: a judge control, not rated.")
    said += [
        f"{percent(share)} of the answers of {model} are truncated." for model, share in truncated.items()
    ]
    return said


def _table(models: Sequence[str], order: Sequence[int], estimates: Mapping[str, Estimate]) -> list[Rating]:
    def value(head: str, model: str) -> float | None:
        estimate = estimates.get(f"{head}/{model}")
        return None if estimate is None else estimate.value

    return [
        Rating(
            model,
            value("win_rate", model),
            value("length_controlled_win_rate", model),
            value("rating", model),
            value("style_controlled_rating", model),
            value("score", model),
        )
        for model in (models[at] for at in order)
    ]


def _check_table(checks: Sequence[JudgeCheck]) -> list[JudgeControl]:
    return [JudgeControl(c.name, c.observed, "yes" if c.flagged else "no") for c in checks]
