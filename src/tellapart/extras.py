"""What other packages bring: those that the core lacks, told as the extra that brings them, and their entry points."""

import contextlib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from typing import TypeVar

from tellapart.errors import InvalidInput, UserMistake

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

_Kind = TypeVar("_Kind")


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


def offered(entry: EntryPoint, kind: type[_Kind]) -> _Kind:
    """Return what another package offers under an entry point: a `kind`, or a class of one, which is then made. Raises
    InvalidInput, with the name of the entry point, where it is anything else or cannot be imported."""
    try:
        made = entry.load()
        if isinstance(made, type):
            made = made()
    except Exception as error:  # whatever another package's import raises is that package's
        raise InvalidInput(
            f"entry point {entry.name} = {entry.value} ({entry.group}): cannot be loaded "
            f"({type(error).__name__}: {error}); mend or uninstall it"
        ) from error
    if not isinstance(made, kind):
        raise InvalidInput(
            f"entry point {entry.name} = {entry.value} ({entry.group}): not {kind.__module__}.{kind.__name__}, "
            f"but {type(made).__name__}"
        )
    return made
