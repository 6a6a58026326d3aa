"""What a score means: one metric a log, with its name, its filter and its direction. Errors are not scores."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tellapart.errors import UserMistake
from tellapart.logs.value import listed, short

_ERRORS = re.compile(
    r"(?:^|[/_.:\s-])(?:brier(?:_?score)?|(?:\w+_)?perplexity|ppl|bits_per_\w+|bpb|nll|ce|(?:\w+_)?loss|error(?:s|_rate)?|wer|cer|ter"
    r"|mae|mse|rmse|(?:\w+_)?distance|ece|latency|cost|seconds|runtime|duration|toxicity|hallucination_rate|regret)$",
    re.IGNORECASE,
)
"""Names of what is better the lower it is, where a log does not say."""
_COUNTED = re.compile(
    r"^(?:sample|samples|idx|index|id|.*_(?:id|idx|index)|rank|seed|epoch|step|steps|turns?|time|.*_time|n|k|n_\w+|num_\w+"
    r"|(?:\w+_)?(?:tokens?|length|len|chars?|words|count|size))$",
    re.IGNORECASE,
)
"""Names of columns that number or measure answers and say nothing of whether they are right."""
FIRST = ("score", "reward", "correct", "is_correct", "passed", "accuracy", "acc")


class Metric(NamedTuple):
    """What the scores of a log are: `name`, `filter` (what read the answer out, "" where none is told), and
    `higher_is_better` (None: the log does not say). An empty name: a score that the log does not name."""

    name: str = ""
    filter: str = ""
    higher_is_better: bool | None = None

    @property
    def label(self) -> str:
        return f"{self.name},{self.filter}" if self.filter else self.name

    @property
    def is_error(self) -> bool:
        """Say whether lower is better: as the log says, else by the name."""
        if self.higher_is_better is not None:
            return not self.higher_is_better
        return bool(_ERRORS.search(self.name))

    def same_as(self, other: "Metric") -> bool:
        """Say whether both name one metric, "none" being no filter."""
        return self.name == other.name and _plain(self.filter) == _plain(other.filter)

    def named(self, choice: str) -> bool:
        """Say whether `choice` (what came after `#`) names this metric, its filter, or both."""
        return choice in (
            self.name,
            self.filter,
            self.label,
            f"{self.name},{_plain(self.filter)}".rstrip(","),
        )


UNNAMED = Metric()
"""The metric of a log that does not say what its scores are."""


def _plain(name: str) -> str:
    return "" if name == "none" else name


def is_counted(name: str) -> bool:
    """Say whether a column's name is that of an index, a length or a time, not of a score."""
    return bool(_COUNTED.match(name))


def choose(metrics: Sequence[Metric], choice: str, where: str, notes: list[str]) -> Metric:
    """Return the metric that `choice` names, else the first that is no error; notes the others. Raises
    UserMistake where none is there, or where only errors are."""
    named = [metric for metric in metrics if metric.named(choice)] if choice else list(metrics)
    if not named:
        raise UserMistake(
            f"{where}: no metric {short(choice)}; it has {listed(metric.label for metric in metrics)}"
        )
    scores = [metric for metric in named if not metric.is_error]
    if not scores:
        others = [metric.label for metric in metrics if not metric.is_error]
        raise UserMistake(
            f"{where}: {short(named[0].label)} is an error (lower is better), not a score; "
            + (
                f"choose one with #NAME: {listed(others)}"
                if others
                else "the log has no metric that is a score"
            )
        )
    chosen = scores[0]
    others = [metric for metric in metrics if metric != chosen]
    if others and not choice:
        notes.append(also(chosen.label, (other.label for other in others)))
    return chosen


def also(chosen: str, others: Iterable[str]) -> str:
    """Return the note on a metric that was taken where the log has more."""
    return f"scored by {short(chosen)}; also in the log (choose with #NAME): {listed(others)}"
