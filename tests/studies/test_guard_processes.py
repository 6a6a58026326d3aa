"""The live guard where processes are killed, and where two of them train together."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("guarded_training.py")
STEPS = 12
GROUP_ANSWERS = 16


def _start(folder, steps=STEPS, act="mask", **more):
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", str(SCRIPT), str(folder), str(steps), act],
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true", **more},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def _ended(*started):
    for one in started:
        told = one.communicate(timeout=200)[1].decode()
        assert one.returncode == 0, told[-2000:]


def _killed(started, there):
    """Kill a run as soon as a file is there, and not before it."""
    while started.poll() is None and not there.exists():
        time.sleep(0.001)
    assert started.poll() is None, f"the run ended before {there} was there"
    started.send_signal(signal.SIGKILL)
    started.wait()
    started.stderr.close()


def _told(folder, rank=0):
    return json.loads((folder / f"told-{rank}.json").read_text())


def _seen(folder):
    return {file.name: file.read_bytes() for file in (folder / "seen").iterdir()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    _ended(_start(folder))
    return folder


@pytest.mark.slow
def test_a_run_that_is_killed_keeps_its_log_whole_and_ends_as_the_unkilled_one(whole, tmp_path):
    _killed(_start(tmp_path), tmp_path / "seen" / "step_000007.jsonl")
    for file in (tmp_path / "seen").glob("step_*.jsonl"):
        assert [json.loads(line) for line in file.read_text().splitlines()], "a file is whole or not there"
    assert not (tmp_path / "told-0.json").exists()
    _ended(_start(tmp_path))
    assert _told(tmp_path) == _told(whole)
    assert _seen(tmp_path) == _seen(whole)
    assert _told(whole)["steps"] == list(range(STEPS))
    assert sorted(_told(whole)["asked"]["held"], key=int) == [str(step) for step in range(0, STEPS + 1, 2)]


@pytest.mark.slow
def test_two_processes_see_the_same_answers_and_decide_alike(whole, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    _ended(*[_start(tmp_path, RANK=rank, LOCAL_RANK=rank, **place) for rank in ("0", "1")])
    first, second, alone = _told(tmp_path), _told(tmp_path, 1), _told(whole)
    assert first == second
    assert sum(first["masked"]) > 0
    assert first["steps"] == alone["steps"]
    assert (first["alarms"], first["masked"]) == (alone["alarms"], alone["masked"])
    assert _seen(tmp_path).keys() == _seen(whole).keys()
    name = "step_000000.jsonl"  # before any update: the same answers, of both processes, in the same order

    def rows(folder):
        return [json.loads(line) for line in (folder / "seen" / name).read_text().splitlines()]

    both, one = rows(tmp_path), rows(whole)
    assert len(both) == GROUP_ANSWERS
    assert [row["output"] for row in both] == [row["output"] for row in one]
    assert [row["score"] for row in both] == [row["score"] for row in one]
