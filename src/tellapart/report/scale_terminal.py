"""The tasks of `scale` on the terminal: the first ones in order of what their verdict claims."""

from dataclasses import replace

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tellapart.findings.finding import Finding
from tellapart.findings.scale import SCALE
from tellapart.report.scale_order import deciding, in_order
from tellapart.report.text import visible_deep
from tellapart.stats.wording import between, plain

SHOWN = 12
WIDE = 110
"""Columns from which on forecasts have room."""


def print_tasks(finding: Finding, console: Console) -> None:
    """Print verdict, breakthroughness and forecast of the first tasks, where there are several."""
    table = SCALE.read(replace(finding, tables=visible_deep(dict(finding.tables))))
    tasks = in_order(table.tasks if table else ())
    if len(tasks) < 2:
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    wide = console.width >= WIDE
    for name in ("task", "metric", "verdict", "B", *(("forecast", "scored") if wide else ())):
        numeric = name in ("B", "forecast", "scored")
        table.add_column(name, justify="right" if numeric else "left", overflow="fold", no_wrap=numeric)
    for task in tasks[:SHOWN]:
        metric = deciding(task)
        figure = metric.forecast
        cells = [task.label, metric.metric, task.verdict, plain(metric.breakthroughness.value)]
        if wide:
            forecast = f"{plain(figure.value)} {between(figure.low, figure.high, plain)}".rstrip()
            cells += [forecast, plain(figure.truth)]
        table.add_row(*(Text(cell) for cell in cells))
    console.print()
    console.print(table)
    if len(tasks) > SHOWN:
        console.print(Text(f"and {len(tasks) - SHOWN} more in the report"), style="dim")
