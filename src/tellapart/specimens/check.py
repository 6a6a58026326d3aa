"""How often verdicts are right: run `gain` over the specimens, then hold the verdicts against the truth.

The truth is opened here only, and only after every verdict stands in its findings.json.
"""

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from tellapart.errors import NotApplicable, UserMistake
from tellapart.specimens import adversarial, names, read_name, real
from tellapart.specimens.build import reference_folder
from tellapart.specimens.calibration import CANNOT_TELL, Case, figures, store
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
    found = figures(cases)
    result = summary(verdicts) | {"leave_one_kind_out": found}
    if spec.calibrate:
        if len({case.kind for case in cases}) < 2:
            raise UserMistake("--calibrate needs two kinds or more: name more specimens")
        store(Path(spec.calibrate), cases)

    def show(result: Mapping[str, Any], console: Console) -> None:
        _print(result, console)
        _print_kinds(found, console)

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


def _print_kinds(found: Mapping[str, Any], console: Console) -> None:
    """Print how each kind fared; caps that judge a kind have not seen it."""
    table = Table("kind", "n", "right", "wrong", CANNOT_TELL)
    for kind, one in found["by_kind"].items():
        table.add_row(kind, *(str(one[name]) for name in ("n", "right", "wrong", "cannot tell")))
    console.print(table)


def summary(verdicts: list[Verdict]) -> dict[str, Any]:
    """Return accuracy among decided, share of "cannot tell", Brier score of the stated probabilities, confusion."""
    decided = [v for v in verdicts if v.verdict != CANNOT_TELL]
    confusion: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for v in verdicts:
        confusion[v.truth][v.verdict] += 1
    return {
        "accuracy_decided": mean_or_none([v.right for v in decided]),
        "cannot_tell_share": mean_or_none([v.verdict == CANNOT_TELL for v in verdicts]),
        "brier": mean_or_none(
            [(v.probability - v.right) ** 2 for v in decided if not math.isnan(v.probability)]
        ),
        "confusion": {truth: dict(row) for truth, row in confusion.items()},
        "specimens": [
            v._asdict()
            | {
                "probability": None if math.isnan(v.probability) else v.probability,
                "not_wrong": list(v.not_wrong),
                "right": v.right,
            }
            for v in verdicts
        ],
    }


def _print(result: Mapping[str, Any], console: Console) -> None:
    labels = ["elicited", "mixed", "acquired", "no gain", CANNOT_TELL]
    confusion = Table("truth \\ verdict", *labels, title="Specimens: truth against verdict")
    for truth, row in result["confusion"].items():
        confusion.add_row(truth, *(str(row.get(label, 0)) for label in labels))
    console.print(confusion)
    for one in result["specimens"]:
        said = one["reason"] == one["reason_wanted"] or not one["reason_wanted"]
        if one["verdict"] != one["truth"] or not said:
            wrong = "" if one["right"] or one["verdict"] == CANNOT_TELL else "WRONG "
            beside = f", {one['reason']}" if one["reason"] else ""
            wanted = f", {one['reason_wanted']}" if one["reason_wanted"] else ""
            console.print(
                f"  {wrong}{one['name']}: {one['verdict']}{beside} (probability {one['probability']}), "
                f"truth {one['truth']}{wanted}",
                markup=False,
            )
    accuracy, cannot = result["accuracy_decided"], result["cannot_tell_share"]
    if accuracy is not None:
        brier = (
            "" if result["brier"] is None else f", Brier {result['brier']:.3f} where a probability was given"
        )
        console.print(f"right among decided {accuracy:.1%}, cannot tell {cannot:.1%}{brier}")
