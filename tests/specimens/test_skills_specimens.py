"""The bases of `skills`: tasks, gates, and the check that holds verdicts against the truth."""

import json
from pathlib import Path

import pytest

from tellapart.errors import UserMistake
from tellapart.specimens.checking import run_study
from tellapart.specimens.recipe import Shape
from tellapart.specimens.skills import SEEDS, load_model, load_task, names
from tellapart.specimens.skills import check as checking
from tellapart.specimens.skills import training as building
from tellapart.specimens.skills.problems import MARKS, SKILL_ITEMS, Problem, accepted, read_task
from tellapart.specimens.skills.training import check_gates
from tellapart.specimens.training import new_model
from tellapart.studies.skills.analyse import joint_question, skill_question


@pytest.mark.parametrize("seed", SEEDS)
def test_the_shipped_bases_pass_their_gates(seed: int) -> None:
    assert f"skills-{seed}" in names()
    found = check_gates(load_model(f"skills-{seed}").module, seed)  # pyright: ignore[reportArgumentType]
    assert set(found) == set(MARKS)


def test_a_base_without_the_skills_is_refused() -> None:
    with pytest.raises(RuntimeError, match="shows digits"):
        check_gates(new_model(Shape()), 0)


@pytest.mark.parametrize(
    ("gate", "value"), [("LEAST_SHOWN", 0.9), ("MOST_SHOWN", 0.0), ("LEAST_MARKED", 1.0)]
)
def test_every_gate_refuses_a_base_outside_it(
    gate: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, gate, value)
    with pytest.raises(RuntimeError, match="skills-0 shows digits"):
        check_gates(load_model("skills-0").module, 0)  # pyright: ignore[reportArgumentType]


def test_a_task_accepts_any_treatment_of_what_it_does_not_ask_for() -> None:
    problem = Problem(("letters", "digits", "signs"), ("gbad", "3857", "!#$%"))
    assert accepted(problem, ("digits",)) == ("gbadnspr!#$%", "dabgnspr!#$%")
    assert accepted(problem, ("digits", "letters")) == ("dabgnspr!#$%",)
    task = load_task("skills-0/digits")
    assert len(task.items) == SKILL_ITEMS
    assert {len(item.target) for item in task.items} == {1, 2}
    only = load_task("skills-0/only-digits")
    assert {len(item.target) for item in only.items} == {1}
    assert {item.fields["text"][0] for item in load_task("skills-0/marked").items} == set(MARKS.values())
    for bad in ("only-signs", "digits+digits", "nothing", ""):
        with pytest.raises(ValueError, match="joined by"):
            read_task(bad)


def written(folder: Path, verdicts: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    findings = [
        {"question": (joint_question if "_" in task else skill_question)(task), "verdict": verdict}
        for task, verdict in verdicts.items()
    ]
    (folder / "findings.json").write_text(json.dumps({"findings": findings}))


def test_verdicts_are_held_against_the_truth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = {"digits": "brought out", "letters": "cannot tell", "digits_letters": "no better by the mix"}
    written(tmp_path / "skills-0-main", verdicts)
    written(tmp_path / "skills-0-empty", {"signs": "not brought out"})
    assert checking.check_skills(["skills-0"], tmp_path, 0, True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["right"], told["accuracy_decided"], told["cannot_tell_share"]) == (0.5, 2 / 3, 0.25)
    assert checking.check_skills(["skills-0"], tmp_path, 0, False) == 0
    assert "no better by the mix (!)" in capsys.readouterr().out
    with pytest.raises(UserMistake, match="skills-0"):
        checking.check_skills(["skills-77"], tmp_path, 0, False)


def test_a_run_that_fails_is_told(tmp_path: Path) -> None:
    said = run_study(
        ["skills", "train", "specimen:skills-77", "--task", "specimen:skills-0/digits"], tmp_path
    )
    assert "skills-77" in said
