"""A learned token router: a small probe of the base's own state says where the tuned model takes over.

An oracle router (`routing`) asks the teacher where the two disagree; a user who wants to serve the base has no such
oracle. Here the oracle's decisions on the fit split at the same budget (KL(tuned || base) above its level) are the
labels of a logistic regression on the state that the base's output layer reads. On the report split the probe alone
decides where; the tuned model still chooses the token. `learned_router@0.05` routes about 5 of 100 tokens.

The null control routes as large a share at random positions. Bits: for the probe, the smaller of 32 for each of its
parameters and the length of its labels under an adaptive (KT) code; and the teacher's choices, as in routing.py.
"""

import math
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, final

from tellapart.elicit.elicitor import Elicited
from tellapart.elicit.routing import Routing, TeacherRouting, TokenRouter, Trial, routed_answers
from tellapart.errors import NotApplicable
from tellapart.interventions.weights import Weights
from tellapart.jsonvalue import number
from tellapart.runs.asking import Ask, Pair, plain_requests
from tellapart.stats.description import kt_bits

BITS_A_PARAMETER = 32.0


class Lesson(NamedTuple):
    """A fitted probe: its weights, the labels it learned from (their number, and how many say yes), its bits and what
    they are those of."""

    probe: Weights
    labels: int
    yes: int
    bits: float
    bits_by: str


@final
@dataclass(frozen=True)
class LearnedRouting(Routing):
    """A probe of the base's state decides."""

    name: ClassVar[str] = "learned_router"
    kind: ClassVar[str] = "probe"

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the main point of the curve. Raises UserMistake where the two models agree everywhere."""
        value = self.taught(pair, ask, Trial.of(pair, ask, "teacher"), self.main)
        if value is None:
            raise NotApplicable(
                f"{self.name} on {ask.task.name}: the oracle routes nothing, so there is nothing to learn"
            )
        return value

    def curve(self, pair: Pair, ask: Ask) -> tuple[Elicited, ...]:
        """Return the points of the curve at which the oracle and the probe routed anything on the fit split."""
        seen = Trial.of(pair, ask, "teacher")
        values = [self.taught(pair, ask, seen, point) for point in self.points]
        return tuple(
            value for value in values if value is not None and number(value.setting, "fitted_share") > 0
        )

    def taught(self, pair: Pair, ask: Ask, seen: Trial, point: float) -> Elicited | None:
        """Return the value at one point, with its own probe and that probe's bits; None where the oracle routes
        nothing, or everything."""
        lesson = learn(pair, ask, seen, point)
        if lesson is None:
            return None
        value = self.point(Trial.of(pair, ask, self.kind, lesson.probe), point)
        described = {"labels": lesson.labels, "labels_yes": lesson.yes, "probe_bits_by": lesson.bits_by}
        return replace(
            value,
            setting={**value.setting, **described},
            bits_once=value.bits_once + lesson.bits,
            weights=lesson.probe,
        )

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return the null control that routes as large a share at random positions; it has no probe."""
        return replace(super().null(elicited, seed), weights=Weights())


def learn(pair: Pair, ask: Ask, seen: Trial, budget: float) -> Lesson | None:
    """Fit the probe to where the oracle routes one answer to each of `ask.items`, its level set by the trial `seen`.
    None where its decisions are all alike."""
    from tellapart.elicit.local_routing import fitted_probe

    oracle, _ = TeacherRouting().decided(seen, budget)
    requests = [request for _, _, request in plain_requests(ask._replace(samples=1))]
    answers = sorted(
        routed_answers(pair, requests, TokenRouter("teacher", oracle.level)),
        key=lambda routed_answer: routed_answer.index,
    )
    labels = [int(flag) for answer in answers for flag in answer.routed]
    if len(set(labels)) < 2:
        return None
    probe = fitted_probe(pair.base, requests, answers)
    codes = {
        "the probe's parameters": BITS_A_PARAMETER * sum(value.size for value in probe.values()),
        "its labels": math.fsum(kt_bits(labels, 2)),
    }
    by = min(codes, key=lambda code: codes[code])
    return Lesson(probe, len(labels), sum(labels), codes[by], by)
