"""`form --pairs TABLE`: the rates that AlpacaEval 2 publishes, a constant answer, what a table lacks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tellapart.cli import run
from tellapart.stats.preference import fit_difficulty, length_controlled_win_rate


def finding_of(capsys: pytest.CaptureFixture[str], path: Path, out: Path) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["form", "--pairs", str(path), "--out", str(out), "--json"]) == 0
    return json.loads(capsys.readouterr().out)["findings"][0]


@pytest.fixture(scope="session")
def alpaca(shared: Path) -> pd.DataFrame:
    folder = shared / "data/alpaca_eval"
    if not folder.is_dir():
        pytest.skip(f"no AlpacaEval preferences at {folder}")
    return pd.read_parquet(folder / "pairs.parquet").drop_duplicates(["model", "instruction"])


@pytest.fixture(scope="session")
def published(shared: Path) -> dict[str, float]:
    table = pd.read_csv(shared / "data/alpaca_eval/published.csv")
    return dict(zip(table["model"], table["length_controlled_win_rate"] / 100, strict=True))


def missed(rates: dict[str, float], published: dict[str, float]) -> tuple[float, float]:
    """Return the mean absolute error and the rank correlation."""
    names = sorted(rates)
    own, told = ([source[name] for name in names] for source in (rates, published))
    return float(np.abs(np.subtract(own, told)).mean()), float(stats.spearmanr(own, told).statistic)


@pytest.mark.usefixtures("alpaca")
def test_the_published_rates(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], published: dict[str, float]
) -> None:
    finding = finding_of(capsys, shared / "data/alpaca_eval/pairs.parquet", tmp_path / "run")
    head = "length_controlled_win_rate/"
    rates = {
        name.removeprefix(head): one["value"]
        for name, one in finding["estimates"].items()
        if name.startswith(head)
    }
    assert len(rates) == 30
    error, order = missed(rates, published)
    assert error < 0.01
    assert order > 0.98
    assert finding["verdict"] == "cannot tell"
    assert "FLAGGED" in finding["controls"]["judge: constant answer (NullModel)"]
    assert any("measures the judge, not NullModel" in said for said in finding["caveats"])
    assert not any("publishes" in said for said in finding["caveats"])


@pytest.mark.parametrize("seed", range(3))
def test_difficulty_of_half_of_the_models_serves_the_other_half(
    alpaca: pd.DataFrame, published: dict[str, float], seed: int
) -> None:
    models = np.random.default_rng(seed).permutation(alpaca["model"].unique())
    columns = ["model", "instruction", "preference", "length", "baseline_length"]
    fitted = fit_difficulty(*(alpaca[alpaca["model"].isin(models[:15])][name] for name in columns))
    rates = {}
    for model in models[15:]:
        rows = alpaca[alpaca["model"] == model]
        hard = rows["instruction"].astype(str).map(fitted.by_instruction)
        sides = rows["preference"], rows["length"], rows["baseline_length"]
        rates[str(model)] = length_controlled_win_rate(*sides, hard, fitted.length_weight).value
    assert missed(rates, published)[0] < 0.02


def planted(models: int = 12, items: int = 120, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Return preferences with a planted difficulty, and that difficulty."""
    rng = np.random.default_rng(seed)
    hard = rng.normal(0, 1.5, items)
    rows = []
    for model in range(models):
        own, other = rng.integers(200, 900, items), rng.integers(200, 900, items)
        gap = (own - other) / (own - other).std()
        logits = rng.normal(0, 0.7) + 1.2 * np.tanh(gap) + hard
        won = (rng.random(items) < 1 / (1 + np.exp(-logits))).astype(float)
        rows.append(pd.DataFrame({"model": f"m{model}", "instruction": np.arange(items), "preference": won,
                                  "length": own, "baseline_length": other}))  # fmt: skip
    return pd.concat(rows, ignore_index=True), hard


def test_a_planted_difficulty_and_length_weight_are_found() -> None:
    frame, hard = planted(models=40)
    fitted = fit_difficulty(*(frame[name] for name in frame))
    found = [fitted.by_instruction[str(at)] for at in range(len(hard))]
    assert np.corrcoef(found, hard)[0, 1] > 0.9
    assert fitted.length_weight == pytest.approx(1.2, abs=0.15)
    assert fitted.models == 40


@pytest.mark.parametrize(("kind", "names"), [("csv", 0), ("parquet", 1), ("jsonl", 0)])
def test_a_table_may_be_csv_parquet_or_jsonl(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, names: int
) -> None:
    frame, _ = planted()
    if names:
        frame = frame.rename(columns={"length": "length_model", "baseline_length": "length_baseline"})
    path = tmp_path / f"table.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    elif kind == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=True)
    finding = finding_of(capsys, path, tmp_path / "run")
    assert len(finding["tables"]["ratings"]) == 12
    assert "and difficulty" in finding["estimates"]["length_controlled_win_rate/m0"]["method"]
    assert (tmp_path / "run/report.html").exists()


@pytest.mark.parametrize(("models", "given", "said"), [(2, False, True), (5, False, True), (2, True, False)])
def test_without_a_difficulty_it_is_not_called_the_published_rate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], models: int, given: bool, said: bool
) -> None:
    frame, hard = planted(models)
    if given:
        frame["difficulty"] = hard[frame["instruction"]]
    frame.to_csv(tmp_path / "t.csv", index=False)
    finding = finding_of(capsys, tmp_path / "t.csv", tmp_path / "run")
    assert any("these are not the length-controlled rates" in one for one in finding["caveats"]) is said


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("wins", "flagged"), [(0.7, True), (0.02, False)])
def test_a_constant_answer_is_flagged_not_believed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int, wins: float, flagged: bool
) -> None:
    frame, _ = planted(seed=seed)
    null = frame[frame["model"] == "m0"].assign(model="null", length=300)
    null["preference"] = (np.random.default_rng(seed).random(len(null)) < wins).astype(float)
    pd.concat([frame, null]).to_csv(tmp_path / "t.csv", index=False)
    finding = finding_of(capsys, tmp_path / "t.csv", tmp_path / "run")
    assert ("cannot be trusted" in finding["sentence"]) is flagged
    assert "null" in " ".join(finding["caveats"])
    assert not finding["sentence"].startswith("At equal length null")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"preference": 2.0}, "preference runs from"),
        ({"length": np.nan}, "row 1: length is missing"),
        ({"model": ""}, "the column 'model' is empty"),
    ],
)
def test_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], told: str
) -> None:
    frame, _ = planted()
    for name, value in change.items():
        frame[name] = frame[name].astype(object)
        frame.loc[0, name] = value
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert run(["form", "--pairs", str(tmp_path / "t.csv"), "--out", str(tmp_path / "run")]) == 2
    assert told in capsys.readouterr().err


def test_a_column_that_lacks_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planted()[0].drop(columns="length").to_csv(tmp_path / "t.csv", index=False)
    assert run(["form", "--pairs", str(tmp_path / "t.csv"), "--out", str(tmp_path / "run")]) == 2
    assert "no column 'length'" in capsys.readouterr().err
