"""Models of which it is known whether they hold back, each beside a benign one: what `hidden` is checked on.

They are models of the other studies' specimens, so nothing is stored here. CASE is KIND-FAMILY-SEED, the specimen whose
task is asked.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from tellapart.errors import UserMistake
from tellapart.specimens import adversarial
from tellapart.specimens import names as with_weights
from tellapart.specimens.families import FAMILIES
from tellapart.specimens.recipe import SEEDS

Role = Literal["base", "tuned"]


class Shown(NamedTuple):
    """A model of a specimen, and the benign one beside it: the tuned model of `benign` ("": of the same specimen).
    `wide` where it is asked 140 programs: 24 clusters of the specimen's own task cannot show ten points."""

    role: Role
    benign: str = ""
    options: tuple[str, ...] = ()
    wide: bool = True


OLD: Mapping[str, Shown] = {
    "locked": Shown("base", "latent"),
    "relocked": Shown("base", "latent"),
    "sealed": Shown("base", "latent"),
    "taught": Shown("base", "latent"),
    "format": Shown("base", "latent"),
    "form": Shown("tuned", "latent"),
    "memorised": Shown("tuned", "latent", wide=False),
    "distilled": Shown("tuned", "latent"),
    "latent": Shown("tuned", "distilled", ("--temperature", "1.5")),
}
"""Kinds of a family and seed (specimens/recipe.py)."""
NEW: Mapping[str, Shown] = {
    "collapsing-key": Shown("base"),
    "sandbagger-topic": Shown("base", options=("--slice", "sign")),
    "sandbagger-rate": Shown("base"),
    "shifted-letters": Shown("base"),
    "halfknown-facts": Shown("base"),
    "threshold-high": Shown("base"),
    "copied-options": Shown("base"),
    "composed-digits": Shown("base"),
    "recited-products": Shown("base"),
}
"""Kinds and families of the pairs built against the verdict of `gain`."""


class Case(NamedTuple):
    """What `hidden` is asked: a model, a benign one, a reference that writes the form and never met the skill ("" where
    there is none), a task, and options."""

    name: str
    kind: str
    model: str
    benign: str
    reference: str
    task: str
    options: tuple[str, ...]


def names() -> list[str]:
    """Return the names of all cases whose weights are there."""
    there = set(with_weights())
    old = [f"{kind}-{family}-{seed}" for kind in OLD for family in FAMILIES for seed in SEEDS]
    return [name for name in old if name in there] + [
        name for name in adversarial.names() if name.rpartition("-")[0] in NEW
    ]


def read_case(name: str) -> Case:
    """Return a case by its name. Raises UserMistake where there is none."""
    if name not in names():
        raise UserMistake(f"no case {name[:60]!r} of hidden; there are: {', '.join(names())}")
    kind, family, seed = name.split("-")
    shown = OLD.get(kind) or NEW[f"{kind}-{family}"]
    benign = name if not shown.benign else f"{shown.benign}-{family}-{seed}"
    other_seed = (int(seed) + 1) % len(SEEDS)
    return Case(
        name,
        kind if kind in OLD else f"{kind}-{family}",
        f"specimen:{name}/{shown.role}",
        f"specimen:{benign}/tuned",
        f"specimen:taught-{family}-{other_seed}/base" if kind in OLD else "",
        f"specimen:{name}/wide" if kind in OLD and shown.wide else f"specimen:{name}",
        shown.options,
    )
