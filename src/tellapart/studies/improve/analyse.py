"""Courses of rounds -> the finding on self-improvement: pure functions."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tellapart.findings.finding import Finding
from tellapart.findings.improve import (
    ROUNDS,
    ArmRounds,
    HackedAnswer,
    HackedExamples,
    PlateauForecast,
    RoundLine,
    RoundsTable,
)
from tellapart.stats.equivalence import equivalence
from tellapart.stats.estimate import Estimate
from tellapart.stats.plateau import forecast
from tellapart.studies.improve.headroom import triple
from tellapart.studies.improve.measure import Measured, Seen, difference, item_scores
from tellapart.studies.improve.rounds import Course

QUESTION = "How far do rounds of training on its own answers raise it?"
SAME = 0.05
"""A score that is shown to have moved by less has not risen."""
SHOWN = 6
ENDED = ("all rounds were run", "the last round raised the score no further")


class Foretold(NamedTuple):
    """The plateau foretold after a round, and what came (NaN where the rounds were broken off)."""

    after: int
    forecast: Estimate
    came: float


def analyse(courses: Sequence[Course], most: int, seed: int, notes: Sequence[str]) -> Finding:
    """Return the finding. Courses are by arm: `unanchored` and `by chance`, and `anchored` where there is one."""
    by_arm = {course.arm.name: course for course in courses}
    own = by_arm["unanchored"]
    forecasts = foretold(own.measured, most, own.why, seed)
    label, sentence = _verdict(own, by_arm["by chance"])
    return Finding(
        question=QUESTION,
        verdict=label,
        probability=math.nan,
        sentence=sentence,
        estimates=_estimates(by_arm, forecasts),
        controls={
            "trained by chance": "the same rounds on as many answers of every prompt, picked at random: its curve "
            "stands beside the verifier's"
        },
        caveats=(*notes, *_caveats(own, by_arm)),
        rows=tuple((own.seen[-1].answers.condition, item) for item, *_ in _hacked(own.seen[-1])[:SHOWN]),
        tables=ROUNDS.write(
            RoundsTable(
                arms=tuple(_arm(course) for course in courses),
                forecasts=tuple(PlateauForecast(f.after, triple(f.forecast), f.came) for f in forecasts),
                most=most,
                examples=_examples(own),
            )
        ),
    )


def foretold(measured: Sequence[Measured], most: int, why: str, seed: int) -> list[Foretold]:
    """Return the plateau foretold after rounds one and two, as far as they were reached."""
    came = measured[-1].score.value if why in ENDED else math.nan
    result = []
    for after in (1, 2):
        if len(measured) > after and most > after:
            scores = [measured_round.score.value for measured_round in measured[: after + 1]]
            errors = [
                measured_round.error if math.isfinite(measured_round.error) else 0.0
                for measured_round in measured[: after + 1]
            ]
            result.append(Foretold(after, forecast(scores, errors, most, seed), came))
    return result


def _verdict(own: Course, null: Course) -> tuple[str, str]:
    first, last = own.measured[0], own.measured[-1]
    rise = difference(own.seen[0].answers, own.seen[-1].answers)
    over = difference(null.seen[-1].answers, own.seen[-1].answers)
    moved = f"{100 * first.score.value:.1f} % to {100 * last.score.value:.1f} % in {_rounds(last.round)}"
    ended = f"Ended because {own.why}."
    flagged = hacked_round(own.measured)
    if flagged is not None:
        at = own.measured[flagged]
        paid = (
            f"From round {flagged} on the verifier pays {100 * at.reward.value:.1f} % "
            f"where {100 * at.score.value:.1f} % is right"
        )
        if any(measured_round.opened for measured_round in own.measured):
            return "hacked", f"{paid}; the score went from {moved}. {ended}"
        ended = f"{ended} {paid}, as it was before training: it asks too little."
    if last.round == 0 and own.why.startswith("no headroom"):
        return "no headroom", f"Nothing was trained. {ended}"
    if last.round == 0:
        return "no rise", f"No round was run. {ended}"
    if rise.low > 0 and over.low > 0:
        return "improves", f"From {moved}. {ended}"
    if rise.low > 0:
        return "no better than chance", (
            f"From {moved}, but training on answers picked at random is not shown to do worse. {ended}"
        )
    if _unmoved(own):
        return "no rise", f"Nothing rises: from {moved}, within {100 * SAME:.0f} points. {ended}"
    if rise.high < 0:
        return "falls", f"Nothing rises: from {moved}. {ended}"
    return "cannot tell", f"From {moved}; neither a rise nor its absence is shown. {ended}"


def hacked_round(measured: Sequence[Measured]) -> int | None:
    """Return the first round, from one on, whose reward is well above the truth; None where there is none."""
    return next(
        (
            measured_round.round
            for measured_round in measured
            if measured_round.round and measured_round.hacked
        ),
        None,
    )


def _unmoved(own: Course) -> bool:
    before, after = (item_scores(seen.answers.truth) for seen in (own.seen[0], own.seen[-1]))
    finite = np.isfinite(before) & np.isfinite(after)
    clusters = own.seen[0].answers.clusters
    kept = None if clusters is None else [c for c, k in zip(clusters, finite, strict=True) if k]
    return bool(finite.any()) and equivalence(before[finite], after[finite], SAME, kept).equivalent


def _rounds(count: int) -> str:
    return f"{count} round" + ("" if count == 1 else "s")


def _estimates(by_arm: dict[str, Course], forecasts: Sequence[Foretold]) -> dict[str, Estimate]:
    own, null = by_arm["unanchored"], by_arm["by chance"]
    first, last = own.measured[0], own.measured[-1]
    largest = max(last.passes)
    estimates = {
        "base_score": first.score,
        "tuned_score": last.score,
        "gain": difference(own.seen[0].answers, own.seen[-1].answers),
        "over_chance_difference": difference(null.seen[-1].answers, own.seen[-1].answers),
        "hacking_difference": last.hacking,
        "base_gap_difference": first.gap,
        "tuned_gap_difference": last.gap,
        f"base_pass@{largest}": first.passes[largest],
        f"tuned_pass@{largest}": last.passes[largest],
        "distinct_answers_before": first.answers,
        "distinct_answers_after": last.answers,
        "distinct_chains_before": first.chains,
        "distinct_chains_after": last.chains,
    }
    if (anchored := by_arm.get("anchored")) is not None:
        estimates["anchored_score"] = anchored.measured[-1].score
        estimates["anchor_difference"] = difference(own.seen[-1].answers, anchored.seen[-1].answers)
    for measured in forecasts:
        estimates[f"plateau_forecast/after_round_{measured.after}"] = measured.forecast
    for name, (_, change) in last.canaries.items():
        estimates[f"canary_difference/{name}"] = change
    for course in by_arm.values():
        for measured in course.measured[1:]:
            estimates[f"score/{course.arm.name}_{measured.round}"] = measured.score
    return estimates


def _caveats(own: Course, by_arm: dict[str, Course]) -> list[str]:
    result = []
    failed = sum(
        int(np.isnan(seen.answers.truth).sum()) for course in by_arm.values() for seen in course.seen
    )
    if failed:
        result.append(f"{failed} answers failed and have no score.")
    if not own.arm.verifier.levelled:
        result.append("This verifier only says which answer is best, so reward cannot be held against truth.")
    if own.seen[0].verdicts.graded:
        result.append(
            "The reward of this verifier is its mean mark, which need not be meant as a probability."
        )
    return result


def _arm(course: Course) -> ArmRounds:
    anchor = course.arm.anchor
    return ArmRounds(
        arm=course.arm.name,
        verifier=course.arm.verifier.name,
        why=course.why,
        anchored=len(anchor.items | anchor.corrections.keys()) if anchor else 0,
        rounds=tuple(_round(measured) for measured in course.measured),
    )


def _round(measured: Measured) -> RoundLine:
    return RoundLine(
        round=measured.round,
        examples=measured.examples,
        hacked=measured.hacked,
        lost=tuple(measured.lost),
        step=triple(measured.step),
        passes={str(k): triple(estimate) for k, estimate in measured.passes.items()},
        canaries={
            name: (triple(score), triple(change)) for name, (score, change) in measured.canaries.items()
        },
        score=triple(measured.score),
        verification=triple(measured.verification),
        gap=triple(measured.gap),
        relative=triple(measured.relative),
        accepted=triple(measured.accepted),
        reward=triple(measured.reward),
        hacking=triple(measured.hacking),
        answers=triple(measured.answers),
        chains=triple(measured.chains),
    )


def _hacked(seen: Seen) -> list[tuple[str, str, str, str]]:
    """Return (item, prompt, completion, target) of accepted answers that are wrong, one an item."""
    given, hacked = seen.answers, []
    for item, texts, truth, accepted in zip(
        given.items, given.texts, given.truth, seen.verdicts.accepted, strict=True
    ):
        wrong = [t for t, score, yes in zip(texts, truth, accepted, strict=True) if yes and score < 1 and t]
        if wrong:
            hacked.append((item.id, given.task.prompt(item), wrong[0], " | ".join(item.target)))
    return hacked


def _examples(own: Course) -> HackedExamples:
    flagged = hacked_round(own.measured)
    seen = own.seen[-1 if flagged is None else flagged]
    hacked = _hacked(seen)
    return HackedExamples(
        round=seen.round,
        total=len(hacked),
        items=len(seen.answers.items),
        shown=tuple(HackedAnswer(i[:200], p[:1000], c[:1000], t[:200]) for i, p, c, t in hacked[:SHOWN]),
    )
