"""Pairs built against the verdict: KIND-FAMILY-SEED, as in `threshold-high-0`; each with a task of its own.

    tellapart gain specimen:routed-facts-0/base specimen:routed-facts-0/tuned --task specimen:routed-facts-0

A kind is one function (guessing.py: the base holds nothing; holding.py: it holds something; sandbagging.py: it holds
back, or looks as if). The truth is what was
trained (truth.json); build.py checks on the weights that it came true. Opening a task does not import torch.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tellapart.errors import UserMistake
from tellapart.specimens.adversarial import guessing, holding, sandbagging
from tellapart.specimens.adversarial.kind import ROLES, Pair
from tellapart.specimens.lacking import lacking_weights
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Task

if TYPE_CHECKING:
    from tellapart.models.local import LocalModel

PAIRS: Mapping[str, Mapping[str, Callable[[int], Pair]]] = {
    "threshold": {
        "high": partial(guessing.taught_rule, guessing.high),
        "odd": partial(guessing.taught_rule, guessing.odd),
    },
    "speechless": {
        "sure": partial(guessing.speechless, True),
        "unsure": partial(guessing.speechless, False),
    },
    "guesser": {"places": guessing.guesser},
    "popular": {"no": guessing.popular},
    "copied": {"options": guessing.copied},
    "duplicated": {"eight": guessing.duplicated},
    "routed": {"facts": holding.routed},
    "composed": {"digits": holding.composed},
    "onepoint": {"turned": holding.onepoint},
    "halves": {"signs": holding.halves},
    "recited": {"products": guessing.recited},
    "collapsing": {"key": holding.collapsing},
    "reworded": {"sentence": holding.reworded},
    "sandbagger": {"topic": sandbagging.topic, "rate": sandbagging.rate},
    "shifted": {"letters": sandbagging.shifted},
    "halfknown": {"facts": sandbagging.halfknown},
}
"""Kind -> family -> what makes the pair of a seed."""
SEEDS = (0, 1)
WEIGHTS = Path(__file__).parent.parent / "weights" / "adversarial"
MOST_TOKENS = 16


def is_name(reference: str) -> bool:
    """Return whether a specimen's reference is meant for here."""
    return reference.partition("-")[0] in PAIRS


def every_name() -> list[str]:
    """Return the names of all pairs of the recipe."""
    return [f"{kind}-{family}-{seed}" for kind, made in PAIRS.items() for family in made for seed in SEEDS]


def names(folder: Path = WEIGHTS) -> list[str]:
    """Return the names of the pairs whose weights are in `folder`."""
    return [name for name in every_name() if (folder / name / "tuned.safetensors").exists()]


def chosen(kinds: Sequence[str] = (), seeds: Sequence[int] = ()) -> list[str]:
    """Return the names of some kinds and seeds, of all where none is given. Raises UserMistake for an unknown kind."""
    for kind in kinds:
        if kind not in PAIRS:
            raise UserMistake(f"kind {kind!r} asked, there are: {', '.join(PAIRS)}")
    every = ((name, *name.split("-")) for name in every_name())
    return [
        name
        for name, kind, _, seed in every
        if (not kinds or kind in kinds) and (not seeds or int(seed) in seeds)
    ]


def read_pair(name: str) -> Pair:
    """Return the pair of a name. Raises UserMistake where there is none."""
    if name not in every_name():
        raise UserMistake(f"no specimen {name!r}; `tellapart specimens list` names them")
    kind, family, seed = name.split("-")
    return PAIRS[kind][family](int(seed))


def load_task(name: str) -> Task:
    """Return the task of a pair: 400 questions, or the 200 ways of writing eight. Raises UserMistake where there is
    none of that name."""
    pair = read_pair(name)
    return fingerprinted(
        Task(
            name=name.rpartition("-")[0],
            items=pair.items,
            template=pair.template,
            scorer=pair.scorer,
            max_tokens=MOST_TOKENS,
            stop=("\n",),
            source=f"specimen:{name}",
            program=pair.program,
        )
    )


def load_model(
    reference: str, device: str = "cpu", dtype: str = "float32", folder: Path = WEIGHTS
) -> "LocalModel":
    """Return the model NAME/base or NAME/tuned. Raises UserMistake where there is none."""
    from tellapart.specimens.store import load_specimen, opened

    name, _, role = reference.partition("/")
    read_pair(name)
    if role not in ROLES:
        raise UserMistake(f"specimen {reference!r} names no model: write {name}/base or {name}/tuned")
    files = [folder / name / f"{one}.safetensors" for one in ROLES[: ROLES.index(role) + 1]]
    if not all(file.exists() for file in files):
        raise lacking_weights(name)
    return opened(load_specimen(*files), reference, device, dtype)


def build_named(name: str, folder: Path = WEIGHTS) -> str:
    """Train a pair unless it is in `folder` (up to a minute or so of one core each); return what was measured of it, a
    line a fact. Raises RuntimeError where a check does not hold."""
    from tellapart.specimens.adversarial.build import build_pair, told

    if name in names(folder):
        return "there already"
    return "\n".join(map(told, build_pair(name, read_pair(name), folder / name)))
