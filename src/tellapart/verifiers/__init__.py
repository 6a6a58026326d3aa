"""Verifiers: who says which of a model's own answers are right. One file each, one dict.

To add one: a file here with a class under Verifier, and its place in OURS; from another package, an entry point of the
group `tellapart.verifiers`. No torch here.
"""

from tellapart.errors import UserMistake
from tellapart.extras import Registry, offered_by_others
from tellapart.verifiers.all_of import AllOf
from tellapart.verifiers.chance import Chance
from tellapart.verifiers.checker import Checker
from tellapart.verifiers.critique import Critique, Judge, Past
from tellapart.verifiers.form import Form
from tellapart.verifiers.logprob import Logprob
from tellapart.verifiers.longest import Longest
from tellapart.verifiers.majority import Majority
from tellapart.verifiers.python_code import PythonVerifier
from tellapart.verifiers.score import Score
from tellapart.verifiers.steps import Steps
from tellapart.verifiers.tournament import Tournament
from tellapart.verifiers.verifier import Verifier

GROUP = "tellapart.verifiers"
OURS: tuple[type[Verifier], ...] = (
    Logprob, Critique, Score, Tournament, Majority, Checker, Steps, Past, Form, Longest, Chance,
)  # fmt: skip
VERIFIERS = Registry[type[Verifier]](
    lambda: (
        (kind.name, kind)
        for kind in (*OURS, *(type(verifier) for verifier in offered_by_others(GROUP, Verifier)))
    )
)
"""The verifiers that need nothing but their name."""


def open_verifier(
    name: str, device: str = "cpu", dtype: str = "float32", max_rows: int | None = None
) -> Verifier:
    """Return the verifier called `name`: one of VERIFIERS, judge:MODEL, python:module:function, or several joined
    by "+" (all must accept). Raises UserMistake for anything else."""
    if name.startswith("judge:"):
        from tellapart.models.open import open_model

        return Judge(open_model(name.removeprefix("judge:"), device, dtype, max_rows=max_rows))
    if name.startswith("python:"):
        return PythonVerifier(name)
    if "+" in name:
        return AllOf([open_verifier(part, device, dtype, max_rows) for part in name.split("+")])
    if name in VERIFIERS:
        return VERIFIERS[name]()
    raise UserMistake(
        f"no verifier {name!r}: give {', '.join(VERIFIERS)}, judge:MODEL, python:module:function, or "
        "several joined by +"
    )
