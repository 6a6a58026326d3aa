"""The names that `import tellapart` gives are the studies', and each is told to editors and type checkers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tellapart
from tellapart.errors import InvalidInput
from tellapart.studies import OURS


def test_every_study_is_a_python_call() -> None:
    for study in OURS:
        assert callable(getattr(tellapart, study.name))
        assert study.name in tellapart.__all__


def test_type_checkers_see_the_same_studies() -> None:
    tree = ast.parse(Path(tellapart.__file__).read_text(encoding="utf-8"))
    told = {
        node.targets[0].id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "_typed"
    }
    assert told == {study.name for study in OURS}


def test_a_run_as_python_holds_it(tmp_path: Path) -> None:
    rows = [{"item": str(i), "question": f"what is {i}?", "correct": int(i < 10)} for i in range(40)]
    more = [{**row, "correct": int(int(row["item"]) < 30)} for row in rows]
    run = tellapart.gain(logs=(rows, more), out=str(tmp_path / "run"))
    assert len(repr(run)) < 1_000
    assert repr(run).startswith(f"Run in {tmp_path / 'run'}\ncannot tell: ")
    assert dir(run.plot) == ["cover_at_tau"]
    assert run.plot.cover_at_tau() == run.plot("cover_at_tau") == run.plot()
    with pytest.raises(AttributeError, match="there are cover_at_tau"):
        _ = run.plot.nosuch
    with pytest.raises(AttributeError):
        _ = run.plot._secret
    written = run.export("every_eval_ever", out=tmp_path / "eee")
    assert [path.name.partition("_")[2] for path in written] == ["samples.jsonl"] * 2
    other = tellapart.gain(logs=(rows, rows), out=str(tmp_path / "other"))
    both = tellapart.compare([run, other])
    assert repr(both).splitlines()[1:] == [
        f"  {tmp_path / 'run'}: cannot tell",
        f"  {tmp_path / 'other'}: cannot tell",
    ]
    assert both.to_pandas().loc[(both[0].question, "gain"), ("run", "value")] == 0.5
    assert "<td>cannot tell</td>" in both._repr_html_()
    assert "bits_per_token" not in both._repr_html_()  # not known of either


@pytest.mark.parametrize("logs", [1, ("a",), ("a", "b", "c"), "ab"])
def test_logs_are_two(logs: object) -> None:
    with pytest.raises(InvalidInput, match="give two, that of BASE and that of TUNED"):
        tellapart.gain(logs=logs)


def test_a_system_without_locks_is_told_in_one_line() -> None:
    for called in ("tellapart.gain(logs=('a', 'b'))", "cli.main(['read', 'a'])"):
        code = (
            f"import sys; sys.modules['fcntl'] = None; import tellapart; from tellapart import cli; {called}"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.stderr.splitlines()[-1].count("run it in WSL") == 1
        assert done.returncode == (2 if "cli" in called else 1)
