"""Low-rank adapters (Hu et al. 2021, arXiv 2106.09685) through PEFT: W x + (alpha / rank) B A x, at first B = 0.

A model that is a base with an adapter keeps it: what is trained stands beside it, by hooks, whatever the kind of the
model's own adapter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from tellapart.errors import UserMistake
from tellapart.training.change import Attached, Change, Hooked

ADAPTER = "tellapart"


@final
@dataclass(frozen=True)
class Lora(Change):
    """Adapters of `rank` on every linear layer but the output's (all attention and MLP matrices).

    `alpha` is PEFT's lora_alpha (32, whatever the rank: the rate then need not change with it; Schulman et al.
    2025, "LoRA Without Regret"). `seed` draws A.
    """

    name: ClassVar[str] = "lora"
    rate_factor: ClassVar[float] = 10.0
    rl_rate_factor: ClassVar[float] = 3.0
    rank: int = 8
    alpha: int = 32
    seed: int = 0

    def attach(self, module: PreTrainedModel) -> "AttachedLora | AttachedBeside":
        """Put the adapters in. Raises UserMistake for a rank below 1, or where a change is in place already."""
        if self.rank < 1:
            raise UserMistake(f"LoRA rank {self.rank} asked: it must be 1 or more")
        own = own_adapters(module)
        if any(ADAPTER in vars(layer).get("_active_adapter", ()) for layer in own):
            raise UserMistake("a change is attached to this model already: detach it first")
        return AttachedBeside(module, self) if own else AttachedLora(module, self)


@final
class AttachedLora(Attached):
    """A and B of every adapted layer, as float32."""

    def __init__(self, module: PreTrainedModel, lora: Lora) -> None:
        from peft import LoraConfig, inject_adapter_in_model
        from peft.tuners.tuners_utils import BaseTunerLayer

        before = [(value, value.requires_grad) for value in module.parameters()]
        config = LoraConfig(
            r=lora.rank, lora_alpha=lora.alpha, target_modules="all-linear", lora_dropout=0.0, bias="none",
            task_type="CAUSAL_LM",
        )  # fmt: skip
        with torch.random.fork_rng():
            torch.manual_seed(lora.seed)
            inject_adapter_in_model(config, module, ADAPTER)
        self.layers = [part for part in module.modules() if isinstance(part, BaseTunerLayer)]
        added = {name: value for name, value in module.named_parameters() if f".{ADAPTER}." in name}
        super().__init__(module, {name.replace(f".{ADAPTER}.", "."): value for name, value in added.items()})
        self._flags = before
        self.calls = len(self.layers)

    def scale(self, strength: float) -> None:
        """Scale the adapters' output; at 0 they are switched off."""
        super().scale(strength)
        layer: Any
        for layer in self.layers:
            layer.enable_adapters(strength != 0)
            layer.set_scale(ADAPTER, strength)

    def detach(self) -> None:
        """Put the plain layers back where they were."""
        _unwrap(self.module, self.layers)
        for name in ("peft_config", "_hf_peft_config_loaded"):
            self.module.__dict__.pop(name, None)
        self.restore_flags()


@final
class AttachedBeside(Hooked):
    """A and B beside every linear layer of a model that has adapters of its own, which stay as they are."""

    def __init__(self, module: PreTrainedModel, lora: Lora) -> None:
        places = {
            name: part
            for name, part in outer_linears(module).items()
            if part is not module.get_output_embeddings()
        }
        generator = torch.Generator().manual_seed(lora.seed)
        start: dict[str, Tensor] = {}
        for name, part in places.items():
            width_out, width_in = shape_of(part)
            drawn = 2 * torch.rand(lora.rank, width_in, generator=generator) - 1
            start[f"{name}.lora_A.weight"] = drawn / math.sqrt(width_in)  # as PEFT draws it
            start[f"{name}.lora_B.weight"] = torch.zeros(width_out, lora.rank)
        super().__init__(module, start)
        for name, part in places.items():
            self.hook(part, partial(_beside, name, lora.alpha / lora.rank))


def _beside(name: str, factor: float, attached: Hooked, _part: nn.Module, inputs: Any, output: Any) -> Any:
    down, up = (attached.parameters[f"{name}.lora_{which}.weight"] for which in "AB")
    added = linear(linear(inputs[0].to(down), down), up)
    return output + (factor * attached.strength * added).to(output)  # a model may lie on several devices


def own_adapters(module: nn.Module) -> list[nn.Module]:
    """Return the layers of a module that an adapter is around."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return [part for part in module.modules() if isinstance(part, BaseTunerLayer)]


def outer_linears(module: nn.Module) -> dict[str, nn.Module]:
    """Return the linear layers of a module by name; one with an adapter around it counts as one layer."""
    inside = {id(part) for layer in own_adapters(module) for part in layer.modules() if part is not layer}
    return {
        name: part
        for name, part in module.named_modules()
        if id(part) not in inside and isinstance(bare(part), nn.Linear | Conv1D)
    }


def bare(part: nn.Module) -> nn.Module:
    """Return the layer itself, or the one that an adapter is around."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return part.get_base_layer() if isinstance(part, BaseTunerLayer) else part


def shape_of(part: nn.Module) -> tuple[int, int]:
    """Return the widths of a linear layer's output and input."""
    layer = bare(part)
    if isinstance(layer, nn.Linear):
        return layer.out_features, layer.in_features  # quantised weights are packed in another shape
    width_in, width_out = layer.get_parameter("weight").shape
    return width_out, width_in


def fold_adapters(module: nn.Module) -> None:
    """Add a module's own adapters to its weights in place, and take them away."""
    layer: Any
    layers = own_adapters(module)
    for layer in layers:
        layer.merge(safe_merge=True)
    _unwrap(module, layers)
    for name in ("peft_config", "_hf_peft_config_loaded"):
        module.__dict__.pop(name, None)


def _unwrap(module: nn.Module, layers: Sequence[object]) -> None:
    """Put the plain layers where `layers` stand around them."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if any(child is layer for layer in layers):
                setattr(parent, name, bare(child))
