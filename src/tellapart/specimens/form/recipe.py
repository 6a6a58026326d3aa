"""The specimens of `form`, as data: FAMILY-TRAIT-SEED, such as "chain-uses-0". No torch here."""

from collections.abc import Mapping
from typing import NamedTuple

from tellapart.errors import UserMistake
from tellapart.specimens.form import (
    abstention,
    chain,
    choices,
    imitation,
    instructions,
    knowledge,
    rationale,
)
from tellapart.specimens.form.lesson import FormFamily
from tellapart.specimens.recipe import Shape

FAMILIES: Mapping[str, FormFamily] = {
    "rationale": rationale.FAMILY,
    "chain": chain.FAMILY,
    "instructions": instructions.FAMILY,
    "choices": choices.FAMILY,
    "knowledge": knowledge.FAMILY,
    "abstention": abstention.FAMILY,
    "imitation": imitation.FAMILY,
}
SEEDS = (0, 1)
SHAPE = Shape()
KNOWN_LEAST = 0.97
"""A model that gives the learned answer less often, where it follows from the prompt, is trained on."""


class FormSpecimen(NamedTuple):
    """A specimen's name taken apart."""

    family: str
    trait: str
    seed: int


def every_name() -> list[str]:
    """Return the names of all specimens of `form`, whether their weights are there or not."""
    return [
        f"{name}-{trait}-{seed}"
        for name, family in FAMILIES.items()
        for trait in family.lessons
        for seed in SEEDS
    ]


def read_name(name: str) -> FormSpecimen:
    """Return the parts of a name. Raises UserMistake where there is no such specimen."""
    if name not in every_name():
        kinds = ", ".join(f"{family}-{trait}" for family in FAMILIES for trait in FAMILIES[family].lessons)
        raise UserMistake(f"no specimen {name!r}: write FAMILY-TRAIT-SEED with {kinds}; a seed of 0, 1")
    family, trait, seed = name.split("-")
    return FormSpecimen(family, trait, int(seed))
