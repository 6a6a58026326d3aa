"""How every study opens the models it is given: device, dtype, chat and system prompt as its spec says."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tellapart.errors import UserMistake, one_line
from tellapart.studies.options import ModelOptions

if TYPE_CHECKING:
    from tellapart.models.model import Model

CHAT_WORDS = ("chat template", "system prompt")
"""What marks a model's notes on how it was asked."""


def opened(spec: ModelOptions, reference: str) -> "Model":
    """Return the model that `reference` names. Raises UserMistake, in one line, where it cannot be opened so."""
    from tellapart.models.open import open_model

    chat = True if spec.chat else False if spec.no_chat else None
    return open_model(reference, spec.device, spec.dtype, chat, spec.max_rows, spec.system or "")


def identities(models: Mapping[str, "Model"]) -> dict[str, dict[str, str]]:
    """Return what answers under each role, part by part, as spec.json holds it to name the one that differs."""
    return {role: {**model.identity, "engine": model.engine} for role, model in models.items()}


def tell_chat(spec: ModelOptions, models: Sequence["Model"], quiet: bool) -> None:
    """Say on stderr how the models are asked, a line for each that has a chat template; `quiet` says nothing. Raises
    UserMistake where a system prompt was given that no model takes."""
    if spec.system and not any(model.chat for model in models):
        names = ", ".join(dict.fromkeys(model.reference for model in models))
        raise UserMistake(
            f"--system: {names} is not asked in a chat: leave it out, or give a model with a template"
        )
    if quiet:
        return
    for note in dict.fromkeys(note for model in models for note in model.notes):
        if any(word in note for word in CHAT_WORDS):
            print(one_line(note), file=sys.stderr, flush=True)
