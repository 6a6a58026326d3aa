"""The shape of a Llama: what of its config decides what it can hold, and the least one for a program.

The least shape's `rope_theta` is huge: all pairs of a head but the first then stand still, and what is compared there
does not depend on distance. Real shapes are taken as they are.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.errors import InvalidInput
from tellapart.rasp.layout import Layout

LAYOUTS = ("llama",)
STILL = 1e6
"""Of two neighbouring pairs of a least shape's head the second turns so many times slower."""
SLOWER = 32.0
"""The same where a head tells which token is the latest: a pair must turn by less than a quarter over the text."""


@dataclass(frozen=True)
class Shape:
    """`frequencies` are RoPE's, in radians a position, one for each pair of a head's coordinates, largest first."""

    layers: int
    heads: int
    kv_heads: int
    head_width: int
    width: int
    neurons: int
    vocab: int
    context: int
    tied: bool
    epsilon: float
    frequencies: tuple[float, ...]

    def __str__(self) -> str:
        heads = f"{self.heads} heads" + (
            f" ({self.kv_heads} for keys)" if self.kv_heads != self.heads else ""
        )
        return (
            f"{self.layers} layers, {heads} of {self.head_width}, width {self.width}, {self.neurons} neurons, "
            f"{self.vocab} tokens, context {self.context}"
        )


def read_config(path: str) -> dict[str, Any]:
    """Return a model's config: a config.json, or a folder that holds one. Raises InvalidInput, in one line."""
    file = Path(path) / "config.json" if Path(path).is_dir() else Path(path)
    try:
        value = json.loads(file.read_text())
    except OSError as error:
        raise InvalidInput(
            f"{path}: no config can be read ({error.strerror}); give a config.json or a model's folder"
        ) from None
    except ValueError as error:
        raise InvalidInput(f"{file}: not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidInput(f"{file}: holds no JSON object; give a model's config.json")
    return value


def shape_of(config: Mapping[str, Any]) -> Shape:
    """Return the shape that a config describes. Raises InvalidInput where it is no Llama, or has biases."""
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    kind = config.get("model_type")
    if kind not in LAYOUTS:
        raise InvalidInput(
            f"model_type {kind!r}: programs are compiled to {', '.join(LAYOUTS)}; give such a config"
        )
    try:
        whole = LlamaConfig(**config)
        rotary = LlamaRotaryEmbedding(whole)
    except Exception as error:  # whatever a bad config makes the library raise
        first = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
        raise InvalidInput(f"the config describes no Llama: {first}") from error
    if whole.attention_bias or whole.mlp_bias or whole.hidden_act != "silu":
        raise InvalidInput(
            "programs are compiled to layers without biases, with SiLU: this config has others"
        )
    turns = tuple(float(turn) for turn in rotary.inv_freq)
    width = whole.head_dim or whole.hidden_size // whole.num_attention_heads
    return Shape(
        whole.num_hidden_layers, whole.num_attention_heads,
        whole.num_key_value_heads or whole.num_attention_heads, width,
        whole.hidden_size, whole.intermediate_size, whole.vocab_size, whole.max_position_embeddings,
        bool(whole.tie_word_embeddings), float(whole.rms_norm_eps), turns,
    )  # fmt: skip


def least_config(layout: Layout) -> dict[str, Any]:
    """Return the config of the least shape that holds a program, neurons aside (`weights.fitted` counts them)."""
    heads = [head for layer in layout.layers for head, _ in layer.heads]
    values = max((len(ones) for layer in layout.layers for _, ones in layer.heads), default=1)
    pairs = max(2, *(len(head.dots) + 1 for head in heads), math.ceil(values / 2))
    still = STILL
    if any(head.relative == "latest" for head in heads):
        still, pairs = SLOWER, max(pairs, 6)
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": len(layout.symbols),
        "hidden_size": layout.width,
        "intermediate_size": 1,
        "num_hidden_layers": len(layout.layers),
        "num_attention_heads": max(1, layout.heads),
        "num_key_value_heads": max(1, layout.heads),
        "head_dim": 2 * pairs,
        "max_position_embeddings": layout.context,
        "rope_parameters": {"rope_type": "default", "rope_theta": still**pairs},
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": False,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "dtype": "float32",
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
