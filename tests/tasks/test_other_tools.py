"""Tasks of Inspect and lm-eval, each in a process of its own: both import much, and warn while they do."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

INSPECT = """
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import choice, includes, match
from inspect_ai.solver import generate, multiple_choice


@task
def sums():
    return Task(MemoryDataset([Sample("2+2=", target="4", id="a"), Sample("2+3=", target=["5", "five"])]),
                solver=generate(), scorer=includes())


@task
def picked():
    return Task(MemoryDataset([Sample("Even?", choices=["1", "2"], target="B")]),
                solver=multiple_choice(), scorer=choice())


@task
def empty():
    return Task(MemoryDataset([]), scorer=match())


def no_task():
    return 3
"""


def asked(code: str, folder: Path) -> dict:
    """Run code that prints one JSON object, offline, in `folder`."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={
            "PATH": "/usr/bin:/bin",
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_OFFLINE": "1",
            "HF_HOME": str(folder / "hf"),
        },
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


HEAD = """
import json
from tellapart.errors import UserMistake
from tellapart.tasks.sources import open_task
def told(reference):
    try:
        open_task(reference)
    except UserMistake as mistake:
        return str(mistake)
"""


@pytest.mark.skipif(find_spec("inspect_ai") is None, reason="inspect-ai is not installed")
def test_inspect_tasks(tmp_path: Path) -> None:
    (tmp_path / "my-evals.py").write_text(INSPECT)
    found = asked(
        HEAD
        + """
sums, picked = open_task("inspect:my-evals.py@sums"), open_task("inspect:my-evals.py@picked")
first, second = sums.items
print(json.dumps({
    "prompts": [sums.prompt(first), picked.prompt(picked.items[0])],
    "ids": [first.id, second.id],
    "scores": [sums.score(first, "it is 4"), sums.score(first, "5"), sums.score(second, "five")],
    "picked": [picked.score(picked.items[0], "B"), picked.score(picked.items[0], "ANSWER: A"), picked.guess_floor],
    "told": [told("inspect:my-evals.py@" + name) for name in ("empty", "nosuch", "no_task")],
    "fingerprints": sums.fingerprint == open_task("inspect:my-evals.py@sums").fingerprint,
}))
""",
        tmp_path,
    )
    assert found["prompts"] == ["2+2=", "Even?\n\nA. 1\nB. 2\n\nAnswer:"]
    assert found["ids"][0] == "a"
    assert found["scores"] == [1.0, 0.0, 1.0]
    assert found["picked"] == [1.0, 0.0, 0.5]
    assert "no samples" in found["told"][0]
    assert "no function 'nosuch'" in found["told"][1]
    assert "not an Inspect task" in found["told"][2]
    assert found["fingerprints"]


@pytest.mark.skipif(find_spec("lm_eval") is None, reason="lm-eval is not installed")
def test_lm_eval_tasks(tmp_path: Path) -> None:
    rows = [{"question": "2+2=", "answer": "4", "options": ["3", "4"], "label": 1}] * 2
    (tmp_path / "docs.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    head = (
        "dataset_path: json\ndataset_kwargs:\n  data_files:\n    test: docs.json\ntest_split: test\n"
        'doc_to_text: "Q: {{question}}"\nmetric_list:\n  - metric: '
    )
    (tmp_path / "mysums.yaml").write_text(
        "task: mysums\noutput_type: generate_until\n" + head + 'exact_match\ndoc_to_target: "{{answer}}"\n'
        'generation_kwargs:\n  until: ["\\n"]\n  max_gen_toks: 9\nfilter_list:\n  - name: last\n    filter:\n'
        '      - function: regex\n        regex_pattern: "is ([0-9]+)"\n      - function: take_first\n'
    )
    (tmp_path / "mychoice.yaml").write_text(
        "task: mychoice\noutput_type: multiple_choice\n" + head + "acc\ndoc_to_target: label\n"
        'doc_to_choice: "{{options}}"\n'
    )
    inside = (tmp_path / "mychoice.yaml").read_text().replace("task: mychoice", 'task: "named_inside"  # so')
    (tmp_path / "v2.yaml").write_text(inside)
    found = asked(
        HEAD
        + """
sums, picked = open_task("lm-eval:mysums.yaml"), open_task("lm-eval:mychoice.yaml")
item = sums.items[0]
print(json.dumps({
    "prompt": sums.prompt(item), "stop": sums.stop, "tokens": sums.max_tokens, "items": len(sums.items),
    "scores": [sums.score(item, "it is 4"), sums.score(item, "4")],
    "mode": picked.mode, "choices": picked.items[0].choices, "floor": picked.guess_floor,
    "picked": picked.score(picked.items[0], "4"),
    "told": told("lm-eval:nosuchtask"), "inside": open_task("lm-eval:v2.yaml").name, "missing": told("lm-eval:no.yaml"),
}))
""",
        tmp_path,
    )
    assert (found["prompt"], found["stop"], found["tokens"], found["items"]) == ("Q: 2+2=", ["\n"], 9, 2)
    assert found["scores"] == [1.0, 0.0]
    assert (found["mode"], found["choices"], found["floor"], found["picked"]) == (
        "choice_logprob",
        ["3", "4"],
        0.5,
        1.0,
    )
    assert "nosuchtask" in found["told"]
    assert found["inside"] == "named_inside"
    assert "no.yaml could not be loaded: FileNotFoundError" in found["missing"]
    assert "\n" not in found["told"]
