"""Workers give the answers that the model itself gives, killed or not, whatever their number."""

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tellapart.errors import InvalidInput, Refused, ServerGone
from tellapart.models import CHANGERS
from tellapart.models.budget import BudgetSpent, TokenBudget, metered
from tellapart.models.hooks import perturbing_weights
from tellapart.models.local import LocalModel
from tellapart.models.model import Answer, Completion, Model, Request, Sampling, Turns
from tellapart.models.open import open_model
from tellapart.runs import executors, worker
from tellapart.runs.executors import Workers, workers_for
from tellapart.runs.folder import RunFolder, open_run
from tellapart.runs.launchers import Handle, Launcher, Processes, Ray, Slurm, check_executor, launcher_for
from tellapart.runs.shard import (
    Kind,
    Question,
    Shard,
    answer_of,
    answers_path,
    completion_of,
    pair_of,
    read_shard,
    request_data,
    request_of,
    run_shard,
    shard_path,
)
from tellapart.studies import run_study
from tellapart.studies.gain.spec import GainSpec
from tellapart.training.change import Change, attached, changed
from tellapart.training.full import FullWeights
from tellapart.training.kinds import EVERY, remade
from tellapart.training.lora import Lora
from tellapart.training.vectors import LayerVectors
from tellapart.wiring import CHANGES

pytestmark = pytest.mark.usefixtures("one_thread")
REFERENCE = "specimen:latent-register-0/base"
REQUESTS = [
    Request(f"{a} + {b} =", seed, Sampling(max_tokens=8))
    for a in range(6)
    for b in range(4)
    for seed in range(3)
]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    with open_run(tmp_path / "run", {"study": "test"}, {}) as run:
        yield run


@pytest.fixture(scope="module")
def model() -> Model:
    return open_model(REFERENCE)


def _alike(one: Completion, other: Completion) -> None:
    """Compare all but the seconds; sums of floats differ in their last digits with the width of a batch."""
    assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    assert one.sampled_logprobs == pytest.approx(other.sampled_logprobs, abs=1e-4)
    bare = {"logprobs": None, "sampled_logprobs": None, "seconds": 0.0}
    assert replace(one, **bare) == replace(other, **bare)


def _same(found: Sequence[Answer], expected: Sequence[Answer]) -> None:
    assert sorted(one.index for one in found) == sorted(one.index for one in expected)
    by_index = {one.index: one.completion for one in expected}
    for index, completion in found:
        _alike(completion, by_index[index])


def _processes(workers: Workers) -> list[subprocess.Popen[bytes]]:
    return [one.handle.process for one in workers.workers]  # type: ignore[attr-defined]


class _KilledOnce(Processes):
    """Kills its first worker when that has begun a shard."""

    victim: "subprocess.Popen[bytes] | None" = None

    def start(self, places: Sequence[Path]) -> list[Handle]:
        handles = super().start(places)
        if self.victim is None:
            first, gone = handles[0], handles[0].gone
            self.victim = first.process  # type: ignore[attr-defined]

            def killing() -> str:
                if list(places[0].glob("shard-*.json")):
                    self.victim.kill()  # type: ignore[union-attr]
                return gone()

            first.gone = killing  # type: ignore[method-assign]
        return handles


@pytest.mark.parametrize("count", [1, 2, pytest.param(4, marks=pytest.mark.slow)])
def test_answers_are_those_of_the_model_with_a_worker_killed(
    folder: RunFolder, model: Model, count: int, capfd: pytest.CaptureFixture[str]
) -> None:
    expected = list(model.generate(REQUESTS))
    with workers_for(folder, _KilledOnce(), count) as workers:
        found = list(model.generate(REQUESTS))
        pairs = [
            (request.prompt, one.completion.tokens) for request, one in zip(REQUESTS, found, strict=False)
        ]
        scored = model.score(pairs)
        processes = _processes(workers)
    _same(found, expected)
    for one, other in zip(scored, model.score(pairs), strict=True):
        assert one.tokens == other.tokens
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    assert "killed by SIGKILL" in capfd.readouterr().err
    assert all(one.poll() is not None for one in processes)
    assert not (folder.path / "scratch").exists()


def test_a_changed_model_answers_itself(folder: RunFolder, model: Model) -> None:
    with workers_for(folder, Processes(), 1) as workers:
        plain, model.fingerprint = model.fingerprint, "changed"
        try:
            _same(list(model.generate(REQUESTS[:2])), list(model.generate(REQUESTS[:2])))
        finally:
            model.fingerprint = plain
        assert workers.workers == []


@pytest.mark.parametrize("change", [Lora(rank=2), FullWeights()])
def test_a_trained_change_is_put_in_place_by_the_workers(folder: RunFolder, change: Change) -> None:
    model = open_model(REFERENCE)
    assert isinstance(model, LocalModel)
    with attached(model, change) as place, torch.no_grad():
        for value in place.parameters.values():
            value += 0.02 * torch.randn(value.shape, generator=torch.Generator().manual_seed(1))
        weights = place.weights()
    plain = list(model.generate(REQUESTS))
    with changed(model, change, weights):
        expected = list(model.generate(REQUESTS))
    assert [one.completion.text for one in expected] != [one.completion.text for one in plain]
    with workers_for(folder, _InProcess(), 2) as workers:
        with changed(model, change, weights):
            _same(list(model.generate(REQUESTS)), expected)
            scored = model.score([("1 + 1 =", "2")])
            assert workers.numbers > 2
            with perturbing_weights(model, 0.1, 0):  # no worker can do that
                before = workers.numbers
                list(model.generate(REQUESTS[:1]))
                assert workers.numbers == before
        _same(list(model.generate(REQUESTS)), plain)
        assert scored != model.score([("1 + 1 =", "2")])


def test_every_kind_of_change_is_known_to_the_workers() -> None:
    assert (
        set(CHANGES)
        == set(EVERY)
        == set(CHANGERS)
        == {kind.name for kind in Change.__subclasses__() if kind.__module__.startswith("tellapart.")}
    )
    for kind in EVERY.values():
        change = LayerVectors((1.0, 2.5), (0, 3)) if kind is LayerVectors else kind()
        assert remade(json.loads(json.dumps(change.as_json()))) == change


# A worker in this process, which answers when it is looked at: all but the process itself.


class _Here(Handle):
    def __init__(self, place: Path, dies: int, model: Model | None) -> None:
        self.place, self.dies, self.model = place, dies, model
        self.done: set[Path] = set()
        (place / worker.READY).touch()

    def gone(self) -> str:
        if self.dies:
            return "killed by a test"
        for path in sorted(self.place.glob("shard-*.json")):
            if path not in self.done:
                self.done.add(path)
                _run(self.place, int(path.stem.partition("-")[2]), self.model)
        return ""

    def stop(self) -> None:
        pass


class _InProcess(Launcher):
    """`dies` says how often the worker of a place dies before it works."""

    def __init__(self, model: Model | None = None, dies: dict[int, int] | None = None) -> None:
        self.model, self.dies = model, dies or {}

    def start(self, places: Sequence[Path]) -> list[Handle]:
        found: list[Handle] = []
        for place in places:
            left = self.dies.get(int(place.name), 0)
            self.dies[int(place.name)] = max(0, left - 1)
            found.append(_Here(place, left, self.model))
        return found


def _run(place: Path, number: int, model: Model | None) -> None:
    from tellapart.models import executor
    from tellapart.runs.shard import change_model, open_model_of, read_shard

    shard = read_shard(place, number)
    assert shard is not None
    token = executor._CURRENT.set(None)
    try:
        run_shard(
            shard,
            place,
            lambda opening: change_model(open_model_of(opening) if model is None else model, opening, place),
        )
    finally:
        executor._CURRENT.reset(token)


def test_a_worker_that_always_ends_is_given_up_and_the_others_do_its_part(
    folder: RunFolder, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "SMALLEST", 4)  # so many shards that it is asked three times
    expected = list(model.generate(REQUESTS))
    with workers_for(folder, _InProcess(model, {0: 99}), 3) as workers:
        _same(list(model.generate(REQUESTS)), expected)
        assert len(workers.workers) == 2


def test_no_worker_left_ends_the_run(folder: RunFolder, model: Model) -> None:
    with (
        pytest.raises(ServerGone, match=r"every worker ended 3 times.*killed by a test"),
        workers_for(folder, _InProcess(model, {0: 99, 1: 99}), 2),
    ):
        list(model.generate(REQUESTS))


def test_another_model_in_a_worker_is_refused(folder: RunFolder) -> None:
    other = open_model(REFERENCE)
    assert other.opening is not None
    other.opening = other.opening._replace(reference="specimen:latent-register-0/tuned")
    with (
        pytest.raises(Refused, match="a worker opened another specimen:latent-register-0/tuned"),
        workers_for(folder, _InProcess(), 1),
    ):
        list(other.generate(REQUESTS[:1]))


def test_what_a_killed_run_left_is_not_asked_again(folder: RunFolder, model: Model) -> None:
    expected = list(model.generate(REQUESTS))
    with pytest.raises(KeyboardInterrupt), workers_for(folder, _InProcess(model), 2):  # noqa: PT012
        answers = model.generate(REQUESTS)
        next(answers)
        raise KeyboardInterrupt
    assert list((folder.path / "scratch").rglob("answers-*.jsonl"))
    asked: list[int] = []

    class Counting(_InProcess):
        def start(self, places: Sequence[Path]) -> list[Handle]:
            asked.append(len(places))
            return super().start(places)

    with workers_for(folder, Counting(model), 3) as workers:
        left = len(workers.left)
        assert left > 0
        _same(list(model.generate(REQUESTS)), expected)
    assert not (folder.path / "scratch").exists()


def test_an_abandoned_call_leaves_the_workers_to_the_next(folder: RunFolder, model: Model) -> None:
    expected = list(model.generate(REQUESTS))
    with workers_for(folder, _InProcess(model), 2) as workers:
        first, second = model.generate(REQUESTS), model.generate(REQUESTS[:9])
        next(first)
        _same(list(second), expected_of(expected, 9))
        first.close()  # type: ignore[attr-defined]
        assert all(one.shard is None for one in workers.workers)
        _same(list(model.generate(REQUESTS)), expected)


def expected_of(answers: Sequence[Answer], count: int) -> list[Answer]:
    return [one for one in answers if one.index < count]


@pytest.mark.parametrize("limit", [1, 30, 100, 300])
def test_a_budget_is_overshot_by_one_answer_at_most(folder: RunFolder, model: Model, limit: int) -> None:
    with metered(TokenBudget(limit)) as budget:  # noqa: SIM117
        with pytest.raises(BudgetSpent), workers_for(folder, _InProcess(model), 3):
            list(model.generate(REQUESTS))
    assert limit <= budget.total <= limit + 8
    assert budget.refused


def test_a_budget_counts_as_it_does_without_workers(folder: RunFolder, model: Model) -> None:
    with metered(TokenBudget()) as serial:
        list(model.generate(REQUESTS))
    with metered(TokenBudget()) as budget, workers_for(folder, _InProcess(model), 3):
        list(model.generate(REQUESTS))
    assert budget.counts == serial.counts


def test_a_shard_goes_on_after_a_torn_line(tmp_path: Path, model: Model) -> None:
    assert model.opening is not None
    shard = Shard(1, model.opening, "generate", {str(n): REQUESTS[n] for n in range(4)})
    path = answers_path(tmp_path, 1)
    path.touch()
    shard_path(tmp_path, 1).touch()
    run_shard(shard, tmp_path, lambda opening: nullcontext(model))
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(whole[0] + whole[1] + whole[2][:30])
    run_shard(shard, tmp_path, lambda opening: nullcontext(model))
    keys = [one.key for line in path.read_bytes().splitlines() if (one := answer_of(line))]
    assert sorted(keys) == ["", "0", "1", "2", "3"]
    before = path.read_bytes()
    run_shard(shard, tmp_path, lambda opening: nullcontext(model))
    assert path.read_bytes() == before
    path.unlink()
    run_shard(shard, tmp_path, lambda opening: nullcontext(model))
    assert not path.exists()
    path.touch()
    shard_path(tmp_path, 1).unlink()
    run_shard(shard, tmp_path, lambda opening: nullcontext(model))
    assert len(path.read_bytes().splitlines()) == 1  # nobody waits: it stops at once


def test_what_stands_in_the_folder_is_checked(folder: RunFolder, model: Model) -> None:
    assert model.opening is not None
    place = folder.scratch("workers/aaaa/0")
    key = executors.key_of(model.opening, "generate", REQUESTS[0])
    good = asdict(next(iter(model.generate(REQUESTS[:1]))).completion)
    answers_path(place, 1).write_text(
        f"{json.dumps([key, {**good, 'tokens': ['x']}, 1])}\n[]\nnonsense\n{json.dumps([key, {}, -1])}\n"
    )
    with workers_for(folder, _InProcess(model), 1):
        (found,) = model.generate(REQUESTS[:1])
    assert found.completion.text == good["text"]


def test_links_in_the_place_of_answers_are_not_followed(folder: RunFolder, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "answers-1.jsonl").write_text("[torn")
    (folder.scratch("workers") / "aaaa").symlink_to(tmp_path)
    (folder.scratch("workers") / "bbbb").mkdir()
    (folder.scratch("workers") / "bbbb" / "outside").symlink_to(outside)
    with workers_for(folder, _InProcess(), 1):
        pass
    assert (outside / "answers-1.jsonl").read_text() == "[torn"


@pytest.mark.parametrize(
    "request_",
    [
        Request("é \ud800", 2**62, Sampling(0.0, 0.5, 3, 0.1, 7, ("a", "\n")), "pre"),
        Request((1, 2, 3)),
        Request(Turns((("a", "b"),), "c"), 1),
    ],
)
def test_requests_survive_json(request_: Request) -> None:
    assert request_of(json.loads(json.dumps(request_data(request_)))) == request_
    assert pair_of(json.loads(json.dumps([(1, 2), (3,)]))) == ((1, 2), (3,))


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("generate", {"a": Request(Turns((("a", "b"),), "c"), 1), "b": Request((1, 2))}),
        ("score", {"a": ((1, 2), (3,))}),
    ],
)
def test_a_shard_is_read_back_as_it_was(
    tmp_path: Path, model: Model, kind: Kind, asked: dict[str, Question]
) -> None:
    assert model.opening is not None
    shard = Shard(3, model.opening, kind, asked, ("margins",), 40)
    shard_path(tmp_path, 3).write_text(shard.as_json())
    assert read_shard(tmp_path, 3) == shard


def test_completions_survive_json() -> None:
    whole = Completion(
        "a\ud800", (1,), ("a",), (-0.1,), None, "stop", 3, 0.5, margins=(float("inf"),), reasoning_tokens=1
    )
    assert completion_of(json.loads(json.dumps(asdict(whole)))) == whole
    for broken in (
        {"text": 1},
        {"tokens": None},
        {"tokens": [True]},
        {"finish": "x"},
        {"seconds": "1"},
        {"more": 1},
    ):
        with pytest.raises(ValueError, match=r"."):
            completion_of(json.loads(json.dumps(asdict(whole))) | broken)


@pytest.mark.parametrize(
    ("executor", "workers", "device", "said"),
    [
        ("procesess", None, "cpu", "did you mean 'processes'"),
        ("serial", 2, "cpu", "give --executor processes"),
        ("processes:a=1", None, "cpu", "has no settings"),
        ("processes", 2, "cuda:1", "give --device cuda"),
        ("slurm:partition", 2, "cpu", "give NAME=VALUE"),
        ("slurm:a b=1", 2, "cpu", "give NAME=VALUE"),
    ],
)
def test_wrong_options_are_told_in_one_line(
    executor: str, workers: int | None, device: str, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        check_executor(executor, workers, device)


@pytest.mark.parametrize(
    ("text", "kind", "settings"),
    [
        ("processes", Processes, None),
        ("slurm:cluster=local,timeout_min=5", Slurm, {"timeout_min": 5, "name": "tellapart"}),
        ("ray:num_gpus=1", Ray, {"num_cpus": 1, "max_retries": 0, "num_gpus": 1}),
    ],
)
def test_the_executor_that_is_named_starts_the_workers(
    text: str, kind: type[Launcher], settings: dict[str, Any] | None
) -> None:
    launcher = launcher_for(text, "cpu")
    assert type(launcher) is kind
    assert settings is None or launcher.settings == settings  # type: ignore[attr-defined]


# The whole command, killed and gone on with under another number of workers.

SPEC = GainSpec(
    "specimen:latent-register-0/base",
    "specimen:latent-register-0/tuned",
    task="specimen:latent-register-0",
    limit=24,
    samples=6,
    plan="quick",
)
COMMAND: tuple[str, ...] = (
    "gain", SPEC.base, SPEC.tuned, "--task", SPEC.task, "--limit", "24", "--samples", "6", "--plan", "quick"
)  # fmt: skip


def _command(out: Path, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tellapart", *COMMAND, "--out", str(out), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def _rows(out: Path) -> dict[tuple[str, str, int], dict[str, object]]:
    found: dict[tuple[str, str, int], dict[str, object]] = {}
    for path in (out / "rows").glob("*.jsonl"):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            at = row["condition"], row["item"], row["sample"]
            assert at not in found
            found[at] = {k: v for k, v in row.items() if k not in ("seconds", "logprob", "token_logprobs")}
    return found


def _workers_of(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            command = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == parent and b"tellapart.runs.worker" in command:
            found.append(int(path.parent.name))
    return found


def _begun(run: "subprocess.Popen[str]", out: Path, count: int) -> list[int]:
    """Wait until a run has asked its workers and return them."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and run.poll() is None:
        workers = _workers_of(run.pid)
        if len(workers) == count and list(out.glob("scratch/workers/*/*/answers-*.jsonl")):
            return workers
        time.sleep(0.02)
    raise AssertionError(f"no {count} workers; exit code {run.poll()}")


@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.slow
def test_a_killed_run_goes_on_with_another_number_of_workers(tmp_path: Path) -> None:
    serial, out = tmp_path / "serial", tmp_path / "killed"
    first = _command(out, "--executor", "processes", "--workers", "2")
    theirs = _begun(first, out, 2)
    first.kill()
    first.communicate()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in theirs) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in theirs)
    assert not (out / "findings.json").exists()
    second = _command(out, "--executor", "processes", "--workers", "1")
    theirs = _begun(second, out, 1)
    second.send_signal(signal.SIGTERM)
    said = second.communicate(timeout=60)[1]
    assert second.returncode == 128 + signal.SIGTERM
    assert "--workers 1" in said.splitlines()[-1]
    assert "goes on from here: tellapart gain" in said.splitlines()[-1]
    assert not any(Path(f"/proc/{pid}").exists() for pid in theirs)
    for path in (out, serial):
        run_study(replace(SPEC, out=str(path)), quiet=True)
    assert _rows(out) == _rows(serial)
    assert not (out / "scratch").exists()


# Jobs of SLURM on submitit's local executor, and tasks of Ray on a cluster of this machine.

LEFT = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
"""submitit drops the processes of local jobs without waiting for them."""


@pytest.fixture
def collected() -> Iterator[None]:
    """What submitit dropped is collected before the next test begins."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@LEFT
@pytest.mark.usefixtures("collected")
@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 4])
def test_jobs_of_slurm_give_the_same_answers_with_one_killed(
    folder: RunFolder, model: Model, count: int, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("submitit")
    expected = list(model.generate(REQUESTS))
    with workers_for(folder, Slurm({"cluster": "local", "partition": "gpu"}), count) as workers:
        found = []
        for answer in model.generate(REQUESTS):
            if not found:
                workers.workers[0].handle.job._process.kill()  # type: ignore[attr-defined]
            found.append(answer)
        found += model.generate(REQUESTS[:1])
    _same(found[:-1], expected)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.skipif(shutil.which("srun") is not None, reason="there is a SLURM here")
def test_no_slurm_is_told_in_one_line(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    with pytest.raises(InvalidInput, match=r"--executor slurm: .*srun"):
        Slurm({"partition": "gpu"}).start([tmp_path / "0"])


@LEFT
@pytest.mark.usefixtures("collected")
@pytest.mark.timeout(600)
@pytest.mark.slow
def test_a_job_that_timed_out_is_submitted_again_and_goes_on(folder: RunFolder, model: Model) -> None:
    pytest.importorskip("submitit")
    expected = list(model.generate(REQUESTS))
    launcher = Slurm({"cluster": "local", "timeout_min": 30})
    with workers_for(folder, launcher, 1) as workers:
        answers = model.generate(REQUESTS)
        found = [next(answers)]
        job = workers.workers[0].handle.job  # type: ignore[attr-defined]
        list(answers)
        (workers.workers[0].place / worker.READY).unlink()
        _time_out(job)
        deadline = time.monotonic() + 120
        while not (workers.workers[0].place / worker.READY).exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        found = list(model.generate([replace(one, seed=one.seed + 10) for one in REQUESTS]))
        assert workers.workers[0].handle.job is job  # type: ignore[attr-defined]
        assert "Requeued job" in job.stderr() + job.stdout()
    assert len(found) == len(expected)


def _time_out(job: Any) -> None:
    """Tell the task of a local job what SLURM tells it shortly before its time is over."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = path.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if parent == job.job_id:
            os.kill(int(path.parent.name), signal.SIGUSR2)


@pytest.mark.timeout(600)
@pytest.mark.slow
def test_tasks_of_ray_give_the_same_answers_with_one_killed(folder: RunFolder, model: Model) -> None:
    ray = pytest.importorskip("ray")
    expected = list(model.generate(REQUESTS))
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        with workers_for(folder, Ray({}), 2) as workers:
            answers = model.generate(REQUESTS)
            found = [next(answers)]
            ray.cancel(workers.workers[0].handle.task, force=True)  # type: ignore[attr-defined]
            found += answers
        _same(found, expected)
    finally:
        ray.shutdown()


@pytest.fixture(scope="module")
def three_nodes() -> Iterator[Any]:
    """A cluster of three nodes with four cores: four workers need all of them."""
    ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'tellapart[ray]'")
    from ray.cluster_utils import Cluster  # pyright: ignore[reportMissingImports]

    small = {"object_store_memory": 80 * 2**20}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")  # at its default of 15 a busy machine gives them nothing
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **small})
        try:
            cluster.add_node(num_cpus=2, **small)
            cluster.add_node(num_cpus=1, **small)
            cluster.wait_for_nodes()
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(900)
@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 4])
def test_tasks_of_ray_on_three_nodes_give_the_same_answers_with_one_killed(
    folder: RunFolder, model: Model, three_nodes: Any, count: int
) -> None:
    import ray  # pyright: ignore[reportMissingImports]

    expected = list(model.generate(REQUESTS))
    with workers_for(folder, Ray({"address": three_nodes.address}), count) as workers:
        answers = model.generate(REQUESTS)
        found = [next(answers)]
        assert len([node for node in ray.nodes() if node["Alive"]]) == 3
        # a worker alone may have answered its only part by now
        busy = next((one for one in workers.workers if one.shard is not None), workers.workers[0])
        ray.cancel(busy.handle.task, force=True)  # type: ignore[attr-defined]
        found += answers
    _same(found, expected)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(900)
@pytest.mark.slow
def test_a_node_of_ray_that_is_lost_leaves_its_part_to_the_others(
    folder: RunFolder, model: Model, three_nodes: Any
) -> None:
    """Afterwards there are cores for three of the four workers: the fourth waits for its start for ever."""
    expected = list(model.generate(REQUESTS))
    with workers_for(folder, Ray({"address": three_nodes.address}), 4) as workers:
        answers = model.generate(REQUESTS)
        found = [next(answers)]
        while not all(one.ready for one in workers.workers):  # so that the node's worker has a part
            found.append(next(answers))
        three_nodes.remove_node(three_nodes.list_all_nodes()[-1])
        found += answers
    _same(found, expected)


def test_what_a_worker_owes_goes_to_another_where_its_start_must_wait(
    folder: RunFolder, model: Model
) -> None:
    expected = list(model.generate(REQUESTS))

    class Waiting(Handle):
        """A job that waits in a queue."""

        def gone(self) -> str:
            return ""

        def stop(self) -> None:
            pass

    class Lost(_Here):
        """Dies as soon as it has a shard."""

        def gone(self) -> str:
            return "its node was lost" if list(self.place.glob("shard-*.json")) else ""

    class Full(_InProcess):
        def start(self, places: Sequence[Path]) -> list[Handle]:
            if len(places) == 1:  # again
                return [Waiting()]
            handles = super().start(places)
            return [Lost(places[0], 0, None), *handles[1:]]

    with workers_for(folder, Full(model), 2) as workers:
        _same(list(model.generate(REQUESTS)), expected)
        assert [one.ready for one in workers.workers] == [False, True]
