"""Hostile bytes from good ones: JSON documents with a value replaced, taken out, doubled or nested, and torn bytes."""

import copy
import json
import math
import random
import re
from typing import Any

HOSTILE: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**80, 10**400, -0.0, 0.5, 1e308, 5e-324, math.nan, math.inf,
    "", "a", " ", "\n", "\x00", "\ud800", "a\x00b", "true", "NaN", "1e999", "-1", "1_000", "１", "../../../etc/passwd",
    "<script>alert(1)</script>", "[red]x[/old]", "\x1b[31m", "{x}", "{", "{{", "%s", "=1+1", "x" * 5000, "0" * 400,
    [], {}, [[]], [None], {"a": None}, [{}], ["x"] * 3, [1, 2], {"": 1}, "attachment://no", "ok", "cut off", "failed",
    "C", [0.1, None], "\u2028", "\u202e", [["-1.0", "True"]], {"value": "C"}, {"value": {"k": math.nan}}, [0] * 50,
    "(a|a)*b", "((x+x+)+)y", "python:os:getcwd", "(" * 200,
]  # fmt: skip
TORN = [
    b"\x00", b"\xff\xfe", b"\n", b"\r\n", b'"', b"{", b"]", b",", b"NaN", b"1e999", b"\xef\xbb\xbf", b"\xed\xa0\x80",
    b"9" * 5000, b"[" * 3000, b"\\ud800", b"\\u0000", b"PK\x03\x04", b"PAR1",
]  # fmt: skip
_DEEP = re.compile(r'"@@DEEP(\d+)@@"')


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return a neighbour of `data`: of the JSON document or lines that it is, or one of its parts (up to two NULs
    divide them, or the end of its first line), or of its bytes."""
    if rng.random() < 0.25:
        return torn(data, rng)
    try:
        if (changed := _json(data, rng)) is not None:
            return changed
        mark = b"\x00" if b"\x00" in data else b"\n"
        parts = data.split(mark, 2 if mark == b"\x00" else 1)
        at = rng.randrange(len(parts))
        part = _json(parts[at], rng)
        parts[at] = torn(parts[at], rng) if part is None else part
        return mark.join(parts)
    except (RecursionError, ValueError):  # too deep, or a value that has come to hold itself
        return torn(data, rng)


def _json(data: bytes, rng: random.Random) -> bytes | None:
    """Return a neighbour of a JSON document, or of JSON lines; None where `data` is none."""
    try:
        text = data.decode("utf-8")
        try:
            lines, value = False, json.loads(text)
        except ValueError:
            lines, value = True, [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError:
        return None
    changed = _changed(value, rng)
    whole = (
        "\n".join(map(json.dumps, changed)) + "\n"
        if lines and isinstance(changed, list)
        else json.dumps(changed)
    )
    return _DEEP.sub(_nested, whole).encode("utf-8", "surrogatepass")


def torn(data: bytes, rng: random.Random) -> bytes:
    """Return `data` with some of its bytes changed, cut, doubled, or others put between."""
    raw = bytearray(data or b"x")
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        at = rng.randrange(len(raw))
        what = rng.random()
        if what < 0.4:
            raw[at] ^= 1 << rng.randrange(8)
        elif what < 0.6:
            del raw[at : at + rng.choice([1, 2, 8, 100])]
        elif what < 0.8:
            raw[at:at] = rng.choice(TORN)
        elif what < 0.9:
            raw[at:at] = raw[at : at + rng.choice([4, 30])] * rng.choice([1, 3])
        else:
            del raw[at:]
        raw = raw or bytearray(b"x")
    return bytes(raw)


def _nested(found: re.Match[str]) -> str:
    depth = int(found[1])
    return "[" * depth + "1" + "]" * depth


def _changed(value: Any, rng: random.Random) -> Any:
    value = copy.deepcopy(value)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        places = list(_places(value, ()))
        if not places:
            return copy.deepcopy(rng.choice(HOSTILE))
        *route, last = rng.choice(places)
        holder = value
        for step in route:
            holder = holder[step]
        _change(holder, last, rng)
    return value


def _change(holder: Any, last: Any, rng: random.Random) -> None:
    what = rng.random()
    if what < 0.62:
        holder[last] = copy.deepcopy(rng.choice(HOSTILE))
    elif what < 0.72:
        holder.pop(last)
    elif what < 0.8 and isinstance(holder, dict):
        holder[rng.choice(["x", "", "id", "score", "sample", "status", "\ud800", "step"])] = rng.choice(
            HOSTILE
        )
    elif what < 0.86 and isinstance(holder, list):
        rng.shuffle(holder)
    elif what < 0.93:
        own = holder[last]
        holder[last] = own * rng.choice([0, 2, 30]) if isinstance(own, list | str) else [own]
    else:
        holder[last] = f"@@DEEP{rng.choice([5, 50, 900, 1200])}@@"


def _places(value: Any, at: tuple[Any, ...]) -> Any:
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield (*at, key)
        yield from _places(child, (*at, key))
