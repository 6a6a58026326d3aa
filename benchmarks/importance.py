"""Is importance sampling right? Item probabilities of a base against brute force, on specimens.

    python benchmarks/importance.py --names rare-register-0 latent-register-0 --items 60

For each item: the 90 % interval from 32 answers of each model and their log-probabilities, against 4,096 fresh
answers of the base. "agree": brute force lies in the interval, allowing for its own noise. "narrow": of the items
where brute force finds p < .02, those whose interval is no wider than the one of plain sampling with 20 times the
generated answers (1,280).
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from tellapart.models.local import LocalModel
from tellapart.models.model import Request, Sampling
from tellapart.runs.table import read_table
from tellapart.specimens import load_model, load_task
from tellapart.studies import run_study
from tellapart.studies.gain.density import importance_sampled
from tellapart.studies.gain.facts import facts_from
from tellapart.studies.gain.items import per_item, shared_items
from tellapart.studies.gain.scores import compare
from tellapart.studies.gain.spec import GainSpec
from tellapart.tasks.item import Item, Task

SAMPLES, BRUTE, CONFIDENCE, TIMES = 32, 4096, 0.9, 20


class Outcome(NamedTuple):
    """Over a specimen's items: share that agrees, share of the rare ones that are narrow, how many are rare."""

    agree: float
    narrow: float
    rare: int
    items: int


def brute_force(model: LocalModel, task: Task, items: Sequence[Item]) -> np.ndarray:
    """Return how many of BRUTE fresh answers are right, per item."""
    sampling = Sampling(max_tokens=task.max_tokens, stop=task.stop)
    right = np.zeros(len(items), dtype=np.int64)
    for at, item in enumerate(items):
        requests = [
            Request(task.prompt(item), 10**9 + at * BRUTE + sample, sampling) for sample in range(BRUTE)
        ]
        right[at] = sum(task.score(item, answer.completion.text) >= 1 for answer in model.generate(requests))
    return right


def outcome_of(name: str, items: int, out: Path) -> Outcome:
    """Return how importance sampling fares on a specimen."""
    spec = GainSpec(
        base=f"specimen:{name}/base",
        tuned=f"specimen:{name}/tuned",
        task=f"specimen:{name}",
        samples=SAMPLES,
        elicitors=("step_by_step",),
        elicited_samples=1,
        limit=items,
        out=str(out / name),
    )
    run = run_study(spec, quiet=True)
    rows = read_table(run.folder)
    facts = facts_from(_facts(run.folder))
    base, tuned = per_item(rows, "base/plain"), per_item(rows, "tuned/plain")
    assert base is not None
    assert tuned is not None
    scores = compare(base, tuned, *shared_items(base, tuned), facts.guess_floor)
    sampled = importance_sampled(rows, scores, facts, CONFIDENCE)
    assert sampled is not None
    task = load_task(name)
    known = {item.id: item for item in task.items}
    right = brute_force(load_model(f"{name}/base"), task, [known[item] for item in sampled.items])
    return _compared(sampled.success, right)


def _facts(folder: Path) -> Any:
    return json.loads((folder / "artifacts" / "facts.json").read_text())


def _compared(success: Any, right: np.ndarray) -> Outcome:
    brute = right / BRUTE
    z = float(stats.norm.ppf(0.5 + CONFIDENCE / 2))
    noise = z * np.sqrt(np.maximum(success.value, 1 / BRUTE) * (1 - success.value) / BRUTE)
    below = np.hypot(success.value - success.low, noise)
    above = np.hypot(success.high - success.value, noise)
    agree = (brute >= success.value - below) & (brute <= success.value + above)
    plain = TIMES * 2 * SAMPLES
    half = z * np.sqrt(np.maximum(brute, 1 / BRUTE) * (1 - brute) / plain)
    rare = brute < 0.02
    narrow = (success.high - success.low)[rare] <= 2 * half[rare]
    return Outcome(
        float(agree.mean()), float(narrow.mean()) if rare.any() else np.nan, int(rare.sum()), len(right)
    )


def lines(names: Sequence[str], items: int) -> Iterator[str]:
    """Yield a line a specimen."""
    yield f"{'specimen':24} {'items':>5} {'agree':>6} {'p < .02':>8} {'narrow':>7}"
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            outcome = outcome_of(name, items, Path(folder))
            yield f"{name:24} {outcome.items:5} {outcome.agree:6.1%} {outcome.rare:8} {outcome.narrow:7.1%}"


def main() -> None:
    """Print how importance sampling fares on the specimens named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--names", nargs="+", default=["rare-register-0", "latent-register-0", "rare-tracking-0"]
    )
    parser.add_argument("--items", type=int, default=80)
    arguments = parser.parse_args()
    for line in lines(arguments.names, arguments.items):
        print(line, flush=True)


if __name__ == "__main__":
    main()
