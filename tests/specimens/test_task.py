"""The tasks of specimens: what is asked, how it is scored, and that nothing asked was trained on."""

import random
import re
import subprocess
import sys
from collections import Counter

import pytest

from tellapart.errors import UserMistake
from tellapart.specimens import load_model, load_task, read_name
from tellapart.specimens.families import FAMILIES, Problem, needs_fresh, read_program, split_of
from tellapart.specimens.pools import asked
from tellapart.specimens.recipe import BASES, KINDS, STAGES, stages_for
from tellapart.specimens.rows import Lesson, draw_row
from tellapart.specimens.sampling import decode, draw_problems
from tellapart.specimens.truth import read_truth
from tellapart.tasks.item import Item, Task
from tellapart.tasks.sources import open_task

TASKS = ("latent-register-0", "latent-tracking-1", "guessable-register-0", "guessable-tracking-1")


def problem_of(task: Task, item: Item) -> Problem:
    family = FAMILIES[task.source.split("-")[1]]
    return Problem(item.fields["start"], read_program(family, item.fields["program"]))


@pytest.mark.parametrize("name", TASKS)
def test_items_answers_and_demonstrations(name: str) -> None:
    task = load_task(name)
    assert len(task.items) == 160
    assert len({item.id for item in task.items}) == 160
    assert len({item.cluster for item in task.items}) == 40
    for prompt, answer in (*task.demonstrations, *task.step_demonstrations):
        assert prompt.endswith("=")
        assert ">" in answer
    item = task.items[0]
    assert task.score(item, f"anything>{item.target[0]}") == 1.0
    assert task.score(item, f">{item.target[0]}x") == 0.0
    assert task.score(item, item.target[0]) == 0.0
    assert task.steps is not None
    assert task.steps(item, f">{item.target[0]}") == "absent"


@pytest.mark.parametrize("name", TASKS)
def test_splits_have_nothing_in_common_with_each_other_or_training(name: str) -> None:
    report, fit = load_task(name), load_task(name, "fit")
    problems = [problem_of(report, item) for item in report.items]
    assert {split_of(problem) for problem in problems} == {"report"}
    assert {split_of(problem_of(fit, item)) for item in fit.items} == {"fit"}
    family = FAMILIES[read_name(name).family]
    fresh = sum(needs_fresh(family, problem) for problem in problems)
    assert fresh == 80
    shown = {prompt for prompt, _ in report.step_demonstrations}
    assert not shown & {report.prompt(item) for item in report.items}


def test_training_rows_hold_no_problem_that_is_asked() -> None:
    family = FAMILIES["register"]
    rng = random.Random(0)
    made = [stage for stage in STAGES.values() if not stage.pool and stage.reward is None]
    seen = 0
    for stage in made:
        for _ in range(40):
            text = decode(draw_row(rng, Lesson(stage, family), 3, noisy=True).ids)
            for start, program in re.findall(r"(\d{4})([icrsmt]{3})(?:#k)?\??=", text):
                assert split_of(Problem(start, read_program(family, program))) == "train"
                seen += 1
    assert seen == 40 * 3 * len(made)


def test_one_stage_alone_trains_on_what_is_asked() -> None:
    assert [stage.name for stage in STAGES.values() if "asked" in stage.pool] == ["memorised_tuned"]
    for name, family in FAMILIES.items():
        task = load_task(f"memorised-{name}-1")
        told = [
            (f"{problem.start}{''.join(problem.program)}=", answer) for problem, answer in asked(family, 1)
        ]
        assert told == [(task.prompt(item), f">{item.target[0]}") for item in task.items]


def test_own_answers_are_to_problems_of_training() -> None:
    for name, family in FAMILIES.items():
        problems = draw_problems(family, random.Random(name), 100, 0.2)
        assert {split_of(problem) for problem in problems} == {"train"}
        long = draw_problems(family, random.Random(name), 20, 0.2, 9)
        assert {len(problem.program) for problem in long} == {9}


def test_a_task_opens_by_reference_and_without_torch() -> None:
    assert open_task("specimen:latent-register-0") == load_task("latent-register-0")
    code = (
        "import sys; from tellapart.specimens import load_task, names; load_task('rare-tracking-0'); names();"
        "from tellapart.specimens.truth import read_truth; read_truth('rare-tracking-0');"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: load_task("latent-register-9"),
        lambda: load_task("nothing"),
        lambda: load_model("latent-register-0"),
        lambda: load_model("latent-register-0/other"),
        lambda: read_truth("nothing-register-0"),
    ],
)
def test_a_wrong_name_is_told_in_one_line(call) -> None:
    with pytest.raises(UserMistake) as told:
        call()
    assert "\n" not in str(told.value)


def test_every_kind_has_a_truth_a_base_and_a_tuned_stage() -> None:
    assert set(BASES) == set(KINDS)
    for kind in KINDS:
        truth = read_truth(f"{kind}-register-0")
        assert truth.kind == kind
        assert truth.verdict in ("elicited", "mixed", "acquired", "no gain")
        stages = [stage.name for stage in stages_for((kind,))]
        assert stages[-1] == f"{kind}_tuned" or stages[-1] in stages
        for stage in stages_for((kind,)):
            for other in (stage.start, stage.teacher, stage.beside):
                assert other is None or stages.index(other) < stages.index(stage.name)
    verdicts = Counter(read_truth(f"{kind}-tracking-0").verdict for kind in KINDS)
    assert set(verdicts) == {"elicited", "mixed", "acquired", "no gain"}
    assert min(verdicts.values()) >= 2
