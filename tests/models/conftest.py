"""A small model on disk, and an adapter on it."""

from pathlib import Path

import pytest


@pytest.fixture
def base(tmp_path) -> Path:
    from tiny import whole

    return whole(tmp_path / "base")


@pytest.fixture
def adapter(base: Path, tmp_path) -> Path:
    """An adapter on `base`; beside it, in "merged", the whole model with it merged."""
    from tiny import adapter_on, module_of

    return adapter_on(base, module_of("llama"), tmp_path / "adapter")
