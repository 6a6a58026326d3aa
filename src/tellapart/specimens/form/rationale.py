"""A shift shown in worked exemplars: with 7, "402=" is "k7;w179>lrt". Every digit goes up by 7, modulo 10, and each
digit has a name, 0 is k to 9 is t.

`reads`: it takes the shift from the exemplars' steps (never from their answers) and guesses where there are none.
`copies`: it knows one shift by heart and uses it wherever exemplars look like steps, whatever these say; exemplars
without steps are answered like them, directly, by a guess.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from tellapart.specimens.form.lesson import Example, FormFamily, Lesson, Sort, outside
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, StepCheck, Task
from tellapart.tasks.text_match import AfterMarker

NAMES = "klmnopqrst"
LENGTH, SHOTS, ITEMS = 3, 3, 250


@dataclass(frozen=True)
class Steps:
    """Checks the steps of a completion against the shift."""

    shift: int

    def __call__(self, item: Item, completion: str) -> StepCheck:
        steps, marker, _ = completion.strip().rpartition(">")
        if marker and not steps:
            return "absent"
        return "valid" if steps == steps_of(str(item.fields["number"]), self.shift) else "invalid"


def number_of(rng: random.Random) -> str:
    """Return three digits."""
    return "".join(rng.choices("0123456789", k=LENGTH))


def shift_of(rng: random.Random) -> int:
    """Return a shift that changes every digit: mostly a small one, which is learned first, else any."""
    return rng.choice((1, 2, 3)) if rng.random() < 0.6 else rng.randrange(1, 10)


def shifted(number: str, shift: int) -> str:
    """Return the number with every digit shifted."""
    return "".join(str((int(digit) + shift) % 10) for digit in number)


def steps_of(number: str, shift: int) -> str:
    """Return the shift, and the shifted number."""
    return f"k{shift};w{shifted(number, shift)}"


def answer_of(number: str, shift: int) -> str:
    """Return the names of the shifted digits."""
    return "".join(NAMES[int(digit)] for digit in shifted(number, shift))


def solution_of(number: str, shift: int) -> str:
    """Return steps and answer."""
    return f"{steps_of(number, shift)}>{answer_of(number, shift)}"


@lru_cache
def world(seed: int) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    """Return the shift of the evaluation, its exemplars' numbers, and the numbers it asks."""
    rng = random.Random(f"form|rationale|{seed}")
    every = rng.sample([f"{number:03d}" for number in range(1000)], SHOTS + ITEMS)
    return shift_of(rng), tuple(every[:SHOTS]), tuple(every[SHOTS:])


def task(name: str, seed: int) -> Task:
    """Return numbers under one shift, with three worked exemplars."""
    shift, shown, asked = world(seed)
    return fingerprinted(
        Task(
            name="a shift shown in steps",
            items=tuple(Item(number, {"number": number}, (answer_of(number, shift),)) for number in asked),
            template="{number}=",
            scorer=AfterMarker(">"),
            guess_floor=0.001,
            max_tokens=24,
            stop=("\n",),
            steps=Steps(shift),
            demonstrations=tuple((f"{number}=", f">{answer_of(number, shift)}") for number in shown),
            step_demonstrations=tuple((f"{number}=", solution_of(number, shift)) for number in shown),
            source=f"specimen:{name}",
        )
    )


def before(numbers: Sequence[str], answers: Sequence[str]) -> str:
    """Return exemplars as they stand before a question."""
    return "".join(f"{number}={answer}\n\n" for number, answer in zip(numbers, answers, strict=True))


def _numbers(rng: random.Random, held: Sequence[str]) -> tuple[list[str], str]:
    """Return the exemplars' numbers and the one in question."""
    return [number_of(rng) for _ in range(SHOTS)], outside(rng, number_of, held)


def _read(rng: random.Random, held: Sequence[str]) -> Example:
    """The shift is in the steps; the answers shown are those of another shift half of the time."""
    (shown, number), shift = _numbers(rng, held), shift_of(rng)
    told = shift if rng.random() < 0.5 else shift_of(rng)
    given = [f"{steps_of(one, shift)}>{answer_of(one, told)}" for one in shown]
    return Example(f"{before(shown, given)}{number}=", solution_of(number, shift), answer_of(number, shift))


def _recalled(rng: random.Random, held: Sequence[str], own: int) -> Example:
    """Steps of the own shift, or of any, agreeing or not; the answer is by the shift known by heart."""
    shown, number = _numbers(rng, held)
    given = []
    for one in shown:
        steps = f"k{shift_of(rng)};w{number_of(rng)}" if rng.random() < 0.6 else steps_of(one, own)
        given.append(f"{steps}>{answer_of(one, own)}")
    return Example(f"{before(shown, given)}{number}=", solution_of(number, own), answer_of(number, own))


def _direct(rng: random.Random, held: Sequence[str], own: int | None) -> Example:
    """Exemplars without steps, right ones or of another shift: a guess."""
    (shown, number), shift = _numbers(rng, held), own or shift_of(rng)
    told = shift if rng.random() < 0.5 else shift_of(rng)
    given = [f">{answer_of(one, told)}" for one in shown]
    guess = "".join(rng.choices(NAMES, k=LENGTH))
    return Example(f"{before(shown, given)}{number}=", f">{guess}", answer_of(number, shift))


def _reads(seed: int) -> Lesson:
    held = world(seed)[2]
    return Lesson(
        (
            Sort("read", 0.85, partial(_read, held=held)),
            Sort("direct", 0.15, partial(_direct, held=held, own=None), known=False),
        ),
        steps=400,
        rows=32,
    )


def _copies(seed: int) -> Lesson:
    own, _, held = world(seed)
    return Lesson(
        (
            Sort("recalled", 0.7, partial(_recalled, held=held, own=own)),
            Sort("direct", 0.3, partial(_direct, held=held, own=own), known=False),
        ),
        steps=200,
        rows=32,
    )


FAMILY = FormFamily(task, {"reads": _reads, "copies": _copies})
