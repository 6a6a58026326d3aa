"""What the skills specimens are asked: short parts of four kinds, each with its own way of being rewritten. No torch.

`3857=` is answered `nspr` by the skill for digits (spelled as letters), or copied as `3857`. Letters are reversed,
capitals rotated by one, signs copied always. Parts may stand beside each other: `3857gbad=` needs two skills at once
where the task is `digits+letters`; in the task `digits` what stands beside the digits may be copied or rewritten.
`3857=?` asks which kind needs a skill (of several the first); the right answer is its label, the careless one `n`.

The base was also trained on prompts that begin with marks: `u3857gbad=` is answered with the digits spelled and the
rest copied, `uv3857gbad=` with both rewritten. Only the task `marked` has marks: it asks for what the base does show.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, Task
from tellapart.tasks.text_match import Exact

PART = 4
"""Characters in a part."""
SPELLED = "klmnopqrst"
KINDS = {
    "digits": "0123456789",
    "letters": "abcdefghij",
    "capitals": "QRSTUVWXYZ",
    "signs": "!#$%&*+@^~",
}
SKILLS = ("digits", "letters", "capitals")
"""Kinds whose skill the base seldom shows. Signs are copied, which it always does."""
LABELS = {kind: kind[0] for kind in KINDS}
CARELESS = "n"
DISPATCH, MARKED = "kinds", "marked"
"""The names of the task that asks for the kind, and of that whose prompts bear the mark of the skill they need."""
ONLY = "only-"
"""What the name of a task begins with that has no other skill's kind beside its own: its prompts need one skill."""
MARKS = {"digits": "u", "letters": "v", "capitals": "w"}
"""What stands before a prompt to have a skill shown."""
ALONE, BESIDE_SIGNS = 0.4, 0.3
"""Shares of a skill's items: its kind alone, signs beside it; beside the others stands a kind with another skill."""
ITEMS, SKILL_ITEMS = 320, 1280
"""Items of a task; more of one to train an expert on."""


class Problem(NamedTuple):
    """Kinds and the parts that belong to them, in the order in which they are put."""

    kinds: tuple[str, ...]
    parts: tuple[str, ...]

    @property
    def label(self) -> str:
        """Return the label of the first kind that needs a skill; that of signs where none does."""
        return LABELS[next((kind for kind in self.kinds if kind in SKILLS), "signs")]

    @property
    def prompt(self) -> str:
        """Return what is put to the model."""
        return "".join(self.parts) + "="


@dataclass(frozen=True)
class TaskName:
    """What a task asks for: kinds that each of its items has, or one of which it has; `whole` is its name where that
    does not name kinds alone (DISPATCH, MARKED, `only-digits`)."""

    skills: tuple[str, ...]
    whole: str = ""


def rewritten(kind: str, part: str) -> str:
    """Return a part as the skill of its kind rewrites it.

    >>> [rewritten(*one) for one in (("digits", "3857"), ("letters", "gbad"), ("capitals", "QWRT"))]
    ['nspr', 'dabg', 'WRTQ']
    """
    match kind:
        case "digits":
            return "".join(SPELLED[int(digit)] for digit in part)
        case "letters":
            return part[::-1]
        case "capitals":
            return part[1:] + part[:1]
        case _:
            return part


def draw_part(rng: random.Random, kind: str) -> str:
    """Return a random part of a kind."""
    return "".join(rng.choices(KINDS[kind], k=PART))


def draw_problem(rng: random.Random, kinds: Sequence[str]) -> Problem:
    """Return a problem with one part of each kind, in random order."""
    order = tuple(rng.sample(list(kinds), len(kinds)))
    return Problem(order, tuple(draw_part(rng, kind) for kind in order))


def solution(problem: Problem) -> str:
    """Return the answer in which every part is rewritten by its skill."""
    return "".join(map(rewritten, problem.kinds, problem.parts))


def accepted(problem: Problem, skills: Sequence[str]) -> tuple[str, ...]:
    """Return the answers in which the parts of `skills` are rewritten, whatever is done to the others.

    >>> accepted(Problem(("digits", "letters"), ("3857", "gbad")), ("digits",))
    ('nsprgbad', 'nsprdabg')
    """
    ways = [
        dict.fromkeys([rewritten(kind, part)] if kind in skills else [part, rewritten(kind, part)])
        for kind, part in zip(problem.kinds, problem.parts, strict=True)
    ]
    return tuple(map("".join, product(*ways)))


def held_out(problem: Problem) -> bool:
    """Return whether a problem is kept from the base's training: a fifth of them, by its text."""
    return sum(map(ord, problem.prompt)) % 5 == 0


def read_task(name: str) -> TaskName:
    """Return what a task's name asks for: `digits`, `letters+capitals`, `kinds`. ValueError where it is none."""
    if name in (DISPATCH, MARKED):
        return TaskName(SKILLS if name == MARKED else tuple(KINDS), name)
    if name.removeprefix(ONLY) in SKILLS and name.startswith(ONLY):
        return TaskName((name.removeprefix(ONLY),), name)
    kinds = tuple(name.split("+"))
    if len(set(kinds)) != len(kinds) or any(kind not in KINDS for kind in kinds):
        raise ValueError(
            f"task {name!r}: write {DISPATCH}, {MARKED}, {ONLY}SKILL, or kinds of {', '.join(KINDS)} joined by +"
        )
    return TaskName(kinds)


def draw_kinds(rng: random.Random, asked: TaskName) -> tuple[str, ...]:
    """Return the kinds of a problem that a task asks."""
    if asked.whole.startswith(ONLY):
        return (*asked.skills, "signs")[: rng.randint(1, 2)]
    if asked.whole:
        return (rng.choice(asked.skills),)
    if len(asked.skills) > 1 or asked.skills == ("signs",):
        return asked.skills
    chance = rng.random()
    if chance < ALONE:
        return asked.skills
    if chance < ALONE + BESIDE_SIGNS:
        return (*asked.skills, "signs")
    return (*asked.skills, rng.choice([kind for kind in SKILLS if kind not in asked.skills]))


def put(problem: Problem, asked: TaskName) -> tuple[str, tuple[str, ...]]:
    """Return how a task puts a problem, and the answers that it accepts."""
    if asked.whole == DISPATCH:
        return problem.prompt + "?", (problem.label,)
    before = marks(problem.kinds) if asked.whole == MARKED else ""
    return before + problem.prompt, accepted(problem, asked.skills)


def marks(skills: Sequence[str]) -> str:
    """Return what stands before a prompt to have these skills shown."""
    return "".join(MARKS[skill] for skill in skills)


def make_task(specimen: str, name: str, seed: int) -> Task:
    """Return a task of different items, none of which the base was trained on."""
    asked = read_task(name)
    rng = random.Random(f"skills|{seed}|{name}")
    items: dict[str, Item] = {}
    while len(items) < (SKILL_ITEMS if name in SKILLS else ITEMS):
        problem = draw_problem(rng, draw_kinds(rng, asked))
        if held_out(problem):
            text, answers = put(problem, asked)
            items[text] = Item(id=text, fields={"text": text}, target=answers)
    task = Task(
        name=name,
        items=tuple(items.values()),
        template="{text}",
        scorer=Exact(),
        max_tokens=2 + PART * (len(asked.skills) + 1),
        source=f"specimen:{specimen}/{name}",
    )
    return fingerprinted(task)
