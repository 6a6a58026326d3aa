"""kept.jsonl, held.jsonl, dropped.jsonl: the problems as they were given, each with its decision and why.

A problem keeps the fields of its line, so a trainer that read the input reads kept.jsonl; `guard_*` are added.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from tellapart.findings.finding import without_nan
from tellapart.runs.files import write_atomically
from tellapart.studies.guard.decide import Decided, Decision
from tellapart.studies.guard.problems import Problems

FILES: dict[Decision, str] = {"keep": "kept.jsonl", "hold": "held.jsonl", "drop": "dropped.jsonl"}


def write_filtered(folder: Path, problems: Problems, decided: Decided) -> None:
    """Write the three files, each whole or not at all; one without problems is empty."""
    for decision, name in FILES.items():
        lines = "".join(line + "\n" for line in _lines(problems, decided, decision))
        write_atomically(folder / name, lines)


def _lines(problems: Problems, decided: Decided, wanted: Decision) -> Iterator[str]:
    rates = decided.rates
    for i, (record, decision) in enumerate(zip(problems.records, decided.decision, strict=True)):
        if decision == wanted:
            added = {
                "guard_decision": decision,
                "guard_reason": decided.reason[i],
                "guard_rate": float(rates.value[i]),
                "guard_low": float(rates.low[i]),
                "guard_high": float(rates.high[i]),
                "guard_open": bool(decided.open[i]),
                "guard_more": float(decided.more[i]),
            }
            yield json.dumps(without_nan({**record, **added}), ensure_ascii=True, allow_nan=False)
