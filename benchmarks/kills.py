"""Kill runs at random moments and compare what they come to with a run that was left alone.

    python benchmarks/kills.py gain --kills 50          # gain, form, improve, skills
    python benchmarks/kills.py --disk 4,16,64           # kilobytes: no room from there on, then room again

A kill is a SIGKILL: after a random time, in the midst of a row's bytes, of an atomic write (half written, before and
after the rename), or of rows.parquet. A run that was killed is started again until it ends; no row may be missing,
twice or different, no expert, no finding, and nothing left over. Prints one line a verb, with what differed.
"""

import argparse
import hashlib
import importlib
import json
import math
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tellapart.cli import run
from tellapart.runs import files
from tellapart.runs.folder import RowWriter
from tellapart.runs.row import to_line

PAIR, LATENT, SKILLS = "specimen:taught-register-0", "specimen:latent-register-0", "specimen:skills-0"
COMMANDS: dict[str, list[str]] = {
    "gain": [
        "gain", f"{PAIR}/base", f"{PAIR}/tuned", "--task", PAIR, "--limit", "8", "--samples", "4",
        "--elicited-samples", "1", "--elicitors", "few_shot", "routing",
    ],
    "form": ["form", "specimen:form-0", "--task", "specimen:form-0", "--limit", "12"],
    "improve": [
        "improve", f"{LATENT}/base", "--task", LATENT, "--verifier", "checker", "--rounds", "1", "--samples", "4",
        "--steps", "8", "--limit", "24",
    ],
    "skills": [
        "skills", "train", SKILLS, "--task", f"{SKILLS}/digits", "--task", f"{SKILLS}/letters", "--objective", "ce",
        "--steps", "30", "--batch", "4", "--limit", "2",
    ],
}  # fmt: skip
UNLIKE = ("seconds",)
"""Columns that differ from run to run."""
MOST_KILLS_OF_ONE_RUN = 10
Patch = Callable[[], None]


def child(command: list[str], patch: Patch | None = None) -> int:
    """Run a command in a child process that has all modules already; return its process id."""
    pid = os.fork()
    if pid:
        return pid
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    code = 1
    try:
        if patch is not None:
            patch()
        code = run(command)
    finally:
        os._exit(code)


def waited(pid: int, kill_after: float | None = None) -> int:
    """Wait for a child and return its exit code, minus the signal that ended it; kill it after so many seconds."""
    began = time.monotonic()
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        if kill_after is not None and time.monotonic() - began > kill_after:
            os.kill(pid, signal.SIGKILL)
            kill_after = None
        time.sleep(0.002)


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def in_a_row(rng: random.Random) -> Patch:
    """Return what makes the k-th row's write stop after some of its bytes."""
    place, share, count = rng.randrange(1, 60), rng.random(), [0]

    def write(self: RowWriter, row: Any) -> None:
        count[0] += 1
        if count[0] == place:
            line = f"{to_line(row)}\n".encode("ascii")
            os.write(self._lines._descriptor, line[: int(share * (len(line) + 1))])
            die()
        self._lines.append(to_line(row))

    return lambda: setattr(RowWriter, "write", write)


def in_an_atomic_write(rng: random.Random) -> Patch:
    """Return what makes the k-th atomic write stop half written, or right before or after the rename."""
    place, where, share, count = (
        rng.randrange(1, 12),
        rng.choice(["half", "before", "after"]),
        rng.random(),
        [0],
    )
    real = files.replacing

    @contextmanager
    def replacing(path: Path) -> Any:
        count[0] += 1
        with real(path) as temporary:
            yield temporary
            if count[0] == place and where == "half":
                os.truncate(temporary, int(share * temporary.stat().st_size))
            if count[0] == place and where != "after":
                die()
        if count[0] == place:
            die()

    def apply() -> None:
        for module in list(sys.modules.values()):
            if getattr(module, "replacing", None) is real:
                module.replacing = replacing  # type: ignore[attr-defined]

    return apply


class Told(NamedTuple):
    """What a run came to."""

    rows: pd.DataFrame
    findings: Any
    experts: dict[str, str]


def told(folder: Path) -> Told:
    """Return what lies in a finished run's folder."""
    rows = pd.read_parquet(folder / "rows.parquet").drop(columns=list(UNLIKE))
    findings = json.loads((folder / "findings.json").read_text())
    experts = {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("experts/*.safetensors")
    }
    return Told(rows.sort_values(["condition", "item", "sample"], ignore_index=True), findings, experts)


def differences(whole: Told, killed: Told, folder: Path) -> list[str]:
    """Return what differs between a run that was left alone and one that was killed."""
    found = []
    keys = ["condition", "item", "sample"]
    if killed.rows.duplicated(keys).any():
        found.append("rows twice")
    if len(whole.rows) != len(killed.rows) or not whole.rows[keys].equals(killed.rows[keys]):
        found.append(f"{len(whole.rows)} rows and {len(killed.rows)}")
    else:
        found += [f"column {name}" for name in whole.rows if not _same(whole.rows[name], killed.rows[name])]
    if not close(whole.findings, killed.findings):
        found.append("findings")
    if whole.experts != killed.experts:
        found.append("experts")
    if left := [str(path) for path in folder.rglob(".*.tmp")]:
        found.append(f"left over: {left}")
    return found


def _same(one: pd.Series, other: pd.Series) -> bool:
    return all(close(_plain(a), _plain(b)) for a, b in zip(one, other, strict=True))


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def close(one: Any, other: Any) -> bool:
    """Return whether two values are equal, figures to one part in a thousand (batches differ in their last bits).

    Wall-clock seconds of a finding are told apart by their names.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            "seconds" in key or close(one[key], other[key]) for key in one
        )
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(close, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return (
            one == other
            or (math.isnan(one) and math.isnan(other))
            or abs(one - other) <= 1e-3 * max(1e-3, abs(one))
        )
    return one == other


def kill(verb: str, kills: int, seed: int, place: Path) -> bool:
    """Kill runs of a verb so many times; print what came of it, and return whether all was as it should be."""
    rng, command = random.Random(f"{verb}|{seed}"), COMMANDS[verb]
    importlib.import_module(f"tellapart.studies.{verb}.study")
    whole, began = place / f"{verb}-whole", time.monotonic()
    code = waited(child([*command, "--out", str(whole)]))
    if code:
        raise SystemExit(f"{verb}: exit {code} without any kill: {' '.join(command)}")
    seconds, reference = time.monotonic() - began, told(whole)
    killed = finished = here = 0
    wrong: list[str] = []
    folder = place / verb
    while killed < kills or here:
        how = rng.choice(["time", "time", "time", "row", "row", "write", "write"])
        patch = in_a_row(rng) if how == "row" else in_an_atomic_write(rng) if how == "write" else None
        if killed >= kills or here >= MOST_KILLS_OF_ONE_RUN:
            how, patch = "whole", None
        code = waited(
            child([*command, "--out", str(folder)], patch), rng.uniform(0, seconds) if how == "time" else None
        )
        if code == -signal.SIGKILL:
            killed, here = killed + 1, here + 1
            continue
        if code == 0:
            wrong += differences(reference, told(folder), folder)
            finished += 1
        else:
            wrong.append(f"exit {code} after a kill")
        here = 0
        shutil.rmtree(folder, ignore_errors=True)
    print(
        f"{verb}: {killed} kills, {finished} runs finished and compared, {len(wrong)} differences {wrong[:5]}"
    )
    return not wrong


def fill(kilobytes: list[int], place: Path) -> bool:
    """Run gain where no file may grow past a size, then again without a bound: one line, exit 1, the same rows."""
    importlib.import_module("tellapart.studies.gain.study")
    command, good = COMMANDS["gain"], True
    waited(child([*command, "--out", str(place / "whole")]))
    reference = told(place / "whole")
    for size in kilobytes:
        folder = place / f"full-{size}"

        def bounded(size: int = size) -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size * 1024, size * 1024))
            sys.stderr = open(place / "said", "w", buffering=1)  # noqa: SIM115

        code = waited(child([*command, "--out", str(folder)], bounded))
        said = (place / "said").read_text()
        again = waited(child([*command, "--out", str(folder)]))
        wrong = differences(reference, told(folder), folder) if again == 0 else [f"exit {again}"]
        one_line = code in (0, 1, 2) and said.count("\n") == (code != 0) and "Traceback" not in said
        good &= one_line and not wrong
        print(f"{size} kB: exit {code}, {said.strip()[-160:]!r}; resumed: exit {again}, differences {wrong}")
    return good


def main() -> int:
    """Do what the command line asks; return 1 where a run was harmed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verbs", nargs="*", help=f"of {', '.join(COMMANDS)}")
    parser.add_argument("--kills", type=int, default=50, help="of each verb")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--disk", default="", help="sizes in kilobytes past which no file may grow")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tellapart-kills-") as place:
        good = [kill(verb, asked.kills, asked.seed, Path(place)) for verb in asked.verbs]
        if asked.disk:
            good.append(fill([int(size) for size in asked.disk.split(",")], Path(place)))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
