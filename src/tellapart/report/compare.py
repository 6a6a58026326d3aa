"""`tellapart compare RUN RUN`: verdicts and estimates of several runs side by side.

No difference is tested here: two runs on the same items are dependent, and intervals that overlap may well differ.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tellapart import remote
from tellapart.errors import InvalidInput
from tellapart.findings.finding import Finding
from tellapart.findings.reading import read_findings
from tellapart.jsonvalue import Json
from tellapart.report.document import read_spec
from tellapart.report.subjects import subjects
from tellapart.report.text import visible
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.wording import shown

if TYPE_CHECKING:
    import pandas as pd

BESIDE = "Side by side only: no difference between runs is tested here."


@dataclass(frozen=True)
class Compared:
    """Runs side by side on a question. `verdicts` are one a run ("" where it has no such finding), as are the
    `estimates` that at least two runs have (None: it has none)."""

    question: str
    verdicts: tuple[str, ...]
    estimates: Mapping[str, tuple[Estimate | None, ...]]


class Comparison(list[Compared]):
    """What several runs found on each question; a notebook shows it as tables."""

    def __init__(self, compared: Iterable[Compared], runs: Sequence[Path]) -> None:
        super().__init__(compared)
        self.runs = tuple(runs)

    def to_pandas(self) -> "pd.DataFrame":
        """Return every estimate that at least two runs have, a row each: question, estimate, and for each run, by the
        name of its folder, its value, low and high as columns. A missing figure is NaN."""
        import pandas as pd

        nothing = missing("", "not in this run")
        keys = [path.name for path in self.runs]
        heads = pd.MultiIndex.from_product([keys, ("value", "low", "high")])
        lines = [
            (compared.question, name, row) for compared in self for name, row in compared.estimates.items()
        ]
        cells = [
            [
                figure
                for value in row
                for figure in ((value or nothing).value, (value or nothing).low, (value or nothing).high)
            ]
            for _, _, row in lines
        ]
        index = pd.MultiIndex.from_tuples([line[:2] for line in lines], names=["question", "estimate"])
        return pd.DataFrame(cells, index=index, columns=heads)

    def __repr__(self) -> str:
        """Return the verdicts, a run each line: the figures are in to_pandas()."""
        lines = []
        for compared in self:
            verdicts = zip(self.runs, compared.verdicts, strict=True)
            lines += [compared.question, *(f"  {path}: {verdict or '–'}" for path, verdict in verdicts)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the tables for a notebook's page; all text of the runs is escaped."""
        parts = []
        for compared in self:
            heads = Markup("").join(Markup("<th>{}</th>").format(visible(path.name)) for path in self.runs)
            rows = [
                ("verdict", [Text(visible(verdict or "–")) for verdict in compared.verdicts]),
                *_lines(compared),
            ]
            body = Markup("").join(
                Markup("<tr><th>{}</th>{}</tr>").format(
                    visible(name), Markup("").join(Markup("<td>{}</td>").format(cell.plain) for cell in cells)
                )
                for name, cells in rows
            )
            parts.append(
                Markup("<p>{}</p><table><thead><tr><th></th>{}</tr></thead><tbody>{}</tbody></table>").format(
                    visible(compared.question), heads, body
                )
            )
        return str(Markup("").join([*parts, Markup("<p>{}</p>").format(BESIDE)]))


def compare_runs(folders: Sequence[Path]) -> Comparison:
    """Return what the runs found, question by question, in the order of the first run that asks it. Raises InvalidInput
    for fewer than two runs, UserMistake where one cannot be read."""
    if len(folders) < 2:
        raise InvalidInput(f"compare was given {len(folders)} run: give two or more")
    runs = [read_findings(folder) for folder in folders]
    questions = [list(dict.fromkeys(finding.question for finding in findings)) for findings in runs]
    if len({len(named) for named in questions}) == 1:  # the same study: questions name models, which differ
        places = zip(questions[0], zip(*runs, strict=True), strict=True)
        return Comparison((_compared(named, findings) for named, findings in places), folders)
    every = dict.fromkeys(question for named in questions for question in named)
    compared = (
        _compared(
            name, [next((finding for finding in run if finding.question == name), None) for run in runs]
        )
        for name in every
    )
    return Comparison(compared, folders)


def print_comparison(folders: Sequence[str], as_json: bool) -> None:
    """Print a table a question."""
    paths = [remote.folder(folder) for folder in folders]
    compared = compare_runs(paths)
    if as_json:
        value = {"runs": list(folders), "findings": [_as_json(comparison) for comparison in compared]}
        print(json.dumps(value, indent=1, allow_nan=False))
        return
    console = Console()
    for path, given in zip(paths, folders, strict=True):
        about = ", ".join(f"{key} {name}" for key, name in subjects(read_spec(path)) if key != "task")
        console.print(Text(visible(f"{given}: {about}")), style="dim")
    for comparison in compared:
        console.print(_table(comparison, paths))
        console.print()
    console.print(BESIDE)


def _compared(question: str, findings: Sequence[Finding | None]) -> Compared:
    names = dict.fromkeys(name for finding in findings if finding for name in finding.estimates)
    rows = {
        name: tuple(finding.estimates.get(name) if finding else None for finding in findings)
        for name in names
    }
    common = {name: row for name, row in rows.items() if sum(value is not None for value in row) > 1}
    return Compared(question, tuple(finding.verdict if finding else "" for finding in findings), common)


def _table(compared: Compared, paths: Sequence[Path]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", title_justify="left")
    table.title = Text(visible(compared.question))
    table.add_column("")
    for path in paths:
        table.add_column(Text(visible(path.name)), overflow="fold")
    table.add_row("verdict", *(Text(visible(verdict or "–")) for verdict in compared.verdicts))
    for name, cells in _lines(compared):
        table.add_row(Text(visible(name)), *cells)
    return table


def _lines(compared: Compared) -> list[tuple[str, list[Text]]]:
    """Return the estimates that are known of a run at least, as cells."""
    estimates = {
        name: row
        for name, row in compared.estimates.items()
        if any(value is not None and math.isfinite(value.value) for value in row)
    }
    return [(name, [_cell(name, value) for value in row]) for name, row in estimates.items()]


def _cell(name: str, estimate: Estimate | None) -> Text:
    if estimate is None:
        return Text("–")
    said = shown(name, estimate)
    return Text(visible(f"{said.value} {said.interval}".strip()))


def _as_json(compared: Compared) -> dict[str, Json]:
    estimates = {
        name: [value and value.as_json() for value in row] for name, row in compared.estimates.items()
    }
    return {"question": compared.question, "verdicts": list(compared.verdicts), "estimates": estimates}
