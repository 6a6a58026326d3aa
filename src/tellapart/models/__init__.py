"""Whom we ask: models in this process, served ones, recorded ones."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tellapart.models.model import Model

OPENERS: "dict[str, Callable[[str, str, str, int | None], Model]]" = {}
"""Models that a higher room opens, by what stands before the colon of a reference: (name, device, dtype, max_rows) ->
Model. Filled in tellapart/wiring.py."""
