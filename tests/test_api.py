"""The names that `import tellapart` gives are the studies', and each is told to editors and type checkers."""

import ast
from pathlib import Path

import tellapart
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
