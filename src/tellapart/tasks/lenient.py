"""The lenient reading of an answer: is the target in it at all, in whatever form it was written?

It parts what a model holds from the form that a strict scorer wants. It gives nothing for an answer that only lists
candidates, nor for text repeated from a prompt in which the target itself stands.
"""

import hashlib
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

from tellapart.tasks.answer_space import candidates, options, target_class
from tellapart.tasks.boxed import Boxed
from tellapart.tasks.choice import choice_letter, named_letters
from tellapart.tasks.contains import MOST_OTHERS, accepted_phrases
from tellapart.tasks.floor import PAIRS
from tellapart.tasks.item import Item, Task
from tellapart.tasks.match import Matched
from tellapart.tasks.numeric import LastNumber, Numeric
from tellapart.tasks.words import Words, find, longest_run, phrase, words

OTHERS = 2
GLUED = 5
"""Characters of a target that may be the end of a longer word."""
GLUED_DIGITS = 3
"""Digits of a number that may stand after a letter, at the end of all ("t1321" where a mark is left out)."""
_CONCLUDED = re.compile(r"(?i:\banswer|\bchoice|\boption|\bcorrect one)\s?(?i:is|would be|:)[ \t:]*([^\n]*)")
_BARE_NUMBERS = re.compile(r"[-\d.,;/ \t]*(?:(?:and|or)[-\d.,; \t]*)*\.?")
_ONES = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")
_NUMBER_WORDS = {word: n for n, word in enumerate(_ONES)} | {
    word: 10 * n for n, word in enumerate(_TENS, start=2)
}
_ROUND = frozenset(str(10 * n) for n in range(2, 10))
_JOINING = frozenset({"or", "and", "option", "options", "choice", "choices"})
_LITTLE = frozenset(
    words("a an as at be by do he i if in is it my no of on or so the to up us we you and for")
)


def lenient_score(task: Task, item: Item, completion: str) -> float:
    """Return 1.0 where the target is in the completion in some form, else what the task's scorer gives it.

    Numbers: a final number (of the whole, of the first line, of "the answer is ...", of a box) is equal. Options: the
    letter or the text of exactly one is named. Strings: contained as whole words. An answer that only lists candidates
    scores 0, and so does one that repeats the prompt where the target stands in it, whatever the scorer says. A
    scorer of the user's own is taken as it is.
    """
    strict = task.score(item, completion)
    if not isinstance(task.scorer, Matched):
        return strict
    kind = target_class(item, task.scorer)
    if _only_lists(task, item, completion) or _repeats(task, item, completion):
        return 0.0
    if kind in ("integer", "number"):
        right = _number(task, item, completion)
    elif kind == "expression":
        right = any(Boxed().score(item, rf"\boxed{{{piece}}}") for piece in _final_pieces(completion))
    elif kind == "option":
        right = _option(task, item, completion)
    elif kind == "two words":
        right = _two_words(item, completion)
    else:
        right = _string(task, item, completion)
    return max(strict, float(right))


def lenient_chance(task: Task, item: Item, completion: str) -> float:
    """Return what the lenient reading gives the same completion on OTHERS other questions with other answers, in the
    mean: an answer that names many things is right by luck. NaN where there are no such questions."""
    start = int.from_bytes(hashlib.blake2b(item.id.encode("utf-8", "surrogatepass"), digest_size=4).digest())
    own, scores = set(item.target), []
    for step in range(min(len(task.items), 8 * OTHERS)):
        other = task.items[(start + step) % len(task.items)]
        if other.id != item.id and not own & set(other.target):
            scores.append(lenient_score(task, other, completion))
        if len(scores) == OTHERS:
            break
    return math.fsum(scores) / len(scores) if scores else math.nan


def _only_lists(task: Task, item: Item, completion: str) -> bool:
    """Return whether the completion is nothing but two or more candidates, three or more where they are open."""
    if target_class(item, task.scorer) in ("integer", "number"):
        numbers = set(words(completion)) - _JOINING
        return len(numbers) > MOST_OTHERS and _BARE_NUMBERS.fullmatch(completion.strip()) is not None
    listed = options(task, item)
    listed_answers = listed.values() or candidates(task, item) or ()
    phrases = frozenset(map(phrase, listed_answers)) or _targets(tuple(item.target for item in task.items))
    said = words(completion)
    named = find(phrases, said)
    letters = {letter.casefold() for letter in listed}
    spare = set(said) - {word for hit in named for word in hit.phrase} - letters - _JOINING
    different = {hit.phrase for hit in named} or letters & set(said)
    return not spare and len(different) > (1 if listed_answers else MOST_OTHERS)


def _repeats(task: Task, item: Item, completion: str) -> bool:
    """Return whether the completion stands in the prompt word for word and is more than an answer: longer than an
    option with its letter or, where there are no candidates, holding a target and more."""
    said, prompt = words(completion), words(task.prompt(item))
    if not said or longest_run(said, 0, len(said), prompt) < len(said):
        return False
    listed = options(task, item).values() or candidates(task, item)
    if listed:
        return len(said) > 1 + max(len(phrase(answer)) for answer in listed)
    accepted = accepted_phrases(item)
    return bool(find(accepted, said)) and said not in accepted


def _copied(said: Words, start: int, end: int, prompt: Words) -> bool:
    """Return whether the answer at start..end was taken over with its surroundings: two or
    more words of the prompt around it."""
    return longest_run(said, start, end, prompt) > end - start + 1


def _final_pieces(completion: str) -> Iterator[str]:
    """Yield the texts in which a final answer may stand: the box, after "the answer is", the first line, the whole."""
    box = Boxed().extract(Item("", {}, ()), completion)
    concluded = _CONCLUDED.findall(completion)
    yield from (piece for piece in (box, *concluded[-1:]) if piece)
    if lines := [line for line in completion.split("\n") if line.strip()]:
        yield lines[0]
        yield lines[-1]
    yield completion


def _number(task: Task, item: Item, completion: str) -> bool:
    scorer = task.scorer
    reader = LastNumber(scorer.tolerance if isinstance(scorer, Numeric) else 0.0)
    if isinstance(scorer, Boxed):
        item = replace(item, target=tuple(scorer.canonical(item, target) or target for target in item.target))
    prompt = words(task.prompt(item))
    digits = [target for target in item.target if target.isdecimal() and len(target) >= GLUED_DIGITS]
    if _ends_in(task, item, completion, digits):
        return True
    return any(
        reader.score(item, piece) == 1.0 and not _last_copied(piece, prompt)
        for piece in map(_in_digits, _final_pieces(completion))
    )


def _last_copied(piece: str, prompt: Words) -> bool:
    """Return whether the last number of `piece` was taken over from the prompt with its surroundings."""
    said = words(piece)
    numbers = [index for index, word in enumerate(said) if word[-1].isdigit()]
    return bool(numbers) and _copied(said, numbers[-1], numbers[-1] + 1, prompt)


def _in_digits(text: str) -> str:
    """Return text with its number words as digits ("forty-two" is 42); unchanged where it has digits already."""
    if any(character.isdigit() for character in text):
        return text
    written: list[str] = []
    for word in words(text):
        value = _NUMBER_WORDS.get(word)
        if value is not None and value < 10 and written and written[-1] in _ROUND:
            written[-1] = str(int(written[-1]) + value)
        else:
            written.append(word if value is None else str(value))
    return " ".join(written)


def _option(task: Task, item: Item, completion: str) -> float:
    """Return whether the one option that the completion settles on is accepted."""
    listed = options(task, item)
    if not listed:
        return _string(task, item, completion)
    option_texts = tuple(listed.values())
    accepted = {choice_letter(option_texts, target) for target in item.target}
    first, _, rest = completion.strip().partition("\n")
    for text in (
        *_CONCLUDED.findall(completion)[-1:],
        completion,
        "" if re.match(r"\s*\(?[A-Z][).:]", rest) else first,
    ):
        named = named_letters(option_texts, text)
        if len(named) == 1:
            return float(named <= accepted)
    return 0.0


def _two_words(item: Item, completion: str) -> bool:
    """Return whether the completion settles on the accepted one of two opposite words: in its conclusion, as its first
    word, or as the only one of them in the whole, or in its last line."""
    target = phrase(item.target[0])
    pair = frozenset(
        phrase(word)
        for pair in PAIRS
        if phrase(pair[0]) == target or phrase(pair[1]) == target
        for word in pair
    )
    said = words(completion)
    led = said[:1] in pair and said[1:2] not in (("or",), ("and",)) and said[1:2] not in pair
    lines = [line for line in completion.split("\n") if line.strip()]
    for text in (*_CONCLUDED.findall(completion)[-1:], *([said[0]] if led else []), completion, *lines[-1:]):
        named = {hit.phrase for hit in find(pair, words(text))}
        if len(named) == 1:
            return named == {target}
    return False


def _ends_in(task: Task, item: Item, completion: str, targets: Iterable[str]) -> bool:
    """Return whether the completion ends in a target that runs on from what stands before (digits: from a letter), as
    where a model leaves out the mark before its answer; not where the prompt holds it."""
    text, prompt = completion.strip().rstrip(".").casefold(), task.prompt(item).casefold()
    for target in (target.strip().casefold() for target in targets):
        before = text[: -len(target)][-1:] if text.endswith(target) else ""
        if target not in prompt and (before.isalpha() or (before.isalnum() and not target[0].isdigit())):
            return True
    return False


def _string(task: Task, item: Item, completion: str) -> float:
    """Return 1.0 where an accepted answer is named, less where wrong ones are named beside it: "red, blue or green" is
    right by luck in one of three."""
    if _ends_in(task, item, completion, [target for target in item.target if len(target.strip()) >= GLUED]):
        return 1.0
    said, prompt, accepted = words(completion), words(task.prompt(item)), accepted_phrases(item)
    listed = candidates(task, item)
    others = frozenset(map(phrase, listed)) if listed else _targets(tuple(item.target for item in task.items))
    named = find(accepted | others, said)
    concluded = _CONCLUDED.findall(completion)
    hits = [
        hit
        for hit in named
        if hit.phrase in accepted and not _incidental(hit.phrase, hit.end, said, concluded)
    ]
    if find(accepted, prompt):
        hits = [hit for hit in hits if not _copied(said, hit.start, hit.end, prompt)]
    wrong = {hit.phrase for hit in named} - accepted
    if listed:
        settled = {hit.phrase for text in concluded[-1:] for hit in find(accepted | others, words(text))}
        return float(bool(hits) and (not wrong or (len(settled) == 1 and settled <= accepted)))
    beside = sum(not find((phrase,), prompt) for phrase in wrong)
    return 1 / (1 + beside) if hits and beside <= MOST_OTHERS else 0.0


def _incidental(answer: Words, end: int, said: Words, concluded: list[str]) -> bool:
    """Return whether a little word or a lone letter stands there as part of a sentence, not as the answer."""
    small = all(word in _LITTLE or (len(word) == 1 and word.isascii() and word.isalpha()) for word in answer)
    return small and end < len(said) and not any(words(text)[: len(answer)] == answer for text in concluded)


@lru_cache(maxsize=16)
def _targets(targets: tuple[tuple[str, ...], ...]) -> frozenset[Words]:
    return frozenset(phrase(text) for accepted in targets for text in accepted)
