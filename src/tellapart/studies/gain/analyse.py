"""Rows -> findings of `gain`: a pure function, for runs just made, old runs and other tools' logs alike."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from tellapart.findings.finding import Finding
from tellapart.findings.gain import (
    BOUNDS,
    CONCENTRATION,
    COVERAGE,
    DECISION,
    DESCRIPTION_LENGTH,
    DIRECTIONS,
    DIVERGENCE,
    ELICITORS,
    ITEMS,
    ROUTING,
    SAMPLES,
    SENSITIVITY,
    SERIES,
    SLICES,
    SURFACING,
    TEACHING,
    ItemLine,
    OtherChance,
)
from tellapart.findings.shown import COUNTS, LADDER, OBSTACLES, Counted
from tellapart.findings.table import Tables
from tellapart.findings.typed import to_json
from tellapart.stats.estimate import Estimate, missing
from tellapart.studies.gain.answers import Chance
from tellapart.studies.gain.calibrated import origin
from tellapart.studies.gain.density import Density, Success, density
from tellapart.studies.gain.described import edl_estimates, edl_table
from tellapart.studies.gain.directions import direction_table
from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.features import features
from tellapart.studies.gain.held import Held, bounds
from tellapart.studies.gain.judge import Judged, backed, judge
from tellapart.studies.gain.price import teaching_table
from tellapart.studies.gain.recovered import Recovered
from tellapart.studies.gain.series import series_table
from tellapart.studies.gain.slices import slice_table
from tellapart.studies.gain.surfacing import surface
from tellapart.studies.gain.tables import (
    bounds_table,
    counts_table,
    decision_table,
    empty_answers,
    empty_in_logs,
    ladder,
    reasoning_caveats,
    samples,
)

QUESTION = "How much of the gain was already in the base?"
SHOWN_ITEMS = 60
PLAIN = ("base/plain", "tuned/plain")


class Seen(NamedTuple):
    """All that one analysis has computed of a run."""

    rows: pd.DataFrame
    facts: Facts
    judged: Judged
    density: Density


def analyse(rows: pd.DataFrame, facts: Facts) -> list[Finding]:
    """Return the finding of a gain run. Raises UserMistake where either model has no scored answer."""
    judged = judge(rows, facts)
    return [_finding(Seen(rows, facts, judged, density(rows, judged.scores, facts)))]


def _finding(seen: Seen) -> Finding:
    rows, facts, judged = seen.rows, seen.facts, seen.judged
    scores, held, verdict, recovered = judged.scores, judged.held, judged.verdict, judged.recovered
    surfaced = surface(rows, recovered, scores, facts)
    estimates = {
        **scores.estimates,
        "guess_floor": judged.chance.level,
        "distinct_items": Estimate(
            float(judged.questions.distinct),
            math.nan,
            math.nan,
            len(judged.questions.names),
            "questions",
            "count",
        ),
        **_apart(judged),
        **recovered.estimates,
        **surfaced.estimates,
        **seen.density.estimates,
        **edl_estimates(facts),
        "held_at_least": held.low,
        "held_at_most": held.high,
        "elicited_share": held.low,
        **_prices(held),
    }
    items = [_with_success(line, seen.density.success) for line in scores.items]
    counts = counts_table(rows, facts.correct_at)
    tables = {
        **LADDER.write(ladder(scores, held.low, held.low_by, judged.chance.level.value, facts.expressible)),
        **COVERAGE.write(scores.coverage),
        **ITEMS.write(items),
        **ELICITORS.write(recovered.lines),
        **(ROUTING.write(recovered.routing) if recovered.routing else {}),
        **(SURFACING.write(surfaced.envelope) if surfaced.envelope else {}),
        **_of_logprobs(seen.density),
        "features": to_json(features(scores, recovered, seen.density, held)),
        **BOUNDS.write(bounds_table(held)),
        **OBSTACLES.write(verdict.obstacles),
        **DECISION.write(decision_table(judged.chance, verdict, backed(facts, held).reason)),
        **SENSITIVITY.write(sensitivity(judged)),
        **_if_measured(seen),
        **SAMPLES.write(samples(rows, [line.item for line in items[:SHOWN_ITEMS]], facts)),
        **COUNTS.write(counts),
    }
    return Finding(
        question=QUESTION,
        verdict=verdict.label,
        probability=verdict.probability,
        sentence=verdict.sentence,
        estimates=estimates,
        controls=_controls(recovered),
        caveats=_caveats(seen, counts) + _empty(rows, facts) + seen.density.caveats,
        evidence=verdict.terms,
        rows=tuple((f"{line.only}/plain", line.item) for line in items if line.only)[:100],
        tables=tables,
    )


def _with_success(line: ItemLine, success: Mapping[str, Success]) -> ItemLine:
    rate = success.get(line.item)
    if rate is None:
        return line
    return replace(line, base_p=rate.value, base_p_low=rate.low, base_p_high=rate.high)


def _of_logprobs(density: Density) -> Tables:
    """Return the tables that log-probabilities give; none where they are not known."""
    if density.concentration is None:
        return {}
    return {**DIVERGENCE.write(density.answers), **CONCENTRATION.write(density.concentration)}


def _if_measured(seen: Seen) -> Tables:
    """Return the tables of what only some runs measure."""
    rows, facts, judged = seen.rows, seen.facts, seen.judged
    tables: Tables = {}
    if judged.slices is not None:
        tables |= SLICES.write(slice_table(judged.slices))
    if judged.held.teaching is not None:
        tables |= TEACHING.write(teaching_table(judged.evidence, judged.held.teaching))
    if facts.described:
        tables |= DESCRIPTION_LENGTH.write(edl_table(facts))
    if facts.directions is not None:
        tables |= DIRECTIONS.write(direction_table(facts.directions))
    if facts.series:
        tables |= SERIES.write(series_table(rows, tuple(facts.series), facts.correct_at))
    if facts.pairing:
        tables["pairing"] = to_json(facts.pairing)
    if facts.plan:
        tables["plan"] = to_json(facts.plan)
    return tables


def _prices(held: Held) -> dict[str, Estimate]:
    """Return what half of the gain costs in labels, where there is a reference to say so."""
    if held.teaching is None:
        return {}
    prices = held.teaching.prices
    return {
        "labels_for_half": prices.base,
        "reference_labels_for_half": prices.reference,
        "price_ratio": prices.ratio,
    }


def _apart(judged: Judged) -> dict[str, Estimate]:
    """Return the estimates of form and content apart."""
    parts, n = judged.parts, len(judged.questions.names)
    if parts is None:
        unknown = missing("score", "what could be read was not recorded", n)
        return dict.fromkeys(
            ("readable_base", "readable_tuned", "form_part", "content_part", "format_share"), unknown
        )
    gain = judged.scores.gain
    share = missing("share", "no gain to share out", n)
    if gain.low > 0:
        value = gain.value
        share = Estimate(
            parts.form.value / value,
            parts.form.low / value,
            parts.form.high / value,
            n,
            "share",
            parts.form.method,
        )
    return {
        "readable_base": parts.readable_base,
        "readable_tuned": parts.readable_tuned,
        "form_part": parts.form,
        "content_part": parts.content,
        "lenient_content_part": judged.lenient,
        "format_share": share,
    }


def sensitivity(judged: Judged) -> list[OtherChance]:
    """Return what the bounds would be at other chance levels: at the ends of its interval, and at ten times it."""
    level = judged.chance.level
    if math.isnan(level.value):
        return []
    lines = []
    for name, value in (
        ("lower end", level.low),
        ("upper end", judged.chance.upper),
        ("ten times", min(0.99, 10 * level.value)),
    ):
        if math.isnan(value):
            continue
        other = Chance(Estimate(value, value, value, level.n, "score", name), "")
        held = bounds(judged.evidence._replace(chance=other), judged.recovered)
        lines.append(OtherChance(name, value, held.low.value, held.low.low, held.high.value, held.refused))
    return lines


def _controls(recovered: Recovered) -> dict[str, str]:
    controls = {}
    for way in recovered.ways:
        null = way.null_share
        value = (
            "missing"
            if math.isnan(null.value)
            else f"{100 * null.value:.0f} % [{100 * null.low:.0f}, {100 * null.high:.0f}]"
        )
        controls[f"null control of {way.name}"] = value
    controls |= {name: f"no figure: {reason}" for name, reason in recovered.reasons.items()}
    return {**controls, "verdict calibrated on": origin()}


def _empty(rows: pd.DataFrame, facts: Facts) -> tuple[str, ...]:
    """Return caveats on empty answers and on reasoning; a log may have scores and no texts."""
    if not facts.asked_models:
        return empty_in_logs(rows)
    return (*empty_answers(rows, facts.chat), *reasoning_caveats(rows))


def _at_ten_times(seen: Seen) -> str:
    """Return the caveat on a chance level that scores alone cannot show, with the word at ten times it."""
    level = seen.judged.chance.level.value
    other = min(0.99, 10 * level)
    word = judge(seen.rows, replace(seen.facts, guess_floor=other)).verdict.label
    return (
        f"The chance level, {level:g}, was stated and not measured; items with few possible answers (yes or no) are "
        f"guessed more often. At ten times it, {other:g}, the word is {word!r}."
    )


def _caveats(seen: Seen, counts: Sequence[Counted]) -> tuple[str, ...]:
    facts, judged = seen.facts, seen.judged
    scores, floor = judged.scores, judged.chance.upper
    caveats = [*facts.notes, *judged.questions.caveats]
    if judged.chance.reason:
        caveats.append(f"The chance level is not known: {judged.chance.reason}.")
    elif 0.02 <= floor < 1:
        k = math.ceil(math.log(0.5) / math.log(1 - floor))
        caveats.append(
            f"At a chance level of {floor:.3g} a random guesser solves half of the items in {k} samples."
        )
    if facts.guess_floor is not None and facts.guess_floor < judged.chance.level.value:
        caveats.append(
            f"The stated chance level, {facts.guess_floor:g}, is below the measured one, "
            f"{judged.chance.level.value:.3g}: the measured one counts."
        )
    if judged.chance.level.method == "stated" and not facts.asked_models:
        caveats.append(_at_ten_times(seen))
    if facts.temperature != 1:
        caveats.append(
            f"Answers were drawn at temperature {facts.temperature:g}: log-probability evidence needs 1."
        )
    own = max(scores.estimates["base_score"].n, scores.estimates["tuned_score"].n)
    if own > scores.gain.n:
        caveats.append(
            f"The models' own scores are over all their items (up to {own}); the gain and all that compares them is "
            f"over the {scores.gain.n} items that both answered."
        )
    for row in counts:
        unscored = row.unscored or 0
        if row.cut_off == row.asked:
            caveats.append(f"{row.condition}: all answers were truncated at the token limit.")
        if row.failed + row.cut_off + unscored > 0.05 * row.asked and row.condition in PLAIN:
            parts = f"{row.cut_off} truncated, {row.failed} failed, {unscored} unscored"
            caveats.append(f"{row.condition}: of {row.asked} answers {parts}.")
    return tuple(dict.fromkeys(caveats))
