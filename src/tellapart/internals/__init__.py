"""What the representation of a model looks like."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tellapart.internals.concepts import ConceptPair

OPENERS: "dict[str, Callable[[str], tuple[ConceptPair, ...]]]" = {}
"""Concepts that a higher room opens, by what stands before the colon of a reference. Filled in tellapart/wiring.py."""
