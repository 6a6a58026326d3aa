"""Rows -> findings of `gain`: a pure function, for runs just made, old runs and other tools' logs alike."""

import math
from typing import Any, NamedTuple

import pandas as pd

from tellapart.errors import UserMistake
from tellapart.stats.equivalence import equivalence
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.form_parts import Parts
from tellapart.studies.finding import Finding
from tellapart.studies.gain.answers import Asked, Chance, asked_items, chance_of, reading_of
from tellapart.studies.gain.calibrated import Domain, backing, origin
from tellapart.studies.gain.density import Density, density
from tellapart.studies.gain.described import edl_estimates, edl_table
from tellapart.studies.gain.directions import direction_table
from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.features import as_table, features
from tellapart.studies.gain.held import Evidence, Held, bounds, lenient_content, parts_of
from tellapart.studies.gain.items import per_item, shared_items
from tellapart.studies.gain.recovered import Recovered, recover
from tellapart.studies.gain.scores import Scores, compare, finite
from tellapart.studies.gain.surfacing import surface
from tellapart.studies.gain.tables import bounds_table, counts_table, decision_table, ladder, samples
from tellapart.studies.gain.verdict import Case, Verdict, decide

QUESTION = "How much of the gain was already in the base?"
SHOWN_ITEMS = 60


class Seen(NamedTuple):
    """All that one analysis has computed of a run."""

    rows: pd.DataFrame
    facts: Facts
    scores: Scores
    asked: Asked
    chance: Chance
    recovered: Recovered
    density: Density
    held: Held
    parts: Parts | None
    lenient: Estimate
    verdict: Verdict


def analyse(rows: pd.DataFrame, facts: Facts) -> list[Finding]:
    """Return the finding of a gain run. Raises UserMistake where either model has no scored answer."""
    sides = {role: per_item(rows, f"{role}/plain", facts.correct_at) for role in ("base", "tuned")}
    for role, side in sides.items():
        if side is None:
            raise UserMistake(
                f"no scored answer of the {role} model: every request failed, or the log has no scores"
            )
    base_all, tuned_all = sides["base"], sides["tuned"]
    assert base_all is not None
    assert tuned_all is not None
    base, tuned = shared_items(base_all, tuned_all)
    if len(base.items) == 0:
        raise UserMistake("base and tuned share no item with scored answers")
    asked = asked_items(rows, base, facts.items)
    chance = chance_of(rows, asked, facts.items, facts.guess_floor)
    scores = compare(base_all, tuned_all, base, tuned, (asked.clusters, _shown(chance)))
    recovered = recover(rows, scores, facts)
    seen = density(rows, scores, facts)
    readings = (reading_of(rows, "base/plain", asked), reading_of(rows, "tuned/plain", asked))
    evidence = Evidence(rows, asked, base, tuned, chance, readings, facts)
    held, parts = bounds(evidence, recovered), parts_of(evidence)
    lenient, lenient_base = lenient_content(evidence)
    verdict = decide(
        Case(
            scores,
            equivalence(base.mean, tuned.mean, margin_of(scores, facts.margin), asked.clusters),
            chance,
            held,
            parts,
            lenient,
            lenient_base,
            asked.distinct,
            backing(domains(facts)),
            facts.same_model,
            facts.asked_models,
        )
    )
    return [
        _finding(Seen(rows, facts, scores, asked, chance, recovered, seen, held, parts, lenient, verdict))
    ]


def _shown(chance: Chance) -> float | None:
    return None if math.isnan(chance.upper) else chance.upper


def margin_of(scores: Scores, given: float | None) -> float:
    """Return the margin within which two scores are the same: a tenth of the larger one, .005 to .05, or as given."""
    if given is not None:
        return given
    larger = max(scores.base.mean.mean(), scores.tuned.mean.mean())
    return min(0.05, max(0.005, 0.1 * float(larger)))


def domains(facts: Facts) -> tuple[Domain | None, ...]:
    """Return what is known of both models."""
    if not facts.asked_models:
        return (None,)
    return tuple(
        Domain(str(known["architecture"]), int(known["parameters"])) if known else None
        for known in (facts.models.get(role) for role in ("base", "tuned"))
    )


def _finding(seen: Seen) -> Finding:
    rows, facts, scores, held, verdict = seen.rows, seen.facts, seen.scores, seen.held, seen.verdict
    surfaced = surface(rows, seen.recovered, scores, facts)
    estimates = {
        **scores.estimates,
        "guess_floor": seen.chance.level,
        "distinct_items": Estimate(
            float(seen.asked.distinct), math.nan, math.nan, len(seen.asked.names), "questions", "count"
        ),
        **_apart(seen),
        **seen.recovered.estimates,
        **surfaced.estimates,
        **seen.density.estimates,
        **edl_estimates(facts),
        "held_at_least": held.low,
        "held_at_most": held.high,
        "elicited_share": held.low,
    }
    tables = {
        "ladder": ladder(scores, held.low, held.low_by, seen.chance.level.value),
        **scores.tables,
        **seen.recovered.tables,
        **surfaced.tables,
        **seen.density.tables,
    }
    for row in tables["items"]:
        row.update(seen.density.item_tables.get(row["item"], {}))
    shown = [row["item"] for row in tables["items"][:SHOWN_ITEMS]]
    tables["features"] = as_table(features(scores, seen.recovered, seen.density, held))
    tables["bounds"] = bounds_table(held)
    tables["obstacles"] = [one._asdict() for one in verdict.obstacles]
    tables["decision"] = decision_table(seen.chance, verdict, backing(domains(facts)).reason)
    tables["sensitivity"] = sensitivity(seen)
    if facts.described:
        tables["description_length"] = edl_table(facts)
    if facts.directions:
        tables["directions"] = direction_table(facts)
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
        controls=_controls(seen.recovered, facts),
        caveats=_caveats(seen, tables["counts"]) + seen.density.caveats,
        evidence=verdict.terms,
        rows=tuple((f"{row['only']}/plain", row["item"]) for row in tables["items"] if row["only"])[:100],
        tables=tables,
    )


def _apart(seen: Seen) -> dict[str, Estimate]:
    """Return the estimates of form and content apart."""
    parts, n = seen.parts, len(seen.asked.names)
    if parts is None:
        unknown = missing("score", "what could be read was not recorded", n)
        return dict.fromkeys(
            ("readable_base", "readable_tuned", "form_part", "content_part", "format_share"), unknown
        )
    gain = seen.scores.gain
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
        "lenient_content_part": seen.lenient,
        "format_share": share,
    }


def sensitivity(seen: Seen) -> list[dict[str, Any]]:
    """Return what the bounds would be at other chance levels: at the ends of its interval, and at ten times it."""
    level = seen.chance.level
    if math.isnan(level.value):
        return []
    lines = []
    for name, value in (
        ("lower end", level.low),
        ("upper end", seen.chance.upper),
        ("ten times", min(0.99, 10 * level.value)),
    ):
        if math.isnan(value):
            continue
        other = Chance(Estimate(value, value, value, level.n, "score", name), "")
        evidence = Evidence(
            seen.rows, seen.asked, seen.scores.base, seen.scores.tuned, other,
            (reading_of(seen.rows, "base/plain", seen.asked), reading_of(seen.rows, "tuned/plain", seen.asked)),
            seen.facts,
        )  # fmt: skip
        held = bounds(evidence, seen.recovered)
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


def _controls(recovered: Recovered, facts: Facts) -> dict[str, str]:
    told = {}
    for way in recovered.ways:
        null = way.null_share
        value = (
            "missing"
            if math.isnan(null.value)
            else f"{100 * null.value:.0f} % [{100 * null.low:.0f}, {100 * null.high:.0f}]"
        )
        told[f"null control of {way.name}"] = value
    for name, about in facts.elicitors.items():
        if "missing" in about:
            told[name] = f"not tried: {about['missing']}"
    return {**told, "verdict calibrated on": origin()}


def _caveats(seen: Seen, counts: list[dict[str, Any]]) -> tuple[str, ...]:
    facts, scores, floor = seen.facts, seen.scores, seen.chance.upper
    said = [*facts.notes, *seen.asked.caveats]
    if seen.chance.reason:
        said.append(f"The chance level is not known: {seen.chance.reason}.")
    elif 0.02 <= floor < 1:
        k = math.ceil(math.log(0.5) / math.log(1 - floor))
        said.append(
            f"At a chance level of {floor:.3g} a random guesser solves half of the items in {k} samples."
        )
    if facts.guess_floor is not None and facts.guess_floor < seen.chance.level.value:
        said.append(
            f"The stated chance level, {facts.guess_floor:g}, is below the measured one, "
            f"{seen.chance.level.value:.3g}: the measured one counts."
        )
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
            parts = f"{row['cut off']} cut off, {row['failed']} failed, {row['unscored']} unscored"
            said.append(f"{row['condition']}: of {row['asked']} answers {parts}.")
    return tuple(dict.fromkeys(said))
