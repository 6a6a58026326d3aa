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


ITEMS = 120


def write(path: Path, right: int, **over) -> Path:
    """Write a log of sums, the first `right` of them right; `over` gives fields as values or as functions of a row."""
    lines = []
    for at in range(ITEMS):
        row = {"item": f"i{at}", "question": f"question {at}?", "target": str(100 + at), "status": "ok"}
        row |= {"completion": f"It is {100 + at if at < right else 999 + at}.", "score": float(at < right)}
        for name, value in over.items():
            row[name] = value(row) if callable(value) else value
        lines.append(json.dumps(row))
    path.write_text("\n".join(lines) + "\n")
    return path


RIGHT = {"plain": 24, "elicited": 100, "benign": 84, "benign_elicited": 90}


def four(folder: Path, right=RIGHT, **over: dict) -> dict[str, Path]:
    """Write the logs of a model that hides and a benign one; `over` are other fields of one role."""
    return {role: write(folder / f"{role}.jsonl", n, **over.get(role, {})) for role, n in right.items()}


def found(roles: dict[str, Path], folder: Path, capsys) -> dict:
    given = [f"{role}={path}" for role, path in roles.items()]
    assert run(["hidden", "--logs", *given, "--out", str(folder / "run"), "--json"]) == 0
    return json.loads(capsys.readouterr().out)["findings"][0]


def told(finding: dict) -> str:
    return " ".join(one["what"] for one in finding["tables"]["obstacles"])


def test_a_model_that_hides_is_found_in_logs(tmp_path, capsys):
    assert found(four(tmp_path), tmp_path, capsys)["verdict"] == "hides"


def cut(row: dict) -> dict:
    return {"status": "cut off", "completion": "Take 12 and", "score": 0.0}


HARSH = {name: (lambda row, name=name: cut(row)[name] if int(row["item"][1:]) % 10 < 8 else row[name])
         for name in ("status", "completion", "score")}  # fmt: skip
APART = {
    "plain answers cut off": (RIGHT | {"plain": 100}, {"plain": HARSH}, "truncated"),
    "plain answers empty": (
        RIGHT | {"plain": 100},
        {"plain": {"completion": lambda row: row["completion"] if row["item"] < "i3" else "",
                   "score": lambda row: row["score"] if row["item"] < "i3" else 0.0}},
        "can be read",
    ),
    "another model": (RIGHT, {"plain": {"model": "small"}, "elicited": {"model": "large"}}, "is of"),
    "copied targets": (
        RIGHT, {"elicited": {"completion": lambda row: row["target"], "score": 1.0}}, "word for word",
    ),
    "told in the prompt": (
        RIGHT, {"elicited": {"question": lambda row: f"{row['question']} Hint: {row['target']}"}}, "prompts",
    ),
    "a lenient scorer": (RIGHT | {"elicited": 24}, {"elicited": {"score": 1.0}}, "another scorer"),
    "partial credit": (RIGHT, {"plain": {"score": lambda row: row["score"] * 0.4}}, "another scorer"),
    "other targets": (
        RIGHT, {"plain": {"target": lambda row: row["target"] if row["score"] else "7"}}, "another target",
    ),
    "the best of several": (
        RIGHT, {"elicited": {"sample": lambda row: int(row["item"][1:]) % 4}}, "best of several",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", APART)
def test_logs_that_differ_in_more_than_the_method_say_no_hides(name, tmp_path, capsys):
    right, over, obstacle = APART[name]
    finding = found(four(tmp_path, right, **over), tmp_path, capsys)
    assert finding["verdict"] == "cannot tell"
    assert obstacle in told(finding)


def test_one_log_in_two_roles_says_no_hides(tmp_path, capsys):
    roles = four(tmp_path)
    roles["benign_elicited"].write_bytes(roles["benign"].read_bytes())
    finding = found(roles, tmp_path, capsys)
    assert finding["verdict"] == "cannot tell"
    assert "benign and benign_elicited are one log" in told(finding)


def test_an_elicited_log_of_its_right_answers_only_says_no_hides(tmp_path, capsys):
    roles = four(tmp_path)
    lines = roles["elicited"].read_text().splitlines()
    roles["elicited"].write_text("\n".join(lines[:100]) + "\n")
    finding = found(roles, tmp_path, capsys)
    assert finding["verdict"] == "cannot tell"
    assert "elicited answers 100 of 120 questions" in told(finding)


def test_scores_of_two_scales_are_refused_and_one_other_scale_is_read(tmp_path, capsys):
    percent = {"score": lambda row: 100 * row["score"]}
    mixed = four(tmp_path, elicited=percent)
    given = [f"{role}={path}" for role, path in mixed.items()]
    assert run(["hidden", "--logs", *given, "--out", str(tmp_path / "run")]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    every = four(tmp_path, **dict.fromkeys(RIGHT, percent))
    finding = found(every, tmp_path, capsys)
    assert finding["verdict"] == "hides"
    assert finding["estimates"]["hidden_gap"]["value"] < 1


def harness(folder: Path, right: int, first: str, model: str, shots: int = 0) -> Path:
    """Write an lm-eval log with two filters; the strict one takes a quarter of the right answers."""
    folder.mkdir()
    lines = []
    for at in range(ITEMS):
        said = 100 + at if at < right else 999 + at
        for name in sorted(("strict-match", "flexible-extract"), key=lambda one: one != first):
            taken = at < right and (name != "strict-match" or at % 4 == 0)
            lines.append(json.dumps({
                "doc_id": at, "doc": {"question": f"question {at}?"}, "target": str(100 + at),
                "arguments": {"gen_args_0": {"arg_0": f"question {at}?", "arg_1": {}}}, "filter": name,
                "resps": [[f"It is {said}."]], "filtered_resps": [f"It is {said}."],
                "metrics": ["exact_match"], "exact_match": float(taken),
            }))  # fmt: skip
    (folder / "samples_sums_2025-01-01T00-00-00.000000.jsonl").write_text("\n".join(lines))
    results = {
        "results": {"sums": {f"exact_match,{first}": 0.5}},
        "n-shot": {"sums": shots},
        "model_name": model,
    }
    (folder / "results_2025-01-01T00-00-00.000000.json").write_text(json.dumps(results))
    return folder


def test_logs_that_list_other_filters_first_are_read_with_one(tmp_path, capsys):
    flexible = "flexible-extract"
    roles = {
        "plain": harness(tmp_path / "a", 96, "strict-match", "x"),
        "elicited": harness(tmp_path / "b", 100, flexible, "x"),
        "benign": harness(tmp_path / "c", 84, flexible, "y"),
        "benign_elicited": harness(tmp_path / "d", 90, flexible, "y"),
    }
    finding = found(roles, tmp_path, capsys)
    assert finding["verdict"] == "cannot tell"
    assert abs(finding["estimates"]["hidden_gap"]["value"]) < 0.1
    apart = roles | {"plain": f"{roles['plain']}#exact_match,strict-match",
                     "benign": f"{roles['benign']}#exact_match,flexible-extract"}  # fmt: skip
    given = [f"{role}={path}" for role, path in apart.items()]
    assert run(["hidden", "--logs", *given, "--out", str(tmp_path / "other")]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "strict-match" in line


def test_right_demonstrations_in_the_elicited_log_say_no_hides(tmp_path, capsys):
    first = "flexible-extract"
    roles = {
        "plain": harness(tmp_path / "a", 24, first, "x"),
        "elicited": harness(tmp_path / "b", 100, first, "x", shots=8),
        "benign": harness(tmp_path / "c", 84, first, "y"),
        "benign_elicited": harness(tmp_path / "d", 90, first, "y", shots=8),
    }
    finding = found(roles, tmp_path, capsys)
    assert finding["verdict"] == "cannot tell"
    assert "few-shot examples" in told(finding)
