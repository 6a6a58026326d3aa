"""The core installation: every verb names the extra that it lacks; each run without --out has a folder of its own."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tellapart.extras import EXTRAS

WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {lacking!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        return None

import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in {lacking!r} else found(name, package)
sys.meta_path.insert(0, Missing())
from tellapart.cli import main
main({arguments!r})
"""
LOCAL = ("torch", "transformers", "safetensors", "tokenizers")
SPECIMEN = "specimen:latent-register-0"
PAIR = (f"{SPECIMEN}/base", f"{SPECIMEN}/tuned", "--task", SPECIMEN)
NEEDS = "on local models needs torch: pip install 'tellapart[local]'"


def run(
    lacking: tuple[str, ...], arguments: tuple[str, ...], folder: Path
) -> subprocess.CompletedProcess[str]:
    code = WITHOUT.format(lacking=lacking, arguments=list(arguments))
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gain", *PAIR), f"gain {NEEDS}"),
        (("improve", f"{SPECIMEN}/base", "--task", SPECIMEN), f"improve {NEEDS}"),
        (("form", f"{SPECIMEN}/base", "--task", SPECIMEN), f"form {NEEDS}"),
        (("guard", "--before", PAIR[0], "--after", *PAIR[1:]), f"guard {NEEDS}"),
        (("inside", PAIR[0], "--concepts", "specimen:register"), f"inside {NEEDS}"),
        (("skills", "train", f"{SPECIMEN}/base", "--task", SPECIMEN), f"skills {NEEDS}"),
        (("skills", "mix", "x"), f"skills {NEEDS}"),
        (("skills", "export", "x"), f"skills {NEEDS}"),
        (("demo",), f"demo {NEEDS}"),
        (("specimens", "build", "--out", "x"), f"specimens {NEEDS}"),
        (("specimens", "check"), f"specimens check {NEEDS}"),
    ],
)
def test_verbs_without_torch_name_the_extra(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = run(LOCAL, arguments, tmp_path)
    assert (done.returncode, done.stderr) == (2, f"tellapart: {said}\n")


def test_a_served_model_without_openai_names_the_extra(tmp_path: Path) -> None:
    served = "openai:m@http://127.0.0.1:9/v1"
    done = run(("openai",), ("gain", served, served, "--task", SPECIMEN), tmp_path)
    assert done.returncode == 2
    assert "tellapart[endpoint]" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_runs_started_at_once_have_folders_of_their_own_and_logs_need_no_torch(tmp_path: Path) -> None:
    for side, right in (("a", 1), ("b", 3)):
        rows = "".join(f"{i},{side},4,{right if i % 2 else 2}\n" for i in range(40))
        (tmp_path / f"{side}.csv").write_text("item,model,n,c\n" + rows)
    code = WITHOUT.format(lacking=LOCAL, arguments=["gain", "--logs", "a.csv", "b.csv"])
    stopped = "import time; told = time.strftime; time.strftime = lambda *at: told(at[0], time.gmtime(0))"
    code = code.replace("main([", f"{stopped}\nmain([")
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(3)
    ]
    for process in started:
        _, complaint = process.communicate()
        assert process.returncode == 0, complaint
    folders = list((tmp_path / "runs").iterdir())
    assert len(folders) == 3
    assert all(json.loads((folder / "findings.json").read_text())["findings"] for folder in folders)


def test_every_extra_that_is_named_is_there() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert set(EXTRAS.values()) <= set(project["optional-dependencies"])
    assert "Typing :: Typed" in project["classifiers"]
    assert any(one.startswith("Operating System :: POSIX") for one in project["classifiers"])
