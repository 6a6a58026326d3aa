"""Rows -> findings of `gain`: a pure function, for runs just made, old runs and other tools' logs alike."""

import math
from typing import Any

import pandas as pd

from tellapart.errors import UserMistake
from tellapart.studies.finding import Finding
from tellapart.studies.gain.calibrated import origin
from tellapart.studies.gain.density import Density, density
from tellapart.studies.gain.described import edl_estimates, edl_table
from tellapart.studies.gain.directions import direction_table
from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.features import as_table, features
from tellapart.studies.gain.items import per_item, shared_items
from tellapart.studies.gain.recovered import Recovered, recover
from tellapart.studies.gain.scores import Scores, compare
from tellapart.studies.gain.selection import selection_share
from tellapart.studies.gain.surfacing import surface
from tellapart.studies.gain.tables import counts_table, empty_answers, ladder, samples
from tellapart.studies.gain.verdict import Evidence, Verdict, decide

QUESTION = "How much of the gain was already in the base?"
SHOWN_ITEMS = 60


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
    scores = compare(base_all, tuned_all, base, tuned, facts.guess_floor)
    recovered = recover(rows, scores, facts)
    seen = density(rows, scores, facts)
    evidence = weigh(scores, recovered, seen, facts)
    verdict = decide(evidence)
    return [_finding(rows, facts, scores, recovered, seen, (evidence, verdict))]


def weigh(scores: Scores, recovered: Recovered, seen: Density, facts: Facts) -> Evidence:
    """Return the evidence: the better witness of the best honest elicitor and selection among base samples."""
    selection = selection_share(scores, facts.guess_floor)
    candidates = [
        (recovered.elicited_share, " and ".join(recovered.chosen)),
        (selection, "choosing among its samples"),
    ]
    known = [(share, how) for share, how in candidates if not math.isnan(share.value)]
    if not known:
        reason = selection.method.removeprefix("missing: ")
        found = features(scores, recovered, seen, recovered.elicited_share)
        return Evidence(scores, recovered.elicited_share, "nothing", False, reason, facts.same_model, found)
    share, how = max(known, key=lambda one: one[0].low)
    probed = bool(recovered.chosen) and seen.seen
    open_reason = "nothing that was tried would have found a hidden skill; give models, or log-probabilities"
    terms = [("null twin's share", recovered.null_of_chosen.value, math.nan)]
    for name in ("bits_per_response", "bits_concentration_5%", "content_share"):
        terms.append((name, seen.estimates[name].value, math.nan))
    seen_terms = tuple(term for term in terms if not math.isnan(term[1]))
    reason = "" if probed else open_reason
    found = features(scores, recovered, seen, share)
    return Evidence(scores, share, how, probed, reason, facts.same_model, found, seen_terms)


def _finding(
    rows: pd.DataFrame,
    facts: Facts,
    scores: Scores,
    recovered: Recovered,
    seen: Density,
    decided: tuple[Evidence, Verdict],
) -> Finding:
    evidence, verdict = decided
    surfaced = surface(rows, recovered, scores, facts)
    estimates = {
        **scores.estimates,
        **recovered.estimates,
        **surfaced.estimates,
        **seen.estimates,
        **edl_estimates(facts),
        "elicited_share": evidence.share,
    }
    tables = {
        "ladder": ladder(scores, evidence.share, evidence.how),
        **scores.tables,
        **recovered.tables,
        **surfaced.tables,
        **seen.tables,
    }
    for row in tables["items"]:
        row.update(seen.item_tables.get(row["item"], {}))
    shown = [row["item"] for row in tables["items"][:SHOWN_ITEMS]]
    tables["features"] = as_table(evidence.features)
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
        controls=_controls(recovered, facts),
        caveats=_caveats(scores, facts, tables["counts"]) + _empty(rows, facts) + seen.caveats,
        evidence=verdict.terms,
        rows=tuple((f"{row['only']}/plain", row["item"]) for row in tables["items"] if row["only"])[:100],
        tables=tables,
    )


def _controls(recovered: Recovered, facts: Facts) -> dict[str, str]:
    told = {}
    for way in recovered.ways:
        null = way.null_share
        value = (
            "missing"
            if math.isnan(null.value)
            else f"{100 * null.value:.0f} % [{100 * null.low:.0f}, {100 * null.high:.0f}]"
        )
        told[f"null twin of {way.name}"] = value
    for name, about in facts.elicitors.items():
        if "missing" in about:
            told[name] = f"not tried: {about['missing']}"
    return {**told, "verdict calibrated on": origin()}


def _empty(rows: pd.DataFrame, facts: Facts) -> tuple[str, ...]:
    """Return caveats on empty answers; a log may have scores and no texts."""
    return empty_answers(rows, ("base/plain", "tuned/plain")) if facts.asked_models else ()


def _caveats(scores: Scores, facts: Facts, counts: list[dict[str, Any]]) -> tuple[str, ...]:
    said = [*facts.notes, *scores.caveats]
    if facts.guess_floor is None:
        said.append("The guess floor is not known: what looks covered at large k may be luck.")
    elif facts.guess_floor >= 0.02:
        k = math.ceil(math.log(0.5) / math.log(1 - facts.guess_floor))
        said.append(
            f"With a guess floor of {facts.guess_floor:g} a know-nothing solves half of the items in {k} samples."
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
        if lost > 0.05 * row["asked"] and row["condition"] in ("base/plain", "tuned/plain"):
            parts = f"{row['cut off']} cut off, {row['failed']} failed, {row['unscored']} unscored"
            said.append(f"{row['condition']}: of {row['asked']} answers {parts}.")
    return tuple(dict.fromkeys(said))
