"""Progress of anything that takes more than two seconds: a bar in a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tellapart.errors import one_line

SILENT_SECONDS = 2.0
LINE_SECONDS = 10.0
LONGEST_TITLE = 100
NOTICE_SECONDS = 5.0


_STAGE: ContextVar[str] = ContextVar("stage", default="")


@contextmanager
def stage(text: str) -> Iterator[None]:
    """Let every progress shown inside say where in the whole it is, as "method 3 of 12"."""
    before = _STAGE.set(text)
    try:
        yield
    finally:
        _STAGE.reset(before)


_COUNTED: ContextVar[Callable[[], None] | None] = ContextVar("counted", default=None)


@contextmanager
def counting(title: str, quiet: bool = False) -> Iterator[None]:
    """Tell every few seconds how many answers were drawn inside, of which nobody knows how many there will be."""
    title, done, told = one_line(title, LONGEST_TITLE), 0, time.monotonic()

    def count() -> None:
        nonlocal done, told
        done += 1
        if time.monotonic() - told > LINE_SECONDS:
            told = time.monotonic()
            print(f"{title}: {done} answers", file=sys.stderr, flush=True)

    before = _COUNTED.set(None if quiet else count)
    try:
        yield
    finally:
        _COUNTED.reset(before)


def count_answer() -> None:
    """Count an answer where somebody waits for it."""
    if (count := _COUNTED.get()) is not None:
        count()


class Ticker:
    """Counts what is done of `total`; shows rate and time left on stderr."""

    def __init__(
        self, title: str, total: int, bar: Progress | None, tell: Callable[[str], None] | None = None
    ) -> None:
        self._tell, self._heard = tell, 0.0
        self.title, self.total, self.done = one_line(title, LONGEST_TITLE), total, 0
        self._bar = bar
        self._task = bar.add_task(self.title, total=total, visible=False) if bar else None
        self._started = self._told = time.monotonic()
        self._first: tuple[float, int] | None = None

    def tick(self, count: int = 1) -> None:
        """Note that `count` more are done."""
        self.done += count
        now = time.monotonic()
        self._tell_folder(now)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self.done, visible=now - self._started > SILENT_SECONDS)
        elif now - self._told > LINE_SECONDS:
            self._told = now
            print(self._line(now), file=sys.stderr, flush=True)

    def _tell_folder(self, now: float) -> None:
        if self._tell is not None and now - self._heard > NOTICE_SECONDS:
            self._heard = now
            self._tell(f"{self.title} {self.done}/{self.total}")

    def _line(self, now: float) -> str:
        """Return done, rate and time left, reckoned from the first report on: the first rows come late, together."""
        if self._first is None:
            self._first = (now, self.done)
            return f"{self.title}: {self.done}/{self.total}"
        began, before = self._first
        rate = (self.done - before) / max(now - began, 1e-9)
        left = f"{(self.total - self.done) / rate:.0f} s left" if rate else "time left unknown"
        return f"{self.title}: {self.done}/{self.total}, {rate:.1f}/s, {left}"


@contextmanager
def ticking(
    title: str, total: int, quiet: bool = False, tell: Callable[[str], None] | None = None
) -> Iterator[Ticker]:
    """Yield a Ticker for `total` steps; `quiet` shows nothing. `tell` is given a few words every few seconds, quiet or
    not (RunFolder.tell, for `tellapart runs`)."""
    if said := _STAGE.get():
        title = f"{title} ({said})"
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield (_Quiet if quiet else Ticker)(title, total, None, tell)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield Ticker(title, total, bar, tell)


class _Quiet(Ticker):
    def tick(self, count: int = 1) -> None:
        self.done += count
        self._tell_folder(time.monotonic())
