"""Train twins of `inside`: `tellapart specimens build --study inside --out DIR`.

A finished twin has a JSON file of measured facts beside its weights and is not trained again. Trunks, which no specimen
is, go to DIR/trunks. Weights are float16; the facts are those of the stored weights.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import torch

from tellapart.specimens.inside import SHIPPED, read_name
from tellapart.specimens.inside.recipe import Recipe
from tellapart.specimens.inside.training import train_trunk, train_twin
from tellapart.specimens.store import Weights, load_base, save_base, weights_of, write_facts


def build_inside(out: Path, names: Sequence[str] = SHIPPED) -> Path:
    """Train what is missing in `out` and return it. RuntimeError where a twin misses its aim."""
    torch.set_num_threads(1)
    for name in names:
        build_twin(read_name(name), out)
    return out


def build_twin(recipe: Recipe, out: Path) -> Path:
    """Train a twin unless it is in `out`; return the file of its weights."""
    file = out / f"{recipe.name}.safetensors"
    if file.with_suffix(".json").exists():
        return file
    started = time.monotonic()
    twin, facts = train_twin(recipe, trunk_of(recipe, out))
    save_base(file, weights_of(twin.model))
    write_facts(file.with_suffix(".json"), {**facts, "seconds": round(time.monotonic() - started, 1)})
    told = " ".join(f"{name} {facts[name]:.4g}" for name in ("plain", "exchanged", "lesion_own", "rounds"))
    print(f"{recipe.name}: {time.monotonic() - started:.0f} s, {told}", flush=True)
    return file


def trunk_of(recipe: Recipe, out: Path) -> Weights:
    """Return the weights that a twin starts from, trained where they are missing."""
    file = out / "trunks" / f"{recipe.world}-{recipe.seed}.safetensors"
    if not file.exists():
        save_base(file, train_trunk(recipe.world, recipe.seed))
    return load_base(file)
