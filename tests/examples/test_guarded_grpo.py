"""The script of docs/guard.md: TRL's trainer under the guard, and the report of what it saw."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tellapart.cli import run

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_script_runs_and_its_log_is_read(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "guarded_grpo.py"), "--out", str(tmp_path), "--steps", "3"],
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "3 steps were seen; alarms: " in done.stdout
    assert run(["guard", str(tmp_path / "guard"), "--out", str(tmp_path / "report")]) == 0
    (during, *_) = json.loads((tmp_path / "report" / "findings.json").read_text())["findings"]
    assert len(during["tables"]["guard_signals"]["steps"]) == 3
