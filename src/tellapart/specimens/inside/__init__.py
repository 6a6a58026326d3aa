"""Twins of `inside`: small language models that do the same, whose inside is organised or fractured by construction.

    tellapart inside specimen:shared-sums-0 specimen:split-sums-0 --concepts specimen:sums

`names()` lists those that ship; recipe.py says how each was built, worlds.py what it is asked; `truth.read_truth` alone
knows what is true of two of them. Importing this package does not import torch.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tellapart.errors import UserMistake
from tellapart.specimens.inside.recipe import KINDS, SPARSES, Recipe
from tellapart.specimens.inside.worlds import WORLDS
from tellapart.specimens.lacking import lacking_weights

if TYPE_CHECKING:
    from tellapart.models.local import LocalModel

WEIGHTS = Path(__file__).parent / "weights"
SHIPPED = (
    "shared-sums-0", "shared-sums-1", "shared_pruned-sums-0", "split-sums-0", "split-sums-1", "readers-sums-0",
    "units-sums-0", "tangled-sums-0", "redundant-sums-0",
)  # fmt: skip
"""Twins that come with the package; `build` makes others."""


def names(folder: Path = WEIGHTS) -> list[str]:
    """Return the names of the twins whose weights are in `folder`."""
    return sorted(path.stem for path in folder.glob("*.safetensors") if is_name(path.stem))


def is_name(name: str) -> bool:
    """Return whether `name` is written like that of a twin (its weights may be missing)."""
    kind, _, rest = name.partition("-")
    world, _, seed = rest.partition("-")
    return kind.partition("_")[0] in KINDS and world in WORLDS and seed.isdecimal()


def read_name(name: str) -> Recipe:
    """Return the recipe of KIND[_l1|_pruned][_turned]-WORLD-SEED. Raises UserMistake where there is none."""
    if is_name(name):
        told, world, seed = name.split("-")
        kind = told.partition("_")[0]
        for sparse in SPARSES:
            for turned in (False, True):
                recipe = Recipe(next(one for one in KINDS if one == kind), world, int(seed), sparse, turned)
                if recipe.name == name:
                    return recipe
    raise UserMistake(
        f"no specimen {name[:60]!r}: write KIND[_l1|_pruned][_turned]-WORLD-SEED with a kind of {', '.join(KINDS)}; a "
        f"world of {', '.join(WORLDS)}"
    )


def load_model(
    name: str, device: str = "cpu", dtype: str = "float32", folder: Path = WEIGHTS
) -> "LocalModel":
    """Return the model. Raises UserMistake where there is no such specimen, or its weights are not in `folder`."""
    from tellapart.specimens.store import load_specimen, opened

    file = folder / f"{read_name(name).name}.safetensors"
    if not file.exists():
        raise lacking_weights(name)
    return opened(load_specimen(file), name, device, dtype)
