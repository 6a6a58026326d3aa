"""What a trained elicitor holds beside its setting: named arrays, known by their content, kept as safetensors."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import UserMistake


class Weights(Mapping[str, NDArray[Any]]):
    """Arrays by name; equal where names, types, shapes and bytes are equal. Treat the arrays as read-only."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]] | None = None) -> None:
        self._arrays = {name: np.ascontiguousarray(value) for name, value in sorted((arrays or {}).items())}
        for value in self._arrays.values():
            value.setflags(write=False)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    @cached_property
    def digest(self) -> str:
        """The content hash (32 hex digits); "" where there are no arrays."""
        if not self._arrays:
            return ""
        hashed = hashlib.blake2b(digest_size=16)
        for name, value in self._arrays.items():
            hashed.update(f"{name}|{value.dtype.str}|{value.shape}|".encode())
            hashed.update(value.tobytes())
        return hashed.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Weights) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Weights({', '.join(f'{name} {value.shape}' for name, value in self._arrays.items())})"

    def as_bytes(self) -> bytes:
        """Return the arrays as a safetensors file."""
        from safetensors.numpy import save

        return save(dict(self._arrays))


def weights_from(data: bytes, digest: str) -> Weights:
    """Return the arrays of a safetensors file. Raises UserMistake where it is damaged or not the one wanted."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        weights = Weights(load(data))
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        raise UserMistake(
            f"weights {digest}: not a safetensors file ({error}); delete it to fit anew"
        ) from error
    if weights.digest != digest:
        raise UserMistake(
            f"weights {digest}: the file holds others ({weights.digest}); delete it to fit anew"
        )
    return weights
