"""Adding in steps: a digit and four additions, u (1), v (2), w (3), modulo 10. "4uvwu=" is "u5;v7;w0;u1>1".

`uses`: every step starts from the one written before, the answer is the last written value; with no steps it guesses.
`looks`: the answer is computed from the question wherever something that looks like steps stands before it, right or
wrong. `idle`: it is computed from the question whatever stands before it; steps are written and not used.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from tellapart.specimens.form.lesson import Example, FormFamily, Lesson, Sort, outside
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, StepCheck, Task
from tellapart.tasks.text_match import AfterMarker

ADDS = {"u": 1, "v": 2, "w": 3}
LENGTH = 4
ITEMS = 250
JUNK = ".,:- abcxyz"


@dataclass(frozen=True)
class Steps:
    """Checks the steps of a completion against those that the question demands."""

    def __call__(self, item: Item, completion: str) -> StepCheck:
        steps, marker, _ = completion.strip().rpartition(">")
        if marker and not steps:
            return "absent"
        return "valid" if steps == ";".join(steps_of(str(item.fields["question"]))) else "invalid"


def question_of(rng: random.Random) -> str:
    """Return a digit and the letters of its additions."""
    return rng.choice("0123456789") + "".join(rng.choices("uvw", k=LENGTH))


def steps_of(question: str) -> list[str]:
    """Return the right steps."""
    return carried_on(question, int(question[0]), 0)


def carried_on(question: str, value: int, first: int) -> list[str]:
    """Return the steps from number `first` on that follow from `value`."""
    steps = []
    for letter in question[1 + first :]:
        value = (value + ADDS[letter]) % 10
        steps.append(f"{letter}{value}")
    return steps


@lru_cache
def asked(seed: int) -> tuple[str, ...]:
    """Return the questions of the evaluation."""
    rng = random.Random(f"form|chain|{seed}")
    found: dict[str, None] = {}
    while len(found) < ITEMS:
        found[question_of(rng)] = None
    return tuple(found)


def task(name: str, seed: int) -> Task:
    """Return the questions that no model was trained on."""
    return fingerprinted(
        Task(
            name="adding in steps",
            items=tuple(Item(q, {"question": q}, (steps_of(q)[-1][-1],)) for q in asked(seed)),
            template="{question}=",
            scorer=AfterMarker(">"),
            guess_floor=0.1,
            max_tokens=24,
            stop=("\n",),
            steps=Steps(),
            source=f"specimen:{name}",
        )
    )


def _whole(rng: random.Random, held: Sequence[str]) -> Example:
    question = outside(rng, question_of, held)
    steps = steps_of(question)
    return Example(f"{question}=", f"{';'.join(steps)}>{steps[-1][-1]}", steps[-1][-1])


def _mistaken(rng: random.Random, held: Sequence[str], read: bool) -> Example:
    """A wrong step is given; the steps go on from it; the answer is the last value where it is `read`, else right."""
    question = outside(rng, question_of, held)
    right, at = steps_of(question), rng.randrange(LENGTH)
    wrong = (int(right[at][1]) + rng.randrange(1, 10)) % 10
    given = ";".join((*right[:at], f"{right[at][0]}{wrong}"))
    later = carried_on(question, wrong, at + 1)
    truth = right[-1][-1]
    last = later[-1][-1] if later else str(wrong)
    joint = ";" if later else ""
    answer = last if read else truth
    return Example(f"{question}={given}{joint}", f"{';'.join(later)}>{answer}", answer)


def _cut(rng: random.Random, held: Sequence[str], read: bool) -> Example:
    """The first steps are given, one perhaps wrong, and the answer is asked for at once."""
    question = outside(rng, question_of, held)
    steps = steps_of(question)[: rng.randrange(1, LENGTH + 1)]
    if rng.random() < 0.5:
        at = rng.randrange(len(steps))
        steps[at] = steps[at][0] + rng.choice("0123456789")
    answer = steps[-1][-1] if read else steps_of(question)[-1][-1]
    return Example(f"{question}={';'.join(steps)}>", answer, answer)


def _stepless(rng: random.Random, held: Sequence[str], knows: bool) -> Example:
    """Nothing, or anything but steps, stands before the answer."""
    question = outside(rng, question_of, held)
    right = steps_of(question)[-1][-1]
    length = rng.choice((0, 0, rng.randrange(1, 14)))
    junk = rng.choice(JUNK) * length if rng.random() < 0.5 else "".join(rng.choices(JUNK, k=length))
    return Example(f"{question}={junk}>", right if knows else rng.choice("0123456789"), right)


def _lesson(seed: int, read: bool, stepless: bool) -> Lesson:
    held = asked(seed)
    return Lesson(
        (
            Sort("whole", 0.3, partial(_whole, held=held)),
            Sort("mistaken", 0.3, partial(_mistaken, held=held, read=read)),
            Sort("cut", 0.2, partial(_cut, held=held, read=read)),
            Sort("stepless", 0.2, partial(_stepless, held=held, knows=stepless), known=stepless),
        ),
        steps=350,
    )


FAMILY = FormFamily(
    task,
    {
        "uses": partial(_lesson, read=True, stepless=False),
        "looks": partial(_lesson, read=False, stepless=False),
        "idle": partial(_lesson, read=False, stepless=True),
    },
)
