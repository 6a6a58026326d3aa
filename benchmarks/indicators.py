"""How often each single indicator of the literature is fooled, kind of specimen by kind.

    python benchmarks/indicators.py --out build/indicators [--names latent-register-0 ...] [--jobs 2]

Every indicator is turned into a verdict the way its authors use it: elicited where it is at or above a threshold,
else acquired. Thresholds are the authors' own (0 for the crossing of pass@k, half of the gain for what unlocks it), or,
for figures without one (perplexity, concentration), the best on the other kinds. Specimens without a gain are left out:
none of the indicators speaks of them. "fooled" counts verdicts that are wrong; for a mixed truth neither is right or
wrong, and the table tells what is said.
"""

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tellapart.specimens import names
from tellapart.specimens.check import gain_on
from tellapart.specimens.truth import read_truth

ASKED = ("--elicitors", "few_shot", "few_shot_steps", "routing", "--samples", "32", "--description-length")


@dataclass(frozen=True)
class Indicator:
    """`feature` of a run's evidence; `threshold` None is fitted on the other kinds; `sign` -1: small is elicited."""

    name: str
    feature: str
    threshold: float | None
    sign: int = 1


INDICATORS = (
    Indicator("pass@k crossing", "pass_crossing", 0.0),
    Indicator("perplexity under the base", "bits_a_token", None, -1),
    Indicator("few-shot unlock", "few_shot", 0.5),
    Indicator("routing, 20 % of tokens", "routing", 0.5),
    Indicator("concentration of the divergence", "concentration", None),
    Indicator("EDL signature", "edl", 0.5),
    Indicator("EDL signature, where learned", "edl_learned", 0.5),
    Indicator("content share", "content", 0.5),
)


@dataclass(frozen=True)
class Case:
    """A specimen with a gain: its kind, its truth and its evidence."""

    name: str
    kind: str
    truth: str
    features: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("build/indicators"))
    parser.add_argument("--names", nargs="*", default=None)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    chosen = given.names or names()
    with ThreadPoolExecutor(given.jobs) as pool:
        said = list(pool.map(lambda name: run(name, given.out / name), chosen))
    for name, complaint in zip(chosen, said, strict=True):
        if complaint:
            print(f"{name}: {complaint}")
    cases = [case for name in chosen if (case := read(name, given.out / name)) is not None]
    print(table(cases))


def run(name: str, out: Path) -> str:
    """Run `gain` unless it is there already; return "" or the complaint."""
    return gain_on(name, out, 0, *ASKED)


def read(name: str, out: Path) -> Case | None:
    """Return the specimen's evidence; None where it has no gain or no run."""
    path = out / "findings.json"
    if not path.exists():
        return None
    finding = json.loads(path.read_text())["findings"][0]
    truth = read_truth(name)
    if truth.verdict == "no gain":
        return None
    found = {key: np.nan if value is None else value for key, value in finding["tables"]["features"].items()}
    for line in finding["tables"].get("description_length", [])[:1]:
        found["edl"] = {"elicitation": 1.0, "teaching": 0.0}.get(line["signature"], np.nan)
        found["edl_learned"] = found["edl"] if line["learned at the largest size"] == "yes" else 0.0
    return Case(name, truth.kind, truth.verdict, found)


def says(indicator: Indicator, case: Case, cases: list[Case]) -> str:
    """Return what the indicator says of the case: elicited, acquired, or "-" where it says nothing."""
    value = indicator.sign * case.features.get(indicator.feature, np.nan)
    threshold = indicator.threshold
    if threshold is None:
        threshold = fitted(indicator, [one for one in cases if one.kind != case.kind])
    return "-" if np.isnan(value) or np.isnan(threshold) else "elicited" if value >= threshold else "acquired"


def fitted(indicator: Indicator, cases: list[Case]) -> float:
    """Return the threshold with the fewest errors between elicited and acquired, in the middle of its gap."""
    known = [case for case in cases if case.truth in ("elicited", "acquired")]
    values = np.array([indicator.sign * case.features.get(indicator.feature, np.nan) for case in known])
    truth = np.array([case.truth == "elicited" for case in known])[~np.isnan(values)]
    values = np.sort(values[~np.isnan(values)]), values[~np.isnan(values)]
    if not len(values[0]):
        return np.nan
    edges = [values[0][0] - 1, *((values[0][:-1] + values[0][1:]) / 2), values[0][-1] + 1]
    errors = [int(((values[1] >= edge) != truth).sum()) for edge in edges]
    best = [edge for edge, count in zip(edges, errors, strict=True) if count == min(errors)]
    return float(best[len(best) // 2])


def table(cases: list[Case]) -> str:
    """Return the table in Markdown: fooled of told by kind, and over all with a known truth."""
    head = ["kind", "truth", "n", *(one.name for one in INDICATORS)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    totals = {one.name: [0, 0] for one in INDICATORS}
    for kind in dict.fromkeys(case.kind for case in cases):
        own = [case for case in cases if case.kind == kind]
        cells = [kind, own[0].truth, str(len(own))]
        for indicator in INDICATORS:
            told = [says(indicator, case, cases) for case in own]
            spoken = [one for one in told if one != "-"]
            if own[0].truth == "mixed":
                cells.append(f"{spoken.count('elicited')} elicited, {spoken.count('acquired')} acquired")
                continue
            wrong = sum(one != own[0].truth for one in spoken)
            totals[indicator.name][0] += wrong
            totals[indicator.name][1] += len(spoken)
            cells.append(f"{wrong}/{len(spoken)}" if spoken else "-")
        lines.append("| " + " | ".join(cells) + " |")
    ends = [f"{wrong}/{told} ({wrong / told:.0%})" if told else "-" for wrong, told in totals.values()]
    lines.append("| " + " | ".join(["**fooled**", "", str(len(cases)), *ends]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
