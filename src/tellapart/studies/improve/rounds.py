"""One arm of rounds: answer, verify, train, measure, until a reason to stop. Every step is kept as it is finished."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import Refused
from tellapart.interventions.weights import Weights, weights_from
from tellapart.models.budget import BudgetSpent
from tellapart.models.held import HeldModel
from tellapart.runs.asking import row_seed
from tellapart.stats.improvement import accepted_by_chance
from tellapart.studies.improve.anchors import Anchor, trusted
from tellapart.studies.improve.ask import Answers, Plan, Version, answers, canary_name, judged
from tellapart.studies.improve.measure import Measured, Seen, Verdicts, item_scores, measure
from tellapart.studies.improve.methods import METHODS, Rule, examples
from tellapart.studies.improve.stopping import reason_to_stop
from tellapart.training.settings import Example, SftSettings
from tellapart.verifiers.verifier import Verifier

NOTHING = "no answer was accepted: there was nothing to train on"
SPENT = "the budget of tokens was spent"
CHECKPOINTS = 4
"""Checkpoints within a round."""


class Arm(NamedTuple):
    """A way of going through the rounds. `by_chance`: of every prompt as many answers as the verifier accepts, at
    random (the null control)."""

    name: str
    verifier: Verifier
    by_chance: bool = False
    anchor: Anchor | None = None


class Course(NamedTuple):
    """What an arm went through: every version as asked, its figures, and why it ended."""

    arm: Arm
    seen: tuple[Seen, ...]
    measured: tuple[Measured, ...]
    why: str


def run_arm(plan: Plan, arm: Arm, barred: str = "") -> Course:
    """Run the arm to its end; no round where `barred` says why there is none."""
    rule = METHODS[plan.spec.method]
    version = Version()
    seen = [look(plan, version, arm)]
    measured = [measure(seen[0], None, seen[0])]
    while not (why := barred or reason_to_stop(measured, plan.spec.rounds)):
        try:
            chosen = _chosen(plan, version, arm, rule)
            if not chosen:
                why = NOTHING
                break
            weights = _trained(plan, version, arm, chosen)
            version = Version(arm.name, version.round + 1, weights)
            seen.append(look(plan, version, arm)._replace(examples=len(set(chosen))))
        except BudgetSpent:
            why = SPENT
            break
        measured.append(measure(seen[-1], seen[-2], seen[0]))
    return Course(arm, tuple(seen), tuple(measured), why)


def look(plan: Plan, version: Version, arm: Arm) -> Seen:
    """Return a version as it answers the report items and the canaries, judged by the arm's verifier."""
    given = answers(plan, version, "report")
    canaries = {
        canary_name(task): item_scores(answers(plan, version, canary_name(task)).truth)
        for task in plan.canaries
    }
    return Seen(version.round, given, verdicts(plan, version, given, arm.verifier), canaries=canaries)


def verdicts(plan: Plan, version: Version, given: Answers, verifier: Verifier) -> Verdicts:
    """Return what a verifier says of answers, and which it accepts."""
    utilities = judged(plan, version, given, verifier)
    return Verdicts(utilities, verifier.accept(utilities), verifier.graded, verifier.levelled)


def _chosen(plan: Plan, version: Version, arm: Arm, rule: Rule) -> list[Example]:
    """Return the examples of the next round, from the version's answers to the training items."""
    given = answers(plan, version, "train")
    accepted = verdicts(plan, version, given, arm.verifier).accepted
    if arm.by_chance:
        accepted = accepted_by_chance(
            accepted, given.truth, row_seed(plan.spec.seed, "by chance", version.round)
        )
    if arm.anchor is None:
        return examples(given, accepted, rule, {})
    return examples(
        given, _anchored(plan, version, given, accepted, arm.anchor), rule, arm.anchor.corrections
    )


def _anchored(
    plan: Plan, version: Version, given: Answers, accepted: NDArray[np.bool_], anchor: Anchor
) -> NDArray[np.bool_]:
    """Return the verdicts with the anchor's in place of the verifier's on the anchored items; elsewhere none at all
    where the verifier fails the audit on those items."""
    if anchor.verifier is None or not anchor.items:
        return accepted
    theirs = verdicts(plan, version, given, anchor.verifier).accepted
    here = np.array([item.id in anchor.items for item in given.items])
    believed = trusted(theirs[here].astype(np.float64), accepted[here])
    return np.where(here[:, None], theirs, accepted & believed)


def _trained(plan: Plan, version: Version, arm: Arm, chosen: list[Example]) -> Weights:
    """Return the weights after the round that follows `version`; read where they were trained before."""
    turn = version.round + 1
    name = f"weights-{arm.name.replace(' ', '-')}-{turn}"
    before = plan.folder.read_artifact(name)
    if before is not None:
        return weights_from(plan.folder.read_bytes(before["file"]), before["digest"])
    if isinstance(plan.model, HeldModel):
        raise Refused(f"round {turn} of {arm.name} was not trained: run the run's command again")
    from tellapart.models.local import LocalModel
    from tellapart.training.sft import sft

    assert isinstance(plan.model, LocalModel)
    assert plan.change is not None
    settings = SftSettings(
        steps=plan.spec.steps,
        rate=plan.spec.rate,
        seed=row_seed(plan.spec.seed, "training", turn) % 2**31,
        save_every=max(1, plan.spec.steps // CHECKPOINTS),
        quiet=plan.quiet,
        title=f"training, {arm.name}, round {turn}",
    )
    start = None if METHODS[plan.spec.method].reset else version.weights
    trained = sft(plan.model, plan.change, chosen, settings, plan.folder.scratch(name), start)
    file = f"{trained.weights.digest}.safetensors"
    plan.folder.write_bytes(file, trained.weights.as_bytes())
    fields = {
        "file": file,
        "digest": trained.weights.digest,
        "examples": len(set(chosen)),
        "steps": trained.steps,
    }
    plan.folder.write_artifact(name, fields)
    plan.folder.clear_scratch(name)
    return trained.weights
