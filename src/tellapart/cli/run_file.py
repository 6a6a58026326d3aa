"""A study's options from a file: `tellapart run.toml`, `tellapart run.yaml`.

    study = "gain"
    base = "path/to/base"
    tuned = "path/to/tuned"
    task = "items.jsonl"

The file becomes the command line that it stands for, so all that holds of options holds of it. What follows the file on
the command line comes after it, and wins.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tellapart.errors import InvalidInput, closest
from tellapart.extras import require

SUFFIXES = (".toml", ".yaml", ".yml")
WORDS = {"skills": ("skills", "train")}
"""Studies whose command is more than their name."""
LARGEST = 2**20


def is_run_file(arguments: Sequence[str]) -> bool:
    """Say whether a command line begins with a run file in place of a verb."""
    return bool(arguments) and arguments[0].lower().endswith(SUFFIXES)


def expanded(arguments: Sequence[str]) -> list[str]:
    """Return the command line that a run file stands for. Raises InvalidInput, one line, where it cannot be used."""
    from tellapart.cli.options import options_of
    from tellapart.studies import STUDIES

    file, *after = arguments
    given = {str(key).replace("-", "_"): value for key, value in _read(Path(file)).items()}
    study = given.pop("study", None)
    if not isinstance(study, str) or study not in STUDIES:
        fault = f"study is {study!r}{closest(str(study), STUDIES)}" if study is not None else "names no study"
        raise InvalidInput(f"{file}: {fault}: give study = one of {', '.join(STUDIES)}")
    options = options_of(STUDIES[study].spec)
    for name in given:
        if name not in options:
            raise InvalidInput(f"{file}: {study} has no option {name!r}{closest(name, options)}")
    line = [*WORDS.get(study, (study,))]
    missing = ""
    for name in (name for name, option in options.items() if option.positional):
        values = _texts(given.pop(name, None), f"{file}: {name}")
        if values and missing:
            raise InvalidInput(f"{file}: {name} is given, {missing} is not: give both")
        missing = missing if values else name
        line += values
    for name, value in given.items():
        line += _written(f"--{name.replace('_', '-')}", value, options[name].repeated, f"{file}: {name}")
    return [*line, *after]


def _written(option: str, value: Any, repeated: bool, where: str) -> list[str]:
    """Return an option as it stands on a command line; nothing where its value is false or null."""
    if value is True:
        return [option]
    if value is False or value is None:
        return []
    values = _texts(value, where)
    if repeated:
        return [word for value in values for word in (option, value)]
    if isinstance(value, list | Mapping):
        return [option, *values]
    return [f"{option}={values[0]}"]


def _texts(value: Any, where: str) -> list[str]:
    """Return a value, a list of values or NAME = VALUE pairs as texts."""
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [f"{name}={_text(field, where)}" for name, field in value.items()]
    return [_text(entry, where) for entry in (value if isinstance(value, list) else [value])]


def _text(value: Any, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidInput(
            f"{where} holds {value!r}: give texts and numbers, a list of them, or true or false"
        )
    return str(value)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > LARGEST:
            raise InvalidInput(f"{path}: is longer than a run file may be (1 MiB)")
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: cannot be read ({error})") from None
    if path.suffix.lower() == ".toml":
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InvalidInput(f"{path}: is no TOML ({error})") from None
    require("yaml", "a run file in YAML")
    import yaml

    try:
        fields = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidInput(f"{path}: is no YAML ({' '.join(str(error).split())})") from None
    if not isinstance(fields, dict):
        raise InvalidInput(f"{path}: holds no options: give lines such as study: gain")
    return fields
