"""Form only: an answer that can be read is accepted, whatever it is. Easily hacked, which is what it is for."""

from typing import ClassVar, final

from tellapart.verifiers.verifier import Bench, Utilities, Verifier, filled, pairs


@final
class Form(Verifier):
    """Accept every answer that the task's scorer can read."""

    name = "form"
    source: ClassVar[str] = "Shao et al. 2025, arXiv 2506.10947"

    def judge(self, bench: Bench) -> Utilities:
        """Return 1 where an answer can be read, else 0."""
        read = bench.task.scorer.answer
        return filled(
            bench, {(i, text): float(read(bench.items[i], text) is not None) for i, text in pairs(bench)}
        )
