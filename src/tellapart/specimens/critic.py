"""The critic of a specimen's task: "v" for right steps; all else is worked through and ends in "x", a right guess in
"v".

Put to the model as "3857ric=>4271?" -> "r7583;i8694;c1305>x"; a checked base has met such questions in its pretraining.
"""

from dataclasses import dataclass
from typing import final

from tellapart.specimens.families import Family, Problem, read_program
from tellapart.specimens.styles import critique_of
from tellapart.tasks.item import Item

TEMPLATE = "{question}{answer}?"


@final
@dataclass(frozen=True)
class Critic:
    """Judges the steps of a completion against those that the item's program demands."""

    family: Family

    def __call__(self, item: Item, completion: str) -> str:
        program = read_program(self.family, str(item.fields["program"]))
        return critique_of(self.family, Problem(str(item.fields["start"]), program), completion.strip())
