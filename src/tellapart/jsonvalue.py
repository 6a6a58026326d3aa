"""A JSON value as a type: what a file, a server or a run folder holds before it is looked at.

Who reads one asks what it is (`isinstance`) before using it, and pyright holds them to it; `Any` would not.
"""

from collections.abc import Mapping, Sequence

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
"""Any value that JSON can write."""
JsonObject = Mapping[str, Json]
"""A JSON object, to be read."""


def number(fields: JsonObject, name: str) -> float:
    """Return a number of an object. Raises KeyError where it is missing and TypeError where it is none, as all here do.

    >>> number({"alpha": 4}, "alpha")
    4.0
    """
    return float(_number(fields[name], name))


def whole(fields: JsonObject, name: str) -> int:
    """Return a whole number of an object, exactly.

    >>> whole({"seed": 2**62 + 1}, "seed") == 2**62 + 1
    True
    """
    return int(_number(fields[name], name))


def listed(fields: JsonObject, name: str) -> Sequence[Json]:
    """Return a list of an object."""
    return _list(fields[name], name)


def wholes(fields: JsonObject, name: str) -> list[int]:
    """Return a list of whole numbers of an object."""
    return [int(_number(value, name)) for value in listed(fields, name)]


def number_lists(fields: JsonObject, name: str) -> list[list[float]]:
    """Return a list of lists of numbers of an object."""
    return [[float(_number(one, name)) for one in _list(value, name)] for value in listed(fields, name)]


def texts(fields: JsonObject, name: str) -> list[str]:
    """Return a list of texts of an object."""
    return [str(value) for value in listed(fields, name)]


def text_pairs(fields: JsonObject, name: str) -> list[tuple[str, str]]:
    """Return a list of pairs of texts of an object.

    >>> text_pairs({"turns": [["1+1=", "2"]]}, "turns")
    [('1+1=', '2')]
    """
    pairs = [_list(value, name) for value in listed(fields, name)]
    return [(str(first), str(second)) for first, second in pairs]


def objects(fields: JsonObject, name: str) -> list[JsonObject]:
    """Return a list of objects of an object."""
    return [_object(value, name) for value in listed(fields, name)]


def nested(fields: JsonObject, name: str) -> JsonObject:
    """Return an object of an object."""
    return _object(fields[name], name)


def _number(value: Json, name: str) -> int | float:
    if not isinstance(value, int | float):
        raise TypeError(f"{name}: a number is needed, not {value!r}")
    return value


def _list(value: Json, name: str) -> Sequence[Json]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name}: a list is needed, not {value!r}")
    return value


def _object(value: Json, name: str) -> JsonObject:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name}: an object is needed, not {value!r}")
    return value
