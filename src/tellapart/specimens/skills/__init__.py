"""A base with several latent skills: `skills-SEED`, and its tasks `skills-SEED/TASK` (problems.py says which).

    tellapart skills train specimen:skills-0 --task specimen:skills-0/digits --task specimen:skills-0/letters --out DIR

Weights are float16 safetensors beside the other specimens'. Opening a task does not import torch.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tellapart.errors import UserMistake
from tellapart.specimens.lacking import lacking_weights
from tellapart.specimens.skills.problems import DISPATCH, KINDS, MARKED, ONLY, make_task
from tellapart.tasks.item import Task

if TYPE_CHECKING:
    from tellapart.models.local import LocalModel

PREFIX = "skills-"
SEEDS = (0, 1, 2, 3, 4)
"""Seeds that ship."""
WEIGHTS = Path(__file__).parent.parent / "weights" / "skills"


def is_name(reference: str) -> bool:
    """Return whether a specimen's reference is meant for here."""
    return reference.startswith(PREFIX)


def names(folder: Path = WEIGHTS) -> list[str]:
    """Return the names of the bases whose weights are in `folder`."""
    return sorted(path.stem for path in folder.glob(f"{PREFIX}*.safetensors"))


def load_task(reference: str) -> Task:
    """Return the task `skills-SEED/TASK`. Raises UserMistake where there is none of that name."""
    name, _, asked = reference.partition("/")
    try:
        return make_task(name, asked, seed_of(name))
    except ValueError:
        raise UserMistake(
            f"no specimen task {reference!r}: write {PREFIX}SEED/TASK, TASK being {DISPATCH}, {MARKED}, "
            f"{ONLY}SKILL, or kinds of {', '.join(KINDS)} joined by +"
        ) from None


def load_model(
    name: str, device: str = "cpu", dtype: str = "float32", folder: Path = WEIGHTS
) -> "LocalModel":
    """Return the base `skills-SEED`. Raises UserMistake where its weights are not there."""
    from tellapart.specimens.store import load_specimen, opened

    path = folder / f"{PREFIX}{seed_of(name)}.safetensors"
    if not path.exists():
        raise lacking_weights(name)
    return opened(load_specimen(path), name, device, dtype)


def build(seed: int, folder: Path = WEIGHTS, effort: float = 1.0) -> Path:
    """Train the base of a seed (about 80 CPU-seconds) unless it is in `folder`; return its file.

    Raises RuntimeError where it does not pass its gates.
    """
    path = folder / f"{PREFIX}{seed}.safetensors"
    if not path.exists():
        from tellapart.specimens.skills.training import check_gates, train_base
        from tellapart.specimens.store import save_base, weights_of

        model = train_base(seed, effort)
        if effort >= 1:
            check_gates(model, seed)
        save_base(path, weights_of(model))
    return path


def seed_of(name: str) -> int:
    """Return the seed in a name. Raises UserMistake where there is none."""
    text = name.removeprefix(PREFIX)
    if not is_name(name) or not text.isdecimal():
        raise UserMistake(f"no specimen {name!r}: write {PREFIX}SEED, as in {PREFIX}0")
    return int(text)
