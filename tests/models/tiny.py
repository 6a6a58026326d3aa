"""Tiny random models of many architectures, made from their configs, and a character tokenizer for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as tf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from tellapart.models.local import LocalModel

LETTERS = "abcdefghijklmnopqrstuvwxyz .,:!?0123456789"
END = len(LETTERS)
VOCAB = len(LETTERS) + 2

SHAPE: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "pad_token_id": END + 1,
    "bos_token_id": None,
    "eos_token_id": END,
    "tie_word_embeddings": False,
}
SLIDING = SHAPE | {"sliding_window": 6}

Make = Callable[[], tf.PretrainedConfig]
ARCHITECTURES: dict[str, Make] = {
    "llama": lambda: tf.LlamaConfig(**SHAPE),
    "qwen2": lambda: tf.Qwen2Config(**SHAPE),
    "qwen3": lambda: tf.Qwen3Config(**SHAPE, head_dim=8),
    "gemma2": lambda: tf.Gemma2Config(**SLIDING, head_dim=8, query_pre_attn_scalar=8),
    "gemma3": lambda: tf.Gemma3TextConfig(
        **SLIDING, head_dim=8, query_pre_attn_scalar=8, sliding_window_pattern=2
    ),
    "mistral": lambda: tf.MistralConfig(**SLIDING, head_dim=8),
    "phi": lambda: tf.PhiConfig(**SHAPE),
    "olmo2": lambda: tf.Olmo2Config(**SHAPE),
    "gpt2": lambda: tf.GPT2Config(
        vocab_size=VOCAB,
        n_embd=32,
        n_layer=3,
        n_head=4,
        n_positions=128,
        bos_token_id=None,
        eos_token_id=END,
        tie_word_embeddings=False,
    ),
    "gpt_neox": lambda: tf.GPTNeoXConfig(**{k: v for k, v in SHAPE.items() if k != "num_key_value_heads"}),
    "mixtral": lambda: tf.MixtralConfig(**SHAPE, num_local_experts=4, num_experts_per_tok=2),
}


def tokenizer() -> tf.PreTrainedTokenizerFast:
    """Return a tokenizer of single characters, without special tokens in front."""
    table = {letter: at for at, letter in enumerate(LETTERS)} | {"<end>": END, "<pad>": END + 1}
    made = Tokenizer(models.WordLevel(table, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made.decoder = decoders.Fuse()
    return tf.PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<end>", pad_token="<pad>")


def module_of(kind: str, seed: int = 0, config: tf.PretrainedConfig | None = None) -> tf.PreTrainedModel:
    """Return a random model (of `config` where one is given) whose logits are spread enough to make argmax and softmax
    interesting."""
    torch.manual_seed(seed)
    module = tf.AutoModelForCausalLM.from_config(config or ARCHITECTURES[kind]()).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() > 1:
                parameter.mul_(5)
    return module


def model_of(kind: str, seed: int = 0, max_rows: int | None = None) -> LocalModel:
    """Return a LocalModel around `module_of`."""
    return LocalModel(module_of(kind, seed), tokenizer(), f"tiny:{kind}", max_rows=max_rows)


def whole(path: Path, module=None, **options) -> Path:
    """Save a model and its tokenizer to a folder; return that."""
    (module or module_of("llama")).save_pretrained(path, **options)
    tokenizer().save_pretrained(path)
    return path


def filled(module, scale: float = 0.3):
    """Give every parameter of an adapter a value that shows."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, value in module.named_parameters():
            if "lora_" in name or "ia3" in name:
                value.copy_(torch.randn_like(value) * scale + ("ia3" in name))
    return module


def adapter_on(base: Path, module: tf.PreTrainedModel, path: Path) -> Path:
    """Save a LoRA adapter on `module`, which lies in `base`; beside it, in "merged", the whole model with it merged.
    Return its folder."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    made = filled(get_peft_model(module, config))
    made.peft_config["default"].base_model_name_or_path = str(base)
    made.save_pretrained(path)
    whole(path.parent / "merged", made.merge_and_unload())
    return path
