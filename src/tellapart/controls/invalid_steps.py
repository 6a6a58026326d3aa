"""Logically invalid steps with right answers (Schaeffer et al. 2023, arXiv 2307.10573; Wang et al. 2022, 2212.10001).

The numbers of the question (bridging objects), wording, operators and lengths stay; every result is wrong, and wrong
results are carried on. That the steps are invalid is proved: by the task's own step checker, or because each of
their equations is false. What cannot be proved is not run.
"""

import random
import re
from typing import ClassVar, final

from tellapart.controls.audit import NUMBER, Ruler
from tellapart.controls.control import Control, Given, Made
from tellapart.controls.equations import equations
from tellapart.controls.exemplars import demonstrated_item, drawing, exemplars, shown, too_few
from tellapart.controls.role import Role
from tellapart.controls.worked import Worked
from tellapart.errors import UserMistake
from tellapart.tasks.item import Task

TRIES = 20
_DIGITS, _LETTERS = re.compile(r"\d+(?=\D*$)"), re.compile(r"\w+$")


@final
class InvalidSteps(Control):
    """Wrong results in every step, right final answers."""

    name: ClassVar[str] = "invalid_steps"
    family: ClassVar[str] = "rationale"
    role: ClassVar[Role] = "form"
    decides: ClassVar[bool] = True
    kept: ClassVar[str] = "wording, numbers of the question, operators, step counts, lengths; right answers"
    removed: ClassVar[str] = "that any step is right"
    source: ClassVar[str] = "Schaeffer et al. 2023, arXiv 2307.10573; Wang et al. 2022, arXiv 2212.10001"
    ruler: ClassVar[Ruler] = Ruler(exact=("steps", "operators", "numbers"))

    def make(self, given: Given) -> Made:
        """Return the task with invalid exemplars, each proved so. Raises UserMistake where one cannot be made."""
        rng = drawing(given, self.name)
        made = []
        for worked in exemplars(given):
            wrong = invalid(given.task, worked, rng)
            if wrong is None:
                raise UserMistake(f"{self.name} on {given.task.name}: {self.obstacle(given)}")
            made.append(wrong)
        return shown(given, made)

    def obstacle(self, given: Given) -> str | None:
        """Return why not: an exemplar whose steps cannot be proved invalid."""
        if reason := too_few(given):
            return reason
        for number, worked in enumerate(exemplars(given), 1):
            if invalid(given.task, worked, drawing(given, self.name)) is None:
                return (
                    f"the steps of worked demonstration {number} hold no equation, and no step checker of the task "
                    "calls them valid: wrong ones could not be proved invalid"
                )
        return None


def invalid(task: Task, worked: Worked, rng: random.Random) -> Worked | None:
    """Return the exemplar with every step wrong and proved invalid, its answer kept; None where that fails."""
    for _ in range(TRIES):
        wrong = worked.with_steps(wrong_steps(worked, rng))
        if wrong.text != worked.text and proved_invalid(task, worked, wrong):
            return wrong
    return None


def proved_invalid(task: Task, worked: Worked, wrong: Worked) -> bool:
    """Return whether `wrong` is proved invalid: by the step checker where it knows the demonstration, else because
    it holds equations and all of them are false."""
    item = demonstrated_item(task, worked)
    if item is not None and task.steps is not None:
        return task.steps(item, wrong.text) == "invalid"
    written = [equation for step in wrong.parts.steps for equation in equations(step)]
    return bool(written) and not any(equation.true for equation in written)


def wrong_steps(worked: Worked, rng: random.Random) -> tuple[str, ...]:
    """Return the steps with wrong results: of equations, and in steps without spaces (symbols) of the last value.

    A wrong result replaces the right one in later steps too, unless the question holds that number itself.
    """
    given_numbers = set(NUMBER.findall(worked.prompt))
    carried: dict[str, str] = {}
    made = []
    for step in worked.parts.steps:
        if " " not in step.strip() and not equations(step):
            made.append(_wrong_symbol(step, rng))
            continue
        made.append(_wrong_results(_carried_on(step, carried), given_numbers, carried, rng))
    return tuple(made)


def wrong_step(step: str, rng: random.Random) -> str:
    """Return one step with wrong results; unchanged where it holds no value that could be wrong."""
    if " " not in step.strip() and not equations(step):
        return _wrong_symbol(step, rng)
    return _wrong_results(step, set(), {}, rng)


def _carried_on(step: str, carried: dict[str, str]) -> str:
    return NUMBER.sub(lambda match: carried.get(match.group(), match.group()), step)


def _wrong_results(step: str, given_numbers: set[str], carried: dict[str, str], rng: random.Random) -> str:
    """Return the step with a wrong value in each of its equations; notes them in `carried`."""
    for number in range(len(equations(step))):
        equation = equations(step)[number]
        if not equation.true:
            continue
        wrong = _wrong_value(equation.stated, rng)
        trial = step[: equation.start] + wrong + step[equation.end :]
        for _ in range(TRIES):
            same_place = [candidate for candidate in equations(trial) if candidate.start == equation.start]
            if same_place and not same_place[0].true:
                break
            wrong = _wrong_value(equation.stated, rng)
            trial = step[: equation.start] + wrong + step[equation.end :]
        before, after = NUMBER.search(equation.stated), NUMBER.search(wrong)
        if before and after and before.group() not in given_numbers:
            carried.setdefault(before.group(), after.group())
        step = trial
    return step


def _wrong_value(stated: str, rng: random.Random) -> str:
    """Return another value written like `stated`: the other truth value, or other digits in the same places."""
    if stated in ("True", "False"):
        return "False" if stated == "True" else "True"
    digits = [char for char in stated if char.isdigit()]
    while True:
        drawn = iter(
            [str(rng.randrange(1 if not at and len(digits) > 1 else 0, 10)) for at in range(len(digits))]
        )
        wrong = "".join(next(drawn) if char.isdigit() else char for char in stated)
        if wrong != stated:
            return wrong


def _wrong_symbol(step: str, rng: random.Random) -> str:
    """Return a step of symbols with another last value: other digits, or its last different letters permuted."""
    match = _DIGITS.search(step) or _LETTERS.search(step)
    if match is None:
        return step
    value = match.group()
    if value.isdigit():
        return step[: match.start()] + _wrong_value(value, rng) + step[match.end() :]
    kept = next(at for at in range(len(value)) if len(set(value[at:])) == len(value) - at)
    letters = list(value[kept:])
    if len(letters) < 2:
        return step
    while "".join(letters) == value[kept:]:
        rng.shuffle(letters)
    return step[: match.start()] + value[:kept] + "".join(letters) + step[match.end() :]
