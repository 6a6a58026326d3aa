"""Run fuzzers: `python -m fuzz.run [TARGET ...] [--inputs N] [--seconds S] [--seed N]`, or one under atheris.

    make fuzz                                    # every target, 50,000 inputs each; minutes to hours
    python -m fuzz.run rows answers --seconds 10
    python -m fuzz.run --atheris rows            # coverage-guided, where atheris is installed (Linux, CPython)

Inputs are neighbours (fuzz/mutate.py) of what lies in fuzz/corpus/TARGET, and of those inputs that came to new lines of
tellapart. An input that raises what it may not, takes more than 10 s or 2 GB is written to fuzz/found/, and the exit
code is 1. Inputs found once are kept in the corpus, so that they are tried at every run.
"""

import argparse
import contextlib
import hashlib
import random
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path
from types import FrameType
from typing import Any

from fuzz.mutate import mutated
from fuzz.targets import FOLDER, TARGETS, Target

HERE = Path(__file__).parent
CORPUS, FOUND = HERE / "corpus", HERE / "found"
LONGEST_SECONDS, MOST_BYTES = 10, 2 * 2**30
MOST_KEPT = 400
SOURCE = "/src/tellapart/"


class Hang(BaseException):
    """An input took longer than LONGEST_SECONDS."""


def seeds(name: str) -> list[bytes]:
    """Return the corpus of a target."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


class Coverage:
    """Lines of tellapart that inputs came to; traced for a part of the inputs alone, because tracing is slow."""

    def __init__(self) -> None:
        self.seen: set[tuple[int, int]] = set()
        self._new = False

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if SOURCE not in frame.f_code.co_filename:
            return None
        if event == "line":
            at = (id(frame.f_code), frame.f_lineno)
            if at not in self.seen:
                self.seen.add(at)
                self._new = True
        return self._trace

    @contextlib.contextmanager
    def tracing(self) -> Any:
        """Note the lines that are come to inside."""
        self._new = False
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(None)

    def grew(self) -> bool:
        """Return whether a new line was come to since tracing began."""
        return self._new


class Tally:
    """What came of a target's inputs."""

    def __init__(self, name: str, target: Target) -> None:
        self.name, self.target = name, target
        self.inputs, self.finds, self.slowest = 0, {}, 0.0
        self.finds: dict[str, int] = {}

    def put(self, data: bytes) -> None:
        """Give one input to the target, and keep it where it should not have done what it did."""
        self.inputs += 1
        began = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, LONGEST_SECONDS)
        try:
            self.target(data)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self._keep(data, error)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.slowest = max(self.slowest, time.monotonic() - began)

    def _keep(self, data: bytes, error: BaseException) -> None:
        own = [one for one in traceback.extract_tb(error.__traceback__) if SOURCE in one.filename]
        place = f"{own[-1].filename.partition(SOURCE)[2]}:{own[-1].lineno}" if own else "the target"
        key = f"{type(error).__name__} at {place}"
        if key not in self.finds:
            FOUND.mkdir(exist_ok=True)
            path = FOUND / f"{self.name}-{hashlib.blake2b(key.encode(), digest_size=4).hexdigest()}"
            path.write_bytes(data)
            print(f"{self.name}: {key}: {str(error)[:150]!r} ({path})", flush=True)
        self.finds[key] = self.finds.get(key, 0) + 1


def fuzz(name: str, inputs: int, seconds: float, seed: int) -> Tally:
    """Fuzz one target with so many inputs, or for so long where that ends first."""
    rng, cover, tally = random.Random(f"{name}|{seed}"), Coverage(), Tally(name, TARGETS[name])
    kept = seeds(name)
    with contextlib.suppress(Exception):
        tally.target(kept[0])  # what is imported once is no part of an input's time
    for data in kept:
        with cover.tracing():
            tally.put(data)
    deadline = time.monotonic() + seconds
    while tally.inputs < inputs and time.monotonic() < deadline:
        data = mutated(rng.choice(kept), rng)
        if rng.random() < 0.1:
            with cover.tracing():
                tally.put(data)
            if cover.grew() and len(kept) < MOST_KEPT and len(data) < 100_000:
                kept.append(data)
        else:
            tally.put(data)
    return tally


def under_atheris(name: str, arguments: list[str]) -> None:
    """Fuzz one target coverage-guided; does not return."""
    import atheris

    with atheris.instrument_imports(include=["tellapart"]):
        TARGETS[name](seeds(name)[0])
    rng = random.Random(0)

    def neighbour(data: bytes, most: int, seed: int) -> bytes:
        rng.seed(seed)
        return mutated(data, rng)[:most] if rng.random() < 0.7 else atheris.Mutate(data, most)

    atheris.Setup(["fuzz", *arguments, str(CORPUS / name)], TARGETS[name], custom_mutator=neighbour)
    atheris.Fuzz()


def main() -> int:
    """Fuzz what the command line names; return 1 where something was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--inputs", type=int, default=50_000, help="inputs of each target")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for each target at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true", help="one target, coverage-guided")
    asked, rest = parser.parse_known_args()
    if unknown := sorted(set(asked.targets) - set(TARGETS)):
        parser.error(f"no target {unknown[0]!r}; there are {', '.join(TARGETS)}")
    warnings.simplefilter("ignore")
    if asked.atheris:
        under_atheris(asked.targets[0], [*rest, f"-runs={asked.inputs}", f"-timeout={LONGEST_SECONDS}"])
    resource.setrlimit(
        resource.RLIMIT_AS, (MOST_BYTES + 8 * 2**30, resource.getrlimit(resource.RLIMIT_AS)[1])
    )
    signal.signal(signal.SIGALRM, _hang)
    found = 0
    for name in asked.targets or TARGETS:
        began = time.process_time()
        tally = fuzz(name, asked.inputs, asked.seconds, asked.seed)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        found += len(tally.finds) + (memory > 2)
        print(
            f"{name}: {tally.inputs:,} inputs, {sum(tally.finds.values())} finds at {len(tally.finds)} places, slowest "
            f"{tally.slowest:.2f} s, {memory:.2f} GB at most, {time.process_time() - began:.0f} s",
            flush=True,
        )
    shutil.rmtree(FOLDER, ignore_errors=True)
    return 1 if found else 0


def _hang(_number: int, _frame: FrameType | None) -> None:
    raise Hang(f"more than {LONGEST_SECONDS} s")


if __name__ == "__main__":
    sys.exit(main())
