"""The run folder: torn lines are owed again, other specs refused, a second writer refused, rows round-trip."""

import dataclasses
import json
import math
from pathlib import Path

import pytest

from tellapart.errors import UserMistake
from tellapart.runs.folder import open_run
from tellapart.runs.row import ROW_FIELDS, Row, from_line, to_line
from tellapart.runs.table import SCHEMA, read_table, to_table, write_table


def row(item: str = "a", sample: int = 0, completion: str = "x", score: float = 1.0) -> Row:
    return Row(
        "gain", "base/plain", item, sample, 7, "key", "report", "", "hash", completion, score, "ok", "",
        -1.5, 1, 3, 0.1, (5,), (completion,), (-1.5,),
    )  # fmt: skip


@pytest.mark.parametrize("text", ["", "plain", "\ud800 lone", "nul \x00", "a\nb\r\u2028c", "🦉" * 100])
def test_a_row_is_one_line_and_comes_back(text: str) -> None:
    line = to_line(row(completion=text, score=math.nan))
    assert "\n" not in line
    back = from_line(line)
    assert back.completion == text
    assert math.isnan(back.score)
    assert back.token_ids == (5,)


def test_numbers_that_json_lacks_come_back_as_not_known() -> None:
    odd = dataclasses.replace(
        row(), token_ids=(5, 6), token_texts=("a", "b"), token_logprobs=(-1.0, -math.inf), bits=math.inf,
        measures={"a": math.nan},
    )  # fmt: skip
    back = from_line(to_line(odd))
    assert back.token_logprobs is not None
    assert back.measures is not None
    assert back.token_logprobs[0] == -1.0
    assert all(math.isnan(v) for v in (back.token_logprobs[1], back.bits, back.measures["a"]))


@pytest.mark.parametrize("line", ["", "{", "[]", "1", '{"study": "gain"}', "null"])
def test_what_is_no_row_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        from_line(line)


def test_a_torn_last_line_is_cut_off_and_owed_again(tmp_path: Path) -> None:
    with open_run(tmp_path / "run", {"a": 1}, {}) as folder:
        with folder.appending("base/plain") as writer:
            writer.write(row("a"))
            writer.write(row("b"))
        shard = folder.shard("base/plain")
        whole = shard.read_bytes()
        for cut in range(1, len(to_line(row("b"))) + 1):
            shard.write_bytes(whole[:-cut])
            assert [r.item for r in folder.read_rows("base/plain")] == ["a"]
            with folder.appending("base/plain") as writer:
                writer.write(row("c"))
            assert [r.item for r in folder.read_rows("base/plain")] == ["a", "c"]


def test_a_damaged_line_in_the_middle_is_named(tmp_path: Path) -> None:
    with open_run(tmp_path / "run", {"a": 1}, {}) as folder:
        with folder.appending("x") as writer:
            writer.write(row("a"))
        folder.shard("x").write_bytes(b"garbage\n" + folder.shard("x").read_bytes())
        with pytest.raises(UserMistake, match=":1: not a row"):
            folder.read_rows("x")


def test_another_spec_is_refused_with_the_fields_that_differ(tmp_path: Path) -> None:
    with open_run(tmp_path / "run", {"samples": 4, "seed": 0}, {}):
        pass
    with (
        pytest.raises(UserMistake, match=r"samples: 4 there, 8 asked"),
        open_run(tmp_path / "run", {"samples": 8, "seed": 0}, {}),
    ):
        pass
    assert json.loads((tmp_path / "run" / "spec.json").read_text())["spec"]["samples"] == 4


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UserMistake, match="not empty"), open_run(tmp_path, {}, {}):
        pass
    with pytest.raises(UserMistake, match="is a file"), open_run(tmp_path / "thesis.tex", {}, {}):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with (
        open_run(tmp_path / "run", {}, {}),
        pytest.raises(UserMistake, match="another process"),
        open_run(tmp_path / "run", {}, {}),
    ):
        pass


def test_shard_names_never_leave_the_folder(tmp_path: Path) -> None:
    with open_run(tmp_path / "run", {}, {}) as folder:
        for name in ("../../etc/passwd", "a/../b", "base<tuned", "x" * 500, ""):
            assert folder.shard(name).resolve().parent == (tmp_path / "run" / "rows").resolve()
        assert folder.shard("a/b") != folder.shard("a-b")


def test_the_table_has_the_fields_of_a_row_and_survives_hostile_text(tmp_path: Path) -> None:
    write_table(tmp_path, to_table([row("b", 1), row("b", 0), row("a", completion="\ud800<script>")]))
    frame = read_table(tmp_path)
    assert tuple(SCHEMA.names) == ROW_FIELDS == tuple(frame.columns)
    assert frame["item"].tolist() == ["a", "b", "b"]
    assert frame["completion"][0] == "\\ud800<script>"
    (tmp_path / "rows.parquet").write_bytes(b"not parquet")
    with pytest.raises(UserMistake, match="cannot be read"):
        read_table(tmp_path)
