"""Where work is kept that several runs share: in TELLAPART_CACHE, else in the user's cache."""

import os
from pathlib import Path


def cache_folder(name: str) -> Path:
    """Return the folder of that name in the cache; it need not be there yet."""
    root = os.environ.get("TELLAPART_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "tellapart") / name
