"""What is fuzzed: each target takes bytes, and ends well or with the mistake that is told in one line."""

import contextlib
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tellapart.errors import UserMistake

Target = Callable[[bytes], None]
FOLDER = Path(
    tempfile.mkdtemp(prefix="tellapart-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
)
LONGEST_LINE = 1100


class BadMessage(AssertionError):
    """A mistake that is no visible line of bounded length."""


@contextlib.contextmanager
def one_line(*refusals: type[Exception]) -> Iterator[None]:
    """Let the mistakes pass that are told in one line; anything else that is raised is a find."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    except (UserMistake, *refusals) as mistake:
        told = str(mistake)
        if len(told) > LONGEST_LINE or any(ord(letter) < 32 or letter in "\x7f\u202e\x9b" for letter in told):
            raise BadMessage(repr(told[:300])) from mistake


def rows(data: bytes) -> None:
    """A line of rows/*.jsonl."""
    from tellapart.runs.row import from_line, to_line

    try:
        row = from_line(data)
    except (ValueError, RecursionError) as error:
        if len(str(error)) > LONGEST_LINE:
            raise BadMessage(str(error)[:300]) from error
        return
    assert to_line(from_line(to_line(row))) == to_line(row)


def folder(data: bytes) -> None:
    """A run folder: spec.json, and a shard of rows, divided by a NUL."""
    from tellapart.runs.folder import RunFolder, open_run
    from tellapart.runs.kept import keeping

    spec, _, shard = data.partition(b"\x00")
    place = FOLDER / "run"
    (place / "rows").mkdir(parents=True, exist_ok=True)
    (place / "artifacts").mkdir(exist_ok=True)
    (place / "spec.json").write_bytes(spec)
    for path in (RunFolder(place).shard("c"), place / "artifacts" / "k.jsonl"):
        path.write_bytes(shard)
    with one_line(), open_run(place, {"a": 1, "fingerprints": {"base": "x"}}, {"provenance": {}}) as opened:
        opened.read_rows("c")
        with keeping(opened, "k"):
            pass


def answers(data: bytes) -> None:
    """The body of a served answer."""
    from tellapart.models.endpoint_answer import Traits, completion_of
    from tellapart.models.endpoint_failure import RefusalError, failure_of, understood
    from tellapart.models.endpoint_line import Address
    from tellapart.models.endpoint_probe import likeliest, served_by
    from tellapart.models.endpoint_score import scored_of
    from tellapart.models.model import Request, Sampling

    request = Request("Once", 1, Sampling(max_tokens=6))
    outcome = understood(data, "sk-0123456789abcdef", 0.1)
    failure_of(RefusalError(500, {"retry-after": data[:20].decode("latin-1")}, data), "sk-0123456789abcdef")
    for api in ("completions", "chat"):
        address = Address(api, "m", "http://127.0.0.1:1/v1")
        completion = completion_of(request, outcome, address, Traits().logprobs)
        assert completion.finish in ("stop", "length", "failed")
    scored_of("Once", " upon", outcome)
    if hasattr(outcome, "payload"):
        likeliest(outcome.payload)
        served_by(outcome.payload)


def requests(data: bytes) -> None:
    """The body of a request to `skills serve`."""
    from tellapart.serving.asked import Reader, parsed, read_chat, read_completion
    from tellapart.serving.failure import ApiError
    from tellapart.studies.skills.mix import read_mix

    reader = Reader(lambda name: read_mix(name, ("digits", "letters")), 64, lambda messages: "x")
    for read in (read_completion, read_chat):
        try:
            told = [request.prompt for request in read(parsed(data), reader).requests]
        except ApiError as error:
            if error.status >= 500:
                raise
            told = error.body()
        json.dumps(told, ensure_ascii=False).encode("utf-8")


MOST_CHOICES = 26
"""As many as a task file may list: each has a letter."""


def scorers(data: bytes) -> None:
    """A scorer's name, its settings, a target and an answer, as JSON."""
    from tellapart.tasks.item import Item, Task
    from tellapart.tasks.lenient import lenient_chance, lenient_score
    from tellapart.tasks.scorers import make_scorer

    try:
        value = json.loads(data)
        name, settings, text = str(value["scorer"]), value.get("settings"), value["text"]
        target, choices = (
            tuple(map(str, value["target"])),
            tuple(map(str, value.get("choices") or ()))[:MOST_CHOICES],
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    if (
        name.startswith("python:")
        or not isinstance(text, str)
        or not isinstance(settings, dict | None)
        or not target
    ):
        return
    item = Item("i", {"prompt": "p"}, target, choices)
    with one_line():
        scorer = make_scorer(name, settings)
        assert 0 <= scorer.score(item, text) <= 1
        answer = scorer.answer(item, text)
        assert answer is None or isinstance(answer, str)
        task = Task("t", (item,), "{prompt}", scorer)
        lenient_score(task, item, text)
        lenient_chance(task, item, text)


def tasks(data: bytes) -> None:
    """A task: the kind of its items, its settings, its items, divided by NULs."""
    from tellapart.tasks.files import open_file
    from tellapart.tasks.python_code import code_allowed

    kind, settings, items = [*data.split(b"\x00", 2), b"", b""][:3]
    path = FOLDER / (
        "items.csv" if kind == b"csv" else "items.parquet" if kind == b"parquet" else "items.jsonl"
    )
    path.write_bytes(items)
    path.with_suffix(".toml").write_bytes(settings)
    with one_line(), code_allowed("none"):
        task = open_file(path)
        for item in task.items[:3]:
            assert task.prompt(item).strip()
            assert 0 <= task.score(item, item.target[0]) <= 1


def logs(data: bytes) -> None:
    """A log of another tool; the first line is its file's name."""
    from tellapart.logs import read_log

    name, _, rest = data.partition(b"\n")
    names = ("a.jsonl", "a.json", "a.csv", "a.parquet", "a.eval", "per_instance_stats.json")
    path = FOLDER / next((one for one in names if one.encode() == name.strip()), "a.jsonl")
    path.write_bytes(rest)
    with one_line():
        log = read_log(str(path))
        assert len(log.frame)
        assert set(log.frame["status"]) <= {"ok", "cut off", "failed"}


def guard(data: bytes) -> None:
    """Problems, or the rollouts of a training run; the first line is the file's name."""
    from tellapart.logs.source import open_source, split
    from tellapart.studies.guard.problems import from_source
    from tellapart.studies.guard.training_log import find_log, read_training

    name, _, rest = data.partition(b"\n")
    names = ("p.jsonl", "p.json", "p.csv", "p.parquet")
    path = FOLDER / next((one for one in names if one.encode() == name.strip()), "p.jsonl")
    path.write_bytes(rest)
    with one_line():
        if sources := find_log(str(path)):
            assert len(read_training(sources).frame)
        else:
            assert len(from_source(open_source(str(path), *split(str(path))), None, None).frame)


def sae(data: bytes) -> None:
    """A published autoencoder: its cfg.json and its weights, divided by a NUL."""
    from tellapart.interventions.sae_public import open_sae

    config, _, weights = data.partition(b"\x00")
    place = FOLDER / "sae"
    place.mkdir(exist_ok=True)
    (place / "cfg.json").write_bytes(config)
    (place / "sae_weights.safetensors").write_bytes(weights)
    with one_line():
        open_sae(str(place))


def scale(data: bytes) -> None:
    """Results over scale."""
    from tellapart.logs.scale_read import read_points

    path = FOLDER / "points.json"
    path.write_bytes(data)
    with one_line():
        read_points([str(path)])


def report(data: bytes) -> None:
    """A findings.json that is shown: as a page and on a terminal."""
    from rich.console import Console

    from tellapart.report.html import write_report
    from tellapart.report.terminal import print_run

    place = FOLDER / "shown"
    place.mkdir(exist_ok=True)
    (place / "findings.json").write_bytes(data)
    (place / "spec.json").write_text('{"version": 1, "spec": {"study": "gain", "base": "b", "tuned": "t"}}')
    with one_line():
        from tellapart.findings.reading import read_findings

        write_report(place)
        shown = io.StringIO()
        print_run(place, read_findings(place), Console(file=shown, width=100))
        assert "\x1b[2J" not in shown.getvalue()


TARGETS: dict[str, Target] = {
    one.__name__: one
    for one in (rows, folder, answers, requests, scorers, tasks, sae, logs, guard, scale, report)
}
"""By name, the cheap ones first."""
