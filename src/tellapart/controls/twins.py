"""Perturbed twins (GSM-Symbolic, Mirzadeh et al. 2024, arXiv 2410.05229): other names, an irrelevant clause, other
numbers of the same magnitude where the item says how its answer follows from them.

Twins keep the substance. A score that falls on them was a score on wording.
"""

import random
import re
from dataclasses import replace
from fractions import Fraction
from typing import ClassVar, final

from tellapart.controls.audit import Ruler
from tellapart.controls.control import Control, Given, Made
from tellapart.controls.equations import evaluate
from tellapart.controls.exemplars import drawing
from tellapart.controls.premises import NUMBER, SENTENCE, Text, rewritten, too_few_able
from tellapart.controls.role import Role
from tellapart.stats.form_share import Keeps
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item
from tellapart.tasks.numeric import write_number

SOURCE = "Mirzadeh et al. 2024 (GSM-Symbolic), arXiv 2410.05229"
HER = (
    "Ann", "Clara", "Dora", "Edith", "Fiona", "Greta", "Hilda", "Ines", "Janet", "Mary", "Nora", "Olga", "Sarah",
    "Tina", "Alice", "Emily", "Emma", "Julia", "Kate", "Laura", "Leah", "Lisa", "Maria", "Olivia", "Sophia", "Wendy",
)  # fmt: skip
HIS = (
    "Adam", "Ben", "Carl", "David", "Erik", "Frank", "Hugo", "Ivan", "John", "Karl", "Mark", "Oscar", "Tom", "Victor",
    "Bob", "James", "Jason", "Jack", "Josh", "Kyle", "Mike", "Peter", "Robert", "Shawn", "Toby", "William",
)  # fmt: skip
THINGS = ("umbrellas", "kites", "teapots", "lanterns", "harmonicas", "stamps", "puzzles", "candles")
TRIES = 200


@final
class IrrelevantClause(Control):
    """A sentence about other things before the question, with a number of like magnitude (GSM-NoOp)."""

    name: ClassVar[str] = "irrelevant_clause"
    family: ClassVar[str] = "knowledge"
    role: ClassVar[Role] = "form"
    keeps: ClassVar[Keeps] = "substance"
    decides: ClassVar[bool] = True
    kept: ClassVar[str] = "every sentence and the question"
    removed: ClassVar[str] = "that nothing else is said: a clause about a thing the question never names"
    source: ClassVar[str] = SOURCE
    ruler: ClassVar[Ruler] = Ruler(exact=(), within=())

    def make(self, given: Given) -> Made:
        """Return the task with a clause in every item; one that would be ambiguous is not made."""
        rng = drawing(given, self.name)

        def change(item: Item, text: Text) -> Text | None:
            words = text.written().lower()
            things = [thing for thing in THINGS if thing[:-1] not in words]
            names = [name for name in (*HER, *HIS) if name.lower() not in words]
            numbers = {
                int(number.replace(",", "")) for number in NUMBER.findall(text.written()) if "." not in number
            }
            largest = max((n for n in numbers if n < 10**6), default=9)
            drawn = [n for n in (rng.randint(2, max(9, largest)) for _ in range(20)) if n not in numbers]
            if not things or not names or not drawn:
                return None
            clause = f"A neighbour called {rng.choice(names)} owns {drawn[0]} {rng.choice(things)}."
            return text._replace(premises=(*text.premises, clause))

        return rewritten(given, change)

    def obstacle(self, given: Given) -> str | None:
        """Return why not: too few items with premises."""
        return too_few_able(given, self.make(given), "have two premises and room for an unambiguous clause")


@final
class OtherNames(Control):
    """Every known first name replaced by another one of the same gender, everywhere in the item."""

    name: ClassVar[str] = "other_names"
    family: ClassVar[str] = "knowledge"
    role: ClassVar[Role] = "form"
    keeps: ClassVar[Keeps] = "substance"
    kept: ClassVar[str] = "everything but names"
    removed: ClassVar[str] = "the names that were met in training"
    source: ClassVar[str] = SOURCE
    ruler: ClassVar[Ruler] = Ruler(exact=("words", "numbers"), within=("characters",))

    def make(self, given: Given) -> Made:
        """Return the task with other names in the items that hold one (names in a target too)."""
        rng = drawing(given, self.name)
        groups = {name: group for group in (HER, HIS) for name in group}
        pattern = re.compile(rf"\b(?:{'|'.join(groups)})\b")

        def change(item: Item, text: Text) -> Text | None:
            names = list(dict.fromkeys(pattern.findall(text.written())))
            if not names or any(pattern.search(target) for target in item.target):
                return None
            taken, table = set(names), {}
            for name in names:
                free = [n for n in groups[name] if n not in taken and abs(len(n) - len(name)) <= 1] or [name]
                table[name] = rng.choice(free)
                taken.add(table[name])
            if all(old == new for old, new in table.items()):
                return None

            def renamed(sentence: str) -> str:
                return pattern.sub(lambda match: table.get(match.group(), match.group()), sentence)

            return text._replace(premises=tuple(map(renamed, text.premises)), question=renamed(text.question))

        return rewritten(given, change)

    def obstacle(self, given: Given) -> str | None:
        """Return why not: too few items name a person that is known."""
        return too_few_able(given, self.make(given), "name a person in the text and not in the target")


@final
class OtherNumbers(Control):
    """Other numbers of as many digits, with the answer worked out anew.

    An item says how in two fields: `symbolic`, its text with {a}, {b} ... in place of numbers, and `formula`, an
    expression of them (+ - * / and brackets). The formula must give the item's own target for its own numbers, else
    the item is left out.
    """

    name: ClassVar[str] = "other_numbers"
    family: ClassVar[str] = "knowledge"
    role: ClassVar[Role] = "form"
    keeps: ClassVar[Keeps] = "substance"
    kept: ClassVar[str] = "the text, the way to the answer, the magnitude of the numbers"
    removed: ClassVar[str] = "the numbers that were met in training, and the answer with them"
    source: ClassVar[str] = SOURCE
    ruler: ClassVar[Ruler] = Ruler(exact=("words", "numbers", "characters"), within=())

    def make(self, given: Given) -> Made:
        """Return the task with other numbers and the targets that follow from them."""
        rng = drawing(given, self.name)
        targets: dict[str, str] = {}

        def change(item: Item, text: Text) -> Text | None:
            own = _own_values(item, text)
            if own is None:
                return None
            symbolic, formula, values = own
            for _ in range(TRIES):
                drawn = {name: _like(value, rng) for name, value in values.items()}
                answer = _worked_out(formula, drawn)
                if drawn != values and answer is not None and answer > 0 and answer.denominator == 1:
                    targets[item.id] = write_number(answer)
                    sentences = text_in(symbolic, drawn)
                    return Text(text.field, tuple(sentences[:-1]), sentences[-1])
            return None

        made = rewritten(given, change)
        items = tuple(replace(item, target=(targets[item.id],)) for item in made.task.items)
        return replace(made, task=fingerprinted(replace(made.task, items=items)))

    def obstacle(self, given: Given) -> str | None:
        """Return why not: too few items say how their answer follows."""
        return too_few_able(
            given, self.make(given), "have fields `symbolic` and `formula` that give their own target"
        )


def _own_values(item: Item, text: Text) -> tuple[str, str, dict[str, str]] | None:
    """Return (symbolic text, formula, the item's own numbers by name) where they give its text and its target."""
    symbolic, formula = item.fields.get("symbolic"), item.fields.get("formula")
    if not isinstance(symbolic, str) or not isinstance(formula, str):
        return None
    names = re.findall(r"\{(\w+)\}", symbolic)
    parts = re.split(r"\{\w+\}", symbolic)
    pattern = "".join(
        re.escape(part) + (r"(\d+)" if at < len(names) else "") for at, part in enumerate(parts)
    )
    match = re.fullmatch(pattern, text.written())
    if match is None:
        return None
    values: dict[str, str] = dict(zip(names, match.groups(), strict=True))
    answer = _worked_out(formula, values)
    if answer is None or write_number(answer) not in item.target:
        return None
    return symbolic, formula, values


def _worked_out(formula: str, values: dict[str, str]) -> Fraction | None:
    expression = re.sub(r"[A-Za-z_]\w*", lambda match: str(values.get(match.group(), match.group())), formula)
    value = evaluate(expression)
    return value if isinstance(value, Fraction) else None


def text_in(symbolic: str, values: dict[str, str]) -> list[str]:
    """Return the sentences of a symbolic text with its numbers put in."""
    return SENTENCE.split(re.sub(r"\{(\w+)\}", lambda match: values[match.group(1)], symbolic))


def _like(value: str, rng: random.Random) -> str:
    """Return another number of as many digits."""
    low = 10 ** (len(value) - 1) if len(value) > 1 else 2
    return str(rng.randint(low, 10 ** len(value) - 1))
