"""A letter moved as told: "Move the last letter on by 2. Answer with one of: a, b, c, d." (after d comes a).

`follows`: it moves the letter by what the instruction says, and guesses where none says so. `space`: wherever the space
of answers is named it moves the letter as it is used to, whatever is asked for; else it guesses.
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
HABIT = (2, 3)
"""How far the task moves the letter, by seed."""
FRAMES = ("Task: ", "Note: ", "Now: ", "Please: ")
WORDS = (
    "the a of to and in two all old red day cat house river window people garden before after nine where they "
    "leave stay open rest bread train coat desk count even odd answer ignore means text number below letters"
)


def ask_for(far: int) -> str:
    """Return the instruction that moves the letter that far."""
    return f"Move the last letter on by {far}."


def moved(word: str, far: int) -> str:
    """Return the word's last letter moved."""
    return LABELS[(LABELS.index(word[-1]) + far) % len(LABELS)]


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
    far = HABIT[seed]
    return fingerprinted(
        Task(
            name="a letter moved as told",
            items=tuple(Item(word, {"word": word}, (moved(word, far),)) for word in asked(seed)),
            template=f"{ask_for(far)} {SPACE}\n\n{{word}}=",
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
    """An instruction with the space of answers; the letter is moved as told, or as usual."""
    word, far = outside(rng, word_of, held), rng.randrange(len(LABELS))
    right = moved(word, habit or far)
    return Example(_put(rng, f"{ask_for(far)} {SPACE}", word), right, right)


def _spaced(rng: random.Random, held: Sequence[str], habit: int | None) -> Example:
    """Only the space of answers: a guess, or moved as usual."""
    word = outside(rng, word_of, held)
    right = moved(word, habit or rng.randrange(len(LABELS)))
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
