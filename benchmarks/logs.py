"""What reading logs costs: a whole `tellapart` command as users type it, wall time, CPU time and peak memory.

    python benchmarks/logs.py [--folder FOLDER] [--turns 3] [NAME ...]

Names: csv, jsonl, parquet (two sides of a million rows of 1,000 items together), lm_eval (100,000 sample lines of
2 kB), items_1000, items_30000, items_300000 (counts as CSV), rollouts (200,000 of verl with texts). The inputs are made
once, in FOLDER. Exits with 1 where a ceiling of wall time is passed by the best turn.
"""

import argparse
import csv
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

ROWS = 1_000_000
LINES = 100_000
ROLLOUTS = 200_000
CEILINGS = {"csv": 10.0, "jsonl": 10.0, "parquet": 10.0, "lm_eval": 15.0}
"""Seconds of wall time on two cores."""
MOST_MEMORY = 2.0
"""GB."""


class Cost(NamedTuple):
    """Wall and CPU seconds of a command, and the most memory it held (GB)."""

    wall: float
    cpu: float
    memory: float


def table(seed: int, rate: float) -> pd.DataFrame:
    """Return half a million rows: 500 samples of 1,000 items."""
    rng = random.Random(seed)
    items, samples = 1000, ROWS // 2000
    rates = [rng.betavariate(2 * rate, 2 * (1 - rate)) for _ in range(items)]
    rows = [
        (f"q{item}", sample, int(rng.random() < rates[item]))
        for item in range(items)
        for sample in range(samples)
    ]
    return pd.DataFrame(rows, columns=["item", "sample", "score"])


def tables(folder: Path, ending: str) -> list[str]:
    """Write both sides' rows as CSV, JSONL or Parquet."""
    names = []
    for side, rate in (("base", 0.3), ("tuned", 0.5)):
        frame, path = table(len(side), rate), folder / f"{side}.{ending}"
        if ending == "csv":
            frame.to_csv(path, index=False)
        elif ending == "jsonl":
            frame.to_json(path, orient="records", lines=True)
        else:
            frame.to_parquet(path)
        names.append(str(path))
    return ["gain", "--logs", *names]


def lm_eval(folder: Path) -> list[str]:
    """Write two lm-eval sample files of 50,000 lines of 2 kB."""
    names = []
    for side, rate in (("base", 0.3), ("tuned", 0.5)):
        rng, path = random.Random(len(side)), folder / f"samples_sums_{side}.jsonl"
        with path.open("w") as file:
            for number in range(LINES // 2):
                file.write(json.dumps(_line(number, rng, rate)) + "\n")
        names.append(str(path))
    return ["gain", "--logs", *names]


def _line(number: int, rng: random.Random, rate: float) -> dict[str, object]:
    text = random.Random(number)
    words = " ".join(
        f"{text.choice('bcdfgmnprst')}{text.choice('aeiou')}{text.choice('lmnrst')}" for _ in range(90)
    )
    right = rng.random() < rate
    answer = 3 * number if right else rng.randrange(LINES)
    steps = " ".join(f"Step {step}: {rng.randrange(999)}." for step in range(40))
    said = f"{steps} The answer is #### {answer}"
    question = f"{words} What is three times {number}?"
    return {
        "doc_id": number,
        "doc": {"question": question, "answer": f"It is #### {3 * number}"},
        "target": str(3 * number),
        "arguments": {
            "gen_args_0": {"arg_0": f"Question: {question}\nAnswer:", "arg_1": {"until": ["\n\n"]}}
        },
        "resps": [[said]],
        "filtered_resps": [str(answer)],
        "filter": "strict-match",
        "metrics": ["exact_match"],
        "doc_hash": f"{text.getrandbits(256):064x}",
        "prompt_hash": f"{text.getrandbits(256):064x}",
        "target_hash": f"{text.getrandbits(256):064x}",
        "exact_match": float(answer == 3 * number),
    }


def counts(folder: Path, items: int) -> list[str]:
    """Write counts of `items` items, eight samples each."""
    names = []
    for side, rate in (("base", 0.3), ("tuned", 0.5)):
        rng, path = random.Random(len(side)), folder / f"{side}.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["item", "c", "n"])
            writer.writerows(
                (f"q{item}", sum(rng.random() < rate for _ in range(8)), 8) for item in range(items)
            )
        names.append(str(path))
    return ["gain", "--logs", *names]


def rollouts(folder: Path) -> list[str]:
    """Write what verl dumps: 200,000 rollouts of 1,000 prompts in 25 steps, a file a step."""
    rng, place = random.Random(0), folder / "rollouts"
    place.mkdir()
    for step in range(25):
        with (place / f"{step + 1}.jsonl").open("w") as file:
            for number in range(ROLLOUTS // 25):
                row = {
                    "input": f"What is three times {number // 8 % 1000}?",
                    "output": " ".join(str(rng.randrange(999)) for _ in range(400)),
                    "score": float(rng.random() < 0.2 + 0.6 * (number // 8 % 1000) / 1000),
                    "step": step + 1,
                }
                file.write(json.dumps(row) + "\n")
    return ["guard", str(place)]


KINDS: dict[str, Callable[[Path], list[str]]] = {
    "csv": lambda folder: tables(folder, "csv"),
    "jsonl": lambda folder: tables(folder, "jsonl"),
    "parquet": lambda folder: tables(folder, "parquet"),
    "lm_eval": lm_eval,
    "items_1000": lambda folder: counts(folder, 1000),
    "items_30000": lambda folder: counts(folder, 30_000),
    "items_300000": lambda folder: counts(folder, 300_000),
    "rollouts": rollouts,
}


def made(name: str, folder: Path) -> list[str]:
    """Return the arguments of the command of a kind; its inputs are written where they are not there yet."""
    said = folder / name / "command.json"
    if not said.exists():
        said.parent.mkdir(parents=True, exist_ok=True)
        said.write_text(json.dumps(KINDS[name](said.parent)))
    arguments: list[str] = json.loads(said.read_text())
    return arguments


def cost(arguments: list[str], out: Path) -> Cost:
    """Run a command whole, with its report. Raises SystemExit where it fails."""
    shutil.rmtree(out, ignore_errors=True)
    start = time.perf_counter()
    command = [sys.executable, "-m", "tellapart", *arguments, "--out", str(out)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    text = child.stdout.read() if child.stdout is not None else ""
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}\n{text}")
    wall = time.perf_counter() - start
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6)


def sizes_of(arguments: list[str]) -> int:
    """Return the bytes of the files that a command reads."""
    given = [Path(one) for one in arguments if Path(one).exists()]
    return sum(path.stat().st_size for one in given for path in (one.iterdir() if one.is_dir() else (one,)))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=list(KINDS))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tellapart-logs")
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    late = False
    for name in given.names:
        arguments = made(name, given.folder)
        best = min(cost(arguments, given.folder / name / "run") for _ in range(given.turns))
        ceiling = CEILINGS.get(name)
        late |= ceiling is not None and (best.wall > ceiling or best.memory > MOST_MEMORY)
        print(f"{name:14} {best.wall:6.1f} s wall {best.cpu:6.1f} s CPU {best.memory:5.2f} GB", end="")
        print(f"  (at most {ceiling:g} s)" if ceiling else "", end="")
        print(f"  files {sizes_of(arguments) / 1e9:.2f} GB", flush=True)
    return int(late)


if __name__ == "__main__":
    sys.exit(main())
