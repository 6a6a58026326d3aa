"""What the checks of all studies share: runs in processes of their own, the shares of right verdicts, what is printed.

Nothing here opens a truth; a check does, after every verdict stands in its findings.json.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from rich.console import Console

from tellapart.jsonvalue import Json
from tellapart.runs.progress import ticking

CANNOT_TELL = "cannot tell"
Named = TypeVar("Named")


class Outcome(Protocol):
    """What a check found."""

    def as_json(self) -> dict[str, Json]:
        """Return what --json prints."""
        ...


OutcomeT = TypeVar("OutcomeT", bound=Outcome)


@dataclass(frozen=True)
class Shares:
    """The share of right verdicts, of all and of the decided, and that of "cannot tell"; None where there is none."""

    right: float | None
    accuracy_decided: float | None
    cannot_tell_share: float | None

    def as_json(self) -> dict[str, Json]:
        """Return a JSON object."""
        return asdict(self)


def run_study(arguments: Sequence[str], out: Path) -> str:
    """Run `tellapart` with these arguments on one thread (small models are slower on two) in its own process, unless
    it has run; returns "" or its last complaint."""
    if (out / "findings.json").exists():
        return ""
    command = [sys.executable, "-m", "tellapart.cli", *arguments, "--out", str(out), "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return (done.stderr.strip().splitlines() or ["no word"])[-1] if done.returncode else ""


def run_each(
    chosen: Sequence[Named], run: Callable[[Named], str], jobs: int, what: str, quiet: bool
) -> dict[Named, str]:
    """Run all with progress, `jobs` side by side; returns the complaints of those that failed."""
    with ThreadPoolExecutor(jobs) as pool, ticking(what, len(chosen), quiet) as ticker:

        def one(name: Named) -> str:
            said = run(name)
            ticker.tick()
            return said

        return {name: said for name, said in zip(chosen, pool.map(one, chosen), strict=True) if said}


def shares(right: Sequence[bool], verdicts: Sequence[str]) -> Shares:
    """Return how often verdicts were right, and how often "cannot tell"."""
    decided = [good for good, verdict in zip(right, verdicts, strict=True) if verdict != CANNOT_TELL]
    return Shares(
        mean_or_none(right),
        mean_or_none(decided),
        mean_or_none([verdict == CANNOT_TELL for verdict in verdicts]),
    )


def mean_or_none(values: Sequence[float]) -> float | None:
    """Return the mean, None of nothing."""
    return sum(values) / len(values) if values else None


def tell(
    result: OutcomeT,
    failures: Mapping[str, str],
    as_json: bool,
    show: Callable[[OutcomeT, Console], None],
) -> int:
    """Print the outcome, and what failed on stderr; returns the exit code (1 where a run failed)."""
    if as_json:
        print(json.dumps(result.as_json(), indent=1))
    else:
        show(result, Console())
    for name, said in failures.items():
        print(f"tellapart: {name} failed: {said}", file=sys.stderr)
    return 1 if failures else 0


def print_shares(said: Shares, console: Console) -> None:
    """Print the shares that `shares` made."""
    if said.right is None:
        return
    decided = said.accuracy_decided
    among = "none decided" if decided is None else f"{decided:.1%} of the decided"
    console.print(
        f"right {said.right:.1%} ({among}), cannot tell {said.cannot_tell_share:.1%}",
        highlight=False,
    )
