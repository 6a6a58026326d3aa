"""Specimens of `form`: small models of which it is known whether they use the substance or only the form.

`names()` lists them; `load_task` and `load_model` open one; `truth.read_truth` alone knows what is true of it.
Importing this package does not import torch.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tellapart.specimens.form.recipe import FAMILIES, every_name, read_name
from tellapart.specimens.lacking import lacking_weights
from tellapart.tasks.item import Task

if TYPE_CHECKING:
    from tellapart.models.local import LocalModel

WEIGHTS = Path(__file__).parent / "weights"


def names(folder: Path = WEIGHTS) -> list[str]:
    """Return the names of the specimens whose weights are in `folder`."""
    return [name for name in every_name() if weights_file(folder, name).exists()]


def is_name(name: str) -> bool:
    """Return whether `name` is that of a specimen of `form` (its weights may be missing)."""
    return name in every_name()


def weights_file(folder: Path, name: str) -> Path:
    """Return where the weights of a specimen are."""
    return folder / f"{name}.safetensors"


def load_task(name: str) -> Task:
    """Return the task of a specimen, the same for all models of its family and seed. Raises UserMistake for no such."""
    specimen = read_name(name)
    return FAMILIES[specimen.family].task(name, specimen.seed)


def load_model(
    name: str, device: str = "cpu", dtype: str = "float32", folder: Path = WEIGHTS
) -> "LocalModel":
    """Return the model. Raises UserMistake where there is no such specimen."""
    from tellapart.specimens.form.build import read_weights
    from tellapart.specimens.store import model_of, opened

    read_name(name)
    file = weights_file(folder, name)
    if not file.exists():
        raise lacking_weights(name)
    return opened(model_of(read_weights(file)), name, device, dtype)
