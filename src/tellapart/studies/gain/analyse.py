"""Rows -> findings of `gain`: a pure function, for runs just made, old runs and other tools' logs alike."""

import math
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd

from tellapart.findings.finding import Finding
from tellapart.stats.estimate import Estimate, missing
from tellapart.studies.gain.answers import Chance
from tellapart.studies.gain.calibrated import origin
from tellapart.studies.gain.density import Density, density
from tellapart.studies.gain.described import edl_estimates, edl_table
from tellapart.studies.gain.directions import direction_table
from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.features import as_table, features
from tellapart.studies.gain.held import Held, bounds
from tellapart.studies.gain.judge import Judged, backed, judge
from tellapart.studies.gain.price import teaching_table
from tellapart.studies.gain.recovered import Recovered
from tellapart.studies.gain.scores import finite
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
    reasoning_told,
    samples,
)

QUESTION = "How much of the gain was already in the base?"
SHOWN_ITEMS = 60


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
            float(judged.asked.distinct), math.nan, math.nan, len(judged.asked.names), "questions", "count"
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
    tables = {
        "ladder": ladder(scores, held.low, held.low_by, judged.chance.level.value, facts.expressible),
        **scores.tables,
        **recovered.tables,
        **surfaced.tables,
        **seen.density.tables,
    }
    for row in tables["items"]:
        row.update(seen.density.item_tables.get(row["item"], {}))
    shown = [row["item"] for row in tables["items"][:SHOWN_ITEMS]]
    tables["features"] = as_table(features(scores, recovered, seen.density, held))
    tables["bounds"] = bounds_table(held)
    tables["obstacles"] = [one._asdict() for one in verdict.obstacles]
    tables["decision"] = decision_table(judged.chance, verdict, backed(facts, held).reason)
    tables["sensitivity"] = sensitivity(judged)
    if judged.slices is not None:
        tables["slices"] = slice_table(judged.slices)
    if held.teaching is not None:
        tables["teaching"] = teaching_table(judged.evidence, held.teaching)
    if facts.described:
        tables["description_length"] = edl_table(facts)
    if facts.directions:
        tables["directions"] = direction_table(facts)
    if facts.series:
        tables["series"] = series_table(rows, tuple(facts.series), facts.correct_at)
    if facts.pairing:
        tables["pairing"] = dict(facts.pairing)
    if facts.plan:
        tables["plan"] = dict(facts.plan)
    tables["samples"] = samples(rows, shown, facts)
    tables["counts"] = counts_table(rows, facts.correct_at)
    return Finding(
        question=QUESTION,
        verdict=verdict.label,
        probability=verdict.probability,
        sentence=verdict.sentence,
        estimates=estimates,
        controls=_controls(recovered),
        caveats=_caveats(seen, tables["counts"]) + _empty(rows, facts) + seen.density.caveats,
        evidence=verdict.terms,
        rows=tuple((f"{row['only']}/plain", row["item"]) for row in tables["items"] if row["only"])[:100],
        tables=tables,
    )


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
    parts, n = judged.parts, len(judged.asked.names)
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


def sensitivity(judged: Judged) -> list[dict[str, Any]]:
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
        lines.append(
            {
                "chance": name,
                "level": value,
                "held_at_least": finite(held.low.value),
                "held_at_least_low": finite(held.low.low),
                "held_at_most": finite(held.high.value),
                "refused": held.refused,
            }
        )
    return lines


def _controls(recovered: Recovered) -> dict[str, str]:
    told = {}
    for way in recovered.ways:
        null = way.null_share
        value = (
            "missing"
            if math.isnan(null.value)
            else f"{100 * null.value:.0f} % [{100 * null.low:.0f}, {100 * null.high:.0f}]"
        )
        told[f"null control of {way.name}"] = value
    told |= {name: f"no figure: {reason}" for name, reason in recovered.reasons.items()}
    return {**told, "verdict calibrated on": origin()}


def _empty(rows: pd.DataFrame, facts: Facts) -> tuple[str, ...]:
    """Return caveats on empty answers and on reasoning; a log may have scores and no texts."""
    if not facts.asked_models:
        return empty_in_logs(rows)
    return (*empty_answers(rows, facts.chat), *reasoning_told(rows))


def _at_ten_times(seen: Seen) -> str:
    """Return the caveat on a chance level that scores alone cannot show, with the word at ten times it."""
    level = seen.judged.chance.level.value
    other = min(0.99, 10 * level)
    word = judge(seen.rows, replace(seen.facts, guess_floor=other)).verdict.label
    return (
        f"The chance level, {level:g}, was stated and not measured; items with few possible answers (yes or no) are "
        f"guessed more often. At ten times it, {other:g}, the word is {word!r}."
    )


def _caveats(seen: Seen, counts: list[dict[str, Any]]) -> tuple[str, ...]:
    facts, judged = seen.facts, seen.judged
    scores, floor = judged.scores, judged.chance.upper
    said = [*facts.notes, *judged.asked.caveats]
    if judged.chance.reason:
        said.append(f"The chance level is not known: {judged.chance.reason}.")
    elif 0.02 <= floor < 1:
        k = math.ceil(math.log(0.5) / math.log(1 - floor))
        said.append(
            f"At a chance level of {floor:.3g} a random guesser solves half of the items in {k} samples."
        )
    if facts.guess_floor is not None and facts.guess_floor < judged.chance.level.value:
        said.append(
            f"The stated chance level, {facts.guess_floor:g}, is below the measured one, "
            f"{judged.chance.level.value:.3g}: the measured one counts."
        )
    if judged.chance.level.method == "stated" and not facts.asked_models:
        said.append(_at_ten_times(seen))
    if facts.temperature != 1:
        said.append(
            f"Answers were drawn at temperature {facts.temperature:g}: log-probability evidence needs 1."
        )
    own = max(scores.estimates["base_score"].n, scores.estimates["tuned_score"].n)
    if own > scores.gain.n:
        said.append(
            f"The models' own scores are over all their items (up to {own}); the gain and all that compares them is "
            f"over the {scores.gain.n} items that both answered."
        )
    for row in counts:
        lost = row["failed"] + row["cut off"] + row["unscored"]
        if row["cut off"] == row["asked"]:
            said.append(f"{row['condition']}: all answers were truncated at the token limit.")
        if lost > 0.05 * row["asked"] and row["condition"] in ("base/plain", "tuned/plain"):
            parts = f"{row['cut off']} truncated, {row['failed']} failed, {row['unscored']} unscored"
            said.append(f"{row['condition']}: of {row['asked']} answers {parts}.")
    return tuple(dict.fromkeys(said))
