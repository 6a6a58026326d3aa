"""`form --logs ARM=LOG ...`: the same rows, read from other tools' logs, one for each arm."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from tellapart.controls.role import Role
from tellapart.errors import UserMistake
from tellapart.logs import Recorded, content_of, pair, read_log
from tellapart.logs.answers import read_answers
from tellapart.logs.sides import describe_scale, named_notes, one_metric, scale_of, scaled
from tellapart.runs.table import from_frame
from tellapart.studies.form.facts import GIVEN, ArmFacts, condition
from tellapart.studies.form.reading import READABLE
from tellapart.studies.gain.logs import log_rows

ROLES: Mapping[str, Role] = {
    "base": "base",
    "full": "full",
    "form_only": "form",
    "second_form": "second form",
    "destroyed": "destroyed",
}


class FromLogs(NamedTuple):
    """The rows of all arms, the arms, where each came from, and what analysis shows of the items."""

    table: pa.Table
    arms: dict[str, ArmFacts]
    sources: dict[str, dict[str, str]]
    prompts: dict[str, str]
    targets: dict[str, str]
    notes: tuple[str, ...]


def read_references(given: Sequence[str]) -> dict[str, str]:
    """Return {arm: log} of ARM=LOG words. Raises UserMistake for an unknown arm, one given twice, or no log."""
    logs: dict[str, str] = {}
    for word in given:
        arm, equals, log = word.partition("=")
        if not equals or not log:
            raise UserMistake(
                f"--logs {word!r}: write ARM=LOG with an arm of {', '.join(ROLES)} or form_only/NAME"
            )
        if role_of(arm) is None:
            raise UserMistake(f"--logs {word!r}: no arm {arm!r}; use {', '.join(ROLES)} or form_only/NAME")
        if arm in logs:
            raise UserMistake(
                f"--logs: the arm {arm!r} is given twice; call further form-only arms form_only/NAME"
            )
        logs[arm] = log
    if "full" not in logs:
        raise UserMistake("--logs: the arm full is missing: full=LOG is what the others are compared with")
    return logs


def role_of(arm: str) -> Role | None:
    """Return the role of an arm's name; None where it is no arm.

    >>> role_of("form_only/invalid"), role_of("fullest")
    ('form', None)
    """
    head, slash, name = arm.partition("/")
    return ROLES.get(head) if not slash or name else None


def rows_from_logs(given: Sequence[str]) -> FromLogs:
    """Read one log an arm; items are paired with those of the full arm, by question where both hold one.

    Raises UserMistake (one line) where a log cannot be read or shares no item with the full arm.
    """
    references = read_references(given)
    logs = {arm: read_log(log) for arm, log in references.items()}
    full = logs["full"]
    if not full.frame["score"].notna().any():
        raise UserMistake(
            f"full={references['full']}: no answer in this log has a score; give a log that was scored"
        )
    notes: list[str] = []
    read: dict[str, Recorded] = {}
    for arm, log in logs.items():
        if arm != "full":
            own, read[arm], caveats = one_metric(full, log)
            if not own.metric.same_as(full.metric):
                raise UserMistake(
                    f"the arms full and {arm} list different metrics first ({full.metric.label}, "
                    f"{log.metric.label}): choose "
                    "one for all arms (ARM=PATH#NAME)"
                )
            notes += caveats
    scale = scale_of((full, *read.values()))
    if scale is not None:
        full, read = scaled(full, scale), {arm: scaled(log, scale) for arm, log in read.items()}
        notes.append(describe_scale(scale))
    frames = {"full": [full.frame]}
    notes += named_notes("full", full)
    for arm, log in read.items():
        paired = pair(full, log)
        frames[arm] = [paired.b, paired.b_rest]
        notes += [*named_notes(arm, log), *(f"{arm}: {note}" for note in paired.notes)]
    rows = [
        log_rows("form", condition(GIVEN, arm), part)
        for arm, parts in frames.items()
        for part in parts
        if len(part)
    ]
    table = pd.concat(rows, ignore_index=True)
    every = pd.concat([part for parts in frames.values() for part in parts if len(part)], ignore_index=True)
    table["measures"] = pd.Series(_mark_readable(every), dtype=object)
    first = full.frame.drop_duplicates("item")
    items = first["item"].tolist()
    return FromLogs(
        table=from_frame(table),
        arms={arm: _arm(arm, list(references)) for arm in sorted(references, key=_order)},
        sources={
            arm: {
                "source": log.source,
                "tool": log.tool,
                "model": log.model,
                "content": content_of(references[arm]),
            }
            for arm, log in logs.items()
        },
        prompts=dict(zip(items, first["question"].tolist(), strict=True)),
        targets=dict(zip(items, first["target"].tolist(), strict=True)),
        notes=tuple(dict.fromkeys(notes)),
    )


def _mark_readable(every: pd.DataFrame) -> list[list[tuple[str, float]] | None]:
    """Return for each answer whether one can be found in it: by the reader whose verdicts are the logs' own, else
    whether there is any text; nothing where the logs hold no texts."""
    if not (every["completion"] != "").any():
        return [None] * len(every)
    answers = read_answers(every)
    texts = every["completion"] if answers.by is None else pd.Series(answers.texts, dtype=object)
    has_text = texts.notna().to_numpy()
    there = np.where(has_text, texts.fillna("").str.strip() != "", False)
    return [
        [(READABLE, float(readable))] if texted else None
        for readable, texted in zip(there, has_text, strict=True)
    ]


def _arm(arm: str, every: Sequence[str]) -> ArmFacts:
    role = role_of(arm)
    assert role is not None
    first_form = next((name for name in every if role_of(name) == "form"), None)
    return ArmFacts(role, kept="as its log was run", decides=arm == first_form, source="log")


def _order(arm: str) -> int:
    return list(dict.fromkeys(ROLES.values())).index(role_of(arm) or "probe")
