"""The task's step checker: a tool that looks at the way, not at the answer."""

from typing import ClassVar, final

from tellapart.errors import UserMistake
from tellapart.verifiers.verifier import Bench, Utilities, Verifier, filled, pairs


@final
class Steps(Verifier):
    """Accept what the task's step checker calls valid."""

    name = "steps"
    source: ClassVar[str] = "Lightman et al. 2023, arXiv 2305.20050"
    outside = True

    def judge(self, bench: Bench) -> Utilities:
        """Return 1 for valid steps, else 0. Raises UserMistake where the task has no step checker."""
        check = bench.task.steps
        if check is None:
            raise UserMistake(
                f"task {bench.task.name!r} has no step checker: use another verifier than steps"
            )
        return filled(
            bench, {(i, text): float(check(bench.items[i], text) == "valid") for i, text in pairs(bench)}
        )
