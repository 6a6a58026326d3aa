"""The verdict alone: rows and facts in, the bounds and the word out. What only shows is added in analyse.py."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from tellapart.errors import UserMistake
from tellapart.runs.row import Row
from tellapart.stats.bounds import CONFIDENCE
from tellapart.stats.equivalence import Equivalence, equal_everywhere, equivalence
from tellapart.stats.estimate import Estimate
from tellapart.stats.form_parts import Parts
from tellapart.studies.gain.answers import (
    Chance,
    Questions,
    chance_of,
    majority_means,
    matching_by_item,
    reading_of,
    shared_questions,
)
from tellapart.studies.gain.calibrated import Backing, Domain, backing
from tellapart.studies.gain.evidence import Evidence
from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.held import Held, above_luck, bounds, lenient_content, parts_of
from tellapart.studies.gain.items import PerItem, per_item, shared_items
from tellapart.studies.gain.recovered import Recovered, recover
from tellapart.studies.gain.scores import Scores, compare
from tellapart.studies.gain.slices import Slices, slices_of
from tellapart.studies.gain.unread import unread_of
from tellapart.studies.gain.verdict import FEWEST_QUESTIONS, Case, Verdict, decide

READ = (
    "condition", "item", "sample", "status", "score", "cluster", "bits", "measures", "error", "answer", "lenient",
    "question",
)  # fmt: skip
"""The columns of rows that a verdict is made of."""


class Judged(NamedTuple):
    """All that the verdict rests on, and the verdict."""

    scores: Scores
    recovered: Recovered
    evidence: Evidence
    held: Held
    parts: Parts | None
    lenient: Estimate
    slices: Slices | None
    verdict: Verdict

    @property
    def questions(self) -> Questions:
        return self.evidence.questions

    @property
    def chance(self) -> Chance:
        return self.evidence.chance


def judge(rows: pd.DataFrame, facts: Facts, confidence: float = CONFIDENCE) -> Judged:
    """Return the verdict on a run. Raises UserMistake where either model has no scored answer."""
    base_all, tuned_all = (_side(rows, role, facts) for role in ("base", "tuned"))
    base, tuned = shared_items(base_all, tuned_all)
    if len(base.items) == 0:
        raise UserMistake("base and tuned share no item with scored answers")
    questions = shared_questions(rows, base, facts.items, facts.recognised)
    chance = chance_of(rows, questions, facts.items, facts.guess_floor)
    level = None if math.isnan(chance.upper) else chance.upper
    scores = compare(base_all, tuned_all, base, tuned, (questions.clusters, level))
    recovered = recover(rows, scores, facts)
    readings = (reading_of(rows, "base/plain", questions), reading_of(rows, "tuned/plain", questions))
    plain = rows, "base/plain", questions
    evidence = Evidence(
        rows,
        questions,
        base,
        tuned,
        chance,
        readings,
        facts,
        majority_means(*plain),
        matching_by_item(*plain),
    )
    held = bounds(evidence, recovered, confidence, enough=questions.distinct >= FEWEST_QUESTIONS)
    parts = parts_of(evidence)
    lenient, lenient_base = lenient_content(evidence)
    slices = slices_of(evidence, held)
    equal = same(base, tuned, margin_of(scores, facts.margin), questions)
    verdict = decide(
        Case(
            scores=scores,
            equivalent=equal,
            chance=chance,
            held=held,
            slices=slices,
            parts=parts,
            lenient=lenient,
            lenient_base=lenient_base,
            above_luck=above_luck(evidence),
            distinct=questions.distinct,
            backing=backed(facts, held),
            same_model=facts.same_model,
            asked_models=facts.asked_models,
            quick=tuple(facts.plan.get("asked", ())) if facts.plan.get("plan") == "quick" else None,
            elsewhere=tuple(name for name, record in facts.elicitors.items() if record.get("elsewhere")),
            unstated=tuple(
                name
                for name, record in facts.elicitors.items()
                if record.get("elsewhere") and "bits_once" not in record
            ),
            unread=unread_of(evidence),
        )
    )
    return Judged(scores, recovered, evidence, held, parts, lenient, slices, verdict)


def same(base: PerItem, tuned: PerItem, margin: float, questions: Questions) -> Equivalence:
    """Return whether both models score the same within the margin. Where each answer of both is wrong, or each right,
    these questions are taken as they are: between equal ones nothing varies."""
    means = np.concatenate([base.mean, tuned.mean])
    if len(means) and means[0] in (0.0, 1.0) and (means == means[0]).all():
        return equal_everywhere(base.mean, tuned.mean, (int(base.n.sum()), int(tuned.n.sum())), margin)
    return equivalence(base.mean, tuned.mean, margin, questions.clusters)


def backed(facts: Facts, held: Held) -> Backing:
    """Return what backs a word about these models; nothing where a method that was in no calibration set the lower
    bound."""
    claims = {name.removesuffix("~null") for name in held.low_by.split(" and ")}
    outside = sorted(name for name in claims if facts.elicitors.get(name, {}).get("outside"))
    if outside:
        return Backing({}, f"{outside[0]} comes from outside and was in no calibration")
    return backing(domains(facts))


def _side(rows: pd.DataFrame, role: str, facts: Facts) -> PerItem:
    side = per_item(rows, f"{role}/plain", facts.correct_at)
    if side is None:
        raise UserMistake(
            f"no scored answer of the {role} model: every request failed, or the log has no scores"
        )
    return side


def light_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Return what a verdict needs of the rows."""
    ordered = sorted(rows, key=lambda row: (row.condition, row.item, row.sample))
    return pd.DataFrame({name: [getattr(row, name) for row in ordered] for name in READ})


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
        Domain(domain.get("architecture", ""), domain.get("parameters", 0)) if domain else None
        for domain in (facts.models.get(role) for role in ("base", "tuned"))
    )
