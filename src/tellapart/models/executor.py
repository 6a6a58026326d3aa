"""Who runs a model of this process when it is asked: it itself, or workers that opened it as well.

    with executing(executor):
        ...         # a model that is as it was opened answers through it, or with a trained change in place; any other
                    # intervention leaves it to answer by itself

An answer depends on its request alone (seed, prompt, sampling), so it is the same whoever gives it. No torch here.
"""

import abc
import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Literal, NamedTuple

from tellapart.models import CHANGERS
from tellapart.models.model import Answer, Model, Request
from tellapart.stats.arrays import Floats

Extra = Literal["margins", "entropies"]
Ids = tuple[int, ...]


class Opening(NamedTuple):
    """How a model was opened, so that another process opens the same (models/open.py), and what it was then: another
    fingerprint or engine there is refused. A trained change that was put in place since stands in `change` (JSON),
    `weights` (their digest) and `strength`; its fingerprint then is `changed`."""

    reference: str
    device: str
    dtype: str
    chat: bool | None
    max_rows: int | None
    system: str
    fingerprint: str
    engine: str
    change: str = ""
    weights: str = ""
    strength: float = 1.0
    changed: str = ""


class Altered(NamedTuple):
    """A trained change in place on a model (training/change.py): its fingerprint `before` and with it, the change as
    JSON, its `kind`, and its weights."""

    before: str
    fingerprint: str
    kind: str
    change: str
    weights: str
    strength: float
    data: Callable[[], bytes]


class Executor(abc.ABC):
    """Answers in the place of a model of this process."""

    @abc.abstractmethod
    def generate(
        self, opening: Opening, requests: Sequence[Request], record: frozenset[Extra]
    ) -> Iterator[Answer]:
        """Yield each answer as soon as it is there, as Model.generate does, and charge the current budget."""

    @abc.abstractmethod
    def hold(self, weights: str, data: Callable[[], bytes]) -> None:
        """Keep the weights of a change, by their digest, for those who answer."""

    @abc.abstractmethod
    def score(self, opening: Opening, pairs: Sequence[tuple[Ids, Ids]]) -> list[Floats]:
        """Return the log-probabilities (nats, float64 [n]) of each (prompt, completion [n]), in order; nothing is
        charged."""


_CURRENT: ContextVar[Executor | None] = ContextVar("executor", default=None)


@contextlib.contextmanager
def executing(executor: Executor) -> Iterator[None]:
    """Let models answer through `executor` inside."""
    token = _CURRENT.set(executor)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def executor_of(model: Model) -> tuple[Executor, Opening] | None:
    """Return who answers for `model` and how it is opened; None where it answers itself: no executor here, a model
    that no reference names, or one whose fingerprint tells of what no worker can do."""
    executor, opening, altered = _CURRENT.get(), model.opening, model.altered
    if executor is None or opening is None:
        return None
    if model.fingerprint == opening.fingerprint:
        return executor, opening
    if altered is None or (altered.before, altered.fingerprint) != (opening.fingerprint, model.fingerprint):
        return None
    if altered.kind not in CHANGERS:
        return None
    executor.hold(altered.weights, altered.data)
    edit = {"change": altered.change, "weights": altered.weights, "strength": altered.strength}
    return executor, opening._replace(**edit, changed=model.fingerprint)
