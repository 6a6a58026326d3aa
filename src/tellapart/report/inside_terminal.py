"""The figures of `inside` on the terminal: a column a model."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tellapart.findings.finding import Finding
from tellapart.stats.wording import shown

TABLES = ("inside", "concepts")


def print_figures(findings: Sequence[Finding], console: Console) -> None:
    """Print every estimate of every model side by side."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("inside")
    for finding in findings:
        about = next(finding.tables[kind] for kind in TABLES if kind in finding.tables)
        name = about.get("name") if isinstance(about, dict) else None
        table.add_column(str(name), justify="right", overflow="fold")
    for name in dict.fromkeys(name for finding in findings for name in finding.estimates):
        estimates = (finding.estimates.get(name) for finding in findings)
        table.add_row(
            name, *("–" if estimate is None else shown(name, estimate).value for estimate in estimates)
        )
    console.print(table)
