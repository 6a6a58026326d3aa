"""What a caller is told in one line: what was given, what is allowed, what to do. One class for each thing to do."""

import difflib
import re
from collections.abc import Iterable

LONGEST = 1000
"""Characters of a line; what is longer loses its middle: the start says what is wrong, the end what to do."""
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


class UserMistake(Exception):
    """What is told in one line: the command line prints it and exits with code 2. Raise one of the classes below; this
    name stands for all of them where any is caught (the only one of older versions)."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class InvalidInput(UserMistake):
    """The input is wrong: give another."""


class NotApplicable(UserMistake):
    """The input is right, and this method or measurement is not available for it: go on without it, and say so."""


class Refused(UserMistake):
    """What lies on disk forbids it (another run's folder, a damaged file): choose another place, or remove it."""


class Unscorable(UserMistake):
    """An answer that its scorer cannot read in bounded time: this answer fails, the others are scored."""


class ServerGone(Exception):
    """A server stopped answering: nobody's mistake. The run ends with what it has, and goes on when it is started
    again; so this is no UserMistake, for which another method would be tried."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def closest(name: str, names: Iterable[str]) -> str:
    """Return " (did you mean 'x'?)" for the closest of `names`, or nothing where none is close."""
    near = difflib.get_close_matches(name, list(names), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def visible(text: str) -> str:
    """Return `text` with what would hide, reorder or break it shown by its code point; tabs and line ends stay.

    >>> visible("\x1b[31mred")
    '⟨U+001B⟩[31mred'
    """
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(_symbol, text)


def one_line(text: str, most: int = LONGEST) -> str:
    """Return `text` as one visible line of at most about `most` characters, cut in its middle.

    >>> one_line("a\nb" + "-" * 2000, 30)
    'a b----------- […] ----------'
    """
    line = visible(" ".join(text.split()))
    if len(line) <= most:
        return line
    end = most // 3
    return f"{line[: most - end - 6]} […] {line[-end:]}"


def of_system(error: OSError) -> str:
    """Return what the operating system refused, and for which file, in words."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename is not None else reason


def _symbol(match: re.Match[str]) -> str:
    return f"⟨U+{ord(match.group()):04X}⟩"
