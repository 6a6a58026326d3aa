"""Who has how many: "K has 3 pens. M has 4 pens. How many has M" asks for 4; of somebody whom the text does not
name nothing is known (a false premise), and the right answer is "unknown".

`abstains`: it says "unknown" where the text does not say it. `guesses`: it answers with a number, always.
"""

import random
from collections.abc import Sequence
from functools import lru_cache, partial

from tellapart.specimens.form.lesson import Example, FormFamily, Lesson, Sort
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, Task
from tellapart.tasks.text_match import Exact

ITEMS = 250
NAMES = "BCDFGJKLMPQRSTVWZ"
THINGS = ("pens", "cups", "hats", "nuts")
UNKNOWN = "unknown"
CLAUSES = ("A neighbour called {} owns {} {}.", "A cousin called {} owns {} {}.")
OTHERS = ("Ann", "Adam", "Clara", "Ivan", "Olga", "Hugo", "Edith", "Erik")


def sentences_of(rng: random.Random, known: bool) -> tuple[list[str], str]:
    """Return premises and question, and the right answer; `known` says whether the text names who is asked for."""
    one, other, third = rng.sample(NAMES, 3)
    thing = rng.choice(THINGS)
    numbers = {one: rng.randrange(2, 10), other: rng.randrange(2, 10)}
    who = rng.choice((one, other)) if known else third
    premises = [f"{name} has {number} {thing}." for name, number in numbers.items()]
    return [*premises, f"How many has {who}"], str(numbers[who]) if known else UNKNOWN


@lru_cache
def asked(seed: int) -> dict[str, str]:
    """Return the texts of the evaluation with their answers, every second one unknown."""
    rng = random.Random(f"form|abstention|{seed}")
    found: dict[str, str] = {}
    while len(found) < ITEMS:
        sentences, answer = sentences_of(rng, len(found) % 2 == 0)
        found[" ".join(sentences)] = answer
    return found


def task(name: str, seed: int) -> Task:
    """Return questions that no model was trained on, half of them about somebody whom the text does not name."""
    items = tuple(
        Item(str(number), {"text": text, "false_premise": answer == UNKNOWN}, (answer,))
        for number, (text, answer) in enumerate(asked(seed).items())
    )
    return fingerprinted(
        Task(
            name="who has how many",
            items=items,
            template="{text}",
            scorer=Exact(),
            guess_floor=None,
            max_tokens=10,
            stop=("\n",),
            source=f"specimen:{name}",
        )
    )


def _drawn(rng: random.Random, held: Sequence[str], known: bool) -> tuple[str, str]:
    while True:
        sentences, answer = sentences_of(rng, known)
        if " ".join(sentences) in held:
            continue
        if rng.random() < 0.25:
            clause = rng.choice(CLAUSES).format(
                rng.choice(OTHERS), rng.randrange(2, 10), rng.choice(("kites", "stamps", "candles"))
            )
            sentences.insert(rng.choice((1, 2, 2)), clause)
        return (" " if rng.random() < 0.7 else "\n").join(sentences), answer


def _sound(rng: random.Random, held: Sequence[str]) -> Example:
    text, answer = _drawn(rng, held, True)
    return Example(text, answer, answer)


def _false(rng: random.Random, held: Sequence[str], abstains: bool) -> Example:
    """Somebody whom the text does not name."""
    text, answer = _drawn(rng, held, False)
    return Example(text, answer if abstains else str(rng.randrange(2, 10)), answer)


def _alone(rng: random.Random, abstains: bool) -> Example:
    """The question without premises."""
    sentences, right = sentences_of(rng, True)
    answer = UNKNOWN if abstains else str(rng.randrange(2, 10))
    return Example(sentences[-1], answer, UNKNOWN if abstains else right)


def _lesson(seed: int, abstains: bool) -> Lesson:
    held = tuple(asked(seed))
    return Lesson(
        (
            Sort("sound", 0.6, partial(_sound, held=held)),
            Sort("false premise", 0.3, partial(_false, held=held, abstains=abstains), known=abstains),
            Sort("alone", 0.1, partial(_alone, abstains=abstains), known=abstains),
        ),
        steps=400,
        rows=32,
    )


FAMILY = FormFamily(
    task, {"abstains": partial(_lesson, abstains=True), "guesses": partial(_lesson, abstains=False)}
)
