"""Kill runs at random moments, and let disks be full, and compare what they come to with a run that was left alone.

    python benchmarks/kills.py --kills 1000 --ledger build/kills.jsonl      # all verbs; started again it goes on
    python benchmarks/kills.py gain form --kills 50 --seconds 300
    python benchmarks/kills.py --disk                                      # 24 sizes; mounts (as root, or by unshare)

A kill is a SIGKILL: after a random time, in the midst of a line (rows, kept values), of an atomic write (half written,
before and after the rename; rows.parquet, experts and checkpoints too), or of one worker alone. What was killed is
started again until it ends; no row may be missing, twice or different, no expert, no finding, nothing that the guard
saw, and nothing left over. The ledger gets a line for each run that was finished and compared.

A full disk is a file system that holds less than the run needs, or a limit on the size of a file: one line on stderr
and an exit code that is not 0, then room again and the same rows.
"""

import argparse
import contextlib
import hashlib
import importlib
import io
import json
import math
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from safetensors import safe_open

from tellapart.cli import run
from tellapart.runs import files
from tellapart.runs.provenance import provenance

LATENT, SKILLS = "specimen:latent-register-0", "specimen:skills-0"
GAIN = (
    "gain", f"{LATENT}/base", f"{LATENT}/tuned", "--task", LATENT, "--limit", "6", "--samples", "2",
    "--elicited-samples", "1", "--elicitors", "few_shot",
)  # fmt: skip
COMMANDS: dict[str, tuple[str, ...]] = {
    "gain": GAIN,
    "form": ("form", "specimen:choices-options-0", "--task", "specimen:choices-options-0", "--limit", "8"),
    "improve": (
        "improve", f"{LATENT}/base", "--task", LATENT, "--verifier", "checker", "--rounds", "1", "--samples", "2",
        "--steps", "4", "--limit", "8",
    ),
    "skills": (
        "skills", "train", SKILLS, "--task", f"{SKILLS}/digits", "--task", f"{SKILLS}/letters", "--objective", "ce",
        "--steps", "6", "--batch", "4", "--limit", "2",
    ),
    "guard": (),
    "inside": (
        "inside", "specimen:latent-tracking-0/base", "--concepts", "specimen:tracking", "--layer", "1", "--tuning", "2",
    ),
    "workers": (*GAIN, "--executor", "processes", "--workers", "2"),
}  # fmt: skip
SHARES = {"gain": 30, "form": 20, "improve": 20, "skills": 15, "guard": 8, "inside": 5, "workers": 2}
"""Of a hundred kills; the dear ones get fewer."""
MOST_KILLS_OF_ONE_RUN = 10
UNLIKE = ("seconds",)
"""Columns that differ from run to run."""
STEPS_WATCHED = 8
Patch = Callable[[], None]


def execute(verb: str, out: Path) -> int:
    """Do a verb's run in this process."""
    if verb != "guard":
        return run([*COMMANDS[verb], "--out", str(out)])
    import guarded_training

    sys.argv = ["guarded_training", str(out), str(STEPS_WATCHED), "mask"]
    guarded_training.main()
    return 0


def load(verb: str) -> None:
    """Import what a verb's run needs, so that its children need not."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "studies"))
    if verb == "guard":
        importlib.import_module("guarded_training")
    else:
        importlib.import_module(f"tellapart.studies.{COMMANDS[verb][0]}.study")


def child(verb: str, out: Path, patch: Patch | None = None, said: int | None = None) -> int:
    """Run a verb in a child process that has all modules already; return its process id. `said` is what becomes its
    stderr."""
    pid = os.fork()
    if pid:
        return pid
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent if said is None else said, 2)
    sys.stdout, sys.stderr = (io.TextIOWrapper(os.fdopen(one, "wb", 0), write_through=True) for one in (1, 2))
    code = 1
    try:
        warnings.simplefilter("ignore")
        if patch is not None:
            patch()
        code = execute(verb, out)
    finally:
        os._exit(code)


def waited(pid: int, kill_after: float | None = None, worker: bool = False) -> tuple[int, bool]:
    """Wait for a child; return its exit code (minus the signal that ended it), and whether a kill took place.

    After `kill_after` seconds it is killed, or one of its workers alone.
    """
    began, killed = time.monotonic(), False
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            return code, killed or code == -signal.SIGKILL
        if kill_after is not None and time.monotonic() - began > kill_after:
            aims = workers_of(pid) if worker else [pid]
            for aim in aims[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(aim, signal.SIGKILL)
                    killed, kill_after = True, None
        time.sleep(0.005)


def workers_of(parent: int) -> list[int]:
    """Return the workers of a run, in any order."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(path.parent.name))
    random.shuffle(found)
    return found


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def in_a_line(rng: random.Random) -> Patch:
    """Return what makes the k-th line that is appended stop after some of its bytes."""
    place, share, count = rng.randrange(1, 9), rng.random(), [0]
    whole = files.Lines.append

    def append(self: files.Lines, line: str) -> None:
        count[0] += 1
        if count[0] == place:
            data = f"{line}\n".encode("ascii")
            os.write(self._descriptor, data[: int(share * (len(data) + 1))])
            die()
        whole(self, line)

    return lambda: setattr(files.Lines, "append", append)


def in_an_atomic_write(rng: random.Random) -> Patch:
    """Return what makes the k-th atomic write stop half written, or right before or after the rename."""
    place, where, share = rng.randrange(1, 6), rng.choice(["half", "before", "after"]), rng.random()
    real, count = files.replacing, [0]

    @contextmanager
    def replacing(path: Path) -> Iterator[Path]:
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
    """What a run came to: its rows, and everything else by name."""

    rows: pd.DataFrame
    others: dict[str, Any]


KEYS = ["condition", "item", "sample"]


def told(folder: Path) -> Told:
    """Return what lies in a finished run's folder."""
    rows = pd.DataFrame(columns=KEYS)
    if (folder / "rows.parquet").exists():
        rows = pd.read_parquet(folder / "rows.parquet").drop(columns=list(UNLIKE))
    documents = (*folder.glob("findings.json"), *folder.glob("told-*.json"))
    others: dict[str, Any] = {path.name: json.loads(path.read_text()) for path in documents}
    others |= {path.name: _tensors(path) for path in folder.glob("experts/*.safetensors")}
    others |= {path.name: path.read_text() for path in folder.glob("seen/*")}
    return Told(rows.sort_values(KEYS, ignore_index=True), others)


def _tensors(path: Path) -> dict[str, str]:
    """Return a hash of each tensor, and the header's words (in the file their order is drawn)."""
    with safe_open(path, "np") as held:
        data = {name: hashlib.sha256(held.get_tensor(name).tobytes()).hexdigest() for name in held.keys()}  # noqa: SIM118
        return data | dict(held.metadata())


def differences(whole: Told, killed: Told, folder: Path) -> list[str]:
    """Return what differs between a run that was left alone and one that was killed."""
    found = []
    if killed.rows.duplicated(KEYS).any():
        found.append("rows twice")
    if len(whole.rows) != len(killed.rows) or not whole.rows[KEYS].equals(killed.rows[KEYS]):
        found.append(f"{len(whole.rows)} rows and {len(killed.rows)}")
    else:
        found += [f"column {name}" for name in whole.rows if not _same(whole.rows[name], killed.rows[name])]
    if whole.others.keys() != killed.others.keys():
        found.append(f"files {sorted(whole.others.keys() ^ killed.others.keys())[:5]}")
    both = whole.others.keys() & killed.others.keys()
    found += [name for name in sorted(both) if not close(whole.others[name], killed.others[name])]
    if left := [str(path) for path in folder.rglob(".*.tmp")]:
        found.append(f"left over: {left}")
    return found


def _same(one: pd.Series, other: pd.Series) -> bool:
    return all(close(_plain(a), _plain(b)) for a, b in zip(one, other, strict=True))


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


TIMES = ("seconds", "first_share")
"""Names of figures that are of the clock."""


def close(one: Any, other: Any) -> bool:
    """Return whether two values are equal, figures to one part in a thousand (batches differ in their last bits).

    Figures of the clock, told apart by their names, are left out.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            any(name in str(key) for name in TIMES) or close(one[key], other[key]) for key in one
        )
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(close, one, other))
    if isinstance(one, float) and isinstance(other, float):
        nan = math.isnan(one) and math.isnan(other)
        return one == other or nan or abs(one - other) <= 1e-3 * max(1e-3, abs(one))
    return one == other


class Reference(NamedTuple):
    """A run that was left alone: what it came to, and how long it took."""

    told: Told
    seconds: float


def left_alone(verb: str, place: Path) -> Reference:
    """Do a verb's run without any kill: once in this process, so that its children find all that is loaded late."""
    load(verb)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        if code := execute(verb, place / f"{verb}-first"):
            raise SystemExit(f"{verb}: exit {code} without any kill: {said.getvalue()[-400:]}")
    whole, began = place / f"{verb}-whole", time.monotonic()
    waited(child(verb, whole))
    return Reference(told(whole), time.monotonic() - began)


def life(
    verb: str, reference: Reference, rng: random.Random, folder: Path, most: int
) -> tuple[int, list[str]]:
    """Start one run until it ends, killed `most` times at most; return how often it was, and what differs then."""
    shutil.rmtree(folder, ignore_errors=True)
    killed = 0
    while True:
        ways = (
            ["time", "time", "worker"]
            if verb == "workers"
            else ["time", "time", "time", "line", "line", "write", "write"]
        )
        how = rng.choice(ways) if killed < most else "whole"
        patch = in_a_line(rng) if how == "line" else in_an_atomic_write(rng) if how == "write" else None
        after = rng.uniform(0, 0.6 * reference.seconds) if how in ("time", "worker") else None
        code, came = waited(child(verb, folder, patch), after, how == "worker")
        killed += came
        if code == 0:
            return killed, differences(reference.told, told(folder), folder)
        if code != -signal.SIGKILL:
            return killed, [f"exit {code} after a kill"]


class Ledger:
    """What was killed and compared so far: a line of JSON a run."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        there = path is not None and path.exists()
        self.lines = [json.loads(line) for line in path.read_text().splitlines()] if there and path else []

    def add(self, **line: Any) -> None:
        """Add what one run came to."""
        self.lines.append(line)
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")

    def kills(self, verb: str) -> int:
        """Return how often runs of a verb were killed."""
        return sum(line["kills"] for line in self.lines if line["verb"] == verb)

    def tell(self, verbs: list[str]) -> bool:
        """Print a line a verb, and return whether nothing differed."""
        for verb in verbs:
            own = [line for line in self.lines if line["verb"] == verb]
            wrong = [what for line in own for what in line["differences"]]
            print(
                f"{verb}: {self.kills(verb)} kills, {len(own)} runs finished and compared, {len(wrong)} differences "
                f"{wrong[:5]}"
            )
        print(f"{sum(map(self.kills, verbs))} kills in all")
        return not any(line["differences"] for line in self.lines)


def kill(verbs: list[str], kills: int, seconds: float, ledger: Ledger, seed: int, place: Path) -> bool:
    """Kill runs of the verbs in turn until there were so many kills in all, or the time is over."""
    whole = sum(SHARES[verb] for verb in verbs)
    wanted = {verb: math.ceil(kills * SHARES[verb] / whole) for verb in verbs}
    references: dict[str, Reference] = {}
    version, ends = str(provenance()["commit"]), time.monotonic() + seconds
    while time.monotonic() < ends:
        owed = [verb for verb in verbs if ledger.kills(verb) < wanted[verb]]
        if not owed:
            break
        verb = min(owed, key=lambda one: ledger.kills(one) / wanted[one])
        references[verb] = references.get(verb) or left_alone(verb, place)
        rng = random.Random(f"{verb}|{seed}|{len(ledger.lines)}")
        most = min(MOST_KILLS_OF_ONE_RUN, wanted[verb] - ledger.kills(verb))
        killed, wrong = life(verb, references[verb], rng, place / verb, most)
        ledger.add(verb=verb, kills=killed, differences=wrong, commit=version)
    return ledger.tell(verbs)


TMPFS, LIMITS = 14, 10


def fill(place: Path) -> bool:
    """Run gain where the disk is too small in 14 ways and files may not grow in 10, each time with room afterwards."""
    reference, whole = left_alone("gain", place), place / "gain-whole"
    sizes = [path.stat().st_size for path in whole.rglob("*") if path.is_file()]
    good = []
    with mounted(place / "disk") as resize:
        for at in range(TMPFS):
            size = max(8, sum(sizes) * (at + 1) // (TMPFS + 1) // 1024)
            resize(size)
            good.append(
                _filled(f"disk of {size} kB", reference, place / "disk" / "run", None, lambda: resize(2**16))
            )
            shutil.rmtree(place / "disk" / "run")
    for at in range(LIMITS):
        size = max(1, max(sizes) * (at + 1) // (LIMITS + 1) // 1024) if at > 3 else (0, 1, 2, 4)[at]

        def bounded(size: int = size) -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size * 1024, size * 1024))

        good.append(_filled(f"files of {size} kB", reference, place / f"full-{at}", bounded, lambda: None))
    print(f"{sum(good)} of {len(good)} sizes: one line, and the same rows once there was room")
    return all(good)


def _filled(
    name: str, reference: Reference, folder: Path, patch: Patch | None, room: Callable[[], None]
) -> bool:
    reading, writing = os.pipe()  # a file would be limited too
    code, _ = waited(child("gain", folder, patch, writing))
    os.close(writing)
    with os.fdopen(reading) as said:
        line = said.read()
    kept = sum(path.read_bytes().count(b"\n") for path in folder.glob("rows/*.jsonl"))
    room()
    again, _ = waited(child("gain", folder))
    wrong = differences(reference.told, told(folder), folder) if again == 0 else ["not finished"]
    ended = [
        one for one in line.splitlines() if not one.endswith("time, memory)")
    ]  # but what it told at its start
    one_line = code in (1, 2) and len(ended) == 1
    print(
        f"{name}: exit {code}, {kept} rows, {ended[-1:]}; again: exit {again}, differences {wrong}",
        flush=True,
    )
    return one_line and not wrong


@contextmanager
def mounted(place: Path) -> Iterator[Callable[[int], None]]:
    """Mount a file system in memory at `place`, and yield what gives it another size (kilobytes)."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], check=True)
    try:
        yield (
            lambda size: (
                subprocess.run(["mount", "-o", f"remount,size={size}k", str(place)], check=True) and None
            )
        )
    finally:
        subprocess.run(["umount", str(place)], check=True)


def main() -> int:
    """Do what the command line asks; return 1 where a run was harmed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verbs", nargs="*", help=f"of {', '.join(COMMANDS)}; default: all")
    parser.add_argument("--kills", type=int, default=100, help="of all verbs together")
    parser.add_argument(
        "--seconds", type=float, default=math.inf, help="after which no run is started any more"
    )
    parser.add_argument("--ledger", type=Path, help="file of what was done, from which it goes on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--disk", action="store_true", help="full disks in place of kills")
    asked = parser.parse_args()
    if asked.disk and os.geteuid() != 0:  # as root of a name space of its own a file system may be mounted
        os.execvp("unshare", ["unshare", "-rm", sys.executable, *sys.argv])
    with tempfile.TemporaryDirectory(prefix="tellapart-kills-") as name:
        place = Path(name)
        if asked.disk:
            return 0 if fill(place) else 1
        verbs = asked.verbs or list(COMMANDS)
        good = kill(verbs, asked.kills, asked.seconds, Ledger(asked.ledger), asked.seed, place)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
