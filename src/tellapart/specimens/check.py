"""How often verdicts are right: run `gain` over the specimens, then hold the verdicts against the truth.

The truth is opened here only, and only after every verdict stands in its findings.json.
"""

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from tellapart.errors import NotApplicable, UserMistake
from tellapart.jsonvalue import Json
from tellapart.specimens import adversarial, names, read_name, real
from tellapart.specimens.build import reference_folder
from tellapart.specimens.calibration import CANNOT_TELL, Case, LeftOut, figures, store
from tellapart.specimens.checking import mean_or_none, run_each, run_study, tell
from tellapart.specimens.commands import Check
from tellapart.specimens.recipe import BASES
from tellapart.specimens.truth import read_truth


class Verdict(NamedTuple):
    """The verdict on one specimen beside its truth; `not_wrong` are the words that are right or not wrong (none given:
    the truth), `reason` and `reason_wanted` what stands beside the word and what should ("": any)."""

    name: str
    kind: str
    truth: str
    verdict: str
    probability: float
    not_wrong: tuple[str, ...] = ()
    reason: str = ""
    reason_wanted: str = ""

    @property
    def right(self) -> bool:
        """Return whether the word is right or not wrong."""
        return self.verdict in (self.not_wrong or (self.truth,))


@dataclass(frozen=True)
class GainOutcome:
    """Accuracy among the decided, share of "cannot tell" and Brier score of the stated probabilities (None: of
    nothing), how many were given by truth and verdict, every verdict, and how each kind fared when it was left out."""

    accuracy_decided: float | None
    cannot_tell_share: float | None
    brier: float | None
    confusion: Mapping[str, Mapping[str, int]]
    verdicts: Sequence[Verdict]
    left_out: LeftOut

    def as_json(self) -> dict[str, Json]:
        """Return a JSON object."""
        return {
            "accuracy_decided": self.accuracy_decided,
            "cannot_tell_share": self.cannot_tell_share,
            "brier": self.brier,
            "confusion": self.confusion,
            "specimens": [
                v._asdict()
                | {
                    "probability": _or_none(v.probability),
                    "not_wrong": list(v.not_wrong),
                    "right": v.right,
                }
                for v in self.verdicts
            ],
            "leave_one_kind_out": self.left_out.as_json(),
        }


def run_check(spec: Check) -> int:
    """Run the check and print its outcome; returns the exit code (1 where a run failed)."""
    known = {"old": names(), "new": adversarial.names(), "real": real.names()}
    chosen = spec.names or tuple(known.get(spec.set, known["old"] + known["new"]))
    unknown = sorted(set(chosen) - {name for every in known.values() for name in every})
    if unknown:
        raise UserMistake(f"no specimen {unknown[0]!r}; `tellapart specimens list` names them")
    out = Path(spec.out)
    more = () if spec.plan is None else ("--plan", spec.plan)
    more += ("--plant",) if spec.plant else ()
    lacking = real.lacking(chosen)
    if lacking.keys() >= set(chosen):
        raise NotApplicable(next(iter(lacking.values())))
    failures = lacking | run_each(
        [name for name in chosen if name not in lacking],
        lambda name: gain_on(name, out / name, spec.seed, *more, *_reference(spec, name)),
        spec.jobs,
        "specimens",
        spec.json,
    )
    verdicts = [_verdict(name, out / name) for name in chosen if name not in failures]
    cases = [_case(name, out / name) for name in chosen if name not in failures]
    result = summary(verdicts, figures(cases))
    if spec.calibrate:
        if len({case.kind for case in cases}) < 2:
            raise UserMistake("--calibrate needs two kinds or more: name more specimens")
        store(Path(spec.calibrate), cases)
    return tell(result, failures, spec.json, show)


def _reference(spec: Check, name: str) -> tuple[str, ...]:
    """Return the options that give `gain` the reference of a specimen's base; none where none was asked for."""
    if spec.references is None:
        return ()
    if adversarial.is_name(name) or real.is_name(name):
        raise UserMistake(f"--references: there is none for {name}; name specimens of --set old")
    one = read_name(name)
    folder = reference_folder(Path(spec.references), one.family, BASES[one.kind])
    if not folder.exists():
        raise UserMistake(f"{folder} is not there: `tellapart specimens build --references` writes it")
    return ("--reference", str(folder))


def gain_on(name: str, out: Path, seed: int, *more: str) -> str:
    """Run `tellapart gain` on a specimen unless it has run; returns "" or its last complaint."""
    if real.is_name(name):  # by folder, as a user would: one set of weights for both
        models = [real.reference_of(name, role) for role in real.ROLES]
    else:
        models = [f"specimen:{name}/base", f"specimen:{name}/tuned"]
    pair = [*models, "--task", f"specimen:{name}"]
    return run_study(["gain", *pair, "--seed", str(seed), *more], out)


def _verdict(name: str, out: Path) -> Verdict:
    finding = json.loads((out / "findings.json").read_text())["findings"][0]
    truth = read_truth(name)
    probability = finding["probability"]
    return Verdict(
        name,
        truth.kind,
        truth.verdict,
        finding["verdict"],
        float("nan") if probability is None else probability,
        truth.not_wrong,
        finding["tables"]["decision"]["reason"],
        truth.reason,
    )


def _case(name: str, out: Path) -> Case:
    """Return a specimen's verdict and its truth."""
    finding = json.loads((out / "findings.json").read_text())["findings"][0]
    facts = json.loads((out / "artifacts" / "facts.json").read_text())
    truth, raw = read_truth(name), finding["tables"]["decision"]["chance_of_bound"]
    model = facts["models"].get("base") or {}
    return Case(
        name,
        truth.kind,
        truth.verdict,
        finding["verdict"],
        math.nan if raw is None else raw,
        model.get("architecture", ""),
        model.get("parameters", 0),
        truth.not_wrong,
    )


def summary(verdicts: Sequence[Verdict], left_out: LeftOut) -> GainOutcome:
    """Return how often verdicts were right."""
    decided = [v for v in verdicts if v.verdict != CANNOT_TELL]
    confusion: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for v in verdicts:
        confusion[v.truth][v.verdict] += 1
    return GainOutcome(
        mean_or_none([v.right for v in decided]),
        mean_or_none([v.verdict == CANNOT_TELL for v in verdicts]),
        mean_or_none([(v.probability - v.right) ** 2 for v in decided if not math.isnan(v.probability)]),
        confusion,
        verdicts,
        left_out,
    )


def _or_none(probability: float) -> float | None:
    return None if math.isnan(probability) else probability


def show(result: GainOutcome, console: Console) -> None:
    """Print truth against verdict, what is not as it should be, and how each kind fared; caps that judge a kind have
    not seen it."""
    labels = ["elicited", "mixed", "acquired", "no gain", CANNOT_TELL]
    confusion = Table("truth \\ verdict", *labels, title="Specimens: truth against verdict")
    for truth, row in result.confusion.items():
        confusion.add_row(truth, *(str(row.get(label, 0)) for label in labels))
    console.print(confusion)
    for one in result.verdicts:
        said = one.reason == one.reason_wanted or not one.reason_wanted
        if one.verdict != one.truth or not said:
            wrong = "" if one.right or one.verdict == CANNOT_TELL else "WRONG "
            beside = f", {one.reason}" if one.reason else ""
            wanted = f", {one.reason_wanted}" if one.reason_wanted else ""
            console.print(
                f"  {wrong}{one.name}: {one.verdict}{beside} (probability {_or_none(one.probability)}), "
                f"truth {one.truth}{wanted}",
                markup=False,
            )
    if result.accuracy_decided is not None:
        brier = "" if result.brier is None else f", Brier {result.brier:.3f} where a probability was given"
        console.print(
            f"right among decided {result.accuracy_decided:.1%}, cannot tell {result.cannot_tell_share:.1%}{brier}"
        )
    table = Table("kind", "n", "right", "wrong", CANNOT_TELL)
    for kind, counts in result.left_out.by_kind.items():
        fared = (counts.n, counts.right, counts.wrong, counts.cannot_tell)
        table.add_row(kind, *(str(count) for count in fared))
    console.print(table)
