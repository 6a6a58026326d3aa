"""The two bounds: the most that the base certainly held (L), and the most that it could have held (U).

L is raised by positive evidence alone: by methods that told no right answers, by selection among few samples net of
chance, and by teaching where the same teaching of a reference costs far more. U is lowered only by three arms that
each found a planted skill in this very base; a method that failed, was refused or collapsed lowers nothing.
"""

import math
from typing import NamedTuple

import numpy as np

from tellapart.planting.result import ArmControl
from tellapart.stats.arrays import Floats
from tellapart.stats.bounds import (
    CONFIDENCE,
    Gain,
    Method,
    baseline,
    cross_fitted,
    refused,
    share_above,
)
from tellapart.stats.coverage import pass_at_k
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.form_parts import Parts, form_parts
from tellapart.stats.intervals import mean
from tellapart.stats.paired import paired_difference
from tellapart.studies.gain.answers import (
    given_answers,
    guesses_within_groups,
    matching_by_item,
    matching_chance,
    reading_of,
)
from tellapart.studies.gain.collapse import collapsed
from tellapart.studies.gain.evidence import Evidence
from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.items import per_item
from tellapart.studies.gain.price import TEACHING, Teaching, teaching_of
from tellapart.studies.gain.recovered import Recovered

ARMS = ("form_demonstrations", "answer_rank", "few_labels")
"""The three arms whose failure to find a skill says that it was not there, once each has found a planted one."""
AMONG_CANDIDATES = ("answer_rank",)
"""Methods that choose among candidates drawn from all questions."""
LENIENT = "the lenient reading"
SELECTED_AMONG = 8
"""Samples that selection may choose among: few, so that luck stays small, and the same whatever was drawn."""
MOST_LUCK = 0.25
"""Score of a random guesser in that many picks, above which selection says nothing."""


class Claim(NamedTuple):
    """A method that may raise L: its name, its per-item means over the shared items (n,), its chance level."""

    name: str
    method: Method


class Arm(NamedTuple):
    """One arm: its share of the gain (upper end decides), why it does not lower U ("" where it does), and its means."""

    name: str
    share: Estimate
    obstacle: str
    means: Floats | None = None


class Held(NamedTuple):
    """Both bounds with what set them, every claim and every arm; `refused` says why no share can be given, `decidable`
    whether a method could change the word; `teaching` is the price of
    labels against a reference, where there is one; `gain` and `methods` are what the bounds were computed from."""

    low: Estimate
    low_by: str
    high: Estimate
    high_by: str
    claims: tuple[tuple[str, Estimate], ...]
    arms: tuple[Arm, ...]
    refused: str
    decidable: bool
    teaching: Teaching | None = None
    gain: Gain | None = None
    methods: tuple[Claim, ...] = ()

    @property
    def open_arms(self) -> tuple[Arm, ...]:
        return tuple(arm for arm in self.arms if arm.obstacle)


def bounds(
    evidence: Evidence, recovered: Recovered, confidence: float = CONFIDENCE, enough: bool = True
) -> Held:
    """Return L and U. Without a known chance level there is neither; `enough` says whether there are questions enough
    for a word to be said at all."""
    chance = evidence.chance
    if chance.reason:
        return _none(chance.reason)
    gain = Gain(evidence.base.mean, evidence.tuned.mean, chance.upper, evidence.questions.clusters)
    level = baseline(gain)
    reason = refused(gain, level)
    if reason:
        return _none(reason)
    claims = _claims(evidence, recovered)
    teaching = teaching_of(evidence, gain, level, confidence)
    if teaching is not None and teaching.claim is not None:
        claims.append(Claim(TEACHING, Method(teaching.claim, chance.upper)))
    shares = tuple((claim.name, share_above(gain, claim.method, level, confidence)) for claim in claims)
    low, taken = cross_fitted(gain, [claim.method for claim in claims], confidence)
    arms = tuple(_arm(name, evidence, (gain, level), teaching) for name in ARMS)
    high, high_by = _upper(arms, len(level))
    low_by = " and ".join(claims[at].name for at in taken)
    return Held(low, low_by, high, high_by, shares, arms, "", enough, teaching, gain, tuple(claims))


def _none(reason: str) -> Held:
    return Held(missing("share", reason), "", missing("share", reason), "", (), (), reason, False)


def _claims(evidence: Evidence, recovered: Recovered) -> list[Claim]:
    """Return the methods that told no right answers, each with its own chance level, and selection."""
    floor, claims = evidence.chance.upper, []
    grouped = any(
        guesses_within_groups(evidence.rows, f"{role}/plain", evidence.questions)
        for role in ("base", "tuned")
    )
    for name, means in recovered.untold.items():
        if grouped and name.removesuffix("~null") in AMONG_CANDIDATES:
            continue
        own = matching_chance(evidence.rows, f"base/{name}", evidence.questions)
        among = recovered.among.get(name, math.nan)
        levels = [value for value in (floor, own.high, among) if math.isfinite(value)]
        claims.append(Claim(name, Method(means, max(levels))))
    reading = evidence.readings[0]
    if (
        reading is not None
        and not np.isnan(reading.lenient).any()
        and not np.isnan(reading.lenient_chance).all()
    ):
        level = max(floor, _upper_mean(reading.lenient_chance))
        claims.append(Claim(LENIENT, Method(reading.lenient, level)))
    votes = evidence.votes
    if votes is not None:
        claims.append(Claim("the majority of its samples", Method(votes, floor)))
    selected = _selected(evidence)
    return claims if selected is None else [*claims, selected]


def _upper_mean(values: Floats) -> float:
    finite = values[~np.isnan(values)]
    error = finite.std(ddof=1) / math.sqrt(len(finite)) if len(finite) > 1 else 0.0
    return float(finite.mean() + 2 * error)


def _selected(evidence: Evidence) -> Claim | None:
    """Return selection by the scorer among SELECTED_AMONG samples, net of a random guesser's luck: the gain on the
    share of items that are covered. None where there are too few samples (where no answers were recorded, luck is what
    the user states, and fewer than SELECTED_AMONG show too little), or luck alone covers too much."""
    base, tuned = evidence.base, evidence.tuned
    if evidence.facts.pairing.get("untold_samples"):
        return None  # nothing shows that they are samples of one item
    k, matched = min(SELECTED_AMONG, int(base.n.min())), evidence.matched
    if k < (2 if matched is not None else SELECTED_AMONG):
        return None
    lucky = np.zeros(len(base.items)) if matched is None else np.nan_to_num(matched)
    lucky = np.maximum(lucky, evidence.chance.level.value)
    luck = 1 - (1 - np.clip(lucky, 0, 1)) ** k
    if float(luck.mean()) > MOST_LUCK:
        return None
    covered = (pass_at_k(base.counts, [k])[:, 0] - luck) / (1 - luck)
    means = base.mean + (tuned.mean - base.mean) * covered
    return Claim(f"choosing among {k} samples", Method(means, evidence.chance.upper))


def _arm(name: str, evidence: Evidence, over: tuple[Gain, Floats], teaching: Teaching | None) -> Arm:
    """Return what one arm found, or why it lowers nothing. What could not be read, beyond what could not of the tuned
    model, is taken for right: it might have been; of labels, what they found beyond what the same labels
    taught a valid reference."""
    gain, level = over
    facts = evidence.facts
    control = facts.planting.get(name)
    conditions = _conditions(name, facts, None if control is None else control.dose)
    if not conditions:
        record = facts.elicitors.get(name, {})
        return _open(name, str(record.get("missing", "not asked")))
    means = []
    for condition in conditions:
        side = per_item(evidence.rows, f"base/{condition}", facts.correct_at)
        if side is None or not side.has(evidence.base.items).all():
            return _open(name, "some items have no answer")
        means.append(side.at(evidence.base.items).mean)
    level_by_item = np.mean(means, axis=0)
    if name == "few_labels" and teaching is not None:
        level_by_item = level_by_item - teaching.rises.get(_dose_of(conditions[0]), 0.0)
    unread = float(np.mean([_unread(condition, evidence) or 0.0 for condition in conditions]))
    share = share_above(gain, Method(level_by_item + unread, gain.chance), level)
    obstacles = (_obstacle(name, condition, evidence, control) for condition in conditions)
    return Arm(name, share, next((obstacle for obstacle in obstacles if obstacle), ""), level_by_item)


def _conditions(name: str, facts: Facts, dose: int | None) -> list[str]:
    """Return the names of the arm's conditions that were asked: of labels, all draws of the smallest number that is
    not below the one that found the planted skill; of the largest where there is none, or that is not known."""
    usable = [
        condition_name
        for condition_name, record in facts.elicitors.items()
        if "missing" not in record
        and not record.get("elsewhere")  # an arm is ours: its control was planted here
    ]
    if name != "few_labels":
        return [name] if name in usable else []
    doses = {
        condition_name: _dose_of(condition_name)
        for condition_name in usable
        if condition_name.startswith("few_labels@")
    }
    most = max(doses.values(), default=0)
    wanted = (
        most if dose is None else min((labels for labels in doses.values() if labels >= dose), default=most)
    )
    return [condition_name for condition_name, labels in doses.items() if labels == wanted]


def _dose_of(condition: str) -> int:
    return int(condition.partition("@")[2].split(".")[0])


def _open(name: str, obstacle: str) -> Arm:
    return Arm(name, missing("share", obstacle), obstacle)


def _obstacle(name: str, condition: str, evidence: Evidence, control: ArmControl | None) -> str:
    """Return why what the arm did not find says nothing; nothing where it passed all of its controls."""
    if control is None and evidence.facts.planting:
        return "no skill was hidden for it, since another arm did not find the one that was hidden for that"
    if control is None:
        return "no planted skill was hidden in this base to see whether it would be found"
    if not control.passed:
        return control.reason or "it did not find the planted skill"
    setting = evidence.facts.elicitors[condition].get("setting", {})
    if said := _collapsed(condition, evidence):
        return f"it {said}"
    wanted = control.dose
    if name == "few_labels" and wanted is not None and _dose_of(condition) < wanted:
        return (
            f"it found the planted skill with {wanted} labels, and there were {_dose_of(condition)} right answers to "
            "learn from"
        )
    fitted = setting.get("fitted_share")
    if name == "few_labels" and isinstance(fitted, int | float) and fitted < 0.9:
        return f"it fitted {100 * fitted:.0f} % of its training labels (90 % needed)"
    if _unread(condition, evidence) is None:
        return "its answers were not recorded"
    return ""


def _unread(condition: str, evidence: Evidence) -> float | None:
    """Return how much less of a condition's answers can be read than of the tuned model's; None where answers were not
    recorded."""
    own, tuned = reading_of(evidence.rows, f"base/{condition}", evidence.questions), evidence.readings[1]
    if own is None or tuned is None:
        return None
    return max(0.0, float(tuned.strict.readable.mean() - own.strict.readable.mean()))


def _collapsed(condition: str, evidence: Evidence) -> str | None:
    """Return how a condition's answers are all the same while targets vary; None where they are not."""
    own, plain = (
        given_answers(evidence.rows, f"base/{name}", evidence.questions) for name in (condition, "plain")
    )
    if own is None or plain is None or evidence.questions.key is None:
        return None
    target = dict(
        zip(evidence.questions.key.item.tolist(), evidence.questions.key.value.tolist(), strict=True)
    )
    return collapsed(own.value.tolist(), [target[at] for at in own.item.tolist()], plain.value.tolist())


def _upper(arms: tuple[Arm, ...], n: int) -> tuple[Estimate, str]:
    if any(arm.obstacle for arm in arms):
        names = ", ".join(arm.name for arm in arms if arm.obstacle)
        return Estimate(1.0, 1.0, 1.0, n, "share", f"open: {names}"), ""
    most = max(arms, key=lambda arm: arm.share.high)
    return most.share, most.name


def lenient_content(evidence: Evidence) -> tuple[Estimate, Estimate]:
    """Return what the lenient score rose by and what the base's is, each side less what its answers score on other
    questions (90 % intervals); missing where no lenient reading was recorded."""
    base, tuned = evidence.readings
    unknown = missing("score", "no lenient reading was recorded")
    if base is None or tuned is None:
        return unknown, unknown
    before, after = (reading.lenient - reading.lenient_chance for reading in (base, tuned))
    if np.isnan(before).any() or np.isnan(after).any():
        return unknown, unknown
    clusters = evidence.questions.clusters
    return (
        paired_difference(before, after, clusters, CONFIDENCE),
        mean(before, clusters, CONFIDENCE),
    )


class AboveLuck(NamedTuple):
    """What the tuned model's answers score above luck, read strictly and leniently (90 % intervals)."""

    strict: Estimate
    lenient: Estimate


def above_luck(evidence: Evidence) -> AboveLuck:
    """Return what the tuned model scores above luck; missing where answers or targets were not recorded.

    Luck is the largest of what its answers score on other questions, and of picking one of the candidates, or any known
    answer that stands in the question, as often as its answers can be read. Luck on alike questions stays out: who has
    learned to come near the answer has it too. A stated chance level and the best constant
    answer stay out: a model that tells questions apart may score below both.
    """
    tuned, names = evidence.readings[1], evidence.questions.names
    matched = matching_by_item(evidence.rows, "tuned/plain", evidence.questions, alike=False)
    if tuned is None or matched is None or np.isnan(matched).any():
        unknown = missing("score", "answers or targets were not recorded")
        return AboveLuck(unknown, unknown)
    keys = [evidence.facts.items[str(name)] for name in names]
    counts = [key.get("candidates") for key in keys]
    picked = [
        tuned.strict.readable * np.array(shares, dtype=float)
        for shares in (
            [key.get("copied") for key in keys],
            [1 / count if count else None for count in counts],
        )
        if None not in shares
    ]
    clusters = evidence.questions.clusters

    def above(score: Floats, own: Floats) -> Estimate:
        luck = max((own, *picked), key=lambda chosen: float(chosen.mean()))
        return paired_difference(luck, score, clusters, CONFIDENCE)

    if np.isnan(tuned.lenient).any() or np.isnan(tuned.lenient_chance).any():
        lenient = missing("score", "no lenient reading was recorded")
    else:
        lenient = above(tuned.lenient, tuned.lenient_chance)
    return AboveLuck(above(evidence.tuned.mean, matched), lenient)


def parts_of(evidence: Evidence) -> Parts | None:
    """Return the form and the content part of the gain; None where readability was not recorded."""
    base, tuned = evidence.readings
    if base is None or tuned is None:
        return None
    return form_parts(base.strict, tuned.strict, evidence.questions.clusters)
