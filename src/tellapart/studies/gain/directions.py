"""Was the direction there before tuning? Steering vectors of both models, each applied to both (opt-in)."""

import math
from typing import TYPE_CHECKING, Any

from tellapart.findings.gain import DirectionLine
from tellapart.runs.folder import RunFolder
from tellapart.studies.gain.facts import Facts

if TYPE_CHECKING:
    from tellapart.studies.gain.ask import Plan

ARTIFACT = "two-by-two"


def directions(folder: RunFolder, plan: "Plan") -> dict[str, Any]:
    """Return the two-by-two table as JSON: vectors fitted on the fit split, effects on the report split; read where
    it was measured before. Raises UserMistake where the models do not allow it (inside/two_by_two.py)."""
    kept = folder.read_artifact(ARTIFACT)
    if kept is not None:
        return kept
    from tellapart.internals.two_by_two import two_by_two
    from tellapart.runs.asking import Ask

    samples, seed = plan.spec.elicited_samples, plan.spec.seed
    fit = Ask(plan.task, plan.fit, samples, seed + 1, plan.sampling)
    effects = two_by_two(plan.pair, fit, Ask(plan.task, plan.report, samples, seed, plan.sampling)).as_json()
    folder.write_artifact(ARTIFACT, effects)
    return effects


def direction_table(facts: Facts) -> list[DirectionLine]:
    """Return the report's lines: what each vector adds to the score of each model, and the cosine by layer."""
    effects = facts.directions["effects"]
    names = dict.fromkeys(name.rpartition(" vector on ")[0] for name in effects)
    lines = [
        DirectionLine(name, *(_describe(effects[f"{name} vector on {role}"]) for role in ("base", "tuned")))
        for name in names
    ]
    cosines = ["–" if direction is None else f"{direction:.2f}" for direction in facts.directions["cosines"]]
    return [
        *lines,
        DirectionLine("cosine of the two, layer by layer", ", ".join(cosines), ""),
    ]


def _describe(effect: dict[str, Any]) -> str:
    value, low, high = (
        math.nan if effect[name] is None else effect[name] for name in ("value", "low", "high")
    )
    return f"{100 * value:+.1f} points [{100 * low:+.1f}, {100 * high:+.1f}]"
