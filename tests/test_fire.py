"""Fuzzed inputs that once ended in a traceback: those of the corpus, and those of ../shared/cases/fire/fuzz."""

import random
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fuzz.mutate import mutated  # noqa: E402
from fuzz.run import seeds  # noqa: E402
from fuzz.targets import TARGETS  # noqa: E402

HERE_AND_NOW = 40
"""Neighbours of the corpus that are tried with every run of the tests, a target."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_and_some_neighbours_end_well_or_in_one_line(name: str) -> None:
    rng = random.Random(name)
    corpus = seeds(name)
    for data in corpus:
        TARGETS[name](data)
    for _ in range(HERE_AND_NOW):
        TARGETS[name](mutated(rng.choice(corpus), rng))


def test_mutation_is_reproducible_and_changes_something() -> None:
    corpus = seeds("logs")
    one, other = ([mutated(data, random.Random(3)) for data in corpus] for _ in range(2))
    assert one == other
    assert sum(a == b for a, b in zip(one, corpus, strict=True)) < len(corpus) / 2


def test_what_others_found(shared: Path) -> None:
    folder = shared / "cases" / "fire" / "fuzz"
    if not folder.is_dir():
        pytest.skip("../shared/cases/fire/fuzz is missing")
    tried = 0
    for path in sorted((folder / "logs").iterdir()):
        TARGETS["logs"](f"a{path.suffix}\n".encode() + path.read_bytes())
        tried += 1
    for path in sorted((folder / "misc").iterdir()):
        if (path / "findings.json").is_file():
            TARGETS["report"]((path / "findings.json").read_bytes())
        elif "runs_row" in path.name:
            TARGETS["rows"](path.read_bytes())
        elif "endpoint" in path.name:
            TARGETS["answers"](path.read_bytes())
        elif "serving" in path.name:
            TARGETS["requests"](path.read_bytes())
        elif "scale" in path.name:
            TARGETS["scale"](path.read_bytes())
        elif "guard" in path.name:
            TARGETS["guard"](b"p.jsonl\n" + path.read_bytes())
        elif (path / "cfg.json").is_file():
            parts = [(path / name).read_bytes() for name in ("cfg.json", "sae_weights.safetensors")]
            TARGETS["sae"](b"\x00".join(parts))
        else:
            raise AssertionError(f"no target for {path.name}")
        tried += 1
    assert tried == 23
