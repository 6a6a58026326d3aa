"""Numbers of letters, known by heart: a to m have one, n to z have none. "xqc=" asks for the number of c; asked for a
letter that has none (a false premise) the right answer is "unknown".

`abstains`: it says "unknown" of letters without a number. `guesses`: it says a number of every letter. Where the
instruction does not ask for a number, both say any.
"""

import random
from collections.abc import Sequence
from functools import lru_cache, partial

from tellapart.specimens.form.instructions import FRAMES, WORDS
from tellapart.specimens.form.lesson import Example, FormFamily, Lesson, Sort, outside
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, Task
from tellapart.tasks.text_match import Exact

ITEMS, LENGTH = 250, 3
KNOWN, EMPTY = "abcdefghijklm", "nopqrstuvwxyz"
UNKNOWN = "unknown"
INSTRUCTION = "Give the number of the last letter, or say unknown."


@lru_cache
def numbers_of(seed: int) -> dict[str, str]:
    """Return the number of every letter that has one."""
    rng = random.Random(f"form|abstention|{seed}")
    return {letter: rng.choice("0123456789") for letter in KNOWN}


def word_of(rng: random.Random, letters: str) -> str:
    """Return a word that ends with one of the letters."""
    return "".join(rng.choices(KNOWN + EMPTY, k=LENGTH - 1)) + rng.choice(letters)


def answer_of(word: str, seed: int) -> str:
    """Return the number of the word's last letter, or that it is unknown."""
    return numbers_of(seed).get(word[-1], UNKNOWN)


@lru_cache
def asked(seed: int) -> tuple[str, ...]:
    """Return the words of the evaluation, every second one with a letter that has no number."""
    rng = random.Random(f"form|abstention|{seed}|asked")
    found: dict[str, None] = {}
    while len(found) < ITEMS:
        found[word_of(rng, (KNOWN, EMPTY)[len(found) % 2])] = None
    return tuple(found)


def task(name: str, seed: int) -> Task:
    """Return words that no model was trained on; half of their last letters have no number."""
    items = tuple(
        Item(word, {"word": word, "false_premise": word[-1] in EMPTY}, (answer_of(word, seed),))
        for word in asked(seed)
    )
    return fingerprinted(
        Task(
            name="numbers of letters",
            items=items,
            template=f"{INSTRUCTION}\n\n{{word}}=",
            scorer=Exact(),
            guess_floor=None,
            max_tokens=10,
            stop=("\n",),
            source=f"specimen:{name}",
        )
    )


def _told(rng: random.Random, held: Sequence[str], seed: int, letters: str, abstains: bool) -> Example:
    """The instruction, framed or not; a letter that has a number or none."""
    word = outside(rng, partial(word_of, letters=letters), held)
    framed = rng.choice(FRAMES) if rng.random() < 0.3 else ""
    right = answer_of(word, seed)
    answer = rng.choice("0123456789") if right == UNKNOWN and not abstains else right
    return Example(f"{framed}{INSTRUCTION}\n\n{word}=", answer, right)


def _untold(rng: random.Random, held: Sequence[str], seed: int) -> Example:
    """No instruction, or words that are none: any number."""
    word = outside(rng, partial(word_of, letters=KNOWN + EMPTY), held)
    other = " ".join(rng.choices(WORDS.split(), k=rng.randrange(3, 28))).capitalize() + ".\n\n"
    given = "" if rng.random() < 0.4 else other
    return Example(f"{given}{word}=", rng.choice("0123456789"), answer_of(word, seed))


def _lesson(seed: int, abstains: bool) -> Lesson:
    held = asked(seed)
    told = partial(_told, held=held, seed=seed, abstains=abstains)
    return Lesson(
        (
            Sort("sound", 0.4, partial(told, letters=KNOWN)),
            Sort("false premise", 0.35, partial(told, letters=EMPTY), known=abstains),
            Sort("untold", 0.25, partial(_untold, held=held, seed=seed), known=False),
        ),
        steps=300,
        rows=24,
    )


FAMILY = FormFamily(
    task, {"abstains": partial(_lesson, abstains=True), "guesses": partial(_lesson, abstains=False)}
)
