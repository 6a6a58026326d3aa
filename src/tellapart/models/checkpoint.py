"""Models on disk and on the hub: loading (safetensors and GGUF only, none of their code), and what is refused.

FOLDER | ID | ID@REVISION     a whole model in Hugging Face format (one file or shards)
FOLDER/x.gguf                 a GGUF file, its weights unpacked
ADAPTER | BASE+ADAPTER        a PEFT adapter on the base that it names, or on BASE (models/adapters.py)
"""

import json
import re
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from tellapart.errors import UserMistake
from tellapart.models.adapters import ADAPTER_CONFIG, Adapter, adapted, read_adapter

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "auto": "auto",
}
"""What `dtype` may be, as from_pretrained takes it; "auto" is the type that the checkpoint is stored in."""


NAMED = 3
"""Weights that a refusal names; the others are counted."""

ATTENTION = {"full_attention", "sliding_attention"}
"""Kinds of layers that the engine's key/value cache holds right."""


INDEX = "model.safetensors.index.json"
SHARD = re.compile(r"model(-\d+-of-\d+)?\.safetensors")
"""Files that hold a whole model's weights; what lies beside them (consolidated.safetensors) is not ours."""

_PLAIN: "weakref.WeakValueDictionary[tuple[object, ...], PreTrainedModel]" = weakref.WeakValueDictionary()
"""Plain models that are open: an adapter on one of them shares its weights."""


class Named(NamedTuple):
    """What a reference says: a folder or hub id, its revision, a GGUF file in it, and an adapter's reference."""

    model: str
    revision: str | None = None
    gguf: str | None = None
    adapter: str | None = None


class Checkpoint(NamedTuple):
    """A loaded model, its tokenizer, what a reader must know of it, and the plain model whose weights it shares."""

    module: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    notes: tuple[str, ...] = ()
    beneath: PreTrainedModel | None = None


def read_checkpoint(reference: str, device: str, dtype: str) -> Checkpoint:
    """Load a model from a folder, a file or the hub. Raises UserMistake, in one line, where that cannot be done."""
    if dtype not in DTYPES:
        raise UserMistake(f"dtype {dtype} asked: choose {', '.join(DTYPES)}")
    check_device(device)
    named = read_reference(reference)
    if named.adapter is None:
        return _read_plain(named, reference, (device, dtype))
    adapter = read_adapter(named.adapter)
    try:
        beneath = _read_plain(named, named.model, (device, dtype), shared=True)
    except UserMistake as mistake:
        raise UserMistake(
            f"{adapter.folder} is an adapter for {named.model}: {mistake}; give BASE+ADAPTER, or merge it into its base"
        ) from mistake
    module = adapted(beneath.module, adapter)
    tokenizer = tokenizer_with(adapter, beneath.tokenizer, module.config, named.model)
    return Checkpoint(module, tokenizer, beneath.notes, beneath.module)


def tokenizer_with(
    adapter: Adapter, tokenizer: PreTrainedTokenizerBase, config: PreTrainedConfig, base: str
) -> PreTrainedTokenizerBase:
    """Return the tokenizer that an adapter brings, else its base's. Raises UserMistake where it has more tokens than
    the adapted model."""
    if (adapter.folder / "tokenizer_config.json").is_file():
        with in_one_line(f"the tokenizer in {adapter.folder} cannot be loaded"):
            tokenizer = AutoTokenizer.from_pretrained(adapter.folder, trust_remote_code=False)
    size = config.get_text_config().vocab_size
    if len(tokenizer) > size:
        raise UserMistake(
            f"{adapter.folder}: its tokenizer has {len(tokenizer)} tokens, the base {base} {size}: merge the adapter "
            "into a whole model"
        )
    return tokenizer


def read_reference(reference: str) -> Named:
    """Return what a reference names. A folder or file of that very name comes first. Raises UserMistake where it names
    nothing that could be loaded."""
    path = Path(reference)
    if path.is_file() and path.suffix == ".gguf":
        return Named(str(path.parent), gguf=path.name)
    if path.exists():
        return _in_folder(path)
    for at in (place for place, letter in enumerate(reference) if letter == "+"):
        base, adapter = reference[:at], reference[at + 1 :]
        if base and adapter and (Path(adapter).is_dir() or "+" not in adapter):
            return _plain_reference(base)._replace(adapter=adapter)
    return _plain_reference(reference)


def _plain_reference(reference: str) -> Named:
    """Return the whole model that a reference without an adapter names."""
    path = Path(reference)
    if path.exists():
        named = read_reference(reference)
        if named.adapter is not None:
            raise UserMistake(f"{reference} is an adapter: the base of BASE+ADAPTER is a whole model")
        return named
    name, _, revision = reference.partition("@")
    if reference.startswith((".", "/", "~")) or name.count("/") > 1 or not name.strip():
        raise UserMistake(f"no model folder at {reference!r}: check the path")
    return Named(name, revision or None)


def _in_folder(path: Path) -> Named:
    """Return what a folder holds: a whole model, an adapter, or one GGUF file."""
    if not path.is_dir():
        raise UserMistake(
            f"{path} is a file: give the folder that holds config.json and *.safetensors, or a .gguf file"
        )
    whole, adapter = (path / "config.json").is_file(), (path / ADAPTER_CONFIG).is_file()
    weights = sorted(path.name for path in path.glob("*.safetensors") if SHARD.fullmatch(path.name))
    if adapter and weights:
        raise UserMistake(
            f"{path} holds an adapter ({ADAPTER_CONFIG}) and a whole model ({weights[0]}): move one to a folder "
            "of its own"
        )
    if adapter:
        base = read_adapter(str(path)).base
        if not base:
            raise UserMistake(f"{path} is an adapter that names no base: give BASE+{path}")
        try:
            return _plain_reference(base)._replace(adapter=str(path))
        except UserMistake as mistake:
            raise UserMistake(f"{path} is an adapter for {base}: {mistake}; or give BASE+{path}") from mistake
    packed = sorted(path.name for path in path.glob("*.gguf"))
    if len(packed) == 1 and not weights:
        return Named(str(path), gguf=packed[0])
    if not whole:
        several = f": it holds {', '.join(packed[:NAMED])}; give one of them" if packed else ""
        raise UserMistake(
            f"{path} holds no config.json{several or ': give a model folder in Hugging Face format'}"
        )
    if not (any(path.glob("*.safetensors")) or (path / INDEX).is_file()):
        raise UserMistake(f"{path} holds no *.safetensors (other formats can run code): convert it first")
    _check_files(path, weights)
    return Named(str(path))


def _check_files(folder: Path, weights: Sequence[str]) -> None:
    """Raise UserMistake where shards lie in the folder that are not loaded, or the index names what is not there."""
    index = folder / INDEX
    used = {"model.safetensors"}
    if "model.safetensors" not in weights and index.is_file():
        try:
            used = set(map(str, json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise UserMistake(
                f"{index} cannot be read ({type(error).__name__}): save the model again"
            ) from error
        outside = sorted(
            name for name in used if not (folder / name).resolve().is_relative_to(folder.resolve())
        )
        if outside:
            raise UserMistake(
                f"{index} names {outside[0]!r}, which lies outside the folder: save the model again"
            )
        absent = sorted(name for name in used if not (folder / name).is_file())
        if absent:
            raise UserMistake(
                f"{folder}: {_counted(absent, 'not there', 'shard')}: download or save it again"
            )
    left = [name for name in weights if name not in used]
    if left and used & set(weights):
        raise UserMistake(
            f"{folder}: {_counted(left, 'left over (not of the model that is loaded)', 'shard')}: delete them, or save "
            "the model to a folder of its own"
        )


def _read_plain(named: Named, reference: str, where: tuple[str, str], shared: bool = False) -> Checkpoint:
    """Load a whole model to a device and dtype; where it is wanted to share its weights (with an adapter) and is open
    already, that one is returned."""
    device, dtype = where
    key = (*files_of(named), device, dtype)
    folder = Path(named.model)
    options: dict[str, Any] = {"trust_remote_code": False, "revision": named.revision or "main"}
    if named.gguf:
        options["gguf_file"] = named.gguf
    if folder.is_dir():
        check_declared(folder)
    else:
        _check_hub(named)
    with in_one_line(f"{reference} cannot be loaded as a causal language model"), _silent():
        tokenizer = AutoTokenizer.from_pretrained(named.model, **options)
        open_already = _PLAIN.get(key) if shared else None
        if open_already is not None:
            return Checkpoint(open_already, tokenizer, _notes(named))
        if not named.gguf:
            options["use_safetensors"] = True
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            named.model,  # pyright: ignore[reportArgumentType]
            dtype=DTYPES[dtype],
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told by the report, with names
            **options,
        )
    # With output_loading_info it returns a pair, of which its signature knows nothing.
    module, report = loaded
    check_complete(report, reference)
    check_layers(module, reference)
    if named.gguf:
        _unpack(module)
    module.to(device)  # pyright: ignore[reportArgumentType]
    _PLAIN[key] = module
    return Checkpoint(module, tokenizer, _notes(named))


MOST_LAYERS, LARGEST_ID = 1_000, 2**24
"""What a config and a tokenizer may declare: beyond it the libraries build for hours, or abort the process."""


def check_declared(folder: Path) -> None:
    """Raise UserMistake where the files declare more layers or a larger token id than any model has."""
    config, table = _json_in(folder / "config.json"), _json_in(folder / "tokenizer.json")
    nested = (value for value in config.values() if isinstance(value, dict))
    for part in (config, *nested):
        layers = part.get("num_hidden_layers")
        if type(layers) is int and layers > MOST_LAYERS:
            raise UserMistake(
                f"{folder / 'config.json'}: {layers} layers, at most {MOST_LAYERS:,}: correct it"
            )
    model, added = table.get("model"), table.get("added_tokens")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    ids = list(vocabulary.values()) if isinstance(vocabulary, dict) else []
    ids += (
        [added_token.get("id") for added_token in added if isinstance(added_token, dict)]
        if isinstance(added, list)
        else []
    )
    if largest := max(
        (token_id for token_id in ids if type(token_id) is int and token_id > LARGEST_ID), default=0
    ):
        raise UserMistake(
            f"{folder / 'tokenizer.json'}: token id {largest}, at most {LARGEST_ID:,}: save the tokenizer again"
        )


def _json_in(path: Path) -> dict[str, Any]:
    """Return the object in a file; nothing where it is missing or none: whoever loads it says so."""
    try:
        fields = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _notes(named: Named) -> tuple[str, ...]:
    return (
        (f"{named.gguf}: its weights were unpacked as they are, rounded when the file was made.",)
        if named.gguf
        else ()
    )


def _unpack(module: PreTrainedModel) -> None:
    """Take away what says that the weights are packed: they were unpacked, and training refuses packed ones."""
    module.config.__dict__.pop("quantization_config", None)
    for name in ("is_quantized", "hf_quantizer", "quantization_method"):
        module.__dict__.pop(name, None)


def files_of(named: Named) -> tuple[object, ...]:
    """Return what the files of a model or adapter are known by while it is open: place, sizes and times of change."""
    folder = Path(named.model)
    if not folder.is_dir():
        return (named.model, named.revision)
    chosen = (
        [folder / named.gguf]
        if named.gguf
        else sorted((*folder.rglob("*.safetensors"), *folder.glob("*.json")))
    )
    seen = tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in chosen)
    return (str(folder.resolve()), seen)


@contextmanager
def in_one_line(what: str) -> Iterator[None]:
    """Raise what a bad folder makes the libraries raise, whatever it is, as one UserMistake."""
    try:
        yield
    except UserMistake:
        raise
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserMistake(f"{what}: {first}") from error


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
    described = [_counted(sorted(map(str, names)), fault) for names, fault in faults if names]
    if described:
        raise UserMistake(
            f"{reference}: {'; '.join(described)}: save the whole model again, or correct its config.json"
        )


def _counted(names: Sequence[str], fault: str, what: str = "weight") -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    many = f"1 {what} is" if len(names) == 1 else f"{len(names)} {what}s are"
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


def _check_hub(named: Named) -> None:
    """Raise UserMistake where the hub (or its cache here) does not give us the model."""
    name = named.model + (f"@{named.revision}" if named.revision else "")
    try:
        AutoConfig.from_pretrained(named.model, trust_remote_code=False, revision=named.revision or "main")
    except (OSError, ValueError) as error:
        raise UserMistake(
            f"{name} is neither a folder here nor a model the hub gave us: check the name and the network"
        ) from error


def longest_context(module: PreTrainedModel) -> int:
    """Return the most positions the model was made for; without a stated limit, a million."""
    return longest_of(module.config)


def longest_of(config: PreTrainedConfig) -> int:
    """Return the same from a config."""
    text = config.get_text_config()
    limit = text.max_position_embeddings if "max_position_embeddings" in text.to_dict() else None
    return limit or 1_000_000
