"""The truth: the task's own scorer. What self-improvement could gain at most with this model's answers."""

from typing import ClassVar, final

from tellapart.verifiers.verifier import Bench, Utilities, Verifier, filled, pairs


@final
class Checker(Verifier):
    """Accept what the task's scorer calls right."""

    name = "checker"
    source: ClassVar[str] = "Zelikman et al. 2022, arXiv 2203.14465"
    outside = True

    def judge(self, bench: Bench) -> Utilities:
        """Return 1 for full score, else 0."""
        task, items = bench.task, bench.items
        return filled(bench, {(i, text): float(task.score(items[i], text) >= 1) for i, text in pairs(bench)})
