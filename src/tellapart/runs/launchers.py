"""How workers are started, watched and stopped: processes of this machine, jobs of SLURM, tasks of Ray."""

import abc
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tellapart.errors import InvalidInput, closest, one_line
from tellapart.extras import require
from tellapart.runs import files

EXECUTORS = ("serial", "processes", "slurm", "ray")
PACKAGES = {"slurm": "submitit", "ray": "ray"}
STOP_SECONDS = 5.0
LOG = "log.txt"


class Handle(abc.ABC):
    """One worker that was started."""

    @abc.abstractmethod
    def gone(self) -> str:
        """Return why it ended; "" while it works or waits to be started."""

    @abc.abstractmethod
    def stop(self) -> None:
        """End it, at once or soon."""


class Launcher(abc.ABC):
    """Starts workers. `afar`: they may run on other machines, where only the run folder tells them that it lives."""

    afar: bool = False

    @abc.abstractmethod
    def start(self, places: Sequence[Path]) -> list[Handle]:
        """Start a worker on each place."""


class _Process(Handle):
    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process, self._log = process, log

    def gone(self) -> str:
        code = self.process.poll()
        if code is None:
            return ""
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"{how}{last_line(self._log)}"

    def stop(self) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Processes(Launcher):
    """Processes of this machine, in a session of their own: Ctrl-C reaches the run alone, which stops them. With GPUs
    each worker sees one."""

    def __init__(self, gpus: Sequence[str] = ()) -> None:
        self.gpus = gpus

    def start(self, places: Sequence[Path]) -> list[Handle]:
        """Start a process on each place."""
        return [self._started(place) for place in places]

    def _started(self, place: Path) -> Handle:
        own = {}
        if self.gpus:
            own = {"CUDA_VISIBLE_DEVICES": self.gpus[int(place.name) % len(self.gpus)]}
        log = place / LOG
        with _opened(log) as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "tellapart.runs.worker", str(place)],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                env={**os.environ, **own},
                start_new_session=True,
            )
        return _Process(process, log)


def _opened(log: Path) -> IO[Any]:
    return os.fdopen(files.opened(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab")


def last_line(log: Path) -> str:
    """Return the last line of a worker's log, to follow what is told of its end; "" where there is none."""
    with contextlib.suppress(OSError):
        lines = (files.read_whole(log) or b"").decode("utf-8", "replace").split("\n")
        return next((f" ({line.strip()})" for line in reversed(lines) if line.strip()), "")
    return ""


class Job:
    """What a job of SLURM runs. After its time-out submitit submits it again, and it goes on where it was."""

    def __call__(self, place: str) -> None:
        """Work on a place."""
        from tellapart.runs.worker import work_afar

        work_afar(place)

    def checkpoint(self, place: str) -> Any:
        """Return what is submitted again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, place)


class _Submitted(Handle):
    def __init__(self, job: Any, waits: bool) -> None:
        self.job, self._waits = job, waits

    def gone(self) -> str:
        if not self.job.done():
            return ""
        self._reap()
        return f"job {self.job.job_id}, {self.job.state}{last_line(self.job.paths.stderr)}"

    def stop(self) -> None:
        self.job.cancel(check=False)
        until = time.monotonic() + STOP_SECONDS
        while self._waits and not self.job.done() and time.monotonic() < until:
            time.sleep(0.05)
        self._reap()

    def _reap(self) -> None:
        """Wait for the process of a local job, which submitit leaves to the interpreter's end."""
        process = getattr(self.job, "_process", None)
        if process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)


@contextlib.contextmanager
def _stderr_in(log: Path) -> Iterator[None]:
    """Let what is started here write its stderr to a file."""
    kept = os.dup(2)
    try:
        writing = files.opened(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(writing, 2)
        os.close(writing)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class Slurm(Launcher):
    """Jobs of SLURM, one array of them, through submitit. Settings are submitit's, in its words for every cluster
    (timeout_min, gpus_per_node ...) or SLURM's own (partition, account ...); `cluster=local` runs them here."""

    afar = True
    SHARED = ("timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node", "tasks_per_node")
    MINUTES = 60

    def __init__(self, settings: Mapping[str, int | float | str]) -> None:
        self.cluster = str(settings.get("cluster", "slurm"))
        self.settings = {"timeout_min": self.MINUTES, "name": "tellapart"} | {
            name if name in self.SHARED else f"slurm_{name}": value
            for name, value in settings.items()
            if name != "cluster"
        }

    def start(self, places: Sequence[Path]) -> list[Handle]:
        """Submit a job for each place, together."""
        import submitit

        try:
            executor = submitit.AutoExecutor(places[0].parent / "jobs", cluster=self.cluster)
            executor.update_parameters(**self.settings)
        except (RuntimeError, ValueError, TypeError, NameError) as error:
            raise InvalidInput(f"--executor slurm: {error}") from error
        here = self.cluster == "local"  # whose processes write to this terminal, and end by a traceback
        with _stderr_in(places[0].parent / "jobs.log") if here else contextlib.nullcontext():
            jobs = executor.map_array(Job(), [str(place) for place in places])
        return [_Submitted(job, here) for job in jobs]


class _Task(Handle):
    def __init__(self, ray: Any, task: Any) -> None:
        self._ray, self.task = ray, task

    def gone(self) -> str:
        if not self._ray.wait([self.task], timeout=0)[0]:
            return ""
        try:
            self._ray.get(self.task)
        except Exception as error:  # whatever ended it there
            return one_line(f"{type(error).__name__}: {error}", 200)
        return "its task returned"

    def stop(self) -> None:
        self._ray.cancel(self.task, force=True)


class Ray(Launcher):
    """Tasks of a Ray cluster: that of `address` (or RAY_ADDRESS), else one on this machine. The other settings are what
    a task needs (num_cpus, num_gpus, memory)."""

    afar = True

    def __init__(self, settings: Mapping[str, int | float | str]) -> None:
        self.settings = {"num_cpus": 1, "max_retries": 0} | {
            name: value for name, value in settings.items() if name != "address"
        }
        self.address = settings.get("address")

    def start(self, places: Sequence[Path]) -> list[Handle]:
        """Start a task on each place."""
        import ray  # pyright: ignore[reportMissingImports]

        from tellapart.runs.worker import work_afar

        try:
            if not ray.is_initialized():
                ray.init(address=self.address, log_to_driver=False, include_dashboard=False)
            task = ray.remote(**self.settings)(work_afar)
        except (ConnectionError, RuntimeError, ValueError, TypeError) as error:
            raise InvalidInput(f"--executor ray: {error}") from error
        return [_Task(ray, task.remote(str(place))) for place in places]


def check_executor(text: str, workers: int | None, device: str) -> None:
    """Raise InvalidInput where there is no such executor, or it cannot have these settings."""
    name, _, settings = text.partition(":")
    if name not in EXECUTORS:
        raise InvalidInput(f"--executor {name!r}{closest(name, EXECUTORS)}: give {', '.join(EXECUTORS)}")
    if name == "serial" and workers is not None:
        raise InvalidInput(f"--workers {workers}: give --executor processes (slurm, ray) with it")
    if settings and name in ("serial", "processes"):
        raise InvalidInput(f"--executor {text}: {name} has no settings; leave out what follows the colon")
    if name == "processes" and device.startswith("cuda:"):
        raise InvalidInput(f"--device {device}: give --device cuda, each of --workers has a GPU of its own")
    if name == "processes" and device == "cuda" and (workers or 1) > max(1, len(gpus())):
        raise InvalidInput(
            f"--workers {workers}: there are {len(gpus())} GPUs; give one worker a GPU at most"
        )
    settings_of(settings)
    if name in PACKAGES:
        require(PACKAGES[name], f"--executor {name}")


def settings_of(text: str) -> dict[str, int | float | str]:
    """Return settings written as NAME=VALUE,NAME=VALUE; numbers as numbers. Raises InvalidInput for anything else."""
    result: dict[str, int | float | str] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals or not name.isidentifier() or not value:
            raise InvalidInput(f"--executor ...:{part}: give NAME=VALUE, with commas between")
        result[name] = _number(value)
    return result


def _number(value: str) -> int | float | str:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(value)
    return value


def gpus() -> list[str]:
    """Return the GPUs that this process sees, by the names that CUDA_VISIBLE_DEVICES gives them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [part for part in given.split(",") if part.strip()]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def launcher_for(text: str, device: str) -> Launcher | None:
    """Return what starts the workers that an executor names; None for `serial`."""
    name, _, settings = text.partition(":")
    if name == "serial":
        return None
    if name == "processes":
        return Processes(gpus() if device == "cuda" else ())
    return {"slurm": Slurm, "ray": Ray}[name](settings_of(settings))
