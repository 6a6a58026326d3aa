"""PEFT adapters, opened on one set of weights: the adapted model has its own layers where the adapter sits and shares
every tensor of the plain one.

    adapter = read_adapter("runs/sft/checkpoint-300")
    tuned = adapted(base.module, adapter)          # base.module stays as it is; both answer, hooks on one touch one

Nothing is merged and nothing is switched: two modules, one storage. What they have in memory beside one model is the
adapter. Answers are those of the merged model up to the order of additions.
"""

import copy
import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tellapart.errors import UserMistake

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
WANTED = ["adapter_*", "tokenizer*", "*.jinja", "special_tokens_map.json", "vocab*", "merges.txt"]
SHOWN = 3
NAME = "default"


class Adapter(NamedTuple):
    """An adapter on disk: its folder, the base that it names ("": none), and its config as it stands there."""

    folder: Path
    base: str
    config: dict[str, Any]


def read_adapter(reference: str) -> Adapter:
    """Return the adapter in a folder or on the hub (ID or ID@REVISION). Raises UserMistake where there is none, or one
    that is no change of weights."""
    folder = Path(reference)
    if not folder.is_dir():
        folder = _from_hub(reference)
    try:
        config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        kind, base = str(config["peft_type"]), str(config.get("base_model_name_or_path") or "")
    except FileNotFoundError:
        raise UserMistake(
            f"{reference} holds no {ADAPTER_CONFIG}: give the folder of a PEFT adapter"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserMistake(f"{folder / ADAPTER_CONFIG} cannot be read ({type(error).__name__})") from error
    if "PROMPT" in kind or kind in ("PREFIX_TUNING", "P_TUNING", "CARTRIDGE"):
        raise UserMistake(
            f"{reference} is an adapter of kind {kind}: only adapters that change weights are opened"
        )
    if not (folder / ADAPTER_WEIGHTS).is_file():
        packed = (
            " (adapter_model.bin can run code: save it as safetensors)"
            if (folder / "adapter_model.bin").exists()
            else ""
        )
        raise UserMistake(f"{reference} holds no {ADAPTER_WEIGHTS}{packed}")
    return Adapter(folder, base, config)


def _from_hub(reference: str) -> Path:
    name, _, revision = reference.partition("@")
    if reference.startswith((".", "/", "~")) or name.count("/") != 1:
        raise UserMistake(f"no adapter folder at {reference!r}: check the path")
    return hub_folder(name, revision or None, WANTED, "an adapter")


def hub_folder(name: str, revision: str | None, wanted: list[str], what: str) -> Path:
    """Return where the wanted files of a repository on the hub lie here, downloaded where they are not. Raises
    UserMistake where the hub does not give them."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=wanted))
    except (OSError, ValueError, HfHubHTTPError, HFValidationError) as error:
        at = f"@{revision}" if revision else ""
        raise UserMistake(
            f"{name}{at} is neither a folder here nor {what} the hub gave us: check the name and the network"
        ) from error


def adapted(plain: PreTrainedModel, adapter: Adapter) -> PreTrainedModel:
    """Return a model that is `plain` with the adapter on it, sharing every tensor that the adapter does not bring.

    Raises UserMistake where peft is not installed, or the adapter's weights are not those that its config asks of this
    model: missing, unexpected or of another shape, with their names.
    """
    try:
        from peft import PeftConfig, inject_adapter_in_model, set_peft_model_state_dict
        from peft.utils import get_peft_model_state_dict
    except ImportError:
        raise UserMistake("adapters need the peft package: pip install 'tellapart[train]'") from None
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    name = f"the adapter {adapter.folder}"
    flags = [(value, value.requires_grad) for value in plain.parameters()]
    module = sharing(plain)
    try:
        given = {
            name.removeprefix(PREFIX): value
            for name, value in load_file(adapter.folder / ADAPTER_WEIGHTS).items()
        }
        config = PeftConfig.from_pretrained(str(adapter.folder))
        with torch.random.fork_rng(devices=[]):
            inject_adapter_in_model(config, module, NAME)
        wanted = get_peft_model_state_dict(module, adapter_name=NAME, save_embedding_layers=False)
        wanted = {name.removeprefix(PREFIX): value for name, value in wanted.items()}
        brought = _own_embeddings(module, given, wanted)
        _check(given, wanted | brought, name)
        with torch.no_grad():
            set_peft_model_state_dict(module, given, adapter_name=NAME)
    except UserMistake:
        raise
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, RuntimeError, AttributeError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise UserMistake(f"{name} cannot be put on this model: {first}") from error
    finally:
        for value, flag in flags:
            value.requires_grad_(flag)
    return module.eval()


def sharing(plain: PreTrainedModel) -> PreTrainedModel:
    """Return a module of its own, with its own config, whose parameters and buffers are those of `plain`."""
    same = {id(value): value for value in (*plain.parameters(), *plain.buffers())}
    return copy.deepcopy(plain, same)


def _own_embeddings(
    module: PreTrainedModel, given: dict[str, Tensor], wanted: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Give the module embeddings of its own where the adapter brings whole ones (new tokens were trained), so that
    loading them leaves the plain model alone; return them by name."""
    brought = {}
    for part in (module.get_input_embeddings(), module.get_output_embeddings()):
        for name, holder in module.named_modules():
            if part is not holder or f"{name}.weight" not in given or f"{name}.weight" in wanted:
                continue
            weight = holder.get_parameter("weight")
            brought[f"{name}.weight"] = weight
            if weight.shape == given[f"{name}.weight"].shape:
                holder.weight = torch.nn.Parameter(weight.detach().clone(), requires_grad=False)
    return brought


def _check(given: dict[str, Tensor], wanted: dict[str, Tensor], name: str) -> None:
    """Raise UserMistake where the file and the adapter's config do not hold the same weights."""
    other = [
        f"{name} {tuple(given[name].shape)} for {tuple(wanted[name].shape)}"
        for name in sorted(given.keys() & wanted.keys())
        if given[name].shape != wanted[name].shape
    ]
    faults = (
        (sorted(wanted.keys() - given.keys()), "not in its file"),
        (sorted(given.keys() - wanted.keys()), "in its file and not for this model"),
        (other, "of another shape than this model asks for"),
    )
    said = []
    for names, fault in faults:
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            many = "1 weight is" if len(names) == 1 else f"{len(names)} weights are"
            said.append(f"{many} {fault}: {', '.join(names[:SHOWN])}{more}")
    if said:
        raise UserMistake(f"{name}: {'; '.join(said)}: give the base that it was trained on")
