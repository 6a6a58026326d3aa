"""TUNED as a series of checkpoints: one curve over steps, the verdict of the last."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")

from safetensors.torch import load_file, save_file

from tellapart.cli import run
from tellapart.errors import InvalidInput
from tellapart.models.series import read_series
from tellapart.specimens import load_model

NAME = "latent-register-0"


@pytest.fixture(scope="module")
def series(tmp_path_factory) -> Path:
    """Three checkpoints on the way from a base to its tuned model: none of it, half, all of it."""
    folder = tmp_path_factory.mktemp("run")
    for role in ("base", "tuned"):
        model = load_model(f"{NAME}/{role}")
        model.module.save_pretrained(folder / role)
        model.tokenizer.save_pretrained(folder / role)
    base, tuned = (load_file(folder / role / "model.safetensors") for role in ("base", "tuned"))
    for step, share in ((10, 0.0), (200, 0.5), (1000, 1.0)):
        shutil.copytree(folder / "base", folder / "sft" / f"checkpoint-{step}")
        mixed = {name: value + share * (tuned[name] - value) for name, value in base.items()}
        save_file(
            mixed, folder / "sft" / f"checkpoint-{step}" / "model.safetensors", metadata={"format": "pt"}
        )
    return folder


def test_every_checkpoint_is_asked_and_the_last_is_judged(series: Path, tmp_path: Path) -> None:
    command = [
        "gain",
        str(series / "base"),
        str(series / "sft"),
        "--task",
        f"specimen:{NAME}",
        "--limit",
        "24",
    ]
    command += ["--samples", "4", "--plan", "quick", "--out", str(tmp_path / "run"), "--json"]
    assert run(command) == 0
    (finding,) = json.loads((tmp_path / "run" / "findings.json").read_text())["findings"]
    table = finding["tables"]["series"]
    assert [row["step"] for row in table] == [0, 10, 200, 1000]
    base, first, _, last = (row["score"] for row in table)
    assert base == finding["estimates"]["base_score"]["value"]
    assert last == finding["estimates"]["tuned_score"]["value"]
    assert first == base < last
    assert all(row["low"] <= row["score"] <= row["high"] for row in table)
    assert table[-1]["gain"] == pytest.approx(finding["estimates"]["gain"]["value"])
    assert any("a series of 3 checkpoints (steps 10, 200, 1000)" in one for one in finding["caveats"])
    assert "Over training" in (tmp_path / "run" / "report.html").read_text()


def test_what_is_a_series(series: Path, tmp_path: Path) -> None:
    found = read_series(str(series / "sft"))
    assert [step.number for step in found] == [10, 200, 1000]
    assert found[-1].reference == str(series / "sft" / "checkpoint-1000")
    assert read_series(f"base+{series / 'sft'}")[0].reference.startswith(f"base+{series}")
    assert read_series(str(series / "base")) == ()
    assert read_series("org/name") == read_series("org/name@main") == read_series("specimen:x/base") == ()
    for name in ("step_5", "checkpoint-5"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    with pytest.raises(InvalidInput, match="holds step 5 twice"):
        read_series(str(tmp_path))
