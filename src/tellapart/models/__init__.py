"""Whom we ask: models in this process, served ones, recorded ones."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tellapart.models.model import Model

OPENERS: "dict[str, Callable[[str, str, str, int | None], Model]]" = {}
"""Models that a higher room opens, by what stands before the colon of a reference: (name, device, dtype, max_rows) ->
Model. Filled in tellapart/wiring.py."""

CHANGERS: "dict[str, Callable[[Any, str, bytes, str, float], AbstractContextManager[Any]]]" = {}
"""Trained changes that a higher room puts on a local model, by kind: (model, change as JSON, weights, their digest,
strength) -> the change in place while inside. Filled in tellapart/wiring.py."""
