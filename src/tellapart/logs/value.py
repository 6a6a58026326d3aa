"""Single values out of logs, which are hostile until parsed: a score, a text, a list. Nothing is guessed."""

import hashlib
import json
import math
from collections.abc import Iterable

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject

WORDS = {"true": 1.0, "false": 0.0}


def number(value: Json, where: str) -> float:
    """Return a finite number, or NaN for null, NaN and empty text. True is 1; "true", "False" and numbers in
    text are read as what they say. Raises UserMistake for anything else, infinity included."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return math.nan
    if isinstance(value, str):
        if value.strip().lower() in WORDS:
            return WORDS[value.strip().lower()]
        if not value.isascii() or "_" in value:
            raise UserMistake(f"{where}: {short(value)} is not a number")
    elif not isinstance(value, int | float):
        raise UserMistake(f"{where}: {short(value)} is not a number")
    try:
        result = float(value)
    except ValueError:
        raise UserMistake(f"{where}: {short(value)} is not a number (nor true, false or empty)") from None
    except OverflowError:
        raise UserMistake(f"{where}: {short(value)} is not a number within range") from None
    if math.isinf(result):
        raise UserMistake(
            f"{where}: {short(value)} is not finite; a score must be a finite number or missing"
        )
    return result


def whole(value: Json, where: str) -> int:
    """Return a whole number; raises UserMistake for anything that is not one (booleans too)."""
    result = math.nan if isinstance(value, bool) else number(value, where)
    if not result.is_integer() or abs(result) > 2**53:
        raise UserMistake(f"{where}: {short(value)} is not a whole number")
    return int(result)


def text(value: Json) -> str:
    """Return text as it is, "" for null, anything else written out (booleans as JSON writes them)."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def identity(value: Json, where: str) -> str:
    """Return an item's id as text; raises UserMistake where it is neither text nor a number, or empty.

    Half a surrogate pair, which JSON allows and UTF-8 cannot hold, is written as its escape: ids stay apart."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        raise UserMistake(f"{where}: the id {short(value)} must be text or a number")
    return str(value).encode("utf-8", "backslashreplace").decode()


_SORTED = json.JSONEncoder(sort_keys=True)  # json.dumps makes one a value


def hashed(value: Json) -> str:
    """Return a hash of any JSON value, "" for null: the same value has the same one, whatever its keys' order."""
    if value is None:
        return ""
    written = _SORTED.encode(value).encode()
    return hashlib.blake2b(written, digest_size=16).hexdigest()


def mapping(value: Json, where: str) -> JsonObject:
    """Return a JSON object; raises UserMistake for anything else."""
    if not isinstance(value, dict):
        raise UserMistake(f"{where}: expected an object, found {short(value)}")
    return value


def listing(value: Json, where: str) -> list[Json]:
    """Return a JSON list; raises UserMistake for anything else."""
    if not isinstance(value, list):
        raise UserMistake(f"{where}: expected a list, found {short(value)}")
    return value


def field(record: JsonObject, name: str, where: str) -> Json:
    """Return `record[name]`; raises UserMistake naming the fields that are there."""
    if name not in record:
        raise UserMistake(f"{where}: no field {short(name)} (has {listed(record)})")
    return record[name]


def listed(names: Iterable[Json]) -> str:
    """Return names for a message: the first 12, each at most 40 characters, and how many there are in all."""
    every = [str(name) for name in names]
    shown = [name if len(name) <= 40 else name[:37] + "..." for name in every[:12]]
    return ", ".join(shown) + (f", ... ({len(every)} in all)" if len(every) > 12 else "") or "none"


def short(value: Json) -> str:
    """Return `value` for a message: at most 60 characters on one line."""
    bits = value.bit_length() if isinstance(value, int) else 0
    shown = f"a number of {bits} bits" if bits > 1000 else repr(value)[:200]
    return shown if len(shown) <= 60 else shown[:57] + "..."


def spoken(content: Json, where: str) -> str:
    """Return a message or a conversation as text: a string as it is, of messages their contents and of parts
    their texts, a line each."""
    if isinstance(content, list):
        return "\n".join(part for part in (spoken(piece, where) for piece in content) if part)
    if isinstance(content, dict):
        return spoken(next((content[name] for name in ("content", "text") if name in content), None), where)
    return text(content)


def replied(messages: Json, where: str) -> str:
    """Return what the assistant said last in a conversation; text that is no conversation as it is."""
    if isinstance(messages, list):
        said = [
            message
            for message in messages
            if isinstance(message, dict) and message.get("role") == "assistant"
        ]
        return spoken(said[-1] if said else messages, where)
    return spoken(messages, where)


def numeric(values: JsonObject) -> list[str]:
    """Return the keys whose values are numbers or booleans, in order."""
    return [name for name, value in values.items() if isinstance(value, int | float)]
