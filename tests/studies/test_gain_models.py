"""`gain` on bundled specimens by the real command: verdicts, resumption after SIGKILL, same model, HTML as text."""

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

torch = pytest.importorskip("torch")

from tellapart.cli import run  # noqa: E402
from tellapart.runs.table import read_table  # noqa: E402

KILLS = int(os.environ.get("TELLAPART_RUN_KILLS", "6"))
LATENT = "latent-register-0"
SMALL = ("--limit", "32", "--samples", "8", "--elicited-samples", "2")


def command(name: str, out: Path, *more: str, tuned: str = "tuned") -> list[str]:
    models = [f"specimen:{name}/base", f"specimen:{name}/{tuned}"]
    return ["gain", *models, "--task", f"specimen:{name}", "--out", str(out), "--json", *more]


def finding_in(out: Path) -> dict[str, Any]:
    return json.loads((out / "findings.json").read_text())["findings"][0]


def answers_in(out: Path) -> pd.DataFrame:
    """Return the rows without what differs from run to run (seconds, the last digits of log-probabilities)."""
    frame = read_table(out)
    assert not frame.duplicated(["condition", "item", "sample"]).any()
    return frame[["condition", "item", "sample", "seed", "key", "completion", "score", "status", "tokens"]]


def killed_after(arguments: list[str], seconds: float) -> bool:
    """Run a command in a forked child and kill it after `seconds`; returns whether it was killed."""
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(run(arguments))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert os.WEXITSTATUS(status) == 0
            return False
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def test_a_run_killed_at_random_moments_ends_with_the_same_rows(tmp_path: Path) -> None:
    names = ("prefill", "cot_decoding", "routing_first")
    small = (*SMALL, "--elicitors", *names)
    torch.set_num_threads(1)
    started = time.monotonic()
    assert run(command(LATENT, tmp_path / "whole", *small)) == 0
    whole = time.monotonic() - started
    draw = random.Random(int.from_bytes(os.urandom(4)))
    kills = 0
    for _ in range(KILLS):
        kills += killed_after(command(LATENT, tmp_path / "killed", *small), draw.uniform(0.02, 0.6) * whole)
    assert kills >= 1
    assert run(command(LATENT, tmp_path / "killed", *small)) == 0
    pd.testing.assert_frame_equal(answers_in(tmp_path / "whole"), answers_in(tmp_path / "killed"))
    assert finding_in(tmp_path / "killed")["verdict"] == finding_in(tmp_path / "whole")["verdict"]


def test_base_against_itself_is_no_gain(tmp_path: Path) -> None:
    assert run(command(LATENT, tmp_path / "run", *SMALL, "--elicitors", "prefill", tuned="base")) == 0
    finding = finding_in(tmp_path / "run")
    assert finding["verdict"] == "no gain"
    shares = ("recovered_share", "null_share", "elicited_share", "format_share", "held_at")
    assert all(v["value"] is None for name, v in finding["estimates"].items() if name.startswith(shares))


def test_a_hidden_skill_is_called_elicited_and_the_report_is_whole(tmp_path: Path) -> None:
    small = (*SMALL, "--elicitors", "cot_decoding", "step_by_step", "routing_first")
    assert run(command(LATENT, tmp_path / "run", *small)) == 0
    finding = finding_in(tmp_path / "run")
    assert finding["verdict"] == "elicited"
    estimates = finding["estimates"]
    assert estimates["base_score"]["value"] < 0.3
    assert estimates["tuned_score"]["value"] > 0.8
    assert estimates["recovered_share/cot_decoding@max"]["low"] > 0.7
    assert estimates["null_share/cot_decoding@max"]["value"] < 0.4
    assert estimates["bits_concentration_5%"]["value"] > 0.8
    rows = read_table(tmp_path / "run")
    assert set(rows["split"]) == {"report"}
    assert (rows.groupby("condition")["item"].nunique() == rows["item"].nunique()).all()
    page = (tmp_path / "run" / "report.html").read_text()
    assert finding["sentence"] in page.replace("&#39;", "'")


def test_another_spec_on_the_same_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ("--limit", "8", "--samples", "2", "--elicitors", "step_by_step", "--elicited-samples", "1")
    assert run(command(LATENT, tmp_path / "run", *small)) == 0
    before = (tmp_path / "run" / "findings.json").read_bytes()
    capsys.readouterr()
    assert run(command(LATENT, tmp_path / "run", *small, "--seed", "5")) == 2
    assert "seed: 0 there, 5 asked" in capsys.readouterr().err
    assert (tmp_path / "run" / "findings.json").read_bytes() == before


@pytest.mark.slow
def test_a_reference_is_asked_only_where_labels_bring_something_back(tmp_path: Path) -> None:
    taught = command("taught-register-0", tmp_path / "run", "--limit", "32", "--samples", "2")
    taught += ["--elicited-samples", "1", "--reference", "specimen:locked-register-0/base"]
    assert run(taught) == 0
    conditions = set(read_table(tmp_path / "run")["condition"])
    assert {f"base/few_labels@4{draw}" for draw in ("", ".1", ".2")} <= conditions
    assert not {name for name in conditions if name.startswith(("reference/", "base/few_labels@2"))}
    finding = finding_in(tmp_path / "run")
    assert finding["tables"]["teaching"]["obstacle"] == "4 labels brought nothing back from the base"
    assert run(["analyse", str(tmp_path / "run"), "--json"]) == 0
    assert finding_in(tmp_path / "run")["sentence"] == finding["sentence"]


def test_a_quick_plan_trains_nothing(tmp_path: Path) -> None:
    assert run(command("taught-register-0", tmp_path / "run", *SMALL, "--plan", "quick")) == 0
    asked = {name.split("~")[0] for name in read_table(tmp_path / "run")["condition"]}
    assert asked == {"base/plain", "tuned/plain", "base/form_demonstrations", "base/prefill"}
    finding = finding_in(tmp_path / "run")
    assert finding["verdict"] == "cannot tell"
    assert "no training" in finding["sentence"]


def test_facts_that_were_changed_by_hand_are_one_line(tmp_path: Path, capsys) -> None:
    """A setting of another kind was a traceback: facts may come from anyone."""
    assert run(command("taught-register-0", tmp_path / "run", *SMALL, "--plan", "quick")) == 0
    facts = tmp_path / "run" / "artifacts" / "facts.json"
    kept = facts.read_text()
    held = json.loads(kept)
    before = (tmp_path / "run" / "findings.json").read_bytes()
    record = held.get("value", held)["elicitors"]["prefill"]
    for name, value in (("bits_once", "x"), ("setting", [1]), ("tells", {"a": [1]})):
        good = record[name]
        record[name] = value
        facts.write_text(json.dumps(held))
        code = run(["analyse", str(tmp_path / "run")])
        said = capsys.readouterr().err
        assert "Traceback" not in said
        assert code in (0, 2)
        if code:
            assert "changed by hand" in said
            assert (tmp_path / "run" / "findings.json").read_bytes() == before
        record[name] = good
    record["bits_once"] = "x"
    facts.write_text(json.dumps(held))
    assert run(["analyse", str(tmp_path / "run")]) == 2


def test_a_spent_budget_is_said(tmp_path: Path) -> None:
    small = ("--limit", "12", "--samples", "4", "--elicited-samples", "1", "--budget", "200")
    assert run(command(LATENT, tmp_path / "run", *small, "--elicitors", "prefill", "step_by_step")) == 0
    controls = finding_in(tmp_path / "run")["controls"]
    assert "budget" in controls["prefill"]
