"""`tellapart compare RUN RUN`: verdicts and estimates of several runs side by side.

No difference is tested here: two runs on the same items are dependent, and intervals that overlap may well differ.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tellapart import remote
from tellapart.errors import InvalidInput
from tellapart.findings.finding import Finding
from tellapart.findings.reading import read_findings
from tellapart.report.document import read_spec
from tellapart.report.subjects import subjects
from tellapart.report.text import visible
from tellapart.stats.estimate import Estimate
from tellapart.stats.wording import shown

BESIDE = "Side by side only: no difference between runs is tested here."


@dataclass(frozen=True)
class Compared:
    """Runs side by side on a question. `verdicts` are one a run ("" where it has no such finding), as are the
    `estimates` that at least two runs have (None: it has none)."""

    question: str
    verdicts: tuple[str, ...]
    estimates: Mapping[str, tuple[Estimate | None, ...]]


def compare_runs(folders: Sequence[Path]) -> list[Compared]:
    """Return what the runs found, question by question, in the order of the first run that asks it. Raises InvalidInput
    for fewer than two runs, UserMistake where one cannot be read."""
    if len(folders) < 2:
        raise InvalidInput(f"compare was given {len(folders)} run: give two or more")
    runs = [read_findings(folder) for folder in folders]
    questions = [list(dict.fromkeys(one.question for one in findings)) for findings in runs]
    if len({len(asked) for asked in questions}) == 1:  # the same study: questions name models, which differ
        return [
            _compared(asked, places)
            for asked, places in zip(questions[0], zip(*runs, strict=True), strict=True)
        ]
    every = dict.fromkeys(question for asked in questions for question in asked)
    return [
        _compared(name, [next((one for one in run if one.question == name), None) for run in runs])
        for name in every
    ]


def print_comparison(folders: Sequence[str], as_json: bool) -> None:
    """Print a table a question."""
    paths = [remote.folder(folder) for folder in folders]
    compared = compare_runs(paths)
    if as_json:
        value = {"runs": list(folders), "findings": [_as_json(one) for one in compared]}
        print(json.dumps(value, indent=1, allow_nan=False))
        return
    console = Console()
    for path, given in zip(paths, folders, strict=True):
        about = ", ".join(f"{key} {name}" for key, name in subjects(read_spec(path)) if key != "task")
        console.print(Text(visible(f"{given}: {about}")), style="dim")
    for one in compared:
        console.print(_table(one, paths))
        console.print()
    console.print(BESIDE)


def _compared(question: str, findings: Sequence[Finding | None]) -> Compared:
    names = dict.fromkeys(name for one in findings if one for name in one.estimates)
    rows = {name: tuple(one.estimates.get(name) if one else None for one in findings) for name in names}
    common = {name: row for name, row in rows.items() if sum(value is not None for value in row) > 1}
    return Compared(question, tuple(one.verdict if one else "" for one in findings), common)


def _table(one: Compared, paths: Sequence[Path]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", title_justify="left")
    table.title = Text(visible(one.question))
    table.add_column("")
    for path in paths:
        table.add_column(Text(visible(path.name)), overflow="fold")
    table.add_row("verdict", *(Text(visible(verdict or "–")) for verdict in one.verdicts))
    for name, row in one.estimates.items():
        table.add_row(Text(visible(name)), *(_cell(name, value) for value in row))
    return table


def _cell(name: str, estimate: Estimate | None) -> Text:
    if estimate is None:
        return Text("–")
    said = shown(name, estimate)
    return Text(visible(f"{said.value} {said.interval}".strip()))


def _as_json(one: Compared) -> dict[str, Any]:
    estimates = {name: [value and value.as_json() for value in row] for name, row in one.estimates.items()}
    return {"question": one.question, "verdicts": list(one.verdicts), "estimates": estimates}
