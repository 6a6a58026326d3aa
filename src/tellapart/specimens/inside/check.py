"""How often `inside` is right on the twins that ship: run it over pairs of them, then hold verdicts against the truth.

A twin is measured once for all pairs that ask for the same layer. The truth is opened here only, and only after every
verdict stands in its findings.json.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json
from tellapart.runs.progress import ticking
from tellapart.specimens.checking import Shares, print_shares, shares, tell
from tellapart.specimens.inside import names, read_name
from tellapart.specimens.inside.truth import read_truth
from tellapart.studies.inside.spec import InsideSpec

if TYPE_CHECKING:
    from tellapart.studies.inside.language import Known

FIRST = "shared"


class Judged(NamedTuple):
    """The verdict on `one` beside `other`, and the truth."""

    one: str
    other: str
    truth: str
    verdict: str


@dataclass(frozen=True)
class InsideOutcome:
    """How often verdicts were right, how many were given by truth and verdict, and every pair."""

    shares: Shares
    confusion: Mapping[str, Mapping[str, int]]
    judged: Sequence[Judged]

    def as_json(self) -> dict[str, Json]:
        """Return a JSON object."""
        return {
            **self.shares.as_json(),
            "confusion": self.confusion,
            "specimens": [one._asdict() for one in self.judged],
        }


def pairs() -> list[tuple[str, str]]:
    """Return the shipped pairs of one world that there is a truth about: every twin beside the shared one of its seed,
    every second the other way round, and two of a kind."""
    found, every = [], names()
    for at, name in enumerate(every):
        recipe = read_name(name)
        beside = f"{FIRST}-{recipe.world}-{recipe.seed}"
        if name != beside and beside in every:
            found.append((name, beside) if at % 2 else (beside, name))
        former = f"{name.rpartition('-')[0]}-{recipe.seed - 1}"
        if former in every:
            found.append((former, name))
    return found


def check_inside(chosen: Sequence[str], out: Path, seed: int, as_json: bool) -> int:
    """Run the check and print its outcome; returns the exit code (1 where a run failed). `chosen`: only pairs with one
    of these twins. Raises UserMistake for a name that does not ship."""
    for name in chosen:
        if name not in names():
            raise UserMistake(f"no specimen {name[:60]!r} of inside; there are: {', '.join(names())}")
    asked = [pair for pair in pairs() if not chosen or set(chosen) & {*pair}]
    known: Known = {}
    failures: dict[tuple[str, str], str] = {}
    with ticking("pairs", len(asked), as_json) as ticker:
        for pair in asked:
            if said := run_one(pair, out / "-beside-".join(pair), seed, known):
                failures[pair] = said
            ticker.tick()
    judged = [judge(pair, out / "-beside-".join(pair)) for pair in asked if pair not in failures]
    named = {" beside ".join(pair): said for pair, said in failures.items()}
    return tell(summary(judged), named, as_json, show)


def run_one(pair: tuple[str, str], out: Path, seed: int, known: "Known") -> str:
    """Compare two twins as `tellapart inside` does, on one thread, unless it is done; returns "" or what went wrong."""
    if (out / "findings.json").exists():
        return ""
    import torch

    from tellapart.studies.inside.language import open_language
    from tellapart.studies.inside.spec import STUDY
    from tellapart.studies.run import find

    torch.set_num_threads(1)
    networks, world = tuple(f"specimen:{name}" for name in pair), read_name(pair[0]).world
    spec = InsideSpec(networks, f"specimen:{world}", tuning=0, seed=seed)
    try:
        find(STUDY, spec, open_language(spec, quiet=True, known=known), out)
    except UserMistake as error:
        return str(error)
    return ""


def judge(pair: tuple[str, str], out: Path) -> Judged:
    """Return the verdict on the first of two twins, from a run folder, beside the truth."""
    findings = json.loads((out / "findings.json").read_text(encoding="utf-8"))["findings"]
    return Judged(*pair, read_truth(*pair), findings[0]["verdict"])


def summary(judged: Sequence[Judged]) -> InsideOutcome:
    """Return shares of right verdicts (of all, of the decided) and of "cannot tell", the confusion, and every pair."""
    confusion = {
        truth: dict(Counter(one.verdict for one in judged if one.truth == truth))
        for truth in sorted({one.truth for one in judged})
    }
    right = [one.verdict == one.truth for one in judged]
    return InsideOutcome(shares(right, [one.verdict for one in judged]), confusion, judged)


def show(result: InsideOutcome, console: Console) -> None:
    """Print every verdict beside its truth, the confusion table, and the shares."""
    table = Table("specimen", "beside", "truth", "verdict", box=SIMPLE, pad_edge=False, padding=0)
    for one in result.judged:
        wrong = "" if one.verdict == one.truth else " (!)"
        table.add_row(one.one, one.other, one.truth, one.verdict + wrong)
    console.print(table)
    for truth, counts in result.confusion.items():
        told = ", ".join(f"{label} {count}" for label, count in counts.items())
        console.print(f"truth {truth}: {told}", highlight=False)
    print_shares(result.shares, console)
