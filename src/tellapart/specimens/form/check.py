"""How often `form`'s verdicts are right: run it over its specimens, then hold verdicts and controls against the truth.

The truth is opened here only, and only after every verdict stands in its findings.json.
"""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json
from tellapart.specimens.checking import Shares, print_shares, run_each, run_study, shares, tell
from tellapart.specimens.form import names
from tellapart.specimens.form.recipe import FAMILIES, read_name
from tellapart.specimens.form.truth import FormTruth, judged_names, read_truth

CONTROLS_OF = {"abstention": "instructions"}
"""Whose arms are run for a family that has none of its own (default: its own)."""


class Judged(NamedTuple):
    """The verdict on one specimen beside its truth. `same`: the second valid form was shown to score the same. `falls`:
    the destroyed arm was shown to score lower; `must_fall`: by its truth it has to. `seconds` of the run."""

    name: str
    family: str
    truth: str
    verdict: str
    probability: float | None
    same: bool
    falls: bool
    must_fall: bool
    seconds: float | None


@dataclass(frozen=True)
class FamilyCounts:
    """Of a family's specimens, how many verdicts were right, in how many the negative control held, and the positive
    one where it had to."""

    specimens: int
    right: int
    negative_held: int
    positive_must_fall: int
    positive_fell: int


@dataclass(frozen=True)
class FormOutcome:
    """How often verdicts were right, the controls by family, and every verdict."""

    shares: Shares
    families: Mapping[str, FamilyCounts]
    judged: Sequence[Judged]

    def as_json(self) -> dict[str, Json]:
        """Return a JSON object."""
        return {
            **self.shares.as_json(),
            "families": {family: asdict(counts) for family, counts in self.families.items()},
            "specimens": [one._asdict() for one in self.judged],
        }


def check_form(chosen: Sequence[str], out: Path, jobs: int, seed: int, as_json: bool) -> int:
    """Run the check and print its outcome; returns the exit code (1 where a run failed)."""
    known = judged_names(names())
    for name in chosen:
        if name not in known:
            raise UserMistake(f"no specimen {name!r} of form to be judged; there are: {', '.join(known)}")
    asked = tuple(chosen) or tuple(known)
    failures = run_each(asked, lambda name: run_one(name, out / name, seed), jobs, "specimens", as_json)
    judged = [judge(name, out / name, read_truth(name)) for name in asked if name not in failures]
    return tell(summary(judged), failures, as_json, show)


def run_one(name: str, out: Path, seed: int) -> str:
    """Run `tellapart form` on a specimen unless it has run; returns "" or its last complaint."""
    family = read_name(name).family
    if family == "imitation":
        from tellapart.specimens.form.pairs import write_pairs

        pairs = out.with_name(f"{name}.jsonl")
        if not pairs.exists():
            write_pairs(name, pairs, seed)
        asked = ["--pairs", str(pairs)]
    else:
        asked = [f"specimen:{name}", "--task", f"specimen:{name}"]
        asked += ["--family", CONTROLS_OF.get(family, family)]
    before, started = (out / "findings.json").exists(), time.monotonic()
    said = run_study(["form", *asked, "--seed", str(seed)], out)
    if not said and not before:
        (out / "seconds").write_text(f"{time.monotonic() - started:.1f}\n")
    return said


def judge(name: str, out: Path, truth: FormTruth) -> Judged:
    """Return the verdict that stands in a run folder beside the truth."""
    family = read_name(name).family
    findings = json.loads((out / "findings.json").read_text(encoding="utf-8"))["findings"]
    finding = next(one for one in findings if one["question"] == question_of(family))
    same, falls = controls_of(finding["controls"])
    taken = out / "seconds"
    seconds = float(taken.read_text()) if taken.exists() else None
    verdict, probability = finding["verdict"], finding["probability"]
    must = truth.destroyed == "falls"
    return Judged(name, family, truth.verdict, verdict, probability, same, falls, must, seconds)


def question_of(family: str) -> str:
    """Return the question of a family's finding."""
    from tellapart.controls import FAMILIES as CONTROLLED
    from tellapart.studies.form import abstention, imitation

    own = {"abstention": abstention.QUESTION, "imitation": imitation.QUESTION}
    return own[family] if family in own else CONTROLLED[family].question


def controls_of(controls: Mapping[str, str]) -> tuple[bool, bool]:
    """Return whether the negative and the positive control of a finding held. Of judged pairs these are the order swap,
    which must not change the winner, and the constant answer, which must not win."""
    from tellapart.studies.form.verdict import FALLS, SAME

    held = {"same": False, "falls": False}
    for name, said in controls.items():
        if name.startswith("second valid form"):
            held["same"] = said.startswith(SAME)
        elif name.startswith("both destroyed"):
            held["falls"] = said.startswith(FALLS)
        elif name.startswith("judge: order swap"):
            held["same"] = "FLAGGED" not in said
        elif name.startswith("judge: constant answer"):
            held["falls"] = "FLAGGED" not in said
    return held["same"], held["falls"]


def summary(judged: Sequence[Judged]) -> FormOutcome:
    """Return the share of right verdicts (of all, of the decided), of "cannot tell", and the controls by family."""
    families = {}
    for family in (name for name in FAMILIES if any(one.family == name for one in judged)):
        own = [one for one in judged if one.family == family]
        must = [one for one in own if one.must_fall]
        families[family] = FamilyCounts(
            specimens=len(own),
            right=sum(one.verdict == one.truth for one in own),
            negative_held=sum(one.same for one in own),
            positive_must_fall=len(must),
            positive_fell=sum(one.falls for one in must),
        )
    right = [one.verdict == one.truth for one in judged]
    return FormOutcome(shares(right, [one.verdict for one in judged]), families, judged)


def show(result: FormOutcome, console: Console) -> None:
    """Print every verdict beside its truth, the controls by family, and the shares."""
    heads = ("specimen", "truth", "verdict", "p", "second form", "destroyed", "s")
    table = Table(*heads, box=SIMPLE, pad_edge=False, padding=0)
    for column in table.columns:
        column.no_wrap = True
    for one in result.judged:
        sure = one.probability
        table.add_row(
            one.name,
            one.truth,
            one.verdict if one.verdict == one.truth else f"{one.verdict} (!)",
            "" if sure is None or not math.isfinite(sure) else f"{sure:.2f}",
            "same" if one.same else "not shown (!)",
            ("falls" if one.falls else "stays") + ("" if one.falls == one.must_fall else " (!)"),
            "" if one.seconds is None else f"{one.seconds:.0f}",
        )
    console.print(table)
    for family, counts in result.families.items():
        console.print(
            f"{family}: right {counts.right} of {counts.specimens}; second valid form the same in "
            f"{counts.negative_held} of {counts.specimens}; destroyed falls in {counts.positive_fell} of "
            f"{counts.positive_must_fall} where it must",
            highlight=False,
        )
    print_shares(result.shares, console)
