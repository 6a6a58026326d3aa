"""The summary of a run on the terminal: verdict, main figures, elicitors with their null controls, caveats, counts.

Text from outside is put into rich as Text, so that nothing in it is read as markup; control characters are visible.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tellapart.findings.finding import Finding
from tellapart.findings.form import ARMS, ArmRow
from tellapart.findings.gain import ELICITORS, ElicitorLine
from tellapart.findings.guard import PROBLEMS as GUARD_PROBLEMS
from tellapart.findings.reading import finding_from_json, in_form
from tellapart.findings.shown import COUNTS, TOKENS, Counted
from tellapart.jsonvalue import JsonObject
from tellapart.report import inside_terminal
from tellapart.report.document import read_spec, with_tokens
from tellapart.report.main_figures import main_figures
from tellapart.report.scale_terminal import print_tasks
from tellapart.report.sections.trust import answer_columns, folded
from tellapart.report.sections.verdict import named, probability
from tellapart.report.subjects import subjects
from tellapart.report.text import tokens_spent, visible_object
from tellapart.report.ways import ways
from tellapart.stats.wording import between, bits, count, percent, signed
from tellapart.studies.guard.filtered import FILES as GUARD_FILES

TABLES = ("arms", "elicitors", "counts", "tokens")
NARROW = 76
_STYLES = {
    "elicited": "blue",
    "acquired": "yellow",
    "mixed": "magenta",
    "hides": "yellow",
    "shows what it can": "blue",
    "substance": "blue",
    "form": "yellow",
}
_ASCII = str.maketrans({"–": "-", "−": "-", "→": "->", "τ": "tau", "·": "|", "…": "..."})


def print_run(run_folder: Path, findings: Sequence[Finding], console: Console) -> None:
    """Print what a finished run found, and where its report is; of `scale` also its tasks, of `inside` its figures."""
    spec, report = read_spec(run_folder), run_folder / "report.html"
    with in_form(f"{run_folder / 'findings.json'} or spec.json is"):
        print_summary(with_tokens(findings, run_folder), spec, console, report)
        if findings and "scale" in findings[0].tables:
            print_tasks(findings[0], console)
        if findings and any(name in findings[0].tables for name in inside_terminal.TABLES):
            inside_terminal.print_figures(findings, console)
        if any(GUARD_PROBLEMS.name in finding.tables for finding in findings):
            _sorted_problems(run_folder, console)


def _sorted_problems(run_folder: Path, console: Console) -> None:
    """Print where guard wrote the problems that it keeps, holds and drops, and how many lie there."""
    for decision, name in GUARD_FILES.items():
        path = run_folder / name
        if path.is_file():
            with path.open("rb") as lines:
                line = f"{decision}: {count(sum(1 for _ in lines))} in {path}"
            console.print(_text(console, line), soft_wrap=True)


def print_summary(
    findings: Sequence[Finding], spec: JsonObject, console: Console, report: Path | None = None
) -> None:
    """Print what the findings say, and where `report` is. Nothing but text where `console` is no terminal."""
    names = " → ".join(name for key, name in subjects(visible_object(spec)) if key != "task")
    if names:
        _say(console, names, "dim")
    for finding in findings:
        printed = replace(finding, tables={name: finding.tables.get(name) or [] for name in TABLES})
        clean = finding_from_json(visible_object(printed.as_json()))
        _verdict(clean, console)
        _figures(clean, console)
        _arms(ARMS.read(clean), console)
        _elicitors(ELICITORS.read(clean), console)
        _evidence(clean, console)
        _counts(COUNTS.read(clean), console)
        if said := tokens_spent(TOKENS.read(clean)):
            _say(console, said)
        for caveat in clean.caveats:
            _say(console, f"Caveat: {caveat}")
        console.print()
    if report is not None:
        console.print(_text(console, f"Report: {report}"), soft_wrap=True)


def _verdict(finding: Finding, console: Console) -> None:
    sure = probability(finding.probability)
    line = Text.assemble(
        _text(console, finding.verdict.upper(), f"bold {_STYLES.get(finding.verdict, '')}".strip()),
        "  ",
        _text(console, f"{sure} probable" if sure else "no probability", "dim"),
    )
    console.print()
    console.print(line)
    _say(console, finding.sentence)
    console.print()


def _figures(finding: Finding, console: Console) -> None:
    grid = _table(console, ("", "value", "95 % interval", "n"), numbers=(1, 2, 3))
    figures = main_figures(finding)
    for figure in figures:
        if not figure.missing:
            cells = (figure.label, figure.value, figure.interval, count(figure.n))
            grid.add_row(*(_text(console, cell) for cell in cells))
    if grid.row_count:
        console.print(grid)
        console.print()
    for reason in dict.fromkeys(figure.missing for figure in figures if figure.missing):
        names = ", ".join(figure.label for figure in figures if figure.missing == reason)
        _say(console, f"Not known ({reason}): {names}", "dim")
    if any(figure.missing for figure in figures):
        console.print()


def _arms(rows: Sequence[ArmRow], console: Console) -> None:
    if not rows:
        return
    grid = _table(console, ("arm", "is", "score", "form share"), numbers=(2, 3))
    gap = "\n" if console.width < NARROW else " "
    for row in rows:
        figures = [
            f"{percent(triple[0])}{gap}{between(*triple[1:])}".rstrip() if triple else ""
            for triple in (row.score, row.share)
        ]
        decides = ", decides" if row.decides else ""
        cells = (row.arm.replace("_", " "), f"{row.role}{decides}", *figures)
        grid.add_row(*(_text(console, cell) for cell in cells))
    console.print(grid)
    console.print()


def _elicitors(rows: Sequence[ElicitorLine], console: Console) -> None:
    if not rows:
        return
    grid = _table(console, ("elicitor", "bits", "recovered", "null control"), numbers=(1, 2, 3))
    gap = "\n" if console.width < NARROW else " "
    untried: dict[str, list[str]] = {}
    for way in ways(rows):
        if not any(math.isfinite(point.share[0]) for point in way.points):
            untried.setdefault(way.note, []).append(way.title)
            continue
        best = way.standing()
        title = (
            f"{way.title}, {best.setting} (of {len(way.points)} settings)"
            if len(way.points) > 1
            else way.title
        )
        shares = (f"{percent(s[0])}{gap}{between(*s[1:])}".rstrip() for s in (best.share, best.null))
        grid.add_row(*(_text(console, cell) for cell in (title, bits(best.bits), *shares)))
    if grid.row_count:
        console.print(grid)
        console.print()
    if untried:
        reasons = (", ".join(titles) + (f" ({note})" if note else "") for note, titles in untried.items())
        _say(console, f"No share from: {'; '.join(reasons)}", "dim")
        console.print()


def _evidence(finding: Finding, console: Console) -> None:
    if not finding.evidence:
        return
    weighed = any(math.isfinite(adds) for _, _, adds in finding.evidence)
    grid = _table(console, ("why", "value", "log-odds")[: 2 + weighed], numbers=(1, 2)[: 1 + weighed])
    for what, value, adds in finding.evidence:
        cells = (*named(finding, what, value), signed(adds))[: 2 + weighed]
        grid.add_row(*(_text(console, cell) for cell in cells))
    console.print(grid)
    console.print()


def _counts(rows: Sequence[Counted], console: Console) -> None:
    if not rows:
        return
    columns = answer_columns(rows)
    heads = ("answers", *columns)
    grid = _table(console, heads, numbers=range(1, 1 + len(columns)))
    first, rest = folded(rows)
    lines: list[tuple[str, list[int | None]]] = [
        (row.condition, [read(row) for read in columns.values()]) for row in first
    ]
    if rest:
        sums = (sum(read(row) or 0 for row in rest) for read in columns.values())
        lines.append((f"{len(rest)} further conditions", list(sums)))
    for name, values in lines:
        grid.add_row(*(_text(console, cell) for cell in (name, *map(count, values))))
    console.print(grid)
    console.print()


def _table(console: Console, heads: Sequence[str], numbers: Sequence[int]) -> Table:
    lines = box.SIMPLE_HEAD if console.is_terminal and console.encoding.startswith("utf") else None
    table = Table(box=lines, pad_edge=False, show_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for index, name in enumerate(heads):
        numeric = index in numbers
        table.add_column(_text(console, name), justify="right" if numeric else "left", overflow="fold",
                         no_wrap=numeric and console.width >= NARROW)  # fmt: skip
    return table


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(_text(console, text, style))


def _text(console: Console, text: str, style: str = "") -> Text:
    if not console.encoding.lower().startswith("utf"):
        text = text.translate(_ASCII).encode(console.encoding, "replace").decode(console.encoding)
    return Text(text, style=style)
