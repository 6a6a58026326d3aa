"""Where a run came from: versions, commit, machine. Written into spec.json, read by the report."""

import importlib.metadata
import platform
import subprocess
import sys
from pathlib import Path

from tellapart.jsonvalue import Json, JsonObject
from tellapart.version import __version__

_PACKAGES = ("numpy", "scipy", "pandas", "pyarrow", "torch", "transformers", "tokenizers", "openai")


_ANSWERING = ("torch", "transformers", "tokenizers", "openai")
"""Packages of which another version may give other answers."""


def provenance(device: str = "") -> dict[str, Json]:
    """Return version, commit (None outside a checkout), packages, platform and the device that was asked for ("":
    none); no host or user names."""
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
        "device": device,
    }


def mixed(fields: JsonObject) -> str:
    """Return the caveat on a run whose rows were made under several versions; "" where there is none.

    `fields` are those of spec.json: `provenance`, and under `resumed` those of later starts that wrote rows under
    another one.
    """
    first = answering(fields.get("provenance"))
    said = []
    resumed = fields.get("resumed")
    for later in resumed if isinstance(resumed, list) else ():
        now = answering(later)
        said += [
            f"{name} {first[name]} and {now[name]}"
            for name in first.keys() & now.keys()
            if first[name] != now[name]
        ]
    if not said:
        return ""
    return f"Rows were made under several versions, whose answers may differ: {', '.join(sorted(set(said)))}."


def answering(fields: Json) -> dict[str, str]:
    """Return what of a provenance may change answers, by name; nothing where it is none."""
    if not isinstance(fields, dict):
        return {}
    packages = fields.get("packages")
    answering_with = {name: packages.get(name) for name in _ANSWERING} if isinstance(packages, dict) else {}
    answering_with |= {name: fields.get(name) for name in ("tellapart", "platform", "device")}
    return {name: str(value) for name, value in answering_with.items() if value}


def _commit() -> str | None:
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
