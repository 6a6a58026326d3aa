"""`form --pairs TABLE`: judged preferences of many models over one baseline, as numbers -> length-controlled win rates.

A row a judgement (CSV, Parquet or JSONL): `model`, `instruction`, `preference` (0: the baseline's answer was preferred,
1: the model's), `length`, `baseline_length`, and `difficulty` of the instruction where it is known. Dubois et al. 2024,
arXiv 2404.04475. Lengths alone do not tell style from substance, so nothing here says either.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from tellapart.errors import UserMistake
from tellapart.findings.finding import Finding
from tellapart.findings.form import RATINGS, Rating
from tellapart.logs.columns import load, numbers, strings
from tellapart.logs.source import Source, open_source
from tellapart.logs.value import listed
from tellapart.stats.estimate import Estimate
from tellapart.stats.intervals import mean_score, wilson
from tellapart.stats.preference import fit_difficulty, length_controlled_win_rate
from tellapart.studies.form.judged import CONSTANT_MOST, JudgeCheck, longest_check, percent

QUESTION = "How often does each model win at equal length?"
TEXTS = {"model": ("model",), "instruction": ("instruction", "item", "index")}
NUMBERS = {
    "preference": ("preference",),
    "length": ("length", "length_model"),
    "baseline_length": ("baseline_length", "length_baseline"),
    "difficulty": ("difficulty", "instruction_difficulty"),
}
FEWEST_MODELS, PUBLISHED_MODELS = 3, 10
"""Models from which a difficulty is fitted, and from which the rates are called the published ones: of the 30 distinct
models of AlpacaEval 2 kept for tests, rates from 3 miss by 2.8 points in the mean, from 5 by 2.7, from 10 by 1.4."""
CONSTANT_ITEMS, CONSTANT_SPREAD = 20, 0.01
"""Answers to this many instructions or more, whose lengths spread by less than this share, are one constant answer."""


class Preferences(NamedTuple):
    """One row a model and instruction, and what reading them had to say."""

    frame: pd.DataFrame
    notes: tuple[str, ...]


def is_table(path: str) -> bool:
    """Tell whether the file holds preferences of models over a baseline instead of answers."""
    source = open_source(path, Path(path), "")
    return source.kind in ("csv", "parquet") or (source.kind == "jsonl" and source.has("model", "preference"))


def read_preferences(path: str) -> Preferences:
    """Return the preferences of a file. Raises UserMistake naming the column or the row that is wrong."""
    source = open_source(path, Path(path), "")
    columns = _columns(source)
    notes: list[str] = []
    table = load(
        source,
        [name for field, name in columns.items() if field in TEXTS],
        [name for field, name in columns.items() if field in NUMBERS],
        notes,
    )
    read = {
        field: (strings if field in TEXTS else numbers)(table, name, source)
        for field, name in columns.items()
    }
    frame = pd.DataFrame(read)
    for field in (name for name in NUMBERS if name in frame):
        bad = np.flatnonzero(frame[field].isna())
        if len(bad):
            raise UserMistake(f"{source.path}, row {bad[0] + 1}: {columns[field]} is missing")
    low, high = frame["preference"].min(), frame["preference"].max()
    if low < 0 or high > 1:
        raise UserMistake(
            f"{source.path}: preference runs from {low:g} to {high:g}: give 0 (the baseline won) to 1 (the model won)"
        )
    once = frame.groupby(["model", "instruction"], sort=False, as_index=False)
    if (once[["length", "baseline_length"]].nunique()[["length", "baseline_length"]] > 1).any(axis=None):
        raise UserMistake(
            f"{source.path}: a model answers one instruction twice, at different lengths: give one"
        )
    kept = once.mean()
    if len(kept) < len(frame):
        notes.append(f"{len(frame) - len(kept)} rows judge a pair again: their mean counts as one")
    return Preferences(kept, tuple(notes))


def rates_finding(read: Preferences) -> Finding:
    """Return the win rates, raw and at equal length, and the controls of the judge that numbers allow."""
    frame = read.frame
    by_model, estimates = _rates(frame), {}
    order = sorted(by_model, key=lambda model: -_sort_value(by_model[model][1]))
    for at, name in enumerate(("win_rate", "length_controlled_win_rate")):
        estimates |= {f"{name}/{model}": by_model[model][at] for model in order}
    checks = [*_constants(frame), longest_check(*_lengths(frame))]
    flagged = [check for check in checks if check.flagged]
    constant = [check for check in flagged if check.name.startswith("constant")]
    best = next(
        (model for model in order if f"constant answer ({model})" not in {c.name for c in checks}), order[0]
    )
    if constant:
        sentence = f"The judge cannot be trusted: {constant[0].observed.removesuffix(': FLAGGED')}."
    else:
        sentence = (
            f"At equal length {best} wins {percent(estimates[f'length_controlled_win_rate/{best}'])} against the "
            "baseline; lengths alone do not tell style from substance."
        )
    return Finding(
        question=QUESTION,
        verdict="cannot tell",
        probability=math.nan,
        sentence=sentence,
        estimates=estimates,
        controls={f"judge: {check.name}": check.observed for check in checks},
        caveats=(*read.notes, *_caveats(frame, checks, estimates)),
        tables=RATINGS.write(_table(frame, order, estimates)),
    )


def _columns(source: Source) -> dict[str, str]:
    result: dict[str, str] = {}
    for field, names in {**TEXTS, **NUMBERS}.items():
        name = next((name for name in names if name in source.first), None)
        if name is not None:
            result[field] = name
        elif field != "difficulty":
            raise UserMistake(
                f"{source.path}: no column {field!r} (has {listed(source.head)}); a table of preferences has "
                "model, instruction, preference (0 to 1), length and baseline_length"
            )
    return result


def _rates(frame: pd.DataFrame) -> dict[str, tuple[Estimate, Estimate]]:
    """Return the raw and the length-controlled win rate by model; a difficulty is given, fitted, or there is none."""
    fitted, hard = None, None
    if frame["model"].nunique() >= FEWEST_MODELS:
        columns = ("model", "instruction", "preference", "length", "baseline_length")
        fitted = fit_difficulty(*(frame[name].to_numpy() for name in columns))
        hard = frame["instruction"].map(fitted.by_instruction)
    hard = frame.get("difficulty", hard)
    weight = None if fitted is None else fitted.length_weight
    rates = {}
    for model, rows in frame.groupby("model"):
        own = None if hard is None else hard[rows.index].to_numpy()
        won, length, other = (rows[name].to_numpy() for name in ("preference", "length", "baseline_length"))
        at_equal = length_controlled_win_rate(won, length, other, own, weight)
        rates[str(model)] = mean_score(won, unit="share"), at_equal
    return rates


def _constants(frame: pd.DataFrame) -> list[JudgeCheck]:
    result = []
    for model, rows in frame.groupby("model"):
        lengths = rows["length"]
        if len(rows) < CONSTANT_ITEMS or lengths.std() > CONSTANT_SPREAD * lengths.mean():
            continue
        rate = wilson(float(rows["preference"].sum()), len(rows))
        flagged = rate.low > CONSTANT_MOST
        observed = (
            f"{model} gives answers of one length ({lengths.mean():.0f}) throughout and wins {percent(rate)}"
        )
        result.append(
            JudgeCheck(
                f"constant answer ({model})", observed + (": FLAGGED" if flagged else ""), rate, flagged
            )
        )
    return result


def _lengths(frame: pd.DataFrame) -> tuple[list[float], list[float]]:
    gaps = (frame["length"] - frame["baseline_length"]).tolist()
    return gaps, [1.0 if won > 0.5 else 0.0 if won < 0.5 else 0.5 for won in frame["preference"].tolist()]


def _caveats(frame: pd.DataFrame, checks: list[JudgeCheck], estimates: Mapping[str, Estimate]) -> list[str]:
    models, said = frame["model"].nunique(), []
    if "difficulty" not in frame and models < FEWEST_MODELS:
        said.append(
            f"{models} models and no difficulty of the instructions: these are not the length-controlled rates that "
            f"AlpacaEval publishes; give a column difficulty, or {PUBLISHED_MODELS} models or more"
        )
    elif "difficulty" not in frame and models < PUBLISHED_MODELS:
        said.append(
            f"The instructions' difficulty is fitted on {models} models only: these are not the length-controlled "
            f"rates that AlpacaEval publishes; give a column difficulty, or {PUBLISHED_MODELS} models or more"
        )
    for check in checks:
        if check.name.startswith("constant"):
            model = check.name.removeprefix("constant answer (").removesuffix(")")
            rate = percent(estimates[f"length_controlled_win_rate/{model}"])
            said.append(
                f"{check.observed.removesuffix(': FLAGGED')}, at equal length {rate}: "
                f"that measures the judge, not {model}."
            )
        elif check.flagged:
            said.append(f"Judge control {check.name}: {check.observed}.")
    counts = frame.groupby("model").size()
    short = counts[counts < frame["instruction"].nunique()]
    if len(short):
        said.append(
            f"{len(short)} of {models} models lack instructions that others have: {', '.join(short.index[:5])}"
        )
    return said


def _sort_value(rate: Estimate) -> float:
    return -math.inf if math.isnan(rate.value) else rate.value


def _table(frame: pd.DataFrame, order: list[str], estimates: Mapping[str, Estimate]) -> list[Rating]:
    lengths = frame.groupby("model")["length"].mean()
    return [
        Rating(
            model,
            estimates[f"win_rate/{model}"].value,
            estimates[f"length_controlled_win_rate/{model}"].value,
            mean_length=round(float(lengths[model]), 1),
        )
        for model in order
    ]
