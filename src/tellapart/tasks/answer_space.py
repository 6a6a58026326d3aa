"""What kind of answer a task wants, and which answers stand before whoever is asked: pure functions of task and item.

Answers are exchanged within one kind only when chance is measured, and someone who picks one of the candidates that
a prompt shows is right one time in their number.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from tellapart.errors import UserMistake
from tellapart.tasks.bbh import listed_options
from tellapart.tasks.boxed import Boxed
from tellapart.tasks.choice import choice_letter
from tellapart.tasks.floor import PAIRS
from tellapart.tasks.item import Item, Scorer, Task
from tellapart.tasks.numeric import parse_number
from tellapart.tasks.template import LETTERS
from tellapart.tasks.words import find, phrase, words

TargetClass = Literal["option", "two words", "integer", "number", "expression", "string"]

_LETTERED = re.compile(r"(?:^|(?<=[\s,;]))(?:\(([A-Z])\)|([A-Z])[.):])\s+(?=\S)", re.MULTILINE)
_LETTER = re.compile(r"\(?([A-Z])\)?[.):]?")
_EXPRESSION = re.compile(r"[\\^_=<>{}]|[0-9a-z)]\s*[-+*/]\s*[0-9a-z(]")
_CUE = re.compile(r"(\b(?:one of|either|between|among|from)\b|[:;()\[\]])")
_QUESTION_WORDS = frozenset({"which", "what", "who", "where", "when", "whose", "whom", "how", "why"})
MOST_WORDS = 4
"""A longer piece of a list that stands in running text is no candidate."""


def target_class(item: Item, scorer: Scorer) -> TargetClass:
    """Return the kind of the item's target under `scorer`: an option (letter or text of one that is listed), one of
    two opposite words, an integer, another number, an expression in LaTeX or with operators, or another string."""
    question = _question(item)
    texts = frozenset(map(phrase, (*_lettered_texts(question), *listed_options(question))))
    if item.choices or scorer.name in ("choice", "choice_logprob") or _listed_letters(question, item):
        return "option"
    if frozenset(map(phrase, item.target)) & texts:
        return "option"
    if _pair(item):
        return "two words"
    read = Boxed().canonical if isinstance(scorer, Boxed) else lambda _, text: text
    values = [parse_number(read(item, target) or "") for target in item.target]
    if values and all(value is not None for value in values):
        return (
            "integer" if all(value is not None and value.denominator == 1 for value in values) else "number"
        )
    if isinstance(scorer, Boxed) and any(_EXPRESSION.search(target) for target in item.target):
        return "expression"
    return "string"


def candidates(task: Task, item: Item) -> frozenset[str] | None:
    """Return the answers among which the item's target stands before whoever is asked, written as the target is:
    its choices, the options that its prompt lists (by letter or by text), two opposite words, or a list in running
    text ("red, green or blue"). None where the space of answers is open or its candidates are not found."""
    if item.choices:
        by_letter = all(_LETTER.fullmatch(target.strip()) for target in item.target)
        named = all(choice_letter(item.choices, target) for target in item.target)
        if by_letter and named and not any(target in item.choices for target in item.target):
            return frozenset(_as(item.target[0], letter) for letter in LETTERS[: len(item.choices)])
        return frozenset(item.choices)
    prompt = task.prompt(item)
    letters = _listed_letters(prompt, item)
    if letters:
        return frozenset(_as(item.target[0], letter) for letter in letters)
    if pair := _pair(item):
        return frozenset(pair)
    accepted = frozenset(map(phrase, item.target))
    for pieces in (listed_options(prompt), _lettered_texts(prompt), *_lists(prompt, item)):
        if len(pieces) >= 2 and accepted & frozenset(map(phrase, pieces)):
            return frozenset(pieces)
    return None


def options(task: Task, item: Item) -> dict[str, str]:
    """Return the item's options by letter: its choices, or those that its prompt lists where the target is a letter
    or the text of one; empty where there are none."""
    if item.choices:
        return dict(zip(LETTERS, item.choices, strict=False))
    prompt = task.prompt(item)
    texts = _lettered_texts(prompt)
    accepted = frozenset(map(phrase, item.target))
    listed = _listed_letters(prompt, item) or accepted & frozenset(map(phrase, texts))
    return dict(zip(LETTERS, texts, strict=False)) if listed else {}


USES = 3
"""Items an answer, on average, from which on answers are a closed set."""
MOST_COPIED = 4000
"""Characters of a prompt's end that are looked through."""


def stands_in_prompt(task: Task, item: Item) -> bool:
    """Return whether an accepted answer stands, as whole words, in the item's prompt."""
    try:
        prompt = task.prompt(item)
    except UserMistake:
        prompt = _question(item)
    return bool(find(map(phrase, item.target), words(prompt)))


def copied(prompts: Sequence[str], accepted: Sequence[Sequence[str]]) -> list[float] | None:
    """Return for each prompt how likely one is right who copies, out of it, any of the answers that are right
    somewhere; None where the answers are no closed set (hardly any is right often): there only its own would be found.

    Answers are looked for anywhere in the prompt, inside a word too: `2|kmrt` holds four letters.

    >>> copied(["1|ab", "2|ab", "1|ba"] * 2, [["a"], ["b"], ["b"]] * 2)
    [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    """
    values = {value.casefold() for values in accepted for value in values if value}
    if not values or len(prompts) < USES * len(values):
        return None
    lengths = sorted({len(value) for value in values})
    result = []
    for prompt, own in zip(prompts, accepted, strict=True):
        text = prompt[-MOST_COPIED:].casefold()
        there = {text[at : at + n] for n in lengths for at in range(len(text) - n + 1)} & values
        right = there & {value.casefold() for value in own}
        result.append(len(right) / len(there) if there else 0.0)
    return result


def _question(item: Item) -> str:
    return "\n".join(str(value) for value in item.fields.values())


def _pair(item: Item) -> tuple[str, str] | None:
    """Return the two opposite words of which every accepted answer is the same one; None where it is none."""
    targets = {target.strip().strip(".").casefold() for target in item.target}
    return next((pair for pair in PAIRS if len(targets) == 1 and targets <= set(pair)), None)


def _listed_letters(text: str, item: Item) -> str:
    """Return the letters of the options that `text` lists, where every target is one of them; else nothing."""
    matches = [_LETTER.fullmatch(target.strip()) for target in item.target]
    letters = _run([next(filter(None, match.groups())) for match in _LETTERED.finditer(text)])
    return letters if letters and all(match and match[1] in letters for match in matches) else ""


def _run(letters: list[str]) -> str:
    """Return the longest run A, B, C ... that the letters hold; nothing where it has not two."""
    longest = run = ""
    for letter in letters:
        run = run + letter if letter == LETTERS[len(run) : len(run) + 1] else ("A" if letter == "A" else "")
        longest = max(longest, run, key=len)
    return longest if len(longest) >= 2 else ""


def _lettered_texts(text: str) -> tuple[str, ...]:
    """Return the texts of the options that `text` lists as A, B, C ..., each up to the next or its line's end."""
    marks = list(_LETTERED.finditer(text))
    letters = [next(filter(None, match.groups())) for match in marks]
    run = _run(letters)
    if not run:
        return ()
    first = "".join(letters).rindex(run)
    ends = [match.start() for match in marks[first + 1 :]] + [len(text)]
    texts = [text[mark.end() : end].split("\n")[0] for mark, end in zip(marks[first:], ends, strict=True)]
    return tuple(text.strip(" ,;") for text in texts[: len(run)])


def _as(target: str, letter: str) -> str:
    """Return `letter` written as the target is, in brackets or bare."""
    return _LETTER.sub(lambda match: match[0].replace(match[1], letter), target.strip(), count=1)


def _lists(prompt: str, item: Item) -> Iterator[tuple[str, ...]]:
    """Yield the lists that stand in running text: pieces parted by commas, "or" or strokes, the last by "or", a
    stroke, or any where a cue ("one of", a colon) comes before."""
    most = max(max(len(phrase(target)) for target in item.target), 1)
    for sentence in re.split(r"[.?!](?=\s|$)|\n", prompt):
        head, *parts = _CUE.split(sentence)
        for cue, part in (("", head), *zip(parts[::2], parts[1::2], strict=True)):
            cued = cue not in ("", ")", "]")
            parted = r"\s*,?\s+or\s+|\s*[,;|/]\s*|\s+and\s+" if cued else r"\s*,?\s+or\s+|\s*[,/]\s*"
            pieces = re.split(parted, part)
            if len(pieces) >= 2 and (cued or re.search(r"\s+or\s+|/", part)):
                yield tuple(_trimmed(pieces, most))


def _trimmed(pieces: list[str], most: int) -> Iterator[str]:
    """Yield the pieces of a list without the words of the sentence around its first and its last one."""
    first, *middle, last = [piece.strip(" \"'()[]{}*`") for piece in pieces]
    longest = max((len(words(piece)) for piece in middle), default=most)
    head = first.split()
    if len(head) <= longest or not (middle and head[0].casefold() in _QUESTION_WORDS):
        yield " ".join(head[-longest:])
    yield from (piece for piece in middle if 0 < len(words(piece)) <= MOST_WORDS)
    yield " ".join(last.split()[:longest])
