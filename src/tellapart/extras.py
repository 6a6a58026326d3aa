"""What other packages bring: those that the core lacks, told as the extra that brings them, and their entry points."""

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, MutableMapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

from tellapart.errors import InvalidInput, UserMistake

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

STUDY_GROUP = "tellapart.studies"
"""The entry points under which other packages offer studies."""

EXTRAS = {
    "torch": "local",
    "transformers": "local",
    "safetensors": "local",
    "tokenizers": "local",
    "openai": "endpoint",
    "vllm": "vllm",
    "trl": "train",
    "peft": "train",
    "accelerate": "train",
    "sae_lens": "sae",
    "fastapi": "serve",
    "uvicorn": "serve",
    "prometheus_client": "serve",
    "gguf": "export",
    "submitit": "slurm",
    "ray": "ray",
    "trackio": "trackio",
    "mlflow": "mlflow",
    "wandb": "wandb",
    "cairosvg": "pdf",
    "fsspec": "remote",
    "yaml": "yaml",
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


def offered_by_others(group: str, kind: type[_Kind]) -> list[_Kind]:
    """Return what other packages offer under the entry points of a group, in the order of their names."""
    return [offered(entry, kind) for entry in sorted(_entries(group), key=lambda entry: entry.name)]


def is_offered(group: str) -> bool:
    """Return whether another package offers anything under the entry points of a group; imports none of it."""
    return bool(_entries(group))


def _entries(group: str) -> "Collection[EntryPoint]":
    from importlib.metadata import entry_points  # a quarter of the time of `tellapart --version`

    return entry_points(group=group)


def offered(entry: "EntryPoint", kind: type[_Kind]) -> _Kind:
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


class Registry(MutableMapping[str, _Kind]):
    """What is registered, by name: ours, and what other packages offer. It is read on first use, since a package that
    offers something imports from here itself, maybe before we do. Raises InvalidInput where two have the same name."""

    def __init__(self, read: Callable[[], Iterable[tuple[str, _Kind]]]) -> None:
        self._read = read
        self._held: dict[str, _Kind] | None = None

    @property
    def _values(self) -> dict[str, _Kind]:
        if self._held is None:
            held: dict[str, _Kind] = {}
            for name, value in self._read():
                if name in held:
                    raise InvalidInput(f"two things are registered as {name!r}: {held[name]!r} and {value!r}")
                held[name] = value
            self._held = held
        return self._held

    def __getitem__(self, name: str) -> _Kind:
        return self._values[name]

    def __setitem__(self, name: str, value: _Kind) -> None:
        self._values[name] = value

    def __delitem__(self, name: str) -> None:
        del self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
