"""A run folder from anyone, on a disk that may be full: nothing outside is touched, nothing is read that is no row."""

import errno
import json
import os
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_kill import ASK, CONDITION, _answers

from tellapart.errors import UserMistake
from tellapart.runs import files
from tellapart.runs.asking import Ask, Elicitation
from tellapart.runs.collect import collect, known_rows, scored_row
from tellapart.runs.folder import RunFolder, digest, open_run
from tellapart.runs.kept import keeping
from tellapart.runs.row import Row, to_line
from tellapart.runs.spending import spending
from tellapart.tasks.scorers import make_scorer

NAME = CONDITION.name
PRECIOUS = "years of work, and no newline at its end"


def some_rows(count: int = 4) -> list[Row]:
    key = digest(CONDITION.identity)
    return [
        scored_row(CONDITION, key, ASK, ASK.items[one.item], one)
        for one, _ in zip(_answers(ASK), range(count), strict=False)
    ]


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "thesis.tex"
    path.write_text(PRECIOUS)
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with open_run(tmp_path / "run", {"seed": 0}, {}) as folder, folder.appending(NAME) as writer:
        for row in some_rows():
            writer.write(row)
    return tmp_path / "run"


def again(path: Path) -> list[Row]:
    with open_run(path, {"seed": 0}, {}) as folder:
        return list(known_rows(folder, NAME, ASK, digest(CONDITION.identity)).values())


@pytest.mark.parametrize("name", [".lock", "spec.json", "findings.json", "report.html", "rows.parquet"])
def test_a_link_in_the_place_of_a_file_is_refused(run: Path, victim: Path, name: str) -> None:
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(victim)
    with pytest.raises(UserMistake, match=r"no plain file|not empty"):
        again(run)
    assert victim.read_text() == PRECIOUS


def test_a_lock_that_is_a_link_is_refused_in_an_otherwise_empty_folder(tmp_path: Path, victim: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / ".lock").symlink_to(victim)
    with pytest.raises(UserMistake, match="no plain file"):
        again(tmp_path / "new")
    assert victim.read_text() == PRECIOUS


def test_a_shard_that_is_a_link_is_neither_cut_nor_written_to(run: Path, victim: Path) -> None:
    shard = RunFolder(run).shard(NAME)
    shard.unlink()
    shard.symlink_to(victim)
    with pytest.raises(UserMistake, match="is a link"):
        again(run)
    with (
        pytest.raises(UserMistake, match="is a link"),
        open_run(run, {"seed": 0}, {}) as folder,
        folder.appending(NAME),
    ):
        pass
    assert victim.read_text() == PRECIOUS


@pytest.mark.parametrize("name", ["rows", "artifacts", "scratch"])
def test_a_folder_that_is_a_link_is_refused(run: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.rmtree(run / name, ignore_errors=True)
    (run / name).symlink_to(outside)
    with pytest.raises(UserMistake, match="is no folder"):
        again(run)
    with pytest.raises(UserMistake, match="is no folder"):
        files.subfolder(run, f"{name}/deeper")
    assert list(outside.iterdir()) == []


@pytest.mark.timeout(10)
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
@pytest.mark.parametrize("where", ["spec.json", ".lock", "shard"])
def test_a_pipe_or_a_folder_in_the_place_of_a_file_is_not_waited_for(
    run: Path, where: str, make: Callable[[Path], None]
) -> None:
    path = RunFolder(run).shard(NAME) if where == "shard" else run / where
    path.unlink()
    make(path)
    with pytest.raises(UserMistake, match="no plain file"):
        again(run)


def lines(rows: list[Row]) -> list[str]:
    return [to_line(row) for row in rows]


def test_a_short_write_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, sizes = os.write, []

    def half(descriptor: int, data: memoryview) -> int:
        sizes.append(len(data))
        return real(descriptor, data[: max(1, len(data) // 2)])

    monkeypatch.setattr(files.os, "write", half)
    with open_run(tmp_path / "run", {"seed": 0}, {}) as folder, folder.appending(NAME) as writer:
        for row in some_rows():
            writer.write(row)
    monkeypatch.undo()
    assert len(sizes) > len(some_rows())
    assert lines(again(tmp_path / "run")) == lines(some_rows())


def test_a_row_for_which_there_is_no_room_leaves_nothing_behind(tmp_path: Path) -> None:
    """The file may grow by 30 bytes more: the row is told lost, and the next ones stand on lines of their own."""
    rows, limit = some_rows(), resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with open_run(tmp_path / "run", {"seed": 0}, {}) as folder, folder.appending(NAME) as writer:
            writer.write(rows[0])
            size = folder.shard(NAME).stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30, limit[1]))
            with pytest.raises(OSError, match="File too large") as refused:
                writer.write(rows[1])
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
            writer.write(rows[2])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert refused.value.errno == errno.EFBIG
    assert lines(again(tmp_path / "run")) == lines([rows[0], rows[2]])


def test_specs_are_compared_under_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another command writes its spec after this one looked and before it has the lock."""
    real = files.locked

    def slow(path: Path) -> Any:
        monkeypatch.setattr(files, "locked", real)
        with open_run(path.parent, {"seed": 1}, {}):
            pass
        return real(path)

    monkeypatch.setattr(files, "locked", slow)
    with pytest.raises(UserMistake, match="seed: 1 there, 0 asked"), open_run(tmp_path, {"seed": 0}, {}):
        pass


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "[" * 100_000, '{"version":1,"spec":' + '{"a":' * 50_000, "\ufeff{}", "NaN",
        '{"version":1}', '{"version":1,"spec":[]}', '{"version":1,"spec":null}', '{"version":1,"spec":"x"}',
        '{"version":99,"spec":{"seed":0}}', '{"spec":{"seed":0}}', '{"version":1,"spec":{"seed":' + "9" * 5000 + "}}",
    ],
)  # fmt: skip
def test_a_spec_that_is_none_is_refused(run: Path, text: str) -> None:
    (run / "spec.json").write_text(text)
    with pytest.raises(UserMistake, match=r"is damaged|has version"):
        again(run)


def test_what_differs_deep_inside_is_named_and_nothing_else(tmp_path: Path) -> None:
    prints = {"base": "a" * 32, "tuned": "b" * 32, "task": "c" * 32}
    with open_run(tmp_path, {"fingerprints": prints}, {}):
        pass
    with (
        pytest.raises(UserMistake, match=r"fingerprints\.tuned: 'b+' there, 'x' asked") as told,
        open_run(tmp_path, {"fingerprints": {**prints, "tuned": "x"}}, {}),
    ):
        pass
    assert "aaaa" not in str(told.value)
    with pytest.raises(UserMistake) as told, open_run(tmp_path, {"fingerprints": "\x1b[31m" * 999}, {}):
        pass
    assert "\x1b" not in str(told.value)
    assert len(str(told.value)) < 1100


ODD_ROWS: dict[str, dict[str, Any]] = {
    "status": {"status": "weird"}, "status list": {"status": ["ok"]}, "sample": {"sample": -1},
    "half a sample": {"sample": 0.5}, "true sample": {"sample": True}, "huge sample": {"sample": 10**30},
    "foreign sample": {"sample": 99}, "seed": {"seed": 10**25}, "tokens": {"tokens": 10**30},
    "score": {"score": 7}, "score text": {"score": "1"}, "score true": {"score": True}, "score list": {"score": [1]},
    "item": {"item": "no such item"}, "item null": {"item": None}, "condition": {"condition": "tuned/plain"},
    "key": {"key": "0" * 32}, "completion": {"completion": 5}, "ids text": {"token_ids": "abc"},
    "ids nested": {"token_ids": [[1]]}, "ids huge": {"token_ids": [2**40]}, "texts": {"token_texts": [1, 2]},
    "logprobs": {"token_logprobs": ["a"]}, "lengths": {"token_ids": [1, 2], "token_logprobs": [-1.0]},
    "measures list": {"measures": [1]}, "measures text": {"measures": "ab"},
    "measures of text": {"measures": {"a": "b"}},
    "bits": {"bits": "x"}, "cluster": {"cluster": 3}, "error": {"error": ["x"]}, "steps": {"steps": [1]},
    "answer": {"answer": 3}, "failed with a score": {"status": "failed"},
}  # fmt: skip


@pytest.mark.parametrize("name", ODD_ROWS)
def test_a_row_that_this_run_cannot_have_written_is_named(run: Path, name: str) -> None:
    shard = RunFolder(run).shard(NAME)
    first, rest = shard.read_bytes().split(b"\n", 1)
    shard.write_bytes(json.dumps({**json.loads(first), **ODD_ROWS[name]}).encode() + b"\n" + rest)
    with pytest.raises(UserMistake, match=r":1: not a row"):
        again(run)


ODD_LINES = [
    b"null", b"[1]", b"{}", b"[" * 100_000, b"\xff\xfe", b"\0" * 1000,
    b'{"score":1e999}', b'{"score":NaN}', b'{"seed":' + b"9" * 4400 + b"}",
]  # fmt: skip


@pytest.mark.parametrize("line", ODD_LINES, ids=range(len(ODD_LINES)))
def test_a_line_that_is_no_row_is_named(run: Path, line: bytes) -> None:
    whole = json.loads(to_line(some_rows(1)[0]))
    if line.startswith(b'{"s'):  # one field replaced, as text: JSON cannot be made to write it
        field = json.loads(line.decode().split(":")[0][1:])
        del whole[field]
        line = json.dumps(whole).encode()[:-1] + b"," + line[1:]
    shard = RunFolder(run).shard(NAME)
    shard.write_bytes(line + b"\n" + shard.read_bytes())
    with pytest.raises(UserMistake, match=r":1: not a row"):
        again(run)


def test_a_row_that_is_there_twice_is_named(run: Path) -> None:
    shard = RunFolder(run).shard(NAME)
    shard.write_bytes(shard.read_bytes() * 2)
    with pytest.raises(UserMistake, match=r":5: not a row \(sample 0 of item 'i0' is there twice"):
        again(run)


def test_a_line_without_end_is_not_read_whole(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.runs.folder.LONGEST_ROW", 1000)
    shard = RunFolder(run).shard(NAME)
    shard.write_bytes(b"x" * 5000)
    with pytest.raises(UserMistake, match="a line of more than 1,000 bytes"):
        again(run)


def test_leftovers_of_killed_writes_are_removed(run: Path) -> None:
    for place in (run, run / "artifacts", run / "rows"):
        place.mkdir(exist_ok=True)
        (place / ".facts.json.123.tmp").write_text("half")
    again(run)
    assert list(run.rglob(".*.tmp")) == []


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    files.write_atomically(tmp_path / "a", "old")
    with pytest.raises(UnicodeEncodeError):
        files.write_atomically(tmp_path / "a", "\ud800")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_what_the_system_refuses_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A folder that is read-only, of someone else, on a full or broken disk (as root a chmod refuses nothing)."""

    def refused(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number), "somewhere")

    for module, name in ((Path, "mkdir"), (files.os, "open")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, refused)
            with pytest.raises(UserMistake, match=os.strerror(number)), open_run(tmp_path / "run", {}, {}):
                pass


@pytest.mark.parametrize(
    "out", ["/proc/x", "/dev/null", "/dev/null/x", "x" * 300, "/".join(["y" * 200] * 25), "a\0b", "\ud800"]
)
def test_a_place_that_no_folder_can_have_is_told_in_one_line(tmp_path: Path, out: str) -> None:
    path = Path(out) if out.startswith("/") else tmp_path / out
    with pytest.raises(UserMistake, match="--out"), open_run(path, {}, {}):
        pass


def test_a_dangling_link_is_refused_and_one_to_a_folder_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    with open_run(tmp_path / "link", {}, {}):
        pass
    with pytest.raises(UserMistake, match="--out"), open_run(tmp_path / "nowhere", {}, {}):
        pass


@pytest.mark.parametrize(
    "text", ["[1]", '{"generated": -1}', '{"generated": "x"}', '{"generated": 1e3}', "[" * 200]
)
def test_damaged_counts_of_tokens_are_refused(run: Path, text: str) -> None:
    with open_run(run, {"seed": 0}, {}) as folder:
        folder.artifact("tokens.json").write_text(text)
        with pytest.raises(UserMistake, match="is damaged"), spending(folder, None):
            pass


@pytest.mark.parametrize("line", ["1", "[1, 2]", '["a"]', '{"a": 1}', "[" * 100_000])
def test_a_kept_value_that_is_none_is_refused(run: Path, line: str) -> None:
    with open_run(run, {"seed": 0}, {}) as folder:
        folder.artifact("judge.jsonl").write_text(line + "\n")
        with pytest.raises(UserMistake, match="is damaged"), keeping(folder, "judge"):
            pass


def _versions(torch: str, device: str = "cpu") -> dict[str, Any]:
    return {
        "provenance": {"tellapart": "0.1.0", "packages": {"torch": torch, "pandas": "1"}, "device": device}
    }


def test_rows_made_under_other_versions_are_noted_once(tmp_path: Path) -> None:
    from tellapart.runs.provenance import mixed

    for torch, device in (("2.0", "cpu"), ("2.1", "cpu"), ("2.1", "cpu"), ("2.0", "cuda")):
        with open_run(tmp_path, {"seed": 0}, _versions(torch, device)) as folder, folder.appending(NAME):
            pass
    told = json.loads((tmp_path / "spec.json").read_text())
    assert len(told["resumed"]) == 2
    assert "torch 2.0 and 2.1" in mixed(told)
    assert "device cpu and cuda" in mixed(told)
    with open_run(tmp_path, {"seed": 0}, _versions("3.0")):  # nothing was written: nothing is mixed
        pass
    assert "3.0" not in (tmp_path / "spec.json").read_text()


def test_an_answer_that_takes_too_long_to_score_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """cases/fire, fault 16: one such answer ended the run, and every start of it again."""
    monkeypatch.setattr("tellapart.tasks.pattern.MOST_SECONDS", 0.05)
    slow = make_scorer("regex", {"pattern": r"((?:a|aa|a.)+)+$b"})
    ask = ASK._replace(task=replace(ASK.task, scorer=slow), items=ASK.items[:2], samples=2)

    def answers(ask: Ask) -> Iterator[Elicitation]:
        for one in _answers(ask):
            text = "a" * 5000 if (one.item, one.sample) == (0, 1) else "b"
            yield one._replace(completion=replace(one.completion, text=text))

    for _ in range(2):
        with open_run(tmp_path, {"seed": 0}, {}) as folder:
            rows = collect(folder, CONDITION, ask, answers, quiet=True)
        assert [row.status for row in rows].count("ok") == 3
        (failed,) = (row for row in rows if row.status != "ok")
        assert failed.status == "failed"
        assert "repeat inside a repeat" in failed.error


def test_an_unfinished_run_goes_on_from_checked_rows(run: Path) -> None:
    with open_run(run, {"seed": 0}, {}) as folder:
        rows = collect(folder, CONDITION, ASK, _answers, quiet=True)
    assert len(rows) == len(ASK.items) * ASK.samples
    assert len(again(run)) == len(rows)
