"""Style of the arms' answers beside their scores: how alike to full's, a second sample of it as the ceiling."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from tellapart.controls.style import style_likeness, style_of
from tellapart.findings.form import StyleRow
from tellapart.stats.estimate import Estimate
from tellapart.stats.intervals import mean_score
from tellapart.studies.form.facts import ArmFacts, condition
from tellapart.studies.form.shares import Measured

SHORT = 40.0
"""Mean characters of an answer below which style says nothing."""


class Style(NamedTuple):
    """Likeness to full by arm, and a table of mean features; both empty where answers are short or missing."""

    estimates: dict[str, Estimate]
    table: list[StyleRow]


def compare_style(rows: pd.DataFrame, family: str, arm_facts: Mapping[str, ArmFacts]) -> Style:
    """Return the style of each arm's first answers, on the items that it shares with full."""
    full = next((arm for arm, about in arm_facts.items() if about.role == "full"), None)
    texts = {arm: first_answers(rows, condition(family, arm)) for arm in arm_facts}
    if full is None or not texts[full] or np.mean([len(text) for text in texts[full].values()]) < SHORT:
        return Style({}, [])
    estimates, table = {}, []
    for arm, own in texts.items():
        if not any(own.values()):
            continue
        means = np.mean([style_of(text) for text in own.values()], axis=0)
        likeness = None
        if arm != full:
            shared = [item for item in own if item in texts[full]]
            alike = mean_score([style_likeness(own[item], texts[full][item]) for item in shared])
            estimates[f"style_likeness/{arm}"] = alike
            likeness = round(alike.value, 4)
        table.append(StyleRow(arm, likeness, *(round(float(mean), 2) for mean in means)))
    return Style(estimates, table)


def style_beside_scores(style: Style, measured: Measured, arm_facts: Mapping[str, ArmFacts]) -> str:
    """Return one sentence on style beside scores: an imitation takes on style at once (Gudibande et al. 2023)."""
    full = measured.roles.get("full")
    said = [f"full scores {_per_cent(measured.estimates[f'score/{full}'])}"] if full else []
    for name, alike in style.estimates.items():
        arm = name.removeprefix("style_likeness/")
        ceiling = " (the ceiling)" if arm_facts[arm].role == "second form" else ""
        scored = (
            _per_cent(measured.estimates[f"score/{arm}"])
            if f"score/{arm}" in measured.estimates
            else "unknown"
        )
        said.append(f"{arm.replace('_', ' ')} is like it by {alike.value:.2f}{ceiling} and scores {scored}")
    return f"Style beside scores: {'; '.join(said)}."


def _per_cent(score: Estimate) -> str:
    return f"{100 * score.value:.0f} %"


def first_answers(rows: pd.DataFrame, name: str) -> dict[str, str]:
    """Return each item's first answer in a condition."""
    chosen = rows[(rows["condition"] == name) & (rows["status"] != "failed")].sort_values(
        "sample", kind="stable"
    )
    first = chosen.drop_duplicates("item")
    return dict(zip(first["item"].tolist(), first["completion"].tolist(), strict=True))
