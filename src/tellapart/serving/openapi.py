"""The API's OpenAPI document, at /openapi.json: what a request may hold, within the bounds of asked.py."""

from collections.abc import Sequence
from typing import Any

from tellapart.serving.asked import (
    AUTO,
    MOST_CHOICES,
    MOST_PROMPTS,
    MOST_STOP_LETTERS,
    MOST_STOPS,
    MOST_TOP,
    ROLES,
)
from tellapart.version import __version__

Schema = dict[str, Any]
REFUSALS = {
    "400": "The request is malformed, or asks for what is not offered.",
    "401": "The server's token is missing or wrong.",
    "403": "Without a token only this machine is answered.",
    "404": "There is no such model or path.",
    "405": "The path has no such method.",
    "408": "No answer within the server's time.",
    "413": "The body is too large.",
    "429": "Too many answers are waiting.",
    "503": "The server is shutting down.",
}


def document(names: Sequence[str], most_tokens: int, size: int, shortest: int) -> Schema:
    """Return the document of a server of the models `names`, of answers up to `most_tokens`, of `size` token ids, whose
    prompts have `shortest` characters or more."""
    ids = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": size - 1}, "minItems": 1}
    text = {"type": "string", "minLength": shortest}
    prompt = {
        "anyOf": [
            text,
            ids,
            {"type": "array", "items": text, "minItems": 1, "maxItems": MOST_PROMPTS},
            {"type": "array", "items": ids, "minItems": 1, "maxItems": MOST_PROMPTS},
        ]
    }
    part = _object({"type": {"const": "text"}, "text": {"type": "string"}}, ["type", "text"])
    content = {"anyOf": [text, {"type": "array", "items": part}]}
    message = _object({"role": {"enum": list(ROLES)}, "content": content}, ["role", "content"])
    common = _common(names, most_tokens)
    completion = {**common, "prompt": prompt, "logprobs": _nullable(_whole(0, MOST_TOP))}
    texts = {"anyOf": [prompt["anyOf"][0], prompt["anyOf"][2]]}
    by_first_pass = {**completion, "model": {"const": AUTO}, "prompt": texts}
    by_name = {**completion, "model": {**common["model"], "not": {"const": AUTO}}}
    either = {"anyOf": [_object(fields, ["model", "prompt"]) for fields in (by_name, by_first_pass)]}
    chat = {
        **common,
        "messages": {"type": "array", "items": message, "minItems": 1},
        "logprobs": _nullable({"type": "boolean"}),
        "top_logprobs": _nullable(_whole(0, MOST_TOP)),
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "tellapart skills", "version": __version__},
        "paths": {
            "/v1/completions": _post("Complete a prompt.", either),
            "/v1/chat/completions": _post("Answer messages.", _object(chat, ["model", "messages"])),
            "/v1/models": _get("List the models.", "application/json"),
            "/v1/models/{name}": _get("Describe a model.", "application/json", "name"),
            "/health": _get("Say whether the engine works.", "application/json"),
            "/metrics": _get("Tell figures for Prometheus.", "text/plain"),
        },
    }


def _common(names: Sequence[str], most_tokens: int) -> Schema:
    stop = {"type": "string", "minLength": 1, "maxLength": MOST_STOP_LETTERS}
    return {
        "model": {"type": "string", "minLength": 1, "examples": [name for name in names if name != AUTO]},
        "max_tokens": _nullable(_whole(1, most_tokens)),
        "max_completion_tokens": _nullable(_whole(1, most_tokens)),
        "n": _nullable(_whole(1, MOST_CHOICES)),
        "seed": _nullable(_whole(-(2**63), 2**63 - 1)),
        "stop": _nullable({"anyOf": [stop, {"type": "array", "items": stop, "maxItems": MOST_STOPS}]}),
        "stream": _nullable({"type": "boolean"}),
        "temperature": _nullable({"type": "number", "minimum": 0, "maximum": 2}),
        "top_p": _nullable({"type": "number", "minimum": 1e-6, "maximum": 1}),
        "top_k": _nullable(_whole(0, 1 << 20)),
        "min_p": _nullable({"type": "number", "minimum": 0, "maximum": 0.999999}),
    }


def _whole(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(properties: Schema, required: Sequence[str]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


def _post(summary: str, body: Schema) -> Schema:
    answer = {
        "application/json": {"schema": {"type": "object"}},
        "text/event-stream": {},  # OpenAPI 3.1 has no schema of an event
    }
    given = {"required": True, "content": {"application/json": {"schema": body}}}
    return {"post": {"summary": summary, "requestBody": given, "responses": _responses(answer)}}


def _get(summary: str, kind: str, name: str = "") -> Schema:
    operation: Schema = {"summary": summary, "responses": _responses({kind: {"schema": {}}})}
    if name:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        ]
    return {"get": operation}


def _responses(answer: Schema) -> Schema:
    error = {"application/json": {"schema": _object({"error": {"type": "object"}}, ["error"])}}
    refusals = {
        status: {"description": description, "content": error} for status, description in REFUSALS.items()
    }
    return {"200": {"description": "The answer.", "content": answer}, **refusals}
