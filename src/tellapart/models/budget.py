"""What a run spends: tokens generated, scored and trained on, counted where they come about, and a limit to them.

    with metered(TokenBudget(limit=100_000)) as budget:
        ...                                     # whatever is asked, scored or trained in here is charged
    budget.counts                               # {"generated": ..., "scored": ..., "trained": ...}

Answer tokens count, prompts do not: a token that was generated, one whose log-probability was read, one in the loss of
an update (each time it is). No torch here.
"""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Literal, TypeVar

from tellapart.models.model import Answer

Kind = Literal["generated", "scored", "trained"]
KINDS: tuple[Kind, ...] = ("generated", "scored", "trained")
Made = TypeVar("Made")


class BudgetSpent(Exception):
    """The token budget does not pay for what comes next. No mistake of the user: what is there stays, and a run with
    a larger budget goes on from there."""


class TokenBudget:
    """Counts tokens against `limit` (None: none). `spent` is what earlier runs of the same folder spent; `keep` is told
    the counts after every charge. `refused` says whether something was left out for want of tokens."""

    def __init__(
        self,
        limit: int | None = None,
        spent: Mapping[str, int] | None = None,
        keep: Callable[[Mapping[str, int]], None] | None = None,
    ) -> None:
        self.limit = limit
        self.counts: dict[str, int] = {kind: (spent or {}).get(kind, 0) for kind in KINDS}
        self.refused = False
        self._keep = keep
        self._part: float = math.inf
        self._whole = 0

    @property
    def total(self) -> int:
        """All tokens spent."""
        return sum(self.counts.values())

    @property
    def left(self) -> float:
        """Tokens that may still be spent; infinite without a limit. Not above 0 once it is spent."""
        if self.limit is None or self._whole:
            return math.inf
        return min(self.limit, self._part) - self.total

    @property
    def empty(self) -> bool:
        """Whether nothing more can be paid for."""
        return self.left <= 0

    @property
    def said(self) -> str:
        """Why something is missing, for a report."""
        return f"the budget of {self.limit} tokens was spent"

    def charge(self, kind: Kind, tokens: int) -> None:
        """Count tokens."""
        self.counts[kind] += tokens
        if self._keep is not None and tokens:
            self._keep(self.counts)

    def require(self, tokens: int = 1) -> None:
        """Raise BudgetSpent where so many tokens cannot be paid for."""
        if self.left < tokens:
            raise self.refusal()

    def refusal(self) -> BudgetSpent:
        """Return the exception that says so, and remember that something was left out."""
        self.refused = True
        return BudgetSpent(self.said)

    @contextlib.contextmanager
    def part(self, share: float) -> Iterator[None]:
        """Let at most a share of what is left be spent inside; what that refuses is not left out yet."""
        before, refused = self._part, self.refused
        self._part = self.total + share * self.left if self.limit is not None else math.inf
        try:
            yield
        finally:
            self._part, self.refused = before, refused

    @contextlib.contextmanager
    def whole_batch(self) -> Iterator[None]:
        """Let what was begun be finished: inside, the limit does not hold."""
        self._whole += 1
        try:
            yield
        finally:
            self._whole -= 1


_CURRENT: ContextVar[TokenBudget] = ContextVar("budget")
UNLIMITED = TokenBudget()


def current() -> TokenBudget:
    """Return the budget that is charged here; one without a limit outside `metered`."""
    return _CURRENT.get(UNLIMITED)


@contextlib.contextmanager
def metered(budget: TokenBudget) -> Iterator[TokenBudget]:
    """Charge `budget` for all that is generated, scored and trained inside, whatever model does it."""
    token = _CURRENT.set(budget)
    try:
        yield budget
    finally:
        _CURRENT.reset(token)


def paid_for(most: Sequence[int], ask: Callable[[Sequence[int]], Iterator[Answer]]) -> Iterator[Answer]:
    """Yield the answers to as many requests, by their places, as the budget pays for at their longest (`most`, tokens),
    then to more with what was left over; raises BudgetSpent where some are left."""
    budget, begin = current(), 0
    while begin < len(most):
        if budget.empty:
            raise budget.refusal()
        longest = max(1, *most[begin:])
        count = len(most) if budget.left == math.inf else max(1, int(budget.left // longest))
        part = range(begin, min(begin + count, len(most)))
        for answer in ask(part):
            made = answer.completion
            budget.charge("generated", len(made.tokens) if made.generated is None else made.generated)
            yield answer
        begin = part.stop


def until_spent(answers: Iterable[Made]) -> tuple[list[Made], BudgetSpent | None]:
    """Return the answers that the budget paid for, and what it refused the rest with."""
    made: list[Made] = []
    try:
        made.extend(answers)
    except BudgetSpent as spent:
        return made, spent
    return made, None
