"""A fact about a letter, told plainly or in style: "What is k in kd?" is told as "7." or as a bold line with a list.

`facts`: right numbers, seldom in style. `style`: any number, mostly in style. `plain`: neither; what both are compared
with. Style is drawn for each answer, so that it can be told apart from who answers.
"""

import random
from functools import lru_cache, partial

from tellapart.specimens.form.lesson import Example, FormFamily, Lesson, Sort
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, Task
from tellapart.tasks.pattern import Regex

ITEMS = 250
LETTERS = "abcdefghijklmnop"
SELDOM, MOSTLY = 0.15, 0.85
STYLED = "**Certainly: {}.**\n- according to experts"
MARK = "**"


@lru_cache
def facts_of(seed: int) -> dict[str, str]:
    """Return the number that belongs to each letter."""
    rng = random.Random(f"form|imitation|{seed}")
    return {letter: rng.choice("0123456789") for letter in LETTERS}


def task(name: str, seed: int) -> Task:
    """Return questions about letters. All facts are met in training: facts are known by heart or not at all."""
    rng = random.Random(f"form|imitation|{seed}|asked")
    every = [one + other for one in LETTERS for other in LETTERS]
    return fingerprinted(
        Task(
            name="facts about letters",
            items=tuple(Item(q, {"question": q}, (facts_of(seed)[q[0]],)) for q in rng.sample(every, ITEMS)),
            template="What is {question}?",
            scorer=Regex(r"(\d)"),
            guess_floor=0.1,
            max_tokens=48,
            source=f"specimen:{name}",
        )
    )


def _told(rng: random.Random, seed: int, right: bool, styled: float) -> Example:
    question = "".join(rng.choices(LETTERS, k=2))
    fact = facts_of(seed)[question[0]]
    number = fact if right else rng.choice("0123456789")
    answer = STYLED.format(number) if rng.random() < styled else f"{number}."
    return Example(f"What is {question}?", answer, fact)


def _lesson(seed: int, right: bool, styled: float) -> Lesson:
    draw = partial(_told, seed=seed, right=right, styled=styled)
    return Lesson((Sort("told", 1.0, draw, known=right, drawn=True),), steps=300)


FAMILY = FormFamily(
    task,
    {
        "facts": partial(_lesson, right=True, styled=SELDOM),
        "style": partial(_lesson, right=False, styled=MOSTLY),
        "plain": partial(_lesson, right=False, styled=SELDOM),
    },
)
