"""Sparse autoencoders that others trained, in the format of sae-lens: a folder with cfg.json and
sae_weights.safetensors, or a release that the package fetches.

sae = open_sae("path/to/folder")
sae = open_sae("gemma-scope-2b-pt-res-canonical@layer_20/width_16k/canonical")     # needs sae-lens

Only autoencoders of the residual stream are read: standard (ReLU), topk and jumprelu.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tellapart.errors import UserMistake
from tellapart.interventions.sae import Sae, checked
from tellapart.jsonvalue import Json, JsonObject

CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"
PLACE = re.compile(r"(?:^|\.)blocks\.(\d+)\.hook_resid_(pre|post)$")


def open_sae(reference: str) -> Sae:
    """Return the autoencoder of a folder, or of `release@id` through sae-lens. Raises UserMistake, in one line, where
    there is none or it is of a kind that is not read."""
    folder = Path(reference)
    if folder.is_dir():
        return read_folder(folder)
    release, at, name = reference.partition("@")
    if not at or not release or not name:
        raise UserMistake(
            f"no folder at {reference!r}: give one with {CONFIG} and {WEIGHTS}, or RELEASE@ID of sae-lens"
        )
    return fetch(release, name)


def read_folder(folder: Path) -> Sae:
    """Return the autoencoder in a folder of sae-lens."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        tensors = load_file(folder / WEIGHTS)
    except (OSError, ValueError, RecursionError, SafetensorError) as error:
        raise UserMistake(f"{folder}: {CONFIG} or {WEIGHTS} is missing or damaged ({error})") from error
    if not isinstance(config, dict):
        raise UserMistake(f"{folder}/{CONFIG}: a JSON object is wanted")
    return sae_of(config, tensors, str(folder))


def fetch(release: str, name: str) -> Sae:
    """Return a published autoencoder through sae-lens."""
    try:
        from sae_lens import SAE  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserMistake(f"{release}@{name} needs sae-lens: pip install sae-lens") from error
    loaded = SAE.from_pretrained(release, name, device="cpu")
    sae = loaded[0] if isinstance(loaded, tuple) else loaded
    return sae_of(sae.cfg.to_dict(), sae.state_dict(), f"{release}@{name}")


def sae_of(config: JsonObject, tensors: Mapping[str, Tensor], where: str) -> Sae:
    """Return the autoencoder of a sae-lens configuration (any version) and its tensors."""
    missing = sorted({"W_enc", "W_dec", "b_enc", "b_dec"} - tensors.keys())
    if missing:
        raise UserMistake(
            f"{where}: {', '.join(missing)} is not there: it is no autoencoder that is read here"
        )
    weights = {name: value.detach().float() for name, value in tensors.items()}
    decoder, bias = weights["W_dec"], weights["b_dec"]
    encoder, encoder_bias = weights["W_enc"].T.contiguous(), weights["b_enc"]
    threshold, k = activation(config, weights, where)
    refuse_rescaling(config, where)
    if decoder.ndim != 2 or encoder.shape != decoder.shape:
        raise UserMistake(
            f"{where}: W_enc {tuple(encoder.T.shape)} and W_dec {tuple(decoder.shape)} do not fit"
        )
    if not read_field(config, "apply_b_dec_to_input", True):
        encoder_bias = encoder_bias + encoder @ bias
    return checked(Sae(encoder, encoder_bias, decoder, bias, threshold, layer_of(config, where), k), where)


def activation(config: JsonObject, weights: Mapping[str, Tensor], where: str) -> tuple[Tensor, int | None]:
    """Return the threshold [feature] and k of the configured activation."""
    kind = str(read_field(config, "architecture", "standard"))
    function = str(read_field(config, "activation_fn_str", read_field(config, "activation_fn", "relu")))
    none = torch.zeros_like(weights["b_enc"])
    if kind == "jumprelu" and "threshold" in weights:
        return weights["threshold"], None
    if kind == "topk" or (kind == "standard" and function == "topk"):
        options = read_field(config, "activation_fn_kwargs", {})
        k = read_field(config, "k", options.get("k") if isinstance(options, dict) else None)
        if isinstance(k, int) and k >= 1:
            return none, k
        raise UserMistake(f"{where}: topk without a k of 1 or more ({k!r})")
    if kind == "standard" and function == "relu":
        return none, None
    raise UserMistake(
        f"{where}: architecture {kind!r} ({function}): standard with relu, topk and jumprelu are read"
    )


def refuse_rescaling(config: JsonObject, where: str) -> None:
    """Raise UserMistake where states would have to be rescaled one by one, or features by decoder norms."""
    rescaled = read_field(config, "normalize_activations", "none")
    if rescaled not in ("none", "expected_average_only_in", None):
        raise UserMistake(
            f"{where}: normalize_activations {rescaled!r}: only none and expected_average_only_in are read"
        )
    if read_field(config, "rescale_acts_by_decoder_norm", False):
        raise UserMistake(
            f"{where}: rescale_acts_by_decoder_norm: fold the decoder norms in first (fold_W_dec_norm)"
        )


def layer_of(config: JsonObject, where: str) -> int:
    """Return the decoder layer after which the residual stream is read."""
    hook = str(read_field(config, "hook_name", read_field(config, "hook_point", "")))
    place = PLACE.search(hook)
    if place is None:
        raise UserMistake(
            f"{where}: hook {hook!r}: only residual streams (blocks.N.hook_resid_pre or _post) are read"
        )
    layer = int(place[1]) - (place[2] == "pre")
    if layer < 0:
        raise UserMistake(f"{where}: hook {hook!r} reads the embeddings: choose one after a layer")
    return layer


def read_field(config: JsonObject, name: str, default: Json) -> Json:
    """Return a field of the configuration, or of its `metadata`, where newer versions keep some."""
    if name in config:
        return config[name]
    inner = config.get("metadata")
    return inner.get(name, default) if isinstance(inner, dict) else default
