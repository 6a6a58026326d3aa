"""Tables of a form finding that only show: arms side by side, items by arms, example pairs, audits, checked steps."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tellapart.findings.form import (
    AnswerPair,
    ArmAnswer,
    ArmExample,
    ArmRow,
    AuditRow,
    ExamplePair,
    FamilyRow,
    Matrix,
    StepsRow,
)
from tellapart.findings.shown import Triple
from tellapart.studies.form.arms import Arms
from tellapart.studies.form.facts import ArmFacts, Facts, condition
from tellapart.studies.form.shares import Measured, families_of
from tellapart.studies.form.style import first_answers

SHOWN_PAIRS = 12
LONGEST_TEXT = 4000


def arm_table(arms: Arms, measured: Measured, arm_facts: Mapping[str, ArmFacts]) -> list[ArmRow]:
    """Return one row an arm: role, score, difference to full, form share, power, what it keeps and removes."""
    table = []
    for arm in arms.scores:
        about = arm_facts[arm]
        same = measured.same.get(arm)
        table.append(
            ArmRow(
                arm=arm,
                role=about.role,
                score=_triple(measured, f"score/{arm}"),
                difference=_triple(measured, f"arm_difference/{arm}"),
                share=_triple(measured, f"form_share/{arm}"),
                drop=_triple(measured, f"smallest_drop/{arm}"),
                same=None if same is None else same.equivalent,
                decides=measured.roles.get("form") == arm,
                keeps=about.kept,
                removes=about.removed,
                source=about.source,
            )
        )
    return table


def _triple(measured: Measured, name: str) -> Triple | None:
    estimate = measured.estimates.get(name)
    return None if estimate is None else (estimate.value, estimate.low, estimate.high)


def matrix(arms: Arms) -> Matrix:
    """Return items by arms, scores in [0, 1] (NaN: the arm lacks the item), sorted so that equal rows lie together."""
    names = list(arms.scores)
    scores = np.column_stack([arms.scores[arm] for arm in names])
    order = np.lexsort(tuple(-np.nan_to_num(scores[:, at], nan=-1) for at in reversed(range(len(names)))))
    return Matrix(
        arms=tuple(names),
        items=tuple(str(arms.items[at]) for at in order),
        scores=tuple(tuple(round(float(v), 4) for v in scores[at]) for at in order),
    )


def pairs(rows: pd.DataFrame, family: str, arms: Arms, measured: Measured, facts: Facts) -> list[AnswerPair]:
    """Return items that full and the form-only arm answer differently (then others), with both first answers."""
    full, form = measured.roles.get("full"), measured.roles.get("form")
    if full is None or form is None:
        return []
    gap = arms.scores[full] - arms.scores[form]
    finite = np.flatnonzero(np.isfinite(gap)).tolist()
    order = sorted(finite, key=lambda at: (-abs(gap[at]), -gap[at], at))[:SHOWN_PAIRS]
    texts = {arm: first_answers(rows, condition(family, arm)) for arm in (full, form)}
    result = []
    for at in order:
        item = str(arms.items[at])
        sides = (
            ArmAnswer(arm, texts[arm].get(item, "")[:LONGEST_TEXT], float(arms.scores[arm][at]))
            for arm in (full, form)
        )
        result.append(AnswerPair(item, facts.prompts.get(item, ""), facts.targets.get(item, ""), *sides))
    return result


def examples(arm_facts: Mapping[str, ArmFacts], measured: Measured) -> ExamplePair | None:
    """Return what full and the form-only arm were shown, side by side."""
    full, form = measured.roles.get("full"), measured.roles.get("form")
    if full is None or form is None or not (arm_facts[full].example and arm_facts[form].example):
        return None
    return ExamplePair(ArmExample(full, arm_facts[full].example), ArmExample(form, arm_facts[form].example))


def audits(arm_facts: Mapping[str, ArmFacts]) -> list[AuditRow]:
    """Return every audited property of every arm that must keep the form."""
    return [
        AuditRow(arm, line.what, line.full, line.arm, line.off, line.tolerance, line.held)
        for arm, about in arm_facts.items()
        for line in about.audit
    ]


def by_family(arms: Arms, measured: Measured) -> list[FamilyRow]:
    """Return base and full by family of clusters, the largest loss first; none where items stand alone."""
    if not {"base", "full"} <= measured.roles.keys():
        return []
    families = families_of(arms.labels)
    if families is None:
        return []
    grouped = pd.DataFrame({r: arms.scores[measured.roles[r]] for r in ("base", "full")}).groupby(families)
    means = grouped.mean()
    columns = (means.index.tolist(), grouped.size().tolist(), means["base"].tolist(), means["full"].tolist())
    table = [
        FamilyRow(str(family), n, base, full, full - base)
        for family, n, base, full in zip(*columns, strict=True)
    ]
    return sorted(table, key=lambda row: row.difference)


def step_table(rows: pd.DataFrame, family: str, arms: Arms, correct_at: float) -> list[StepsRow]:
    """Return, by arm and cluster family, answers with checked steps: right answers on wrong steps among them."""
    table = []
    for arm in arms.own:
        chosen = rows[
            (rows["condition"] == condition(family, arm)) & rows["steps"].isin(["valid", "invalid"])
        ]
        groups = families_of(chosen["cluster"].to_numpy(dtype=object))
        if groups is None:
            groups = np.full(len(chosen), "all", dtype=object)
        for name, group in chosen.groupby(groups):
            right, wrong_steps = group["score"] >= correct_at, group["steps"] == "invalid"
            table.append(
                StepsRow(
                    arm=arm,
                    cluster=str(name),
                    checked=len(group),
                    right=int(right.sum()),
                    steps_wrong=int(wrong_steps.sum()),
                    right_on_wrong=int((right & wrong_steps).sum()),
                )
            )
    return table
