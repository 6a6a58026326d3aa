"""Small models with known ground truth: pairs of a base and a tuned model, and the task they differ on.

`names()` lists them (`adversarial.names()` those built against the verdict, `real.names()` those on real
models, `form.names()` those of the study form);
`load_task` and `load_model` open one;
`truth.read_truth` alone knows what is true of it.
Importing this package, and opening a task, does not import torch.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from tellapart.errors import UserMistake
from tellapart.specimens import adversarial, form, inside, real, skills
from tellapart.specimens.families import FAMILIES
from tellapart.specimens.lacking import lacking_weights
from tellapart.specimens.recipe import BASES, KINDS, SEEDS, STAGES
from tellapart.specimens.task import make_task
from tellapart.tasks.item import Task

if TYPE_CHECKING:
    from tellapart.models.local import LocalModel

WEIGHTS = Path(__file__).parent / "weights"
Role = Literal["base", "tuned"]
ROLES: tuple[Role, ...] = ("base", "tuned")


class Specimen(NamedTuple):
    """A specimen's name taken apart: KIND-FAMILY-SEED."""

    kind: str
    family: str
    seed: int


def names(folder: Path = WEIGHTS) -> list[str]:
    """Return the names of all specimens whose weights are in `folder`."""
    every = [f"{kind}-{family}-{seed}" for kind in KINDS for family in FAMILIES for seed in SEEDS]
    return [name for name in every if weights_file(folder, name, "tuned").exists()]


def load_task(name: str, split: Literal["report", "fit"] = "report") -> Task:
    """Return the task of a specimen: 160 items to report on, or 48 others to choose on (of `form`: 250 items);
    NAME/wide asks 280, of 140 programs, instead."""
    if real.is_name(name):  # first: some of its kinds are named as small ones are
        return real.load_task(name)
    if adversarial.is_name(name):
        return adversarial.load_task(name)
    if form.is_name(name):
        return form.load_task(name)
    if skills.is_name(name):
        return skills.load_task(name)
    plain = name.removesuffix("/wide")
    specimen = read_name(plain)
    short = STAGES[f"{specimen.kind}_tuned"].short == "always"
    return make_task(name, FAMILIES[specimen.family], specimen.seed, short, split, wide=name != plain)


def load_model(
    reference: str, device: str = "cpu", dtype: str = "float32", folder: Path = WEIGHTS
) -> "LocalModel":
    """Return the model NAME/base or NAME/tuned, or NAME of `form`. Raises UserMistake where there is none."""
    if real.is_name(reference):
        return real.load_model(reference, device, dtype)
    if adversarial.is_name(reference):
        return adversarial.load_model(reference, device, dtype)
    if form.is_name(reference):
        return form.load_model(reference, device, dtype)
    if skills.is_name(reference):
        return skills.load_model(reference, device, dtype)
    if inside.is_name(reference):
        return inside.load_model(reference, device, dtype)
    from tellapart.specimens.store import load_specimen, opened

    name, role = read_reference(reference)
    return opened(load_specimen(*weights_files(folder, name, role)), f"{name}/{role}", device, dtype)


def export(name: str, role: Role, out: Path | str, folder: Path = WEIGHTS) -> Path:
    """Write a model as an ordinary Hugging Face folder (config, float32 safetensors, tokenizer); return it."""
    from tellapart.specimens.store import load_specimen
    from tellapart.specimens.tokenizer import tokenizer

    name, role = read_reference(f"{name}/{role}")
    module = load_specimen(*weights_files(folder, name, role))
    module.save_pretrained(out)
    tokenizer().save_pretrained(out)
    return Path(out)


def build(
    out: Path | str,
    kinds: Sequence[str] = (),
    families: Sequence[str] = (),
    seeds: Sequence[int] = (),
    jobs: int = 2,
) -> Path:
    """Train the specimens anew into `out`, or what is missing of them there."""
    from tellapart.specimens.build import build_all

    return build_all(Path(out), kinds, families, seeds, jobs)


def read_name(name: str) -> Specimen:
    """Return the parts of a specimen's name. Raises UserMistake where there is no such specimen."""
    kind, _, rest = name.partition("-")
    family, _, seed = rest.partition("-")
    if kind not in KINDS or family not in FAMILIES or seed not in map(str, SEEDS):
        raise UserMistake(
            f"no specimen {name!r}: write KIND-FAMILY-SEED with a kind of {', '.join(KINDS)}; a family of "
            f"{', '.join(FAMILIES)}; a seed of {', '.join(map(str, SEEDS))}; or another that "
            "`tellapart specimens list` names"
        )
    return Specimen(kind, family, int(seed))


def read_reference(reference: str) -> tuple[str, Role]:
    """Return (name, role) of NAME/base or NAME/tuned. Raises UserMistake for anything else."""
    name, _, role = reference.partition("/")
    read_name(name)
    if role == "base" or role == "tuned":
        return name, role
    raise UserMistake(f"specimen {reference!r} names no model: write {name}/base or {name}/tuned")


def weights_file(folder: Path, name: str, role: Role) -> Path:
    """Return where a specimen's weights are; kinds that share a base share its file."""
    specimen = read_name(name)
    stage = BASES[specimen.kind] if role == "base" else f"{specimen.kind}_tuned"
    return folder / f"{specimen.family}-{specimen.seed}" / f"{stage}.safetensors"


def weights_files(folder: Path, name: str, role: Role) -> tuple[Path, ...]:
    """Return the files that make a model: its base, and the difference to it where it is tuned. Raises
    UserMistake where one is not there."""
    files = tuple(weights_file(folder, name, one) for one in ROLES[: ROLES.index(role) + 1])
    for file in files:
        if not file.exists():
            raise lacking_weights(name)
    return files
