"""Was the direction there before tuning? Steering vectors of both models, each applied to both (opt-in)."""

import math
from typing import TYPE_CHECKING

from tellapart.findings.gain import DirectionLine
from tellapart.findings.typed import from_json
from tellapart.internals.two_by_two import TwoByTwo, lines, two_by_two
from tellapart.runs.asking import Ask
from tellapart.runs.folder import RunFolder
from tellapart.stats.estimate import Estimate

if TYPE_CHECKING:
    from tellapart.studies.gain.ask import Plan

ARTIFACT = "two-by-two"


def directions(folder: RunFolder, plan: "Plan") -> TwoByTwo:
    """Return the two-by-two table: vectors fitted on the fit split, effects on the report split; read where
    it was measured before. Raises UserMistake where the models do not allow it (inside/two_by_two.py)."""
    kept = folder.read_artifact(ARTIFACT)
    if kept is not None:
        return from_json(TwoByTwo, kept)
    samples, seed = plan.spec.elicited_samples, plan.spec.seed
    fit = Ask(plan.task, plan.fit, samples, seed + 1, plan.sampling)
    table = two_by_two(plan.pair, fit, Ask(plan.task, plan.report, samples, seed, plan.sampling))
    folder.write_artifact(ARTIFACT, table.as_json())
    return table


def direction_table(table: TwoByTwo) -> list[DirectionLine]:
    """Return the report's lines: what each vector adds to the score of each model, and the cosine by layer."""
    cosines = ["–" if math.isnan(cosine) else f"{cosine:.2f}" for cosine in table.cosines]
    return [
        *(DirectionLine(name, _describe(base), _describe(tuned)) for name, base, tuned in lines(table)),
        DirectionLine("cosine of the two, layer by layer", ", ".join(cosines), ""),
    ]


def _describe(effect: Estimate) -> str:
    return f"{100 * effect.value:+.1f} points [{100 * effect.low:+.1f}, {100 * effect.high:+.1f}]"
