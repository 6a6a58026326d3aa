"""Headroom: what verification of the model's answers would gain, for each verifier, without any training."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tellapart.errors import UserMistake
from tellapart.findings.finding import Finding
from tellapart.findings.improve import HEADROOM, HeadroomTable, VerifierLine
from tellapart.findings.shown import Triple
from tellapart.models.budget import BudgetSpent
from tellapart.runs.asking import row_seed
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.improvement import accepted_by_chance, gap, relative_gap, score, verified
from tellapart.stats.paired import paired_difference
from tellapart.studies.improve.ask import Answers, Plan, Version
from tellapart.studies.improve.measure import Verdicts
from tellapart.studies.improve.rounds import verdicts
from tellapart.verifiers.verifier import Verifier

QUESTION = "Does the model know its better answers from its worse ones?"
CONTROLS = ("chance", "form", "longest")
SAME = 0.02
"""A gap that is shown to be smaller than this is none."""
NEAR = 0.9
"""A score from here on that is not shown to be below 1 is at the ceiling; a lower one is merely not known well."""


class Judged(NamedTuple):
    """A verifier and what it said of the report answers."""

    verifier: Verifier
    verdicts: Verdicts


class Sized(NamedTuple):
    """The figures of a verifier. `sure` is the gap's interval at the level that allows for the number of verifiers."""

    name: str
    outside: bool
    accepted: Estimate
    read: float
    verification: Estimate
    gap: Estimate
    relative: Estimate
    null: Estimate
    sure: Estimate


def ask_verifiers(
    plan: Plan, given: Answers, verifiers: Sequence[Verifier], named: bool
) -> tuple[list[Judged], list[str]]:
    """Return what each verifier says, and why others could not; a named one that cannot raises UserMistake."""
    judged, notes = [], []
    for verifier in verifiers:
        try:
            judged.append(Judged(verifier, verdicts(plan, Version(), given, verifier)))
        except UserMistake as mistake:
            if named:
                raise
            notes.append(f"Verifier {verifier.name} was not measured: {mistake}.")
        except BudgetSpent as spent:
            notes.append(f"Verifier {verifier.name} was not measured: {spent}.")
    return judged, notes


def sized(given: Answers, judged: Sequence[Judged], seed: int) -> list[Sized]:
    """Return the figures of every verifier on the same answers."""
    sure = 1 - 0.05 / max(1, sum(verifier_judged.verifier.name not in CONTROLS for verifier_judged in judged))
    sizes = []
    for verifier, said in judged:
        has_truth = np.isfinite(given.truth)
        read = float(np.isfinite(said.utilities[has_truth]).mean()) if has_truth.any() else math.nan
        seen = verified(given.truth, said.accepted, given.clusters)
        drawn = accepted_by_chance(
            said.accepted, given.truth, row_seed(seed, f"null {verifier.name}", 0) % 2**32
        )
        null = gap(verified(given.truth, drawn, given.clusters))
        figures = (
            score(seen.verification, seen.clusters),
            gap(seen),
            relative_gap(seen),
            null,
            gap(seen, sure),
        )
        if read == 0:
            figures = (missing("score", "no verdict could be read"),) * 5
        sizes.append(
            Sized(verifier.name, verifier.outside, score(seen.accepted, seen.clusters), read, *figures)
        )
    return sizes


def headroom(given: Answers, judged: Sequence[Judged], seed: int, notes: Sequence[str]) -> Finding:
    """Return the finding on headroom."""
    sizes = sized(given, judged, seed)
    base = verified(given.truth, np.zeros(given.truth.shape, dtype=bool), given.clusters)
    generation = score(base.generation, base.clusters)
    label, sentence = _verdict(sizes, generation)
    unread = [f"{size.name} ({100 * (1 - size.read):.0f} %)" for size in sizes if size.read < 1]
    caveats = [*notes]
    if unread:
        caveats.append(f"Verdicts that could not be read count as rejections: {', '.join(unread)}.")
    if longest := _no_better_than_length(given, judged, sizes):
        caveats.append(
            f"Picking the longest answer does as well as {', '.join(longest)}: these may go by form alone."
        )
    return Finding(
        question=QUESTION,
        verdict=label,
        probability=math.nan,
        sentence=sentence,
        estimates={"generation_score": generation} | _estimates(sizes),
        controls={
            "verification by chance": "as many answers of every item, picked at random: its gap stands beside each"
        },
        caveats=tuple(caveats),
        tables=HEADROOM.write(HeadroomTable(tuple(_line(size) for size in sizes))),
    )


def at_ceiling(generation: Estimate) -> bool:
    """Return whether the score is below 1 by no more than the half of its interval, and near 1."""
    return generation.value >= NEAR and 1 - generation.value <= (generation.high - generation.low) / 2


def no_headroom(given: Answers, said: Verdicts | None) -> str:
    """Return in words why training on what a verifier selects cannot raise the score; empty where it may.

    `said` is what the verifier that trains said of the same answers; None where answers come from outside as well, so
    that only the ceiling bars training.
    """
    base = verified(given.truth, np.zeros(given.truth.shape, dtype=bool), given.clusters)
    generation = score(base.generation, base.clusters)
    if at_ceiling(generation):
        return f"no headroom: {_percent(generation.value)} of its answers are right, not shown to be below all of them"
    if said is None:
        return ""
    gained = gap(verified(given.truth, said.accepted, given.clusters))
    # a verifier that picks worse answers is trained on, to show the harm
    if gained.low > -SAME and gained.high < SAME:
        return f"no headroom: selection by this verifier moves the score by less than {100 * SAME:.0f} points"
    return ""


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _no_better_than_length(given: Answers, judged: Sequence[Judged], sizes: Sequence[Sized]) -> list[str]:
    """Return the model's own verifiers with a gap that is not shown to be above that of picking the longest answer."""
    scores = {
        verifier_judged.verifier.name: verified(
            given.truth, verifier_judged.verdicts.accepted, given.clusters
        )
        for verifier_judged in judged
    }
    longest = scores.get("longest")
    if longest is None:
        return []
    own = [
        size.name for size in sizes if not size.outside and size.name not in CONTROLS and size.sure.low > 0
    ]
    return [
        name
        for name in own
        if paired_difference(longest.verification, scores[name].verification, longest.clusters).low <= 0
    ]


def _estimates(sizes: Sequence[Sized]) -> dict[str, Estimate]:
    return {
        f"{name}/{size.name}": estimate
        for size in sizes
        for name, estimate in (
            ("verification_score", size.verification),
            ("gap_difference", size.gap),
            ("relative_gap", size.relative),
            ("null_gap_difference", size.null),
            ("accepted_share", size.accepted),
        )
    }


def _verdict(sizes: Sequence[Sized], generation: Estimate) -> tuple[str, str]:
    real = [size for size in sizes if size.name not in CONTROLS and math.isfinite(size.sure.value)]
    own = sorted((o for o in real if not o.outside and o.sure.low > 0), key=lambda o: -o.gap.value)
    helped = sorted((o for o in real if o.outside and o.sure.low > 0), key=lambda o: -o.gap.value)
    start = f"{_percent(generation.value)} of its answers are right"
    if at_ceiling(generation):
        return "no headroom", f"{start}: that is not shown to be below all of them."
    if own:
        best = own[0]
        return (
            "headroom",
            f"{start}; of those that its {best.name} verifier accepts, {_percent(best.verification.value)}.",
        )
    if helped:
        best = helped[0]
        return (
            "headroom with outside help only",
            f"{start}; {best.name} lifts that to {_percent(best.verification.value)}, "
            "none of its own verifiers is shown to.",
        )
    if real and all(size.sure.low > -SAME and size.sure.high < SAME for size in real):
        return "no headroom", f"{start}, and no verifier moves that by {100 * SAME:.0f} points."
    return "cannot tell", f"{start}; no verifier is shown to pick better ones, nor that none does."


def _line(size: Sized) -> VerifierLine:
    return VerifierLine(
        verifier=size.name,
        outside=size.outside,
        control=size.name in CONTROLS,
        read=size.read,
        accepted=triple(size.accepted),
        verification=triple(size.verification),
        gap=triple(size.gap),
        relative=triple(size.relative),
        null=triple(size.null),
    )


def triple(estimate: Estimate) -> Triple:
    """Return value, low, high."""
    return estimate.value, estimate.low, estimate.high


def best_own(given: Answers, judged: Sequence[Judged]) -> Verifier | None:
    """Return the verifier of the model's own with the largest gap on these answers; None without one."""
    own = [
        verifier_judged
        for verifier_judged in judged
        if not verifier_judged.verifier.outside and verifier_judged.verifier.name not in (*CONTROLS, "past")
    ]
    gaps = [gap(verified(given.truth, verifier_judged.verdicts.accepted)).value for verifier_judged in own]
    return own[int(np.argmax(gaps))].verifier if own else None
