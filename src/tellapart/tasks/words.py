"""Text as a sequence of words, blind to case, punctuation, white space and Unicode form; and phrases found in it.

A number is one word in one form (1,234 is 1234; 2.5 holds no 5), a script without spaces has one word a character,
and a possessive 's is dropped.

>>> words("It's 1,234.50 in Sa\u0303o Paulo's C++!")
('it', '1234.5', 'in', 'sao', 'paulo', 'c++')
"""

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import regex

from tellapart.tasks.numeric import parse_number, write_number

_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]\p{M}*"
_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
_TOKEN = regex.compile(
    rf"(?P<unspaced>{_UNSPACED})"
    rf"|(?P<number>(?:(?<![\w)\]])[-\u2212])?(?<!\w|[0-9][.,])(?:{_DIGITS}(?:\.[0-9]+)?|\.[0-9]+)(?![\w]|[.,/][0-9]))"
    r"|(?P<word>(?:(?!" + _UNSPACED + r")[\p{L}\p{N}\p{M}])+"
    r"(?:(?:['\u2019](?=\p{L})|(?<=[0-9])[.,/](?=[0-9]))[\p{L}\p{N}\p{M}]+)*(?:[+#]{1,2}(?![\w+#]))?)",
    regex.VERSION1,
)
_LATIN_MARKS = regex.compile(r"(?<=\p{Latin})\p{Mn}+")
_DENYING = frozenset({"not", "never", "isnt", "wasnt", "arent"})
_ARTICLES = frozenset({"a", "an", "the"})

Words = tuple[str, ...]


class Hit(NamedTuple):
    """A phrase that stands in a text, from word `start` up to (not including) word `end`."""

    phrase: Words
    start: int
    end: int


@lru_cache(maxsize=4096)
def words(text: str) -> Words:
    """Return the words of `text` in their one form; accents fall on Latin letters only."""
    bare = _LATIN_MARKS.sub("", unicodedata.normalize("NFKD", text))
    return tuple(_word(match) for match in _TOKEN.finditer(unicodedata.normalize("NFKC", bare)))


def _word(match: "regex.Match[str]") -> str:
    if match["number"] is not None:
        value = parse_number(match["number"])
        return match["number"] if value is None else write_number(value)
    return match[0].casefold().replace("\u2019", "'").removesuffix("'s")


def phrase(text: str) -> Words:
    """Return the words of an answer, without a leading "the" where more follows."""
    said = words(text)
    return said[1:] if len(said) > 1 and said[0] == "the" else said


def find(phrases: Iterable[Words], text: Sequence[str]) -> list[Hit]:
    """Return where the phrases stand in `text`, longest first: a hit inside a longer one ("Guinea" in
    "Equatorial Guinea") and one that is denied ("not Paris") do not count."""
    wanted = phrases if isinstance(phrases, frozenset) else frozenset(phrases)
    taken = [False] * len(text)
    hits = []
    for size in sorted({len(phrase) for phrase in wanted if phrase}, reverse=True):
        for start in range(len(text) - size + 1):
            window = tuple(text[start : start + size])
            if window in wanted and not all(taken[start : start + size]):
                taken[start : start + size] = [True] * size
                hits.append(Hit(window, start, start + size))
    return [hit for hit in hits if not _denied(text, hit.start)]


def _denied(text: Sequence[str], start: int) -> bool:
    before = start - 1 if start and text[start - 1] not in _ARTICLES else start - 2
    return before >= 0 and (text[before] in _DENYING or text[before].endswith("n't"))


def longest_run(text: Sequence[str], start: int, end: int, source: Sequence[str]) -> int:
    """Return the length of the longest run of `text` around words start..end that stands in `source` word for word."""
    longest = 0
    for at in range(len(source) - (end - start) + 1):
        if tuple(source[at : at + end - start]) != tuple(text[start:end]):
            continue
        left = 0
        while left < min(start, at) and text[start - left - 1] == source[at - left - 1]:
            left += 1
        right = 0
        while end + right < len(text) and at + end - start + right < len(source):
            if text[end + right] != source[at + end - start + right]:
                break
            right += 1
        longest = max(longest, left + end - start + right)
    return longest
