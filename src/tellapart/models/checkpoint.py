"""Models on disk and on the hub: loading (safetensors only, none of their code), and what identifies them."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from tellapart.errors import UserMistake

ENGINE_VERSION = "1"
"""Changes whenever the same request may get another answer from the same weights."""

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


NAMED = 3
"""Weights that a refusal names; the others are counted."""

ATTENTION = {"full_attention", "sliding_attention"}
"""Kinds of layers that the engine's key/value cache holds right."""


class Checkpoint(NamedTuple):
    """A loaded model, its tokenizer, and a hash of the weights as they lie on disk (empty: not on disk)."""

    module: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    weights: str


def read_checkpoint(reference: str, device: str, dtype: str) -> Checkpoint:
    """Load a model from a folder or the hub. Raises UserMistake, in one line, where that cannot be done."""
    if dtype not in DTYPES:
        raise UserMistake(f"dtype {dtype} asked: choose {', '.join(DTYPES)}")
    check_device(device)
    folder = Path(reference)
    _check_reference(reference, folder)
    try:
        with _silent():
            tokenizer = AutoTokenizer.from_pretrained(reference, trust_remote_code=False)
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                reference,  # pyright: ignore[reportArgumentType]
                dtype=DTYPES[dtype],
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # told by the report, with names
            )
    except Exception as error:  # whatever a bad folder makes the libraries raise
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserMistake(f"{reference} cannot be loaded as a causal language model: {first}") from error
    # With output_loading_info it returns a pair, of which its signature knows nothing.
    module, report = loaded
    check_complete(report, reference)
    check_layers(module, reference)
    weights = hash_files(sorted(folder.glob("*.safetensors"))) if folder.is_dir() else ""
    module.to(device)  # pyright: ignore[reportArgumentType]
    return Checkpoint(module, tokenizer, weights)


@contextmanager
def _silent() -> Iterator[None]:
    """Keep transformers' progress bar and its table of weights off the terminal: what matters of it is raised."""
    bar, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def check_complete(report: Mapping[str, Any], reference: str) -> None:
    """Raise UserMistake where the files and the model do not hold the same weights: a model with layers drawn at random
    would be measured.

    `report` is transformers' loading info. What transformers knows to be harmless (tied embeddings, old rotary
    buffers, parts that an architecture drops) is not in it.
    """
    mismatched = [
        f"{name} {_shape(held)} for {_shape(wanted)}" for name, held, wanted in report["mismatched_keys"]
    ]
    faults = [
        (report["missing_keys"], "not in the file"),
        (mismatched, "of another shape than config.json says"),
        (report["unexpected_keys"], "in the file and not in the model"),
        (report["error_msgs"], "unreadable"),
    ]
    told = [_counted(sorted(map(str, names)), fault) for names, fault in faults if names]
    if told:
        raise UserMistake(
            f"{reference}: {'; '.join(told)}: save the whole model again, or correct its config.json"
        )


def _counted(names: Sequence[str], fault: str) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    many = "1 weight is" if len(names) == 1 else f"{len(names)} weights are"
    return f"{many} {fault}: {', '.join(names[:NAMED])}{more}"


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def check_device(device: str) -> None:
    """Raise UserMistake, in one line, where torch cannot use `device` here."""
    reason = ""
    if re.fullmatch(r"(cpu|cuda|mps|xpu)(:\d+)?", device):
        try:
            torch.empty(1, device=device)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = f" ({(str(error).strip() or type(error).__name__).splitlines()[0][:90]})"
        else:
            return
    raise UserMistake(
        f"device {device} cannot be used here{reason}: choose cpu, or cuda, cuda:1, mps where there is one"
    )


def check_layers(module: PreTrainedModel, reference: str) -> None:
    """Raise UserMistake where a model has layers that our engine cannot run: recurrent ones, chunked attention."""
    kinds = set(module.config.get_text_config().to_dict().get("layer_types") or [])
    odd = sorted(kinds - ATTENTION) or (["recurrent"] if module._is_stateful else [])
    if odd:
        raise UserMistake(
            f"{reference} has {odd[0]} layers, and the local engine runs full and sliding-window attention only: "
            "serve it and give openai:NAME@URL"
        )


def _check_reference(reference: str, folder: Path) -> None:
    if folder.is_file():
        raise UserMistake(f"{reference} is a file: give the folder that holds config.json and *.safetensors")
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise UserMistake(f"{reference} holds no config.json: give a model folder in Hugging Face format")
        if not any(folder.glob("*.safetensors")):
            raise UserMistake(
                f"{reference} holds no *.safetensors (other formats can run code): convert it first"
            )
        return
    if reference.startswith((".", "/", "~")) or reference.count("/") > 1 or not reference.strip():
        raise UserMistake(f"no model folder at {reference!r}: check the path")
    try:
        AutoConfig.from_pretrained(reference, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise UserMistake(
            f"{reference} is neither a folder here nor a model the hub gave us: check the name and the network"
        ) from error


def hash_files(files: Iterable[Path]) -> str:
    """Return a hash of these files' contents, in order."""
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "blake2b").digest())
    return digest.hexdigest()


def hash_tensors(module: PreTrainedModel) -> str:
    """Return a hash of a module's parameters and buffers, by name."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def fingerprint_of(
    module: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, chat: bool, weights: str = ""
) -> str:
    """Return a hash of all that changes the model's answers: config, weights, dtype, tokenizer, template, engine."""
    parts = (
        ENGINE_VERSION,
        module.config.to_json_string(use_diff=False),
        weights or hash_tensors(module),
        str(module.dtype),
        tokenizer_identity(tokenizer),
        str(tokenizer("")["input_ids"]),
        str(tokenizer.chat_template) if chat else "",
    )
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def tokenizer_identity(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return a hash that is the same for tokenizers that give the same tokens for the same text.

    What goes before a prompt and how batches are padded is left out: a tuned model may differ there.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        table = json.dumps(sorted(tokenizer.get_vocab().items()))
    else:
        whole = json.loads(backend.to_str())
        added = [(token["id"], token["content"]) for token in whole["added_tokens"]]
        table = json.dumps(
            [whole["normalizer"], whole["pre_tokenizer"], whole["model"], added], sort_keys=True
        )
    return hashlib.blake2b(table.encode(), digest_size=16).hexdigest()


def end_tokens(module: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Return the ids that end an answer, from the generation config, the config and the tokenizer."""
    generation = module.generation_config
    given = (
        generation.eos_token_id if generation else None,
        module.config.eos_token_id,
        tokenizer.eos_token_id,
    )
    lists = [value if isinstance(value, list) else [value] for value in given]
    return frozenset(value for values in lists for value in values if isinstance(value, int))


def longest_context(module: PreTrainedModel) -> int:
    """Return the most positions the model was made for; without a stated limit, a million."""
    config = module.config.get_text_config()
    limit = config.max_position_embeddings if "max_position_embeddings" in config.to_dict() else None
    return limit or 1_000_000
