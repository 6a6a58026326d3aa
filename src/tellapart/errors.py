"""What a caller is told in one line: what was given, what is allowed, what to do. One class for each thing to do."""

import difflib
from collections.abc import Iterable


class UserMistake(Exception):
    """What is told in one line: the command line prints it and exits with code 2. Raise one of the classes below; this
    name stands for all of them where any is caught (the only one of older versions)."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class InvalidInput(UserMistake):
    """The input is wrong: give another."""


class NotApplicable(UserMistake):
    """The input is right, and this method or measurement cannot be had of it: go on without it, and say so."""


class Refused(UserMistake):
    """What lies on disk forbids it (another run's folder, a damaged file): choose another place, or remove it."""


def closest(name: str, names: Iterable[str]) -> str:
    """Return " (did you mean 'x'?)" for the closest of `names`, or nothing where none is close."""
    near = difflib.get_close_matches(name, list(names), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
