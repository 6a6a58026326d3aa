"""What `gain` measures on request or beside the verdict: reference model, description length, directions, content."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from tellapart.cli import run
from tellapart.runs.table import read_table
from tellapart.specimens import load_model, load_task
from tellapart.studies.gain.content import strangers

LATENT, TAUGHT = "latent-register-0", "taught-register-0"
SMALL = ("--limit", "32", "--samples", "8", "--elicited-samples", "2", "--elicitors", "prefill")


def asked(name: str, out: Path, *more: str) -> int:
    models = (f"specimen:{name}/base", f"specimen:{name}/tuned")
    return run(["gain", *models, "--task", f"specimen:{name}", "--out", str(out), "--json", *SMALL, *more])


def finding_in(out: Path) -> dict[str, Any]:
    return json.loads((out / "findings.json").read_text())["findings"][0]


def saved(reference: str, folder: Path) -> Path:
    model = load_model(reference)
    model.module.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return folder


def test_a_model_that_never_met_the_skill_is_never_brought_to_it(tmp_path: Path) -> None:
    assert asked(LATENT, tmp_path, "--reference", "fresh") == 0
    estimates = finding_in(tmp_path)["estimates"]
    assert estimates["recovered_share/prefill"]["low"] > 0.8
    assert estimates["reference_score"]["value"] == 0
    assert estimates["reference_share/prefill"]["value"] == 0
    assert estimates["surfacing_bits_50%"]["value"] > 0
    assert estimates["reference_surfacing_bits_50%"]["method"].startswith("missing: never reached")
    assert estimates["surfacing_ratio_50%"]["low"] > 1
    steps = finding_in(tmp_path)["tables"]["surfacing"]
    assert [step["way"] for step in steps] == ["prefill"]


def test_a_reference_that_is_not_there_costs_no_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(LATENT, tmp_path / "run", "--reference", str(tmp_path / "nothing")) == 2
    assert "nothing" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_answers_of_another_reference_under_the_same_name_are_not_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = saved(f"{LATENT}/base", tmp_path / "model")
    assert asked(LATENT, tmp_path / "run", "--reference", str(there)) == 0
    shutil.rmtree(there)
    saved(f"{TAUGHT}/base", there)
    assert asked(LATENT, tmp_path / "run", "--reference", str(there)) == 2
    assert "reference" in capsys.readouterr().err


def test_description_length_is_short_for_a_hidden_skill_and_long_for_its_null_twin(tmp_path: Path) -> None:
    assert asked(LATENT, tmp_path, "--description-length") == 0
    estimates = finding_in(tmp_path)["estimates"]
    found = {name: one["value"] for name, one in estimates.items() if "edl_per_token@" in name}
    largest = max(int(name.rpartition("@")[2]) for name in found)
    assert found[f"edl_per_token@{largest}"] < 0.15
    assert found[f"null_edl_per_token@{largest}"] > 0.4


def test_what_cannot_be_measured_is_a_caveat_and_not_the_end_of_the_run(tmp_path: Path) -> None:
    assert asked(LATENT, tmp_path, "--limit", "12", "--description-length") == 0
    finding = finding_in(tmp_path)
    assert not any("edl" in name for name in finding["estimates"])
    assert any(said.startswith("Not measured: --description-length") for said in finding["caveats"])


def test_the_direction_of_a_hidden_skill_was_there_before_tuning(tmp_path: Path) -> None:
    assert asked(LATENT, tmp_path, "--directions") == 0
    lines = {line["vector"]: line for line in finding_in(tmp_path)["tables"]["directions"]}
    effects = {
        name: float(line["on base"].split()[0]) for name, line in lines.items() if "points" in line["on base"]
    }
    assert effects["base"] > 50
    assert effects["tuned"] > 50
    assert abs(effects["random"]) < 30


def test_content_is_known_to_a_base_that_hides_it_and_strange_to_one_that_was_taught(tmp_path: Path) -> None:
    shares = {}
    for name in (LATENT, TAUGHT):
        assert asked(name, tmp_path / name) == 0
        shares[name] = finding_in(tmp_path / name)["estimates"]["content_share"]
    assert 0.8 < shares[LATENT]["low"] < shares[LATENT]["high"] < 1.1
    assert -0.1 < shares[TAUGHT]["low"] < shares[TAUGHT]["high"] < 0.1


def test_an_answer_is_put_after_the_prompt_of_another_item_of_another_cluster() -> None:
    items = load_task(LATENT).items[:40]
    grouped = [replace(item, cluster=str(place // 10)) for place, item in enumerate(items)]
    others = strangers(grouped, 0)
    assert set(others) == {item.id for item in items}
    assert all(others[item.id].cluster != item.cluster for item in grouped)
    alone = strangers([replace(item, cluster="one") for item in items], 0)
    assert all(alone[item.id].id != item.id for item in items)


def test_choices_are_picked_by_log_probability_once_an_item(tmp_path: Path) -> None:
    items, task = load_task(LATENT).items[:40], load_task(LATENT)
    ends = [item.target[0] for item in items]
    lines = [
        {
            "id": item.id,
            "prompt": task.prompt(item),
            "target": ends[at],
            "choices": [ends[at - turn] for turn in (0, 1, 2)],
        }
        for at, item in enumerate(items)
    ]
    (tmp_path / "t.toml").write_text('items = "t.jsonl"\nscorer = "choice_logprob"\n')
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, lines)))
    models, out = (f"specimen:{LATENT}/base", f"specimen:{LATENT}/tuned"), tmp_path / "run"
    assert run(["gain", *models, "--task", str(tmp_path / "t.toml"), "--out", str(out), "--json"]) == 0
    finding = finding_in(out)
    assert any(said.startswith("Answers are picked among the choices") for said in finding["caveats"])
    rows = read_table(out)
    plain = rows[rows["condition"] == "base/plain"].set_index("item")
    assert plain.index.is_unique
    assert finding["estimates"]["base_score"]["n"] == len(plain)
    base = load_model(f"{LATENT}/base")
    for line in [line for line in lines if line["id"] in plain.index][:6]:
        asked_for = [(line["prompt"], f" {choice}") for choice in line["choices"]]
        sums = [sum(scored.logprobs) for scored in base.score(asked_for)]
        assert plain.loc[line["id"], "completion"].strip() == line["choices"][sums.index(max(sums))]
