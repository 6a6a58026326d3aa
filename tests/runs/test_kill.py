"""A collecting process killed at random moments loses no row and writes none twice (TELLAPART_KILLS=1000: longer)."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tellapart.models.model import Completion, Sampling
from tellapart.runs.asking import Ask, Elicitation, plain_requests
from tellapart.runs.collect import Condition, collect
from tellapart.runs.folder import open_run
from tellapart.tasks.item import Item, Scorer, Task

KILLS = int(os.environ.get("TELLAPART_KILLS", "200"))
ITEMS, SAMPLES = 200, 20


class _Length(Scorer):
    name = "length"

    def answer(self, item: Item, completion: str) -> str | None:
        return str(len(completion))

    def score(self, item: Item, completion: str) -> float:
        return float(len(completion) % 2)


ASK = Ask(
    Task("t", tuple(Item(f"i{n}", {"q": str(n)}, ("x",)) for n in range(ITEMS)), "{q}", _Length()),
    tuple(Item(f"i{n}", {"q": str(n)}, ("x",)) for n in range(ITEMS)),
    SAMPLES,
    0,
    Sampling(),
)
CONDITION = Condition("gain", "base/plain", "report", {"model": "rule"})


def _answers(ask: Ask) -> Iterator[Elicitation]:
    for item, sample, request in plain_requests(ask):
        text = f"{request.prompt}:{request.seed % 1000}:" + "é" * (request.seed % 50)
        yield Elicitation(
            item, sample, str(request.prompt), Completion(text, (), (), None, None, "stop", 1, 0.0)
        )


def _collect(path: Path) -> list[tuple[str, int, str]]:
    with open_run(path, {"seed": 0}, {}) as folder:
        rows = collect(folder, CONDITION, ASK, _answers, quiet=True)
    return sorted((row.item, row.sample, row.completion) for row in rows)


def _killed_after(path: Path, seconds: float) -> bool:
    """Run `_collect` in a child and kill it after `seconds`; returns whether it was killed before its end."""
    child = os.fork()
    if child == 0:
        _collect(path)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.slow
def test_kills_at_random_moments_lose_no_row(tmp_path: Path) -> None:
    expected = _collect(tmp_path / "whole")
    draw = random.Random(0)
    run, killed = 0, 0
    for _ in range(KILLS):
        path = tmp_path / f"run{run}"
        if _killed_after(path, draw.uniform(0.0, 0.03)):
            killed += 1
            continue
        assert _written(path) == expected
        run += 1
    assert _collect(tmp_path / f"run{run}") == expected
    assert _written(tmp_path / f"run{run}") == expected
    assert killed > KILLS / 4


def _written(path: Path) -> list[tuple[str, int, str]]:
    """Return the rows on disk; every row must stand there once."""
    with open_run(path, {"seed": 0}, {}) as folder:
        rows = folder.read_rows("base/plain")
    twice = [key for key, count in Counter((row.item, row.sample) for row in rows).items() if count > 1]
    assert twice == []
    return sorted((row.item, row.sample, row.completion) for row in rows)
