"""How a finished run is shown. Views are written above the studies (report/) and put in by tellapart/wiring.py."""

import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.console import Console

    from tellapart.findings.finding import Finding


class View(NamedTuple):
    """`write` puts a view into a run folder whose findings.json stands; `show` prints a run's findings."""

    write: Callable[[Path], object]
    show: "Callable[[Path, Sequence[Finding], Console], object]"


class Picture(NamedTuple):
    """A chart of a report as an SVG document of its own; a notebook shows it."""

    name: str
    title: str
    svg: str

    def _repr_html_(self) -> str:
        """Return the chart as an image: nothing in it reaches the notebook's page."""
        data = base64.b64encode(self.svg.encode()).decode()
        return f'<img alt="{self.name}" style="max-width: 100%" src="data:image/svg+xml;base64,{data}">'


class Shown(NamedTuple):
    """What a Run offers of the report: HTML for a notebook, charts, and files (format, place, conditions -> paths)."""

    html: "Callable[[Path, Sequence[Finding]], str]"
    pictures: "Callable[[Sequence[Finding]], list[Picture]]"
    export: Callable[[Path, str, Path | None, Sequence[str]], tuple[Path, ...]]


VIEWS: list[View] = []
"""Every view of a run, in the order in which they are made."""
SHOWN: list[Shown] = []
"""The one that a Run in a notebook is shown by."""
