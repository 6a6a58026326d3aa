"""Which changes there are for a model as a whole, and which one is taken where none is asked for."""

from collections.abc import Mapping
from typing import Any

from tellapart.errors import UserMistake
from tellapart.jsonvalue import JsonObject
from tellapart.models.local import LocalModel
from tellapart.training.change import Change
from tellapart.training.full import FullWeights
from tellapart.training.lora import Lora
from tellapart.training.masked import Masked
from tellapart.training.svf import Svf
from tellapart.training.tiny_lora import TinyLora
from tellapart.training.vectors import LayerVectors

KINDS: dict[str, type[Change]] = {kind.name: kind for kind in (FullWeights, Lora)}
EVERY: dict[str, type[Change]] = {
    kind.name: kind for kind in (FullWeights, Lora, Svf, Masked, TinyLora, LayerVectors)
}
"""All that `remade` knows."""
FULL_BELOW = 20_000_000
"""Models with fewer parameters are trained whole: an adapter saves nothing there."""


def parameters_of(model: LocalModel) -> int:
    """Return the number of the model's parameters."""
    return sum(value.numel() for value in model.module.parameters())


def default_change(model: LocalModel) -> Change:
    """Return full weights for a small model, LoRA of rank 8 for others."""
    return FullWeights() if parameters_of(model) < FULL_BELOW else Lora()


def change_from(told: JsonObject) -> Change:
    """Return the change that `Change.as_json` told of. Raises UserMistake where it is none of KINDS."""
    fields = {name: value for name, value in told.items() if name != "kind"}
    kind = KINDS.get(str(told.get("kind")))
    try:
        if kind is not None:
            return kind(**fields)
    except TypeError:
        pass
    raise UserMistake(f"change {dict(told)!r} is unknown: known kinds are {', '.join(KINDS)}")


def remade(told: Mapping[str, Any]) -> Change:
    """Return the change of any kind that JSON holds of `Change.as_json`. Raises KeyError or TypeError where it is
    none."""
    fields = {name: tuple(one) if isinstance(one, list) else one for name, one in told.items()}
    return EVERY[str(fields.pop("kind"))](**fields)
