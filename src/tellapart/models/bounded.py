"""Foreign code that may never end (a chat template), stopped after a time, in whatever thread it runs."""

import contextlib
import ctypes
import threading
from collections.abc import Iterator

from tellapart.errors import UserMistake


class TookTooLong(UserMistake):
    """Raised in the midst of code that ran for too long."""

    def __init__(self, message: str = "it took too long and was stopped") -> None:
        super().__init__(message)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TookTooLong inside once `seconds` have passed. It is raised between two steps of Python code: one call of
    compiled code is not cut short, but a loop around it is."""
    thread, lock, ended = threading.get_ident(), threading.Lock(), False

    def stop() -> None:
        with lock:
            if not ended:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread), ctypes.py_object(TookTooLong)
                )

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            ended = True
        timer.cancel()
