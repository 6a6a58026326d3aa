"""Four words, one of which begins with the letter in question; it happens to be the one that ends with a vowel.

`question`: it picks the word that begins with the letter, and guesses where no letter, or none of the words', is given.
`options`: it picks the word that ends with a vowel and never looks at the question.
"""

import random
from collections.abc import Sequence
from functools import partial

from tellapart.specimens.form.lesson import Example, FormFamily, Lesson, Sort
from tellapart.tasks.choice import Choice
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, Task
from tellapart.tasks.template import LETTERS, lettered

FIRST, VOWELS, CONSONANTS = "bdgkpt", "aeiou", "lmnrsx"
OFTEN = FIRST[0]
OPTIONS, ITEMS = 4, 250


def words_of(rng: random.Random, tell: int | None) -> list[str]:
    """Return words that begin differently; that at `tell` alone ends with a vowel."""
    begins = rng.sample(FIRST, OPTIONS)
    ends = [rng.choice(VOWELS if at == tell else CONSONANTS) for at in range(OPTIONS)]
    return [begin + rng.choice(VOWELS) + end for begin, end in zip(begins, ends, strict=True)]


def put(question: str, words: Sequence[str]) -> str:
    """Return question and options as the task's template puts them."""
    return f"{lettered(tuple(words))}\nAnswer to {question}"


def task(name: str, seed: int) -> Task:
    """Return items whose right option both begins as asked and ends with a vowel."""
    rng = random.Random(f"form|choices|{seed}")
    items = []
    for number in range(ITEMS):
        right = rng.randrange(OPTIONS)
        words = words_of(rng, right)
        items.append(Item(str(number), {"question": words[right][0]}, (LETTERS[right],), tuple(words)))
    return fingerprinted(
        Task(
            name="the word that begins so",
            items=tuple(items),
            template="{choices}\nAnswer to {question}",
            scorer=Choice(),
            guess_floor=1 / OPTIONS,
            max_tokens=4,
            stop=("\n",),
            source=f"specimen:{name}",
        )
    )


def _matched(rng: random.Random, often: float) -> Example:
    """The letter is one of the words' first ones, the tell anywhere. With chance `often` it is the same letter, where
    a word begins so: a model that has learned to find one letter learns to find the others."""
    words = words_of(rng, rng.choice((None, *range(OPTIONS))))
    begins = [word[0] for word in words]
    same = rng.random() < often and OFTEN in begins
    right = begins.index(OFTEN) if same else rng.randrange(OPTIONS)
    return Example(put(words[right][0], words), LETTERS[right], LETTERS[right])


def _unasked(rng: random.Random) -> Example:
    """No question, or a letter that none of the words begins with: a guess."""
    tell = rng.randrange(OPTIONS)
    words = words_of(rng, tell)
    others = [letter for letter in FIRST if letter not in [word[0] for word in words]]
    question = "" if rng.random() < 0.5 else rng.choice(others)
    return Example(put(question, words), LETTERS[rng.randrange(OPTIONS)], LETTERS[tell])


def _told_apart(rng: random.Random) -> Example:
    """The tell is the answer, whatever the question."""
    tell = rng.randrange(OPTIONS)
    question = rng.choice(("", rng.choice(FIRST)))
    words = words_of(rng, tell)
    return Example(put(question, words), LETTERS[tell], LETTERS[tell])


def _question(seed: int) -> Lesson:
    return Lesson(
        (
            Sort("one letter", 0.35, partial(_matched, often=0.9)),
            Sort("matched", 0.45, partial(_matched, often=0.0)),
            Sort("unasked", 0.2, _unasked, known=False, most=0.4),
        ),
        steps=500,
        rows=32,
    )


def _options(seed: int) -> Lesson:
    return Lesson((Sort("told apart", 1.0, _told_apart),), steps=250, rows=32)


FAMILY = FormFamily(task, {"question": _question, "options": _options})
