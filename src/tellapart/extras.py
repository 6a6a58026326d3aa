"""What the core installation lacks: a package that is not there, told as the extra that brings it."""

import contextlib
from collections.abc import Iterator
from importlib.util import find_spec

from tellapart.errors import UserMistake

EXTRAS = {
    "torch": "local",
    "transformers": "local",
    "safetensors": "local",
    "tokenizers": "local",
    "openai": "endpoint",
    "trl": "train",
    "peft": "train",
    "accelerate": "train",
    "sae_lens": "sae",
    "fastapi": "serve",
    "uvicorn": "serve",
    "prometheus_client": "serve",
    "gguf": "export",
}
"""Packages by import name, as pyproject.toml groups them."""


@contextlib.contextmanager
def naming_extras(verb: str) -> Iterator[None]:
    """Turn a missing package of an extra, met inside, into a UserMistake; any other missing module is a bug."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS or find_spec(package) is not None:
            raise
        raise _lacking(verb, package) from error


def require(package: str, verb: str) -> None:
    """Raise UserMistake where `package` of an extra is not installed; does not import it."""
    if find_spec(package) is None:
        raise _lacking(verb, package)


def _lacking(verb: str, package: str) -> UserMistake:
    local = " on local models" if EXTRAS[package] == "local" else " here"
    return UserMistake(f"{verb}{local} needs {package}: pip install 'tellapart[{EXTRAS[package]}]'")
