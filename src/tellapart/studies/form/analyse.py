"""Rows -> findings of `form`, one a family: a pure function, for runs just made, old runs and logs of other tools."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tellapart.errors import UserMistake
from tellapart.findings.finding import Finding
from tellapart.findings.form import (
    ARMS,
    AUDIT,
    FAMILIES,
    MATRIX,
    PAIRS,
    SHOWN,
    STEPS,
    STYLE,
    TRAININGS,
    AnswerPair,
    StepsRow,
)
from tellapart.findings.shown import COUNTS, Counted
from tellapart.findings.table import Tables
from tellapart.stats.estimate import Estimate
from tellapart.stats.intervals import wilson
from tellapart.studies.form.abstention import abstention_finding
from tellapart.studies.form.arms import Arms, read_arms
from tellapart.studies.form.complexity import complexity_finding
from tellapart.studies.form.facts import GIVEN, ArmFacts, Facts, condition
from tellapart.studies.form.knows import Knows, knows
from tellapart.studies.form.meanings import meaning_estimates
from tellapart.studies.form.option_bias import option_caveats, option_estimates
from tellapart.studies.form.reading import Reading, read_answers
from tellapart.studies.form.shares import Measured, measure
from tellapart.studies.form.style import compare_style, style_beside_scores
from tellapart.studies.form.tables import arm_table, audits, by_family, examples, matrix, pairs, step_table
from tellapart.studies.form.trained import describe_guess, measure_trained, read_trainings, with_trainings
from tellapart.studies.form.verdict import Check, decide, negative_control, positive_control
from tellapart.studies.gain.tables import counts_table

QUESTION = "Is it form or substance?"


def analyse(rows: pd.DataFrame, facts: Facts) -> list[Finding]:
    """Return one finding a family, and one each on complexity and abstention where the items allow it.

    Raises UserMistake where a family has no scored answer at all.
    """
    findings = [_family(rows, family, arm_facts, facts) for family, arm_facts in facts.families.items()]
    complexity, abstention = complexity_finding(rows, facts), abstention_finding(rows, facts)
    findings = findings if abstention is None else [*findings, abstention]
    return findings if complexity is None else [complexity, *findings]


def _family(rows: pd.DataFrame, family: str, arm_facts: Mapping[str, ArmFacts], facts: Facts) -> Finding:
    trainings = read_trainings(rows, family, arm_facts, facts) if family in facts.trained else None
    arm_facts = arm_facts if trainings is None else trainings.arms
    arms = read_arms(rows, family, arm_facts, facts.correct_at)
    measured = measure(arms, arm_facts, facts.margin)
    if trainings is not None:
        measured = measure_trained(rows, family, trainings, arms, measured, facts.trained[family])
    checks = (negative_control(measured, facts.margin), positive_control(measured))
    full = measured.roles.get("full")
    reading = read_answers(rows, family, arm_facts, facts, measured.estimates.get(f"score/{full}"))
    if trainings is not None:
        reading = with_trainings(reading, trainings, measured)
    verdict = decide(measured, checks, facts.no_effect.get(family, "cannot tell"), reading)
    own = rows[rows["condition"].str.startswith(f"{family}/")]
    compared = pairs(own, family, arms, measured, facts)
    checked, counts = step_table(own, family, arms, facts.correct_at), counts_table(own, facts.correct_at)
    shown = examples(arm_facts, measured)
    tables: Tables = {
        **ARMS.write(arm_table(arms, measured, arm_facts)),
        **MATRIX.write(matrix(arms)),
        **PAIRS.write(compared),
        **(SHOWN.write(shown) if shown else {}),
        **AUDIT.write(audits(arm_facts)),
        **FAMILIES.write(by_family(arms, measured)),
        **STEPS.write(checked),
        **COUNTS.write(counts),
    }
    steps = _steps(checked)
    confidence = (
        knows(own, condition(family, full), facts.correct_at, facts.false_premise) if full else Knows({}, {})
    )
    tables |= confidence.tables
    style = compare_style(own, family, arm_facts)
    unlettered = option_caveats(facts.option_bias) if family == "choices" else ()
    tables |= STYLE.write(style.table)
    sentence = verdict.sentence
    if steps and math.isnan(measured.effect.value):
        sentence = f"{_describe_steps(steps)} {sentence}"
    if trainings is not None:
        tables |= TRAININGS.write(trainings.table)
        sentence = f"{sentence} {describe_guess(measured)}"
    if family == GIVEN and style.estimates:
        sentence = f"{sentence} {style_beside_scores(style, measured, arm_facts)}"
    return Finding(
        question=facts.questions.get(family, QUESTION),
        verdict=verdict.label,
        probability=verdict.probability,
        sentence=sentence,
        estimates={
            **measured.estimates,
            **steps,
            **confidence.estimates,
            **style.estimates,
            **reading.estimates,
            **(meaning_estimates(facts.meanings) if family == next(iter(facts.families)) else {}),
            **(option_estimates(facts.option_bias) if family == "choices" else {}),
            **_floor(facts, len(arms.items)),
        },
        controls=_controls(checks, facts),
        caveats=(
            *_caveats(arms, checks, facts, counts),
            *reading.caveats,
            *_unsaid(reading, sentence),
            *unlettered,
        ),
        evidence=verdict.terms,
        rows=_shown_rows(family, measured, compared),
        tables={name: table for name, table in tables.items() if table},
    )


def _steps(table: Sequence[StepsRow]) -> dict[str, Estimate]:
    """Return how often an answer is right on wrong steps: of all checked ones, and of the right ones."""
    result = {}
    for arm in dict.fromkeys(row.arm for row in table):
        own = [row for row in table if row.arm == arm]
        checked, right = sum(row.checked for row in own), sum(row.right for row in own)
        both = sum(row.right_on_wrong for row in own)
        result[f"right_on_wrong_steps/{arm}"] = Estimate(both, math.nan, math.nan, checked, "items", "count")
        result[f"wrong_steps_among_right/{arm}"] = wilson(both, right)
    return result


def _describe_steps(steps: Mapping[str, Estimate]) -> str:
    name = next(name for name in steps if name.startswith("right_on_wrong_steps/"))
    count, share = steps[name], steps[name.replace("right_on_wrong_steps", "wrong_steps_among_right")]
    return (
        f"{count.value:.0f} answers are right although their steps are wrong: "
        f"{100 * share.value:.0f} % [{100 * share.low:.0f}, {100 * share.high:.0f}] of the {share.n} right ones."
    )


def _floor(facts: Facts, n: int) -> dict[str, Estimate]:
    floor = facts.guess_floor
    return (
        {}
        if floor is None
        else {"guess_floor": Estimate(floor, floor, floor, n, "score", "given by the task")}
    )


def _controls(checks: tuple[Check, Check], facts: Facts) -> dict[str, str]:
    negative, positive = checks
    controls = {
        f"second valid form {_bracketed(negative)}".strip(): negative.words,
        f"both destroyed {_bracketed(positive)}".strip(): positive.words,
    }
    return {**controls, **{f"not run: {name}": reason for name, reason in facts.not_run.items()}}


def _bracketed(check: Check) -> str:
    return f"({check.arm})" if check.arm else ""


def _caveats(
    arms: Arms, checks: tuple[Check, Check], facts: Facts, counts: Sequence[Counted]
) -> tuple[str, ...]:
    said = [*facts.notes, *arms.caveats]
    said += [f"{check.arm.replace('_', ' ')}: {check.words}." for check in checks if check.state == "open"]
    said += [f"{check.words[0].upper()}{check.words[1:]}." for check in checks if check.state == "absent"]
    for row in counts:
        unscored = row.unscored or 0
        if row.failed + row.cut_off + unscored > 0.05 * row.asked:
            parts = f"{row.cut_off} truncated, {row.failed} failed, {unscored} unscored"
            said.append(f"{row.condition}: of {row.asked} answers {parts}.")
    return tuple(dict.fromkeys(said))


def _unsaid(reading: Reading, sentence: str) -> list[str]:
    return [f"{refusal}." for refusal in reading.refusals if refusal not in sentence]


def _shown_rows(
    family: str, measured: Measured, compared: Sequence[AnswerPair]
) -> tuple[tuple[str, str], ...]:
    full = measured.roles.get("full", "full")
    return tuple((f"{family}/{full}", pair.item) for pair in compared)


def refuse_unread(scores: Mapping[str, float], condition_name: str, example: str, scorer: str) -> None:
    """Raise UserMistake where the scorer finds an answer in none of an arm's completions: {item: 1.0 found | 0.0}."""
    if scores and not np.any(list(scores.values())):
        shown = " ".join(example.split())[-60:]
        raise UserMistake(
            f"{condition_name}: scorer {scorer} finds no answer in any of {len(scores)} answers "
            f"(one ends in {shown!r}): a score would measure the scorer; choose one that fits the form of the answers"
        )
