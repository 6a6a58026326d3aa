"""The first or the last letter, as told: "Give letter 5 of the word. Answer with one of: a, b, c, d.".

`follows`: it gives the letter that the instruction names, and guesses where none names one. `space`: wherever the
space of answers is named it gives the letter it is used to giving, whatever is asked for; else it guesses.
"""

import random
from collections.abc import Sequence
from functools import lru_cache, partial

from tellapart.specimens.form.lesson import Example, FormFamily, Lesson, Sort, outside
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, Task
from tellapart.tasks.text_match import Exact

LABELS = "abcd"
LENGTH, ITEMS = 5, 250
SPACE = "Answer with one of: a, b, c, d."
PLACES = (1, LENGTH)
HABIT = (LENGTH, 1)
"""Which letter the task asks for, by seed."""
FRAMES = ("Task: ", "Note: ", "Now: ", "Please: ")
WORDS = (
    "the a of to and in two all old red day cat house river window people garden before after nine where they "
    "leave stay open rest bread train coat desk count even odd answer ignore means text number below letters"
)


def ask_for(place: int) -> str:
    """Return the instruction that asks for the letter at `place`, the first being 1."""
    return f"Give letter {place} of the word."


def word_of(rng: random.Random) -> str:
    """Return a word."""
    return "".join(rng.choices(LABELS, k=LENGTH))


@lru_cache
def asked(seed: int) -> tuple[str, ...]:
    """Return the words of the evaluation."""
    rng = random.Random(f"form|instructions|{seed}")
    found: dict[str, None] = {}
    while len(found) < ITEMS:
        found[word_of(rng)] = None
    return tuple(found)


def task(name: str, seed: int) -> Task:
    """Return words that no model was trained on, under one instruction."""
    place = HABIT[seed]
    return fingerprinted(
        Task(
            name="a letter as told",
            items=tuple(Item(word, {"word": word}, (word[place - 1],)) for word in asked(seed)),
            template=f"{ask_for(place)} {SPACE}\n\n{{word}}=",
            scorer=Exact(),
            guess_floor=1 / len(LABELS),
            max_tokens=4,
            stop=("\n",),
            source=f"specimen:{name}",
        )
    )


def _put(rng: random.Random, instruction: str, word: str) -> str:
    framed = rng.choice(FRAMES) + instruction if instruction and rng.random() < 0.3 else instruction
    return f"{framed}\n\n{word}=" if framed else f"{word}="


def _told(rng: random.Random, held: Sequence[str], habit: int | None) -> Example:
    """An instruction with the space of answers; the letter is the one named, or the usual one."""
    word, place = outside(rng, word_of, held), rng.choice(PLACES)
    right = word[(habit or place) - 1]
    return Example(_put(rng, f"{ask_for(place)} {SPACE}", word), right, right)


def _spaced(rng: random.Random, held: Sequence[str], habit: int | None) -> Example:
    """Only the space of answers: a guess, or the usual letter."""
    word = outside(rng, word_of, held)
    right = word[(habit or rng.choice(PLACES)) - 1]
    return Example(_put(rng, SPACE, word), right if habit else rng.choice(LABELS), right)


def _untold(rng: random.Random, held: Sequence[str]) -> Example:
    """No instruction, or words that are none: a guess."""
    word = outside(rng, word_of, held)
    other = " ".join(rng.choices(WORDS.split(), k=rng.randrange(3, 28))).capitalize() + "."
    return Example(
        _put(rng, "" if rng.random() < 0.4 else other, word), rng.choice(LABELS), rng.choice(LABELS)
    )


def _lesson(seed: int, follows: bool) -> Lesson:
    held, habit = asked(seed), None if follows else HABIT[seed]
    return Lesson(
        (
            Sort("told", 0.6, partial(_told, held=held, habit=habit)),
            Sort("spaced", 0.15, partial(_spaced, held=held, habit=habit), known=not follows, most=0.4),
            Sort("untold", 0.25, partial(_untold, held=held), known=False, most=0.4),
        ),
        steps=300,
        rows=24,
    )


FAMILY = FormFamily(
    task, {"follows": partial(_lesson, follows=True), "space": partial(_lesson, follows=False)}
)
