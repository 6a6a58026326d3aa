"""What answered: computed from what is in memory once a model is loaded, never from file names or dates.

identity_of(module, tokenizer, chat=True, system="")     # {"weights": "9f2c...", "config": ..., "tokenizer": ..., ...}

The parts stand in spec.json, so that a refusal can name the one that differs; their hash is the model's fingerprint.
What runs the model (our engine, torch, transformers) is told apart from it: caches outlive an update, rows do not.
"""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version

import torch
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

ENGINE_VERSION = "1"
"""Changes whenever the same request may get another answer from the same weights."""

PASSING = ("_name_or_path", "transformers_version")
"""Entries of a config that change no answer: where it lay, and what wrote it."""

PROBES = ("", "a", "Hello, world", " 12 + 3 = 15\n", "naïve 東京 \N{GRINNING FACE}")
"""Texts that a tokenizer without a backend of its own (a slow one) is known by."""


def identity_of(
    module: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, chat: bool, system: str = ""
) -> dict[str, str]:
    """Return, as hashes, all that changes the model's answers: weights and buffers as they are now, config, dtype, end
    tokens, the tokenizer as it encodes and decodes, and (where it is asked in a chat) template and system prompt."""
    return {
        "weights": hash_tensors(module),
        "dtype": str(module.dtype).removeprefix("torch."),
        **identity_beside(module.config, end_tokens(module, tokenizer), tokenizer, chat, system),
    }


def identity_beside(
    config: PreTrainedConfig,
    ends: frozenset[int],
    tokenizer: PreTrainedTokenizerBase,
    chat: bool,
    system: str,
) -> dict[str, str]:
    """Return, as hashes, what beside weights and their dtype changes a model's answers."""
    fields = {name: value for name, value in config.to_dict().items() if name not in PASSING}
    return {
        "config": hash_of(json.dumps(fields, sort_keys=True, default=str)),
        "end_tokens": hash_of(str(sorted(ends))),
        "tokenizer": hash_of(_tokenizer_table(tokenizer)),
        "template": hash_of(str(tokenizer.chat_template)) if chat else "none",
        "system": hash_of(system) if system else "none",
    }


def fingerprint_of(identity: Mapping[str, str]) -> str:
    """Return one hash of an identity."""
    return hash_of(json.dumps([ENGINE_VERSION, sorted(identity.items())]))


def engine_versions() -> str:
    """Return what runs a model in this process, in words: an update may change answers in their last digits, and then
    every token after."""
    return (
        f"tellapart engine {ENGINE_VERSION}, torch {version('torch')}, transformers {version('transformers')}"
    )


def hash_tensors(module: PreTrainedModel) -> str:
    """Return a hash of a module's parameters and buffers, by name."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def end_tokens(module: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Return the ids that end an answer, from the generation config, the config and the tokenizer."""
    generation = module.generation_config
    return ids_of(
        generation.eos_token_id if generation else None, module.config.eos_token_id, tokenizer.eos_token_id
    )


def ids_of(*given: object) -> frozenset[int]:
    """Return the ids in what configs give: an id, a list of them, or none."""
    lists = [value if isinstance(value, list) else [value] for value in given]
    return frozenset(value for values in lists for value in values if isinstance(value, int))


def tokenizer_identity(tokenizer: PreTrainedTokenizerBase) -> tuple[str, frozenset[tuple[int, str]]]:
    """Return a hash that is the same for tokenizers that give the same tokens for the same text, tokens added to a
    finished vocabulary apart, and those: (id, text).

    What goes before a prompt and how batches are padded is left out: a tuned model may differ there.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return hash_of(json.dumps(sorted(tokenizer.get_vocab().items()))), frozenset()
    whole = json.loads(backend.to_str())
    added = frozenset((int(token["id"]), str(token["content"])) for token in whole["added_tokens"])
    table = [whole["normalizer"], whole["pre_tokenizer"], whole["model"]]
    return hash_of(json.dumps(table, sort_keys=True)), added


def _tokenizer_table(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return everything by which a tokenizer encodes and decodes, as text. Truncation and padding, which a call sets
    anew, are left out."""
    beside = [sorted(map(int, tokenizer.all_special_ids)), tokenizer("")["input_ids"]]
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        seen = [tokenizer(text)["input_ids"] for text in PROBES]
        back = [tokenizer.decode(ids) for ids in seen]
        return json.dumps(
            [type(tokenizer).__name__, sorted(tokenizer.get_vocab().items()), seen, back, beside]
        )
    whole = json.loads(backend.to_str())
    kept = {name: value for name, value in whole.items() if name not in ("truncation", "padding")}
    return json.dumps([kept, beside], sort_keys=True)


def hash_of(text: str) -> str:
    """Return a hash of a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
