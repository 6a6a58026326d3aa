"""Runs written as Inspect logs and plain files: read back by us, and by Inspect itself where it is installed."""

import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pandas as pd
import pytest

from tellapart.errors import NotApplicable, UserMistake
from tellapart.logs import read_log
from tellapart.logs.write import Export, write_inspect, write_plain
from tellapart.logs.write_eee import write_eee
from tellapart.runs.row import Row

EXPORT = Export(
    "sums", "my/model", {"a": "1+1?", "b": "2+2?"}, {"a": "2", "b": "4"}, "2025-01-02T03:04:05+00:00"
)


def rows() -> pd.DataFrame:
    def row(item: str, sample: int, completion: str, score: float, status: str, tokens: int) -> Row:
        return Row(
            study="gain", condition="base/plain", item=item, sample=sample, seed=1, key="k", split="report",
            cluster="c", prompt_hash="p", completion=completion, score=score, status=status,  # type: ignore[arg-type]
            steps="", logprob=-1.5, tokens=tokens, prompt_tokens=3, seconds=0.1,
            error="time-out" if status == "failed" else "",
        )  # fmt: skip

    made = [
        row("a", 0, "2", 1.0, "ok", 1),
        row("a", 1, "<b>3</b>\n\u2028", 0.0, "cut off", 7),
        row("b", 0, "four", 0.5, "ok", 2),
        row("b", 1, "", math.nan, "failed", 0),
    ]
    return pd.DataFrame([vars(r) for r in made])


def same(log_path: Path) -> None:
    log = read_log(str(log_path))
    asked = rows()
    for name in ("item", "sample", "completion", "status"):
        assert log.frame[name].tolist() == asked[name].tolist(), name
    for got, wanted in zip(log.frame["score"], asked["score"], strict=True):
        assert got == wanted or (math.isnan(got) and math.isnan(wanted))
    assert log.frame["question"].tolist() == ["1+1?", "1+1?", "2+2?", "2+2?"]
    assert log.frame["target"].tolist() == ["2", "2", "4", "4"]
    assert log.model == "my/model"
    assert log.frame["tokens"].tolist() == [1, 7, 2, 0]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_plain_reads_back(tmp_path: Path, suffix: str) -> None:
    write_plain(rows(), tmp_path / f"run.{suffix}", EXPORT)
    same(tmp_path / f"run.{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == [f"run.{suffix}"]


@pytest.mark.parametrize("kind", ["json", "eval"])
def test_inspect_reads_back(tmp_path: Path, kind: Literal["json", "eval"]) -> None:
    path = write_inspect(rows(), tmp_path / "new", EXPORT, kind)
    same(path)
    first = path.read_bytes()
    assert write_inspect(rows(), tmp_path / "new", EXPORT, kind) == path
    assert path.read_bytes() == first  # written again it is the same, and nothing else is left
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", ["json", "eval"])
def test_inspect_opens_it(tmp_path: Path, kind: Literal["json", "eval"]) -> None:
    path = str(write_inspect(rows(), tmp_path, EXPORT, kind))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inspect_log = pytest.importorskip("inspect_ai.log", exc_type=ImportError)
        analysis = pytest.importorskip("inspect_ai.analysis", exc_type=ImportError)
        log = inspect_log.read_eval_log(path)
        samples = analysis.samples_df(path, quiet=True)
        whole = analysis.samples_df(path, quiet=True, full=True)
        evals = analysis.evals_df(str(tmp_path), quiet=True)
        one = inspect_log.read_eval_log_sample(path, id="a", epoch=2)
    assert (log.eval.model, log.eval.task, len(log.samples)) == ("my/model", "sums", 4)
    known = {(sample.id, sample.epoch): sample for sample in log.samples}
    assert known["a", 1].scores["tellapart"].value == 1.0
    assert math.isnan(known["b", 2].scores["tellapart"].value)
    assert known["a", 2].output.choices[0].stop_reason == "max_tokens"
    assert known["b", 2].error.message == "time-out"
    assert log.results.scores[0].metrics["mean"].value == pytest.approx(0.5)
    assert len(samples) == len(whole) == 4
    assert "time-out" in samples["error"].tolist()
    assert one.output.completion == "<b>3</b>\n\u2028"
    assert evals["model"].tolist() == ["my/model"]
    assert evals["solver"].tolist() == ["base/plain"]


def test_eee_reads_back(tmp_path: Path) -> None:
    path = write_eee(rows(), tmp_path, EXPORT)
    same(path)
    assert read_log(str(path)).frame["cluster"].tolist() == ["c"] * 4
    assert path.parent == tmp_path / "data" / "sums" / "my" / "model"
    assert write_eee(rows(), tmp_path, EXPORT) == path
    assert len(list(path.parent.iterdir())) == 2


@pytest.mark.parametrize(
    "model", ["my/model", "specimen:latent/base", "../up", "CON", "/home/me/\u00fc", "data"]
)
def test_eee_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    """The package asks for Python 3.12; its checks run on 3.11: pip install --no-deps --ignore-requires-python."""
    checks = pytest.importorskip(
        "every_eval_ever.validator.validate", reason="every-eval-ever is not installed"
    )
    export = replace(EXPORT, model=model, task="a/b: c")
    path = write_eee(rows(), tmp_path, export)
    monkeypatch.chdir(tmp_path)
    relative = path.relative_to(tmp_path)
    asked = [str(relative), str(relative).replace("_samples.jsonl", ".json")]
    for name in asked:
        report = checks.validate_file(
            Path(name), repo_path=name, run_semantic_checks=True, available_files=asked,
            read_repo_file=lambda known: Path(known).read_text(),
        )  # fmt: skip
        assert (report.errors, report.warnings) == ([], [])
    path.write_text(path.read_text().replace('"score": 1.0', '"score": "one"'))
    assert not checks.validate_file(relative).valid


def test_eee_without_a_score(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="no answer has a score"):
        write_eee(rows().assign(score=math.nan), tmp_path / "out", EXPORT)
    assert not (tmp_path / "out").exists()


def test_one_condition_at_a_time(tmp_path: Path) -> None:
    two = rows()
    two.loc[0, "condition"] = "tuned/plain"
    with pytest.raises(UserMistake, match="base/plain, tuned/plain"):
        write_inspect(two, tmp_path, EXPORT)
    with pytest.raises(UserMistake, match=r"\.parquet or \.jsonl"):
        write_plain(rows(), tmp_path / "log.csv", EXPORT)
    with pytest.raises(UserMistake, match="no column 'score'"):
        write_plain(rows().drop(columns="score"), tmp_path / "log.jsonl", EXPORT)
    assert not list(tmp_path.iterdir())
