"""Items of growing complexity: does success fall as p^steps says, or does the model collapse? Cut-off answers apart."""

import math

import numpy as np
import pandas as pd

from tellapart.findings.finding import Finding
from tellapart.findings.form import LEVELS, LevelRow
from tellapart.findings.shown import COUNTS
from tellapart.jsonvalue import JsonObject
from tellapart.stats.collapse import Collapse, collapse
from tellapart.stats.intervals import wilson
from tellapart.stats.wording import whole
from tellapart.studies.form.facts import Facts, condition
from tellapart.studies.form.verdict import SETTLED, Label, class_probabilities
from tellapart.studies.gain.tables import counts_table

FAMILY, ARM = "complexity", "plain"
QUESTION = "Does it carry out the procedure, or only know small cases?"


def complexity_finding(rows: pd.DataFrame, facts: Facts) -> Finding | None:
    """Return the finding where the items say how complex they are; None where they do not, or nothing was scored.

    Answers that ran into the token limit are counted apart: they show the limit, not the model.
    """
    name = condition(FAMILY, ARM)
    own = rows[(rows["condition"] == name) & (rows["status"] != "failed") & rows["score"].notna()]
    if not facts.complexity or own.empty:
        return None
    size = np.array([facts.complexity[item][0] for item in own["item"]], dtype=np.float64)
    steps = np.array([facts.complexity[item][1] for item in own["item"]], dtype=np.float64)
    right = (own["score"] >= facts.correct_at).to_numpy(dtype=np.float64)
    cut = ((own["status"] == "cut off") & (right == 0)).to_numpy(dtype=bool)
    fit = collapse(right[~cut], steps[~cut], facts.seed)
    label, sure, sentence = _verdict(fit)
    caveats = [*facts.notes]
    if cut.any():
        caveats.append(
            f"{int(cut.sum())} of {len(own)} answers ran into the token limit and are left out of the fit."
        )
    if math.isfinite(fit.harder):
        caveats.append(f"The simpler half has up to {fit.harder:g} steps, the harder half more.")
    return Finding(
        question=QUESTION,
        verdict=label,
        probability=sure,
        sentence=sentence,
        estimates={
            "step_success": fit.step,
            "expected_on_harder_half": fit.expected,
            "seen_on_harder_half": fit.seen,
            "form_share": fit.lost,
        },
        caveats=tuple(caveats),
        tables={
            **LEVELS.write(_levels(size, steps, right, cut, fit)),
            **COUNTS.write(counts_table(rows[rows["condition"] == name], facts.correct_at)),
        },
    )


def _verdict(fit: Collapse) -> tuple[Label, float, str]:
    if math.isnan(fit.lost.value):
        return "cannot tell", math.nan, f"Nothing can be told: {fit.lost.method.removeprefix('missing: ')}."
    chances = class_probabilities(fit.lost)
    label: Label = max(chances, key=lambda name: chances[name])
    shown = (
        f"a step is right in {100 * fit.step.value:.1f} % on the simpler half, so {100 * fit.expected.value:.0f} % of "
        f"the harder half were to be expected, and {100 * fit.seen.value:.0f} % were solved"
    )
    if chances[label] < SETTLED:
        part = f"{whole(fit.lost.value)} % [{whole(fit.lost.low)}, {whole(fit.lost.high)}]"
        return "cannot tell", math.nan, f"The evidence does not settle it: {part} are lost; {shown}."
    heads = {
        "substance": "It carries the procedure out",
        "form": "It collapses",
        "mixed": "It falls faster than its steps",
    }
    return label, chances[label], f"{heads[label]}: {shown}."


def _levels(
    size: np.ndarray, steps: np.ndarray, right: np.ndarray, cut: np.ndarray, fit: Collapse
) -> list[LevelRow]:
    """Return one row a complexity: right answers with their interval, truncated ones apart, what p^steps expects."""
    table = []
    for level in np.unique(size):
        here = size == level
        kept = here & ~cut
        share = wilson(float(right[kept].sum()), int(kept.sum()))
        expected = (
            float((fit.step.value ** steps[here]).mean()) if math.isfinite(fit.step.value) else math.nan
        )
        table.append(
            LevelRow(
                complexity=float(level),
                steps=round(float(steps[here].mean()), 1),
                answers=int(here.sum()),
                cut_off=int((here & cut).sum()),
                right=share.value,
                low=share.low,
                high=share.high,
                expected=round(expected, 4),
            )
        )
    return table


def complexity_of(fields: JsonObject) -> tuple[float, float] | None:
    """Return (complexity, steps) of an item's fields; None where they are not both whole numbers from 1 on."""
    counts = [fields.get(name) for name in ("complexity", "steps")]
    whole = [
        value for value in counts if isinstance(value, int) and not isinstance(value, bool) and value >= 1
    ]
    if len(whole) == len(counts):
        return float(whole[0]), float(whole[1])
    return None
