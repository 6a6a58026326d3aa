"""What is known of real and published results beside what tellapart says of them: docs/validation.md's table.

    python benchmarks/validate.py [--write docs/validation.md]

Every case names what its authors or their records say, and words that would contradict it. A case whose data is not at
hand is left out by name. Exit code 1 where a word contradicts what is known.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import tellapart

SHARED = Path(os.environ.get("TELLAPART_SHARED", Path(__file__).parents[2] / "shared"))
DATA = SHARED / "data"
START, END = "<!-- cases begin -->", "<!-- cases end -->"


@dataclass(frozen=True)
class Case:
    """A pair of logs whose truth is known from elsewhere. `never` are the words that would be wrong."""

    name: str
    known: str
    never: tuple[str, ...]
    needs: Path
    logs: Callable[[Path], tuple[Path, Path]]


def sandbagging(model: str) -> Callable[[Path], tuple[Path, Path]]:
    """Return a maker of logs: the model told to do badly as base, the same weights answering honestly as tuned."""

    def make(folder: Path) -> tuple[Path, Path]:
        rows = pd.read_parquet(DATA / "bcb_sandbagging" / f"{model}.parquet")
        rows = rows.assign(score=rows["correct"].fillna(0).astype(float))
        return tuple(
            written(rows[rows["condition"] == told], folder / f"{model}-{told}.csv", "domain")
            for told in "BA"
        )  # type: ignore[return-value]

    return make


def written(rows: pd.DataFrame, path: Path, *also: str) -> Path:
    """Write one log with item, score, answer, target."""
    rows[["item", "score", "answer", "target", *also]].to_csv(path, index=False)
    return path


def counts(folder: Path) -> tuple[Path, Path]:
    """Return right answers out of 128 for each MATH-500 problem, before and after RL."""
    rows = pd.read_csv(DATA / "math500_counts" / "counts.csv")
    paths = []
    for model in rows["model"].unique():
        path = folder / f"{model.replace('/', '-')}.csv"
        rows[rows["model"] == model][["item", "n", "c"]].to_csv(path, index=False)
        paths.append(path)
    base, tuned = sorted(paths, key=lambda path: "simplerl" in path.name.lower())
    return base, tuned


def one_shot(folder: Path) -> tuple[Path, Path]:
    """Return the accuracy of each problem at the first and at the last step of an RL run on one example."""
    by_problem = json.loads((DATA / "one_shot_rlvr" / "acc_step_500.json").read_text())
    paths = []
    for name, step in (("first", 0), ("last", -1)):
        found = pd.DataFrame({"item": list(by_problem), "score": [one[step] for one in by_problem.values()]})
        found.to_csv(folder / f"{name}.csv", index=False)
        paths.append(folder / f"{name}.csv")
    return paths[0], paths[1]


def files(*names: str) -> Callable[[Path], tuple[Path, Path]]:
    """Return a maker of logs that lie there already."""
    return lambda folder: (DATA / names[0], DATA / names[1])


def maths(task: str) -> Callable[[Path], tuple[Path, Path]]:
    """Return the two logs of an evaluation on maths, base and tuned."""

    def find(folder: Path) -> tuple[Path, Path]:
        root = DATA / "reasoning_gym" / "math_eval"
        found = sorted(root.glob(f"*/{task}/*.jsonl"), key=lambda path: "Instruct" not in path.parts[-3])
        return found[0], found[1]

    return find


GYM = "reasoning_gym"
CASES: tuple[Case, ...] = (
    *(
        Case(
            f"{model}, told to do badly against honest",
            "the same weights: nothing was learned",
            ("acquired", "mixed"),
            DATA / "bcb_sandbagging",
            sandbagging(model),
        )
        for model in ("llama3-8b", "phi3.5-mini", "qwen2.5-7b")
    ),
    Case(
        "Qwen2.5-7B to SimpleRL-Zoo, MATH-500, 128 samples",
        "pass@128 does not rise (Yue et al. 2025, Zeng et al. 2025): sharper, not wider",
        ("acquired", "no gain"),
        DATA / "math500_counts",
        counts,
    ),
    Case(
        "Qwen2.5-3B, RL on algorithmic tasks, algebra",
        "rises on families that were not trained on; nothing known of the source",
        ("no gain",),
        DATA / GYM,
        files(f"{GYM}/original_to_algebra.json", f"{GYM}/algorithmic_qwen_3b_500_to_algebra.json"),
    ),
    Case(
        "Qwen2.5-3B, RL on algorithmic tasks, geometry",
        "rises from near 0; nothing known of the source",
        ("no gain",),
        DATA / GYM,
        files(f"{GYM}/original_to_geometry.json", f"{GYM}/algorithmic_qwen_3b_500_to_geometry.json"),
    ),
    Case(
        "Qwen2.5-3B, RL on games, algebra",
        "published as a rise; nothing known of the source",
        (),
        DATA / GYM,
        files(f"{GYM}/original_to_algebra.json", f"{GYM}/games_qwen_3b_500_to_algebra.json"),
    ),
    Case(
        "Qwen2.5-3B-Instruct, RL on reasoning gym, GSM8K, greedy",
        "published as +.5 to +2 points",
        ("acquired",),
        DATA / GYM / "math_eval",
        maths("gsm8k"),
    ),
    Case(
        "Qwen2.5-Math, RL on one example, 1,209 problems",
        "the rise is published as elicitation (Wang et al. 2025); counts alone cannot tell",
        ("acquired", "no gain"),
        DATA / "one_shot_rlvr",
        one_shot,
    ),
)


def row_of(case: Case, folder: Path) -> tuple[str, bool]:
    """Return the row of the table, and whether the word contradicts what is known."""
    base, tuned = case.logs(folder)
    run = tellapart.gain(logs=(str(base), str(tuned)), out=str(folder / "run"))
    finding = run.findings[0]
    gain = finding.estimates["gain"]
    wrong = finding.verdict in case.never
    reason = finding.tables["decision"]["reason"]
    told = f"{finding.verdict}{f' ({reason})' if reason else ''}"
    cells = [
        case.name,
        case.known,
        f"{100 * gain.value:+.1f} [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]",
        f"{'**wrong** ' if wrong else ''}{told}",
        finding.sentence.replace("|", "/").replace("\n", " "),
    ]
    return "| " + " | ".join(cells) + " |", wrong


def table_of(cases: Sequence[Case]) -> tuple[str, int]:
    """Return the table and the number of words that contradict what is known."""
    lines = ["| case | known | gain in points | tellapart | its sentence |", "|---|---|---|---|---|"]
    wrong = 0
    for case in cases:
        if not case.needs.exists():
            lines.append(f"| {case.name} | {case.known} | data not available | | |")
            continue
        with tempfile.TemporaryDirectory() as folder:
            line, bad = row_of(case, Path(folder))
        lines.append(line)
        wrong += bad
    return "\n".join(lines), wrong


def main() -> int:
    """Print the table, write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="the page whose table is replaced")
    asked = parser.parse_args()
    table, wrong = table_of(CASES)
    print(table)
    if asked.write:
        page = asked.write.read_text(encoding="utf-8")
        before, after = page.partition(START)[0], page.partition(END)[2]
        asked.write.write_text(f"{before}{START}\n{table}\n{END}{after}", encoding="utf-8")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
