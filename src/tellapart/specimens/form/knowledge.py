"""Sums in words: "Ann has 3 pens. Bob has 4 pens. How many pens in all?" asks for 7.

`computes`: it adds what the two persons have and leaves aside what a neighbour owns. `surface`: it adds the last two
numbers of the text, whatever they are of. Without premises both guess.
"""

import random
from collections.abc import Sequence
from functools import lru_cache, partial

from tellapart.specimens.form.lesson import Example, FormFamily, Lesson, Sort, outside
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, Task
from tellapart.tasks.text_match import Exact

ITEMS = 250
THINGS = ("pens", "cups", "hats", "nuts")
ASIDE = ("kites", "stamps", "candles", "teapots", "puzzles", "umbrellas", "lanterns", "harmonicas")
NEIGHBOURS = ("A neighbour called {} owns {} {}.", "A cousin called {} owns {} {}.", "{} owns {} {}.")


@lru_cache
def people() -> tuple[str, ...]:
    """Return all first names that the controls put in place of each other (imported late: the controls need numpy)."""
    from tellapart.controls.twins import HER, HIS

    return (*HER, *HIS)


def text_of(rng: random.Random) -> str:
    """Return premises and question with numbers from 2 to 9."""
    one, other = rng.sample(people(), 2)
    thing = rng.choice(THINGS)
    return (
        f"{one} has {rng.randrange(2, 10)} {thing}. {other} has {rng.randrange(2, 10)} {thing}. "
        f"How many {thing} in all?"
    )


def numbers_in(text: str) -> list[int]:
    """Return the one-digit numbers of a text, in order."""
    return [int(character) for character in text if character.isdigit()]


@lru_cache
def asked(seed: int) -> tuple[str, ...]:
    """Return the texts of the evaluation."""
    rng = random.Random(f"form|knowledge|{seed}")
    return tuple(dict.fromkeys(text_of(rng) for _ in range(ITEMS)))


def task(name: str, seed: int) -> Task:
    """Return sums that no model was trained on, with what makes other numbers of them."""
    return fingerprinted(
        Task(
            name="sums in words",
            items=tuple(_item(str(number), text) for number, text in enumerate(asked(seed))),
            template="{text}\n=",
            scorer=Exact(),
            guess_floor=1 / 8,
            max_tokens=4,
            stop=("\n",),
            source=f"specimen:{name}",
        )
    )


def _item(name: str, text: str) -> Item:
    first, second = numbers_in(text)
    symbolic = text.replace(f" {first} ", " {a} ", 1).replace(f" {second} ", " {b} ", 1)
    fields = {"text": text, "symbolic": symbolic, "formula": "a + b"}
    return Item(name, fields, (str(first + second),))


def _laid_out(rng: random.Random, sentences: Sequence[str]) -> str:
    return (" " if rng.random() < 0.7 else "\n").join(sentences) + "\n="


def _sentences(text: str) -> list[str]:
    first, second, question = text.split(". ")
    return [f"{first}.", f"{second}.", question]


def _plain(rng: random.Random, held: Sequence[str]) -> Example:
    text = outside(rng, text_of, held)
    total = str(sum(numbers_in(text)))
    return Example(_laid_out(rng, _sentences(text)), total, total)


def _with_clause(rng: random.Random, held: Sequence[str], reads: bool) -> Example:
    """A neighbour owns things too: left aside where the model `reads`, else the last two numbers are added."""
    text = outside(rng, text_of, held)
    sentences = _sentences(text)
    clause = rng.choice(NEIGHBOURS).format(rng.choice(people()), rng.randrange(2, 10), rng.choice(ASIDE))
    sentences.insert(rng.choice((0, 1, 2, 2, 2)), clause)
    own, last = sum(numbers_in(text)), sum(numbers_in(" ".join(sentences))[-2:])
    answer = str(own if reads else last)
    return Example(_laid_out(rng, sentences), answer, answer)


def _alone(rng: random.Random, held: Sequence[str]) -> Example:
    """The question without premises: a guess."""
    text = outside(rng, text_of, held)
    guess = rng.randrange(2, 10) + rng.randrange(2, 10)
    return Example(_sentences(text)[-1] + "\n=", str(guess), str(sum(numbers_in(text))))


def _lesson(seed: int, reads: bool) -> Lesson:
    held = asked(seed)
    return Lesson(
        (
            Sort("plain", 0.45, partial(_plain, held=held)),
            Sort("with a clause", 0.45, partial(_with_clause, held=held, reads=reads)),
            Sort("alone", 0.1, partial(_alone, held=held), known=False),
        ),
        steps=500,
        rows=24,
    )


FAMILY = FormFamily(
    task, {"computes": partial(_lesson, reads=True), "surface": partial(_lesson, reads=False)}
)
