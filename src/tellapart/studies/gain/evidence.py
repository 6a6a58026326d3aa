"""What the bounds are computed from: the rows, the shared items, both models' scores and readings, and the facts."""

from typing import NamedTuple

import pandas as pd

from tellapart.stats.arrays import Floats
from tellapart.studies.gain.answers import Chance, Questions, Reading
from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.items import PerItem


class Evidence(NamedTuple):
    """`base` and `tuned` are the shared items. `votes` are the means of the base's majority answers and `matched` what
    its answers score on other questions, by item (n,); None where answers were not recorded."""

    rows: pd.DataFrame
    questions: Questions
    base: PerItem
    tuned: PerItem
    chance: Chance
    readings: tuple[Reading | None, Reading | None]
    facts: Facts
    votes: Floats | None
    matched: Floats | None
