"""Logs and finished runs on other stores: read as those of this machine are, and never written to."""

import io
import json
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tellapart import remote
from tellapart.cli import run
from tellapart.logs import content_of, read_log
from tellapart.report.view import ViewServer

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed: pip install 'tellapart[remote]'")


def counts(shift: int) -> str:
    return "item,n,c\n" + "".join(f"i{i},8,{min(8, i % 6 + shift)}\n" for i in range(30))


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two logs and a finished run on them."""
    place = tmp_path_factory.mktemp("local")
    for name, shift in (("base.csv", 0), ("tuned.csv", 3)):
        (place / name).write_text(counts(shift))
    command = [
        "gain",
        "--logs",
        str(place / "base.csv"),
        str(place / "tuned.csv"),
        "--out",
        str(place / "runs" / "a"),
    ]
    assert run([*command, "--json"]) == 0
    return place


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A server that speaks S3, on this machine, and a bucket on it."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    server = pytest.importorskip("moto.server", reason="moto is not installed: pip install 'moto[server]'")
    own = {
        "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        started = server.ThreadedMotoServer(port=0)
        started.start()
        for name, value in own.items():
            patch.setenv(name, value)
        patch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*started.get_host_and_port()))
        fsspec.filesystem("s3").mkdir("results")
        yield "s3://results"
        started.stop()


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest, local: Path) -> str:
    """A folder of a store that holds what `local` does."""
    above = "memory://results" if request.param == "memory" else request.getfixturevalue("s3")
    url = f"{above}/{uuid.uuid4().hex}"
    system, root = fsspec.core.url_to_fs(url)
    for path in (one for one in local.rglob("*") if one.is_file()):
        system.pipe_file(f"{root}/{path.relative_to(local).as_posix()}", path.read_bytes())
    return url


@pytest.mark.filterwarnings("ignore")
def test_logs_are_read_as_those_of_this_machine(
    store: str, local: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert content_of(f"{store}/base.csv") == content_of(str(local / "base.csv"))
    command = ["gain", "--logs", f"{store}/base.csv", f"{store}/tuned.csv", "--out", str(tmp_path / "run")]
    for _ in range(2):  # the second goes on with the first
        assert run([*command, "--json"]) == 0
        capsys.readouterr()
    here, there = (
        json.loads((place / "findings.json").read_text()) for place in (tmp_path / "run", local / "runs/a")
    )
    assert [one["estimates"] for one in here["findings"]] == [one["estimates"] for one in there["findings"]]
    assert str(remote._root()) not in (tmp_path / "run" / "spec.json").read_text()
    system, root = fsspec.core.url_to_fs(store)
    system.pipe_file(f"{root}/tuned.csv", counts(2).encode())
    assert run(command) == 2
    assert "sources.tuned.content" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")
def test_finished_runs_are_looked_at_from_afar(
    store: str,
    local: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["compare", f"{store}/runs/a", str(local / "runs" / "a"), "--json"]) == 0
    (first, *_) = json.loads(capsys.readouterr().out)["findings"]
    assert all(one == other for one, other in first["estimates"].values())
    assert run(["compare", f"{store}/base.csv", f"{store}/tuned.csv"]) == 0
    assert str(remote._root()) not in capsys.readouterr().out
    assert run(["runs", store, "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["folder"], listed["state"]) == (f"{store}/runs/a", "finished")
    assert run(["export", f"{store}/runs/a", "--format", "csv"]) == 0
    assert list((tmp_path / "a-csv").iterdir())
    server = ViewServer(remote.folder(f"{store}/runs/a"), 0)
    try:
        import threading

        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert httpx.get(server.url).text.count("<html") == 1
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "command",
    [
        ["gain", "--logs", "{local}/base.csv", "{local}/tuned.csv", "--out", "s3://results/run"],
        ["gain", "--logs", "{local}/base.csv", "{local}/tuned.csv", "--out", "S3://results/run"],
        ["export", "{local}/runs/a", "--format", "csv", "--out", "memory://results/csv"],
        ["demo", "--out", "s3://results/demo"],
        ["skills", "export", "{local}/runs/a", "--out", "s3://results/adapter"],
        ["specimens", "build", "--out", "s3://results/specimens"],
        ["analyse", "s3://results/run"],
    ],
)
def test_nothing_is_written_there(
    command: list[str],
    tmp_path: Path,
    local: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run([one.format(local=local) for one in command]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "docs/running-at-scale.md" in said
    assert list(tmp_path.iterdir()) == []


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("memory://results/none", "memory://results/none: no such file or folder"),
        ("memory://results/none#model", "no such file or folder"),
        ("nosuch://a/b", "nosuch://a/b cannot be read"),
        ("memory://results/../none", "is no name of a file here"),
        ("file:///etc/hosts", "give its path"),
        ("https://results/none", "download it and give its path"),
        ("HTTP://results/none", "download it and give its path"),
        ("reference://::memory://results/none", "one URL within another"),
        ("S3://results/none", "S3://results/none cannot be read"),
        ("memory://results", "memory://results: holds 2 logs"),
        ("memory://", "memory://: holds"),
        ("s3://results/none", "s3://results/none cannot be read"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    reference: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{_free_port()}")  # nobody answers
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    if reference.startswith("s3"):
        pytest.importorskip("s3fs").S3FileSystem.clear_instance_cache()
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    for name in ("a.csv", "b.csv", "results/a.csv", "results/b.csv"):
        system.pipe_file(f"/{name}", counts(0).encode())
    assert run(["read", reference]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert said in told
    if reference.startswith("s3"):
        pytest.importorskip("s3fs").S3FileSystem.clear_instance_cache()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("user", ["user:secret@", "user:sec/ret@", ":secret@", "a:1:secret@"])
def test_a_password_is_told_nowhere(
    user: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = f"ftp://{user}127.0.0.1/base.csv"
    for command in (["read", url], ["view", url], ["gain", "--logs", url, url, "--out", "run"]):
        assert run(command) == 2
        said = capsys.readouterr().err
        assert "a password in a URL" in said
        assert "sec" not in said
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(remote.UserMistake, match="no such file"):
        remote.fetch("memory://host:22/results@none")


def test_without_the_package_it_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tellapart.extras.find_spec", lambda name: None)
    assert run(["read", "memory://results/a.csv#x"]) == 2
    assert capsys.readouterr().err.endswith("a URL here needs fsspec: pip install 'tellapart[remote]'\n")


def test_what_lies_beside_a_log_is_read_too(tmp_path: Path) -> None:
    """lm-eval says in another file how many shots there were and which metric counts; HELM keeps answers there."""
    held = {
        "results_2025-01-02T03-04-05.json": json.dumps({"higher_is_better": {"t": {"ups": False}}}),
        "samples_t_2025-01-02T03-04-05.jsonl": "".join(
            json.dumps(
                {
                    "doc_id": n, "doc": {"question": f"q{n}"}, "target": "a", "resps": [["a"]], "filtered_resps": ["a"],
                    "filter": "none", "metrics": ["ups", "acc"], "ups": n / 9, "acc": 1.0,
                }
            )
            + "\n"
            for n in range(9)
        ),
    }  # fmt: skip
    place = f"beside/{uuid.uuid4().hex}"
    for name, said in held.items():
        (tmp_path / name).write_text(said)
        fsspec.filesystem("memory").pipe_file(f"/{place}/{name}", said.encode())
    name = list(held)[1]
    here, there = (read_log(f"{above}/{name}") for above in (tmp_path, f"memory://{place}"))
    assert here.metric == there.metric
    assert there.metric is not None
    assert there.metric.name == "acc"


class _Store:
    """A store with names that no file of this machine may have."""

    def __init__(self, names: list[str], size: int = 1, data: bytes = b"1") -> None:
        self.files = {name: {"size": size, "name": name} for name in names}
        self.data = data

    def invalidate_cache(self) -> None: ...

    def isfile(self, path: str) -> bool:
        return False

    def isdir(self, path: str) -> bool:
        return True

    def find(self, *_: Any, **__: Any) -> dict[str, dict[str, Any]]:
        return self.files

    def open(self, name: str, mode: str) -> io.BytesIO:
        return io.BytesIO(self.data)


@pytest.mark.parametrize(
    ("store", "said"),
    [
        (_Store(["b/run/../../../escaped"]), "is no name of a file here"),
        (_Store(["b/run/a\0b"]), "is no name of a file here"),
        (_Store([f"b/run/{n}" for n in range(10_001)]), "10,001 files"),
        (_Store(["b/run/a"], 2**40), "bytes"),
        (_Store(["b/run/a"], -(2**40), b"1" * 2**12), "said it held less"),
        (_Store(["b/run/1/2/3/4/5/6/7/8/9"]), "9 folders deep"),
        (_Store(["b/run/a", "b/run//a"]), "FileExistsError"),
        (_Store(["b/run/a", "b/run/a/b"]), "FileExistsError|NotADirectoryError"),
        (_Store(["b/run/a"], 2), "came in part"),
        (_Store(["b/run/a"], 1, b"12"), "came in part"),
    ],
)
def test_hostile_names_and_sizes_are_refused(
    store: _Store, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fsspec.core.url_to_fs", lambda reference: (store, "b/run"))
    monkeypatch.setattr(remote, "MOST_BYTES", 2**10)
    with pytest.raises(remote.UserMistake, match=said) as raised:
        remote.fetch("odd://b/run")
    assert str(remote._root()) not in str(raised.value)
    assert not list(remote._root().parent.rglob("escaped"))


def test_what_was_copied_in_part_is_copied_again(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, part = _Store(["b/run/a"]), _Store(["b/run/a"], 2)
    for store in (whole, part, whole):
        monkeypatch.setattr("fsspec.core.url_to_fs", lambda reference, store=store: (store, "b/run"))
        if store is whole:
            assert (remote.fetch("odd://b/part") / "a").read_bytes() == b"1"
            continue
        with pytest.raises(remote.UserMistake, match="came in part"):
            remote.fetch("odd://b/part")


def test_what_stands_for_a_folder_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    store = _Store(["b/run/rows/a"])
    store.files |= {name: {"size": 0, "name": name} for name in ("b/run", "b/run/", "b/run/rows/")}
    monkeypatch.setattr("fsspec.core.url_to_fs", lambda reference: (store, "b/run"))
    copy = remote.fetch("odd://b/marked")
    assert [path.relative_to(copy).as_posix() for path in sorted(copy.rglob("*"))] == ["rows", "rows/a"]


def test_what_changed_there_is_copied_anew() -> None:
    system = fsspec.filesystem("memory")
    place = f"/changed/{uuid.uuid4().hex}"
    for name in ("spec.json", "scratch/workers/0/x", ".lock", "artifacts/.a.1.tmp"):
        system.pipe_file(f"{place}/{name}", b"1")
    copy = remote.fetch(f"memory:/{place}")
    assert [one.relative_to(copy).as_posix() for one in copy.rglob("*")] == ["spec.json"]
    (copy / "spec.json").write_bytes(b"kept")
    assert remote.fetch(f"memory:/{place}").joinpath("spec.json").read_bytes() == b"kept"  # not copied again
    system.pipe_file(f"{place}/spec.json", b"22")
    system.pipe_file(f"{place}/more.json", b"3")
    assert sorted(one.name for one in remote.fetch(f"memory:/{place}").iterdir()) == [
        "more.json",
        "spec.json",
    ]
    assert (copy / "spec.json").read_bytes() == b"22"


def test_a_path_is_a_path() -> None:
    for reference in (
        "runs/a",
        "C:/x",
        "openai:m@http://127.0.0.1/v1",
        "given:a-0",
        "a#b://c",
        "specimen:x",
        "C://x",
    ):
        assert not remote.is_remote(reference)
    assert remote.folder("runs/a") == Path("runs/a")
