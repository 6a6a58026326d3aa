"""A command that is told to stop by SIGTERM or SIGHUP ends as it does for SIGINT: it lets go of all, and says so."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Stopped(BaseException):
    """A signal asked for the end. No Exception: nothing that goes on after a failure may swallow it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = signal.Signals(number)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise Stopped inside for SIGTERM and SIGHUP; outside the main thread, where no signal is heard, do nothing.

    A signal that was ignored before (nohup) stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [
        number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN
    ]
    before = {number: signal.signal(number, _stop) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _frame: FrameType | None) -> None:
    raise Stopped(number)
