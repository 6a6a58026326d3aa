"""What specimens of known truth say of the verdict: how often each word was right, by kind, and on what models.

No threshold of the verdict is fitted on specimens, so every kind is one that it has not seen. A word's probability is
capped by the number of kinds (not of seeds) on which it was right whenever it was said.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.runs.files import write_atomically
from tellapart.runs.folder import canonical
from tellapart.runs.provenance import provenance
from tellapart.stats.intervals import bootstrap_mean
from tellapart.stats.probabilities import reliability_table
from tellapart.studies.gain.calibrated import cap_of

CANNOT_TELL, NO_GAIN = "cannot tell", "no gain"
LABELS = ("acquired", "elicited", "mixed")


@dataclass(frozen=True)
class Case:
    """A specimen's verdict beside its truth; `raw` is the chance that the deciding bound lies where it must, before
    any cap (NaN where nothing was decided), and the model's architecture and number of parameters. `not_wrong` are the
    words that are right or not wrong of it (none given: the truth)."""

    name: str
    kind: str
    truth: str
    verdict: str
    raw: float
    architecture: str
    parameters: int
    not_wrong: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        return self.verdict in (self.not_wrong or (self.truth,))

    @property
    def decided(self) -> bool:
        return self.verdict != CANNOT_TELL


def caps(cases: Sequence[Case], without: str = "") -> dict[str, dict[str, float]]:
    """Return for each word its cap, and over how many kinds it was said and always right; `without` leaves one kind
    out."""
    said: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for case in cases:
        if case.decided and case.kind != without:
            said[case.verdict][case.kind].append(case.right)
    return {
        word: {
            "cap": cap_of(sum(all(rights) for rights in kinds.values()), len(kinds)),
            "kinds": float(len(kinds)),
            "always_right": float(sum(all(rights) for rights in kinds.values())),
        }
        for word, kinds in said.items()
    }


def figures(cases: Sequence[Case]) -> dict[str, Any]:
    """Return how often the words were right, each judged by caps that did not see its kind, as JSON."""
    decided = [case for case in cases if case.decided]
    stated = []
    for case in decided:
        cap = caps(cases, without=case.kind).get(case.verdict, {}).get("cap", 0.5)
        stated.append((cap if math.isnan(case.raw) else cap * case.raw, case.right))
    kinds: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        kinds[case.kind].append(case)
    wrong = {kind: sum(one.decided and not one.right for one in ones) for kind, ones in kinds.items()}
    worst = max(wrong, key=lambda kind: (wrong[kind] / len(kinds[kind]), kind), default="")
    brier = None
    if stated:
        brier = bootstrap_mean([(chance - right) ** 2 for chance, right in stated]).as_json()
    return {
        "n": len(cases),
        "kinds": len(kinds),
        "accuracy_decided": sum(case.right for case in decided) / len(decided) if decided else None,
        "cannot_tell_share": 1 - len(decided) / len(cases) if cases else None,
        "brier": brier,
        "reliability": _reliability(stated),
        "worst_kind": worst if worst and wrong[worst] else "",
        "by_kind": {
            kind: {
                "n": len(ones),
                "right": sum(one.decided and one.right for one in ones),
                "wrong": wrong[kind],
                "cannot tell": sum(not one.decided for one in ones),
            }
            for kind, ones in sorted(kinds.items())
        },
    }


def _reliability(stated: Sequence[tuple[float, bool]]) -> list[dict[str, Any]]:
    """Return how often words were right beside how sure they were stated to be."""
    if not stated:
        return []
    chances = [[1 - chance, chance] for chance, _ in stated]
    return [
        one._asdict() | {"accuracy": one.accuracy.as_json()}
        for one in reliability_table(chances, [int(right) for _, right in stated])
    ]


def store(path: Path, cases: Sequence[Case]) -> None:
    """Write the calibration: caps, domain, and where they come from."""
    found = figures(cases)
    sizes = [case.parameters for case in cases if case.parameters]
    told = {
        "version": 2,
        "words": caps(cases),
        "domain": {
            "architectures": sorted({case.architecture for case in cases if case.architecture}),
            "parameters": [min(sizes), max(sizes)],
        },
        "provenance": {
            "specimens": found["n"],
            "kinds": found["kinds"],
            "accuracy_decided": found["accuracy_decided"],
            "cannot_tell_share": found["cannot_tell_share"],
            "worst": found["worst_kind"] or "none was wrong",
            "by_kind": found["by_kind"],
            "made_by": provenance(),
        },
    }
    write_atomically(path, canonical(told))
