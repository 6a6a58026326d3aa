"""How a finished run is shown. Views are written above the studies (report/) and put in by tellapart/wiring.py."""

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


VIEWS: list[View] = []
"""Every view of a run, in the order in which they are made."""
