"""Key/value cache of a batch whose rows come and go: preallocated buffers, written in place.

Every row ends at the same physical column, `end`; a row of length n fills columns end-n .. end, without a
hole. So a distance between columns is a distance between tokens, and sliding-window masks stay right; what
lies left of a row is masked out. Buffers have shape [slots, heads, columns, head width].
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

GROWTH = 64
"""Spare columns added when a buffer is full; at least half as many as are in use."""


class Window:
    """The columns in use, `start` .. `end`, and the first `slots` rows: one value that all layers share."""

    def __init__(self, slots: int, capacity: int) -> None:
        self.slots = slots
        self.start = 0
        self.end = 0
        self.capacity = capacity


class SlotLayer(CacheLayerMixin):
    """One layer's keys and values. `update` writes at the window's end; the owner moves the end afterwards,
    so that a forward pass that failed half-way can be done again."""

    is_sliding = False
    keys: Any
    values: Any

    def __init__(self, window: Window) -> None:
        super().__init__()
        self.window = window

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Allocate zeros (never uninitialised memory: NaN times a weight of 0 is NaN)."""
        slots, columns = self.window.slots, self.window.capacity
        self.keys = key_states.new_zeros(slots, key_states.shape[1], columns, key_states.shape[3])
        self.values = value_states.new_zeros(slots, value_states.shape[1], columns, value_states.shape[3])
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor]:
        """Write the new states [rows, heads, new, head width] and return all states in use."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        rows, new = key_states.shape[0], key_states.shape[2]
        start, end = self.window.start, self.window.end
        self.keys[:rows, :, end : end + new] = key_states
        self.values[:rows, :, end : end + new] = value_states
        return self.keys[:rows, :, start : end + new], self.values[:rows, :, start : end + new]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return (columns in use with the new ones, 0): masks are made for the window, not for the buffer."""
        return self.window.end - self.window.start + query_length, 0

    def get_seq_length(self) -> int:
        """Return the columns in use."""
        return self.window.end - self.window.start

    def get_max_length(self) -> int:
        """Return -1: the buffers grow."""
        return -1


class SlotCache(Cache):
    """The cache of one module for `slots` rows, which need at most `columns` columns where that is known."""

    layers: list[SlotLayer]

    def __init__(self, slots: int, capacity: int, columns: int | None = None) -> None:
        self.columns = columns
        self.window = Window(slots, capacity)
        # Not a lambda over self: that cycle would keep the buffers until the garbage collector comes round.
        super().__init__(layer_class_to_replicate=partial(SlotLayer, self.window))  # pyright: ignore

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return the columns in use (the same in every layer)."""
        return self.window.end - self.window.start

    def get_mask_sizes(self, query_length: int, layer_idx: int = 0) -> tuple[int, int]:
        """Return (columns in use with the new ones, 0)."""
        return self.window.end - self.window.start + query_length, 0

    def fit(self, longest: int, end: int, ahead: int) -> None:
        """Make the rows of at most `longest` tokens end at column `end` at least, with `ahead` columns free after it.

        `longest` counts tokens of the rows in use (0: none, nothing is kept). Moves the columns in use where
        they do not lie right, and allocates larger buffers where needed.
        """
        window = self.window
        window.start = window.end - longest
        if longest == 0:
            window.start = window.end = 0
        if window.end >= end and window.end + ahead <= window.capacity:
            return
        target = max(longest, end)
        capacity = window.capacity
        if target + ahead > capacity:
            capacity = target + ahead + max(GROWTH, target // 2)
            if self.columns is not None:
                capacity = max(target + ahead, min(capacity, self.columns))
        for layer in self.layers:
            layer.keys = self._moved(layer.keys, target, capacity, longest)
            layer.values = self._moved(layer.values, target, capacity, longest)
        window.capacity, window.start, window.end = capacity, target - longest, target

    def _moved(self, buffer: Tensor, end: int, capacity: int, length: int) -> Tensor:
        slots, heads, _, width = buffer.shape
        kept = buffer[:, :, self.window.end - length : self.window.end]
        if capacity == buffer.shape[2]:
            if length:
                buffer[:, :, end - length : end] = kept.clone()
            return buffer
        grown = buffer.new_zeros(slots, heads, capacity, width)
        grown[:, :, end - length : end] = kept
        return grown

    def place(self, slots: Sequence[int], source: "SlotCache", rows: Sequence[int], part: slice) -> None:
        """Copy `part` of the columns of `rows` of a prefilled cache into `slots`, to end at `end`."""
        end = self.window.end
        length = part.stop - part.start
        self.window.start = min(self.window.start, end - length)
        while len(self.layers) < len(source.layers):
            self.layers.append(SlotLayer(self.window))
        for layer, filled in zip(self.layers, source.layers, strict=True):
            if not layer.is_initialized:
                layer.lazy_initialization(filled.keys, filled.values)
            where = torch.tensor(slots, device=filled.keys.device)
            which = torch.tensor(rows, device=filled.keys.device)
            layer.keys[where, :, end - length : end] = filled.keys[which, :, part]
            layer.values[where, :, end - length : end] = filled.values[which, :, part]

    @torch.inference_mode()
    def clear(self, slots: Sequence[int]) -> None:
        """Set `slots` to zero: what a row that went wrong left there may be NaN, which no mask keeps out."""
        for layer in self.layers:
            layer.keys[slots] = 0
            layer.values[slots] = 0

    @torch.inference_mode()
    def move(self, taken: Sequence[int], free: Sequence[int]) -> None:
        """Copy rows `taken` over rows `free` (columns in use only)."""
        start, end = self.window.start, self.window.end
        for layer in self.layers:
            layer.keys[free, :, start:end] = layer.keys[taken, :, start:end]
            layer.values[free, :, start:end] = layer.values[taken, :, start:end]

    def begin_with(self, source: "SlotCache", length: int) -> None:
        """Make every row begin with the first `length` columns of the one row of `source`."""
        for filled in source.layers:
            layer = SlotLayer(self.window)
            layer.lazy_initialization(filled.keys, filled.values)
            layer.keys[:, :, :length] = filled.keys[:1, :, :length]
            layer.values[:, :, :length] = filled.values[:1, :, :length]
            self.layers.append(layer)
        self.window.end = length

    def begin_from(self, source: "SlotCache", rows: Sequence[int], lengths: Sequence[int]) -> None:
        """Fill row i with the first `lengths[i]` columns of row `rows[i]` of `source`; all end at the same column."""
        most = max(lengths)
        self.window.end = most
        for filled in source.layers:
            layer = SlotLayer(self.window)
            layer.lazy_initialization(filled.keys, filled.values)
            for at, (row, length) in enumerate(zip(rows, lengths, strict=True)):
                layer.keys[at, :, most - length : most] = filled.keys[row, :, :length]
                layer.values[at, :, most - length : most] = filled.values[row, :, :length]
            self.layers.append(layer)
