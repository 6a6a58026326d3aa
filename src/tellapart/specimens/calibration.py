"""What specimens of known truth say of the verdict: how often each word was right, by kind, and on what models.

No threshold of the verdict is fitted on specimens, so every kind is one that it has not seen. A word's probability is
capped by the number of kinds (not of seeds) on which it was right whenever it was said.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tellapart.findings.typed import key, to_json
from tellapart.jsonvalue import Json
from tellapart.runs.files import write_atomically
from tellapart.runs.folder import canonical
from tellapart.runs.provenance import provenance
from tellapart.stats.estimate import Estimate
from tellapart.stats.intervals import bootstrap_mean
from tellapart.stats.probabilities import Bin, reliability_table
from tellapart.studies.gain.calibrated import WordCap, cap_of

CANNOT_TELL, NO_GAIN = "cannot tell", "no gain"
LABELS = ("acquired", "elicited", "mixed")


@dataclass(frozen=True)
class KindCounts:
    """How the words about one kind fared."""

    n: int
    right: int
    wrong: int
    cannot_tell: int = field(metadata=key(CANNOT_TELL))


@dataclass(frozen=True)
class LeftOut:
    """How often the words were right, each judged by caps that did not see its kind; `worst_kind` is "" where none was
    wrong."""

    n: int
    kinds: int
    accuracy_decided: float | None
    cannot_tell_share: float | None
    brier: Estimate | None
    reliability: tuple[Bin, ...]
    worst_kind: str
    by_kind: Mapping[str, KindCounts]

    def as_json(self) -> dict[str, Json]:
        """Return a JSON object."""
        bins = [one._asdict() | {"accuracy": one.accuracy.as_json()} for one in self.reliability]
        return {**to_json(self), "reliability": bins}


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


def caps(cases: Sequence[Case], without: str = "") -> dict[str, WordCap]:
    """Return for each word its cap, and over how many kinds it was said and always right; `without` leaves one kind
    out."""
    said: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for case in cases:
        if case.decided and case.kind != without:
            said[case.verdict][case.kind].append(case.right)
    return {
        word: WordCap(cap_of(right, len(kinds)), float(len(kinds)), float(right))
        for word, kinds in said.items()
        for right in [sum(all(rights) for rights in kinds.values())]
    }


def figures(cases: Sequence[Case]) -> LeftOut:
    """Return how often the words were right, each judged by caps that did not see its kind."""
    decided = [case for case in cases if case.decided]
    stated = []
    for case in decided:
        word = caps(cases, without=case.kind).get(case.verdict)
        cap = 0.5 if word is None else word.cap
        stated.append((cap if math.isnan(case.raw) else cap * case.raw, case.right))
    kinds: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        kinds[case.kind].append(case)
    wrong = {kind: sum(one.decided and not one.right for one in ones) for kind, ones in kinds.items()}
    worst = max(wrong, key=lambda kind: (wrong[kind] / len(kinds[kind]), kind), default="")
    return LeftOut(
        n=len(cases),
        kinds=len(kinds),
        accuracy_decided=sum(case.right for case in decided) / len(decided) if decided else None,
        cannot_tell_share=1 - len(decided) / len(cases) if cases else None,
        brier=bootstrap_mean([(chance - right) ** 2 for chance, right in stated]) if stated else None,
        reliability=_reliability(stated),
        worst_kind=worst if worst and wrong[worst] else "",
        by_kind={
            kind: KindCounts(
                len(ones),
                sum(one.decided and one.right for one in ones),
                wrong[kind],
                sum(not one.decided for one in ones),
            )
            for kind, ones in sorted(kinds.items())
        },
    )


def _reliability(stated: Sequence[tuple[float, bool]]) -> tuple[Bin, ...]:
    """Return how often words were right beside how sure they were stated to be."""
    if not stated:
        return ()
    chances = [[1 - chance, chance] for chance, _ in stated]
    return reliability_table(chances, [int(right) for _, right in stated])


def store(path: Path, cases: Sequence[Case]) -> None:
    """Write the calibration: caps, domain, and where they come from."""
    found = figures(cases)
    sizes = [case.parameters for case in cases if case.parameters]
    told = {
        "version": 2,
        "words": to_json(caps(cases)),
        "domain": {
            "architectures": sorted({case.architecture for case in cases if case.architecture}),
            "parameters": [min(sizes), max(sizes)],
        },
        "provenance": {
            "specimens": found.n,
            "kinds": found.kinds,
            "accuracy_decided": found.accuracy_decided,
            "cannot_tell_share": found.cannot_tell_share,
            "worst": found.worst_kind or "none was wrong",
            "by_kind": to_json(found.by_kind),
            "made_by": provenance(),
        },
    }
    write_atomically(path, canonical(told))
