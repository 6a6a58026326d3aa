"""Concepts as pairs of contrastive prompts: the file format, its checks, and its two halves.

One JSON object a line: `concept` and `context` (names), `positive` and `negative` (prompts alike but for the concept);
and, where answers show the concept, `positive_answer` and `negative_answer` (what each prompt makes likelier). Without
answers there is decodability and reuse, but no steering and no score.

    {"concept": "plural", "context": "animals", "positive": "The cats ", "negative": "The cat ",
     "positive_answer": "are", "negative_answer": "is"}
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.errors import UserMistake
from tellapart.internals import OPENERS

FIELDS = ("concept", "context", "positive", "negative")
ANSWERS = ("positive_answer", "negative_answer")
FEWEST = 4
"""Pairs that a concept needs in each context: two for each half."""
LARGEST = 20_000_000
"""Bytes of a file that is read."""


@dataclass(frozen=True)
class ConceptPair:
    """Two prompts that differ in a concept, in one context. Answers are "" where there are none."""

    concept: str
    context: str
    positive: str
    negative: str
    positive_answer: str = ""
    negative_answer: str = ""

    @property
    def answered(self) -> bool:
        """Whether both answers are given."""
        return bool(self.positive_answer and self.negative_answer)


def read_concepts(reference: str) -> tuple[ConceptPair, ...]:
    """Return the pairs of a JSONL file, or of `specimen:FAMILY`. UserMistake names the line and what is wrong."""
    kind, _, name = reference.partition(":")
    if kind in OPENERS:
        return checked(OPENERS[kind](name), reference)
    path = Path(reference)
    try:
        if path.stat().st_size > LARGEST:
            raise UserMistake(f"{path} holds more than {LARGEST // 10**6} MB: give fewer pairs")
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserMistake(f"{path} cannot be read as a file of concepts: {error}") from error
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    return checked(tuple(_pair(line, f"{path}:{number}") for number, line in lines), str(path))


def _pair(line: str, place: str) -> ConceptPair:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserMistake(f"{place} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UserMistake(f"{place}: give an object with {', '.join(FIELDS)}")
    for name in FIELDS:
        if not isinstance(value.get(name), str) or not value[name].strip():
            raise UserMistake(f"{place}: {name} is {value.get(name)!r:.40}; give a text that is not empty")
    for name in ANSWERS:
        if not isinstance(value.get(name, ""), str):
            raise UserMistake(f"{place}: {name} is {value[name]!r:.40}; give a text, or leave it out")
    unknown = sorted(set(value) - {*FIELDS, *ANSWERS})
    if unknown:
        raise UserMistake(
            f"{place}: unknown field {unknown[0]!r:.40}; there are {', '.join((*FIELDS, *ANSWERS))}"
        )
    return ConceptPair(**{name: value[name] for name in (*FIELDS, *ANSWERS) if name in value})


def checked(pairs: Sequence[ConceptPair], place: str) -> tuple[ConceptPair, ...]:
    """Return the pairs, each once. UserMistake where there are too few, or two prompts or answers are equal."""
    distinct = tuple(dict.fromkeys(pairs))
    if not distinct:
        raise UserMistake(f"{place} holds no pairs: give lines with {', '.join(FIELDS)}")
    for pair in distinct:
        if pair.positive == pair.negative:
            raise UserMistake(f"{place}: both prompts of {pair.concept!r:.40} are {pair.positive!r:.60}")
        if bool(pair.positive_answer) != bool(pair.negative_answer):
            raise UserMistake(f"{place}: {pair.positive!r:.60} has one answer: give both, or none")
        if pair.answered and pair.positive_answer == pair.negative_answer:
            raise UserMistake(
                f"{place}: both answers of {pair.positive!r:.60} are {pair.positive_answer!r:.40}"
            )
    for concept in names(distinct):
        mine = [pair for pair in distinct if pair.concept == concept]
        if len({pair.answered for pair in mine}) > 1:
            raise UserMistake(
                f"{place}: some pairs of {concept!r:.40} have answers and some not: give all or none"
            )
        for context in dict.fromkeys(pair.context for pair in mine):
            count = sum(pair.context == context for pair in mine)
            if count < FEWEST:
                raise UserMistake(
                    f"{place}: too few points: {count} pairs of {concept!r:.40} in {context!r:.40}, give {FEWEST}"
                )
    return distinct


def names(pairs: Sequence[ConceptPair]) -> list[str]:
    """Return the concepts in the order they are met."""
    return list(dict.fromkeys(pair.concept for pair in pairs))


def halves(pairs: Sequence[ConceptPair]) -> tuple[list[ConceptPair], list[ConceptPair]]:
    """Return pairs to fit and choose on, and pairs to report on: every second one of each concept and context."""
    fit: list[ConceptPair] = []
    report: list[ConceptPair] = []
    seen: dict[tuple[str, str], int] = {}
    for pair in pairs:
        at = seen.get((pair.concept, pair.context), 0)
        seen[pair.concept, pair.context] = at + 1
        (report if at % 2 else fit).append(pair)
    return fit, report
