"""Battles of a chatbot arena: two models' conversations and the winner that a person named (Chiang et al. 2024, arXiv
2403.04132). They are pairs, for `form --pairs`, and no scores.

Rows hold `question_id` (or `id`), `model_a`, `model_b` and `winner` (model_a, model_b, tie, tie (bothbad)) with
`conversation_a` and `conversation_b`; or `winner_model_a`, `winner_model_b` and `winner_tie` with `prompt`,
`response_a` and `response_b` (texts, or JSON lists of the turns).
"""

import contextlib
import json
from collections.abc import Iterator
from typing import NoReturn

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.logs.columns import load
from tellapart.logs.compared import Compared
from tellapart.logs.reader import Reader
from tellapart.logs.source import Source, records
from tellapart.logs.value import field, identity, number, replied, short, spoken, text

TOOL = "arena"
WINNERS = {"model_a": 1.0, "model_b": 0.0, "tie": 0.5, "tie (bothbad)": 0.5, "both_bad": 0.5, "bothbad": 0.5}
COLUMNS = ("winner_model_a", "winner_model_b", "winner_tie")
TEXTS = ("id", "question_id", "model_a", "model_b", "prompt", "response_a", "response_b", *COLUMNS)


def pairs(source: Source, notes: list[str]) -> Iterator[Compared]:
    """Yield the battles; those of a model with itself are noted and left out. Raises UserMistake naming the row."""
    own = 0
    for where, record in _records(source, notes):
        a, b = (text(field(record, name, where)) for name in ("model_a", "model_b"))
        if a == b:
            own += 1
            continue
        name = next((name for name in ("question_id", "id") if name in record), "question_id")
        yield Compared(
            item=identity(field(record, name, where), where),
            question=_read_question(record, where),
            models=(a, b),
            answers=(_answer(record, "a", where), _answer(record, "b", where)),
            won=_won(record, where),
        )
    if own:
        notes.append(f"{own} battles of a model with itself were left out")


def _records(source: Source, notes: list[str]) -> Iterator[tuple[str, JsonObject]]:
    if source.kind != "csv":
        yield from records(source, notes)
        return
    for index, row in enumerate(load(source, TEXTS, (), notes).to_pylist()):
        yield f"{source.path}, row {index + 1}", row


def _won(record: JsonObject, where: str) -> float:
    if "winner" in record:
        winner = text(record["winner"]).strip().lower()
        if winner not in WINNERS:
            raise UserMistake(f"{where}: winner is {short(winner)}; it is one of {', '.join(WINNERS)}")
        return WINNERS[winner]
    flags = [number(field(record, name, where), f"{where}: {name}") for name in COLUMNS]
    if sorted(flags) != [0.0, 0.0, 1.0]:
        raise UserMistake(f"{where}: {', '.join(COLUMNS)} are {flags}: one must be 1, the others 0")
    return (1.0, 0.0, 0.5)[flags.index(1.0)]


def _answer(record: JsonObject, side: str, where: str) -> str:
    if (held := record.get(f"conversation_{side}")) is not None:
        return replied(held, where)
    return _turns(record.get(f"response_{side}"), where)


def _read_question(record: JsonObject, where: str) -> str:
    held = record.get("conversation_a")
    if isinstance(held, list):
        return "\n".join(
            spoken(message, where)
            for message in held
            if isinstance(message, dict) and message.get("role") == "user"
        )
    return _turns(record.get("prompt"), where)


def _turns(value: Json, where: str) -> str:
    """Return a text, or the turns of a JSON list of texts, a line each."""
    if isinstance(value, str) and value.startswith("["):
        with contextlib.suppress(ValueError):
            value = json.loads(value)
    return spoken(value, where)


def recognises(source: Source) -> bool:
    """Say whether rows are battles of two models."""
    if source.kind not in ("jsonl", "csv", "parquet") or not source.has("model_a", "model_b"):
        return False
    return source.has("winner", "conversation_a", "conversation_b") or source.has("response_a", *COLUMNS)


def _refuse(source: Source) -> NoReturn:
    raise UserMistake(f"{source.path}: holds judged pairs, no scores: tellapart form --pairs {source.path}")


READER = Reader(TOOL, recognises, _refuse)
