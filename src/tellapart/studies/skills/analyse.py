"""Rows of experts, mixes, null controls and LoRA on every task -> findings. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from tellapart.findings.finding import Finding, without_nan
from tellapart.findings.skills import MATRIX, MatrixRow, MatrixTable
from tellapart.findings.table import Tables
from tellapart.jsonvalue import Json
from tellapart.runs.row import Row
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.intervals import mean_score
from tellapart.stats.paired import paired_difference
from tellapart.stats.resampling import bootstrap_means, percentile_bounds

Scores = Mapping[tuple[str, str], np.ndarray]
"""Mean score of each item [item], by (who, task); items of a task in one order."""
ENOUGH = 0.9
"""Share of the gain of an expert trained on a joint task that a mix must reach to count as solving it."""

NOTHING = 0.05
"""A gain whose interval ends below this is taken for none."""


class Cost(NamedTuple):
    """What a change weighs: numbers trained, bytes on disk, seconds of training."""

    numbers: int
    size: int
    seconds: float


class Facts(NamedTuple):
    """What was measured: rows, the costs of experts and of LoRA by skill, and tables for the report."""

    rows: Mapping[tuple[str, str], Sequence[Row]]
    experts: Mapping[str, Cost]
    loras: Mapping[str, Cost]
    skills: tuple[str, ...]
    joint: tuple[str, ...]
    also: tuple[str, ...]
    chosen: Mapping[str, str]
    tables: Tables

    def as_json(self) -> dict[str, Json]:
        """Return what is kept beside the rows, which stand in the run folder, as a JSON object."""
        fields = {name: value for name, value in self._asdict().items() if name != "rows"}
        return {name: without_nan(value) for name, value in {**fields, "asked": list(self.rows)}.items()}


def facts_from(fields: Mapping[str, Any], rows: Mapping[tuple[str, str], Sequence[Row]]) -> Facts:
    """Return the facts whose `as_json` is `told`."""
    kept = {name: value for name, value in fields.items() if name != "asked"}
    for name in ("experts", "loras"):
        kept[name] = {skill: Cost(*cost) for skill, cost in fields[name].items()}
    for name in ("skills", "joint", "also"):
        kept[name] = tuple(fields[name])
    return Facts(rows=rows, **kept)


def analyse(facts: Facts) -> list[Finding]:
    """Return a finding for each skill and each joint task; the first holds the tables of all."""
    scores = scores_of(facts.rows)
    findings = [skill_finding(facts, scores, name) for name in facts.skills]
    findings += [joint_finding(facts, scores, name) for name in facts.joint]
    first = findings[0]
    tables = {**first.tables, **facts.tables, **MATRIX.write(matrix(facts, scores))}
    return [replace(first, tables=tables), *findings[1:]]


def scores_of(rows: Mapping[tuple[str, str], Sequence[Row]]) -> dict[tuple[str, str], np.ndarray]:
    """Return each item's mean score; items that any condition of a task failed on are left out for all of them."""
    by_item: dict[tuple[str, str], dict[str, list[float]]] = {}
    for key, answers in rows.items():
        table = by_item.setdefault(key, {})
        for row in answers:
            table.setdefault(row.item, []).append(row.score)
    common: dict[str, set[str]] = {}
    for (_, task), table in by_item.items():
        good = {item for item, values in table.items() if all(map(math.isfinite, values))}
        common[task] = common[task] & good if task in common else good
    return {
        key: np.array([np.mean(table[item]) for item in sorted(common[key[1]])])
        for key, table in by_item.items()
    }


def skill_question(name: str) -> str:
    """Return the question of a skill's finding."""
    return f"Does an expert elicit {name}?"


def joint_question(name: str) -> str:
    """Return the question of a joint task's finding."""
    return f"Does a mix do {name}, which no single expert does?"


def skill_finding(facts: Facts, scores: Scores, name: str) -> Finding:
    """Return what an expert brings to its own task, what it costs, and what LoRA does with the same training."""
    others = [task for task in (*facts.skills, *facts.also) if task != name]
    base, own, null = (scores[who, name] for who in ("base", name, f"{name}~null"))
    expert = facts.experts[name]
    estimates = {
        "base_score": mean_score(base),
        "expert_score": mean_score(own),
        "null_score": mean_score(null),
        "gain": paired_difference(base, own),
        "null_difference": paired_difference(base, null),
        "others_difference": elsewhere(scores, "base", name, others),
        "expert_numbers": exact(expert.numbers, "numbers"),
        "expert_bytes": exact(expert.size, "bytes"),
    }
    lora = facts.loras.get(name)
    if lora is not None:
        control = f"{name}~lora"
        estimates |= {
            "lora_score": mean_score(scores[control, name]),
            "lora_gain_difference": paired_difference(base, scores[control, name]),
            "share_of_lora_gain": gain_ratio(base, own, scores[control, name]),
            "lora_others_difference": elsewhere(scores, "base", control, others),
            "expert_minus_lora_elsewhere_difference": elsewhere(scores, control, name, others),
            "lora_numbers": exact(lora.numbers, "numbers"),
            "lora_bytes": exact(lora.size, "bytes"),
        }
    gain, null_gain = estimates["gain"], estimates["null_difference"]
    label, sentence = _skill_verdict(name, gain, null_gain)
    return Finding(
        question=skill_question(name),
        verdict=label,
        probability=math.nan,
        sentence=sentence,
        estimates=estimates,
        controls={"null twin (the same z in another order)": _describe(null_gain)},
        caveats=_CAVEATS,
        tables={"skills_training": facts.tables.get(f"training/{name}", {})},
    )


_CAVEATS = (
    "LoRA had as many examples and steps of its own, and the same terms; no rate was searched for in this run.",
    "Other tasks: the other skills, to whose prompts an expert is held where keep is above 0, and those given as also.",
    "No probability: the verdict is a rule on intervals, and is not calibrated.",
)


def _skill_verdict(name: str, gain: Estimate, null: Estimate) -> tuple[str, str]:
    sentence = f"{_describe(gain)} on its task; its null control {_describe(null)}."
    if math.isfinite(gain.low) and gain.low > 0 and gain.low > null.high:
        return "brought out", f"The expert for {name} gains {sentence}"
    if math.isfinite(gain.high) and gain.high < NOTHING:
        return (
            "not brought out",
            f"The expert for {name} gains less than {100 * NOTHING:.0f} points: {sentence}",
        )
    return "cannot tell", f"The interval of the gain does not clear its null control: {sentence}"


def joint_finding(facts: Facts, scores: Scores, name: str) -> Finding:
    """Return whether a mix solves a task that no single expert solves, beside the expert trained on it."""
    mix = facts.chosen[name]
    base = scores["base", name]
    single = max(facts.skills, key=lambda who: float(scores[who, name].mean()))
    trained = scores[f"trained_{name}", name]
    estimates = {
        "base_score": mean_score(base),
        "best_single_score": mean_score(scores[single, name]),
        "mix_score": mean_score(scores[mix, name]),
        "trained_score": mean_score(trained),
        "mix_over_single_difference": paired_difference(scores[single, name], scores[mix, name]),
        "mix_over_trained_share": score_ratio(trained, scores[mix, name]),
    }
    estimates |= {
        f"what_the_mix_costs_difference/{part}": paired_difference(scores[part, part], scores[mix, part])
        for part in facts.skills
        if part in mix.split("+")
    }
    over, share = estimates["mix_over_single_difference"], estimates["mix_over_trained_share"]
    label = "cannot tell"
    if over.low > 0:
        label = "solved by the mix" if share.low >= ENOUGH else "better by the mix"
    elif over.high <= 0:
        label = "no better by the mix"
    return Finding(
        question=joint_question(name),
        verdict=label,
        probability=math.nan,
        sentence=f"{mix} beats the best single expert ({single}) by {_describe(over)}, and reaches {share.value:.2f} "
        f"[{share.low:.2f}, {share.high:.2f}] of the score of an expert trained on it.",
        estimates=estimates,
        caveats=(
            "The mix was chosen by likelihood of the targets on training items; the best single expert on the items "
            "reported, which favours it.",
        ),
    )


def matrix(facts: Facts, scores: Scores) -> MatrixTable:
    """Return every expert, mix and LoRA on every task, each with its interval."""
    tasks = [*facts.skills, *facts.joint, *facts.also]
    whos = list(dict.fromkeys(who for who, _ in scores))
    cells: dict[str, dict[str, tuple[float, float, float, float]]] = {who: {} for who in whos}
    for (who, task), values in scores.items():
        score = mean_score(values)
        cells[who][task] = (score.value, score.low, score.high, score.n)
    return MatrixTable(tuple(tasks), tuple(MatrixRow(who, cells[who]) for who in whos))


def elsewhere(scores: Scores, before: str, after: str, tasks: Sequence[str]) -> Estimate:
    """Return after minus before over the items of other tasks, paired by item."""
    if not tasks:
        return missing("score", "there is no other task")
    return paired_difference(
        np.concatenate([scores[before, task] for task in tasks]),
        np.concatenate([scores[after, task] for task in tasks]),
    )


def gain_ratio(base: np.ndarray, ours: np.ndarray, theirs: np.ndarray, seed: int = 0) -> Estimate:
    """Return our gain over theirs, with a bootstrap over items; missing where theirs may be 0."""
    return _ratio(ours - base, theirs - base, seed)


def score_ratio(theirs: np.ndarray, ours: np.ndarray, seed: int = 0) -> Estimate:
    """Return our score over theirs, with a bootstrap over items; missing where theirs may be 0."""
    return _ratio(ours, theirs, seed)


def _ratio(above: np.ndarray, below: np.ndarray, seed: int) -> Estimate:
    if above.size == 0:
        return missing("share", "no items")
    means = bootstrap_means(np.stack([above, below], 1), None, 2000, seed)
    if (means[:, 1] <= 0).mean() > 0.005:
        return missing("share", "what it is divided by may be 0", above.size)
    low, high = percentile_bounds(means[:, :1] / means[:, 1:])
    value = float(above.mean() / below.mean())
    return Estimate(value, float(low[0]), float(high[0]), above.size, "share", "ratio, bootstrap over items")


def exact(value: float, unit: str) -> Estimate:
    """Return a figure that is known exactly."""
    return Estimate(float(value), float(value), float(value), 1, unit, "exact")


def _describe(estimate: Estimate) -> str:
    return f"{100 * estimate.value:+.1f} points [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"
