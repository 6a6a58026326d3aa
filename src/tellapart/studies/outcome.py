"""How every study ends: findings.json and its views (report.html) in its folder, and what is printed."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console

from tellapart.errors import UserMistake
from tellapart.findings.finding import FINDINGS_VERSION, Finding
from tellapart.findings.reading import read_findings
from tellapart.findings.views import SHOWN, VIEWS, Picture
from tellapart.models.budget import TokenBudget
from tellapart.runs.files import write_atomically
from tellapart.runs.folder import canonical, read_object
from tellapart.runs.provenance import mixed

if TYPE_CHECKING:
    import pandas as pd


class Charts:
    """The charts of a run's report: `run.plot()` is the first, `run.plot("recovered")` or `run.plot.recovered()` one by
    its name; `dir(run.plot)` lists them."""

    def __init__(self, folder: Path, findings: Sequence[Finding]) -> None:
        self._folder, self._findings = folder, findings

    def __call__(self, name: str = "") -> Picture:
        """Return a chart as SVG (default: the first); a notebook shows it, `.svg` is its text. Raises UserMistake, with
        the names there are, where none has that name."""
        drawn = self._drawn()
        for picture in drawn:
            if name in ("", picture.name):
                return picture
        raise UserMistake(f"no chart {name!r} in {self._folder}: there are {_names(drawn)}")

    def __getattr__(self, name: str) -> Callable[[], Picture]:
        if name.startswith("_"):  # asked for by copy, pickle and notebooks
            raise AttributeError(name)
        drawn = self._drawn()
        for picture in drawn:
            if name == picture.name:
                return lambda: picture
        raise AttributeError(f"no chart {name!r} in {self._folder}: there are {_names(drawn)}")

    def __dir__(self) -> list[str]:
        return [picture.name for picture in self._drawn()]

    def __repr__(self) -> str:
        return f"charts of {self._folder}: {_names(self._drawn())}"

    def _drawn(self) -> list[Picture]:
        return SHOWN[0].pictures(self._findings)


def _names(drawn: Sequence[Picture]) -> str:
    return ", ".join(picture.name for picture in drawn) or "none"


class Run(NamedTuple):
    """What a study gives back: its folder and its findings. In a notebook it shows itself.

    `run.rows` are all answers and `run.to_pandas()` all figures as data frames, `run.plot()` a chart of the report,
    `run.export("latex")` a file for a paper, `run.export("inspect")` logs that other tools open.
    """

    folder: Path
    findings: tuple[Finding, ...]

    @property
    def rows(self) -> "pd.DataFrame":
        """All scored answers, a row each (docs/run-folder.md). Raises UserMistake for a study that keeps none."""
        from tellapart.runs.table import read_table

        return read_table(self.folder)

    def table(self, name: str) -> Any:
        """Return a table of the first finding that has it, as it stands in findings.json. Raises UserMistake, with the
        names there are, where none has."""
        names = dict.fromkeys(table for finding in self.findings for table in finding.tables)
        for finding in self.findings:
            if name in finding.tables:
                return finding.tables[name]
        raise UserMistake(f"no table {name!r} in {self.folder}: there are {', '.join(names) or 'none'}")

    def to_pandas(self) -> "pd.DataFrame":
        """Return the estimates of all findings, a row each: finding (from 1), verdict, estimate, value, low, high, n,
        unit, method. A missing figure is NaN; its method says why."""
        import pandas as pd

        rows = [
            {"finding": number, "verdict": finding.verdict, "estimate": name, **asdict(estimate)}
            for number, finding in enumerate(self.findings, 1)
            for name, estimate in finding.estimates.items()
        ]
        return pd.DataFrame(rows, columns=list(ESTIMATES))

    @property
    def plot(self) -> Charts:
        """The charts of the report: `run.plot()` is the first, `run.plot.recovered()` one by its name."""
        return Charts(self.folder, self.findings)

    def export(
        self, form: str, out: "Path | str | None" = None, conditions: Sequence[str] = ()
    ) -> tuple[Path, ...]:
        """Write the run as latex, markdown, csv, svg or pdf, or its answers as inspect, inspect-json, eee (or
        every_eval_ever), parquet or jsonl, and return the files' paths. `out` is a folder (default: RUN-FORMAT beside
        the run), or of latex, markdown and csv the file; `conditions` are some of the answers. Raises UserMistake where
        it cannot be."""
        return SHOWN[0].export(self.folder, form, None if out is None else Path(out), conditions)

    def __repr__(self) -> str:
        """Return the folder, and each finding's verdict and sentence: a run's tables are too long to print."""
        lines = [f"{finding.verdict}: {finding.sentence}" for finding in self.findings[:LONGEST_REPR]]
        more = len(self.findings) - len(lines)
        return "\n".join([f"Run in {self.folder}", *lines, *([f"and {more} more findings"] if more else [])])

    def _repr_html_(self) -> str:
        """Return what a notebook shows: verdict, main figures, a chart, caveats."""
        return SHOWN[0].html(self.folder, self.findings)


LONGEST_REPR = 6
"""Findings that a run's repr tells."""
ESTIMATES = ("finding", "verdict", "estimate", "value", "low", "high", "n", "unit", "method")
"""The columns of Run.to_pandas, and of findings.csv."""


def open_run(folder: Path) -> Run:
    """Return a finished run from its folder. Raises UserMistake where it is none."""
    return Run(folder, tuple(read_findings(folder)))


def left_out(budget: TokenBudget) -> tuple[str, ...]:
    """Return the caveat that a budget left something out; nothing where it paid for all."""
    if not budget.refused:
        return ()
    said = f"The budget of {budget.limit:,} tokens was spent: what is missing was left out"
    return (f"{said}; the same command with a larger --budget goes on from there.",)


def conclude(folder: Path, study: str, findings: Sequence[Finding]) -> list[Finding]:
    """Write findings.json, whole or not at all, and every view of it (report.html); return the findings as written:
    with a caveat where rows were made under several versions."""
    said = mixed(read_object(folder / "spec.json"))
    written = [
        replace(finding, caveats=(*finding.caveats, said)) if said else finding for finding in findings
    ]
    value = {
        "version": FINDINGS_VERSION,
        "study": study,
        "findings": [finding.as_json() for finding in written],
    }
    try:
        write_atomically(folder / "findings.json", canonical(value))
    except ValueError as error:
        raise UserMistake(f"findings hold a number that JSON cannot: {error}") from error
    for view in VIEWS:
        view.write(folder)
    return written


def tell(run: Run, as_json: bool, console: Console | None) -> None:
    """Print the findings as JSON and nothing else, or a summary to `console` (None: nothing)."""
    if as_json:
        print((run.folder / "findings.json").read_text())
    elif console is not None:
        for view in VIEWS:
            view.show(run.folder, run.findings, console)
