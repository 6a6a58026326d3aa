"""Where a run came from: versions, commit, machine. Written into spec.json, read by the report."""

import importlib.metadata
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from tellapart.version import __version__

_PACKAGES = ("numpy", "scipy", "pandas", "pyarrow", "torch", "transformers", "tokenizers", "openai")


def provenance() -> dict[str, Any]:
    """Return version, commit (None outside a checkout), packages and platform; no host or user names."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "tellapart": __version__,
        "commit": _commit(),
        "python": sys.version.split()[0],
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": versions,
    }


def _commit() -> str | None:
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
