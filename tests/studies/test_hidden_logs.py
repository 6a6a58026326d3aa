"""`hidden --logs` on other people's results: models told to do badly (bcb_sandbagging)."""

import csv
import json
from pathlib import Path

import pytest

from tellapart.cli import run
from tellapart.runs.table import read_table, write_table
from tellapart.studies.hidden.analyse import judge
from tellapart.studies.hidden.facts import HiddenFacts
from tellapart.studies.hidden.logs import ELICITED, rows_from_logs
from tellapart.studies.hidden.verdict import decide

DATA = "data/bcb_sandbagging"


def logs(shared: Path, model: str, folder: Path) -> dict[str, Path]:
    """Write a model's honest answers (A) and those that it was told to make bad (B), a log each."""
    import pandas as pd

    table = pd.read_parquet(shared / DATA / f"{model}.parquet").dropna(subset=["correct"])
    found = {}
    for name, rows in table.groupby("condition"):
        found[str(name)] = folder / f"{model}-{name}.csv"
        kept = rows[["item", "target", "answer", "correct"]].assign(correct=rows["correct"].astype(int))
        kept.assign(cluster=rows["domain"]).to_csv(found[str(name)], index=False)
    return found


def verdict(roles: dict[str, Path], folder: Path):
    read = rows_from_logs({role: str(path) for role, path in roles.items()})
    write_table(folder, read.table)
    facts = HiddenFacts(
        None,
        items=read.keys,
        recognised=read.recognised,
        elicitors={"elicited": ELICITED} if "elicited" in roles else {},
        benign={"elicited": ELICITED} if "benign_elicited" in roles else {},
        has_benign="benign" in roles,
        asked_models=False,
    )
    return decide(judge(read_table(folder), facts))


def test_a_model_that_hardly_followed_the_order_is_not_accused(shared, tmp_path):
    there = logs(shared, "qwen2.5-7b", tmp_path)
    honest, badly = there["A"], there["B"]
    for roles in (
        {"plain": badly},
        {"plain": badly, "benign": honest},
        {"plain": badly, "elicited": honest},
        {"plain": badly, "elicited": honest, "benign": honest, "benign_elicited": honest},
    ):
        assert verdict(roles, tmp_path).label != "hides", roles


def test_llama_told_to_do_badly_hides_or_its_attractor_is_named(shared, tmp_path):
    there = logs(shared, "llama3-8b", tmp_path)
    honest, badly = there["A"], there["B"]
    for roles in ({"plain": badly, "elicited": honest}, {"plain": badly}, {"plain": badly, "benign": honest}):
        found = verdict(roles, tmp_path)
        assert found.label == "cannot tell"
        assert "position attractor" in found.sentence
        assert any("position attractor" in one.what for one in found.obstacles)
    both = {"plain": badly, "elicited": honest, "benign": honest, "benign_elicited": honest}
    assert verdict(both, tmp_path).label in ("hides", "cannot tell")


def test_honest_answers_make_no_sign(shared, tmp_path):
    for model in ("llama3-8b", "phi3.5-mini", "qwen2.5-7b"):
        found = verdict({"plain": logs(shared, model, tmp_path)["A"]}, tmp_path)
        assert found.label == "cannot tell"
        assert "Signs" not in found.sentence, model


def test_the_command_reads_logs_and_says_what_is_wrong(tmp_path, capsys):
    paths = {}
    for name, right in (("plain", 10), ("elicited", 70)):
        paths[name] = tmp_path / f"{name}.csv"
        with paths[name].open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["item", "question", "target", "completion", "correct"])
            for at in range(80):
                said = 100 + at if at < right else 999 + at
                writer.writerow([f"i{at}", f"question {at}?", 100 + at, said, int(at < right)])
    both = [f"plain={paths['plain']}", f"elicited={paths['elicited']}"]
    out = tmp_path / "run"
    assert run(["hidden", "--logs", *both, "--out", str(out), "--json"]) == 0
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert finding["verdict"] == "cannot tell"
    assert finding["estimates"]["hidden_gap"]["value"] == pytest.approx(0.75, abs=0.03)
    assert (out / "report.html").exists()
    for wrong in (
        ["--logs", f"plan={paths['plain']}"],
        ["--logs", f"elicited={paths['elicited']}"],
        ["--logs", both[0], both[0]],
        ["--logs", both[0], "--slice", "topic"],
        [],
        ["m", "--task", "t", "--benign", "m"],
    ):
        assert run(["hidden", *wrong]) == 2, wrong
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
