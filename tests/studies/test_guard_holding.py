"""What act hold fills batches with, how far it steps, and that a run that was killed fills them alike."""

import json
import subprocess
from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from datasets import Dataset
from test_guard_live import GROUP, STEPS, _trainer, guard_alarm
from test_guard_processes import _ended, _killed, _start, _told

from tellapart.errors import UserMistake
from tellapart.studies.guard.holding import hold_back, refilled
from tellapart.studies.guard.live import GuardCallback, watch
from tellapart.studies.guard.seen import Seen
from tellapart.studies.guard.watching import Guard, Watch

pytestmark = pytest.mark.usefixtures("one_thread")
EIGHT = [f"new {n}" for n in range(6)] + ["a", "b"]


def test_open_problems_stay_a_quarter_is_tried_and_open_ones_take_the_rest():
    batch = refilled(EIGHT, ["a", "b", "c", "d"], "0")
    assert batch[:2] == ["new 0", "new 1"]
    assert batch[6:] == ["a", "b"]
    assert set(batch[2:4]) == {"c", "d"}  # those that are not there yet come first
    assert set(batch[4:6]) <= {"a", "b", "c", "d"}
    assert len(set(batch[4:6])) == 2
    assert refilled(EIGHT, ["a", "b", "c", "d"], "0") == batch
    assert any(refilled(EIGHT, ["a", "b", "c", "d"], str(seed)) != batch for seed in range(1, 5))


def test_too_few_open_ones_come_again_and_none_leaves_the_batch_as_it_is():
    assert refilled(EIGHT[:6], ["c"], "0") == ["new 0", *["c"] * 5]
    assert Counter(refilled(EIGHT[:5], ["c", "d"], "0")) == {"new 0": 1, "c": 2, "d": 2}
    assert refilled(EIGHT, [], "0") == EIGHT
    assert refilled(["a"], ["b"], "0") == ["a"]  # a batch of one problem tries


def _watched(tmp_path, said, **more):
    """Train with problems 0 and 1 solved with valid steps; `said` gets each step's prompts."""
    guard = Guard(
        Watch(act="hold", check=lambda prompt, text: "valid" if prompt in ("0=", "1=") else "absent", **more)
    )
    trainer = _trainer(tmp_path, guard, wrapped=False)
    half = trainer.reward_funcs[0]

    def told(prompts, **others):
        said.append(prompts)
        return half(prompts=prompts, **others)

    trainer.reward_funcs = [told]
    watch(trainer, guard)
    return trainer, guard


@pytest.mark.filterwarnings("ignore")
def test_trls_trainer_gets_open_problems_in_place_of_those_held(tmp_path):
    said = []
    scheduled = _scheduled(tmp_path)
    trainer, guard = _watched(tmp_path / "b", said)
    guard._luck.update({"0=": [0, 2], "1=": [0, 2]})  # both were solved before
    guard.alarms.append(guard_alarm())
    trainer.train()
    assert len(said) == STEPS
    for prompts, wanted in zip(said, scheduled, strict=True):
        groups = prompts[::GROUP]
        assert prompts == [prompt for prompt in groups for _ in range(GROUP)], "a group is of one problem"
        held = [prompt for prompt in wanted if prompt not in ("0=", "1=")]
        assert [prompt for prompt in groups if prompt not in ("0=", "1=")] == held[:1]
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    replaced = [entry["guard/replaced_groups"] for entry in logged]
    assert replaced == [
        float(sum(prompt not in ("0=", "1=") for prompt in wanted) == 2) for wanted in scheduled
    ]
    assert sum(replaced) > 0


def _scheduled(tmp_path):
    """Return the problems of each step of a run that is only watched."""
    asked = []
    trainer = _trainer(tmp_path / "plain", Guard(Watch()), wrapped=False)
    half = trainer.reward_funcs[0]
    trainer.reward_funcs = [lambda prompts, **told: asked.append(prompts[::GROUP]) or half(prompts, **told)]
    trainer.train()
    return asked


def test_the_null_twin_holds_those_that_it_is_given_and_no_others():
    guard = Guard(Watch(act="hold", twin=frozenset(["a"])))
    guard.alarms.append(guard_alarm())
    seen = Seen(list("aabb"), ["x"] * 4, [1.0, 0.0] * 2, ["1"] * 4, ["valid", "absent"] * 2, [1.0] * 4)
    assert guard.see(0, seen) == [True, True, False, False]
    assert (guard.held, guard.open) == (["a"], ["b"])
    assert guard.teaching == 0.5
    lucky = Seen(["b"] * 2, ["x"] * 2, [1.0, 0.0], ["1"] * 2, ["absent"] * 2, [1.0] * 2)
    assert guard.see(1, lucky) == [False, False]
    told = Guard(Watch(act="hold"))
    told.alarms.append(guard_alarm())
    assert told.see(0, lucky) == [True, True]


def test_a_step_is_as_long_as_the_share_of_the_batch_that_teaches():
    weight = torch.nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.AdamW(weight.parameters(), lr=0.1)
    weight(torch.ones(1)).backward()
    optimizer.step()
    guard = Guard(Watch(act="mask"))
    callback, told = GuardCallback(guard), {"optimizer": optimizer, "model": weight}
    moment = next(iter(optimizer.state.values()))["exp_avg"]

    def before(step):
        callback.on_pre_optimizer_step(None, SimpleNamespace(global_step=step), None, **told)
        return optimizer.param_groups[0]["lr"], bool(moment.any()), weight.weight.grad is not None

    assert before(1) == (0.1, True, True)  # no alarm: nothing is changed
    guard.alarms.append(guard_alarm()._replace(step=2))
    guard.teaching = 0.25
    assert before(3) == (pytest.approx(0.025), True, True)  # gone on with after the alarm: momentum stays
    callback.on_optimizer_step(None, None, None, **told)
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert before(2) == (pytest.approx(0.025), False, True)
    callback.on_optimizer_step(None, None, None, **told)
    guard.teaching = 0.0
    assert before(3)[2] is False


def test_a_problem_counts_once_and_only_where_its_rewards_differ():
    guard = Guard(Watch(act="hold"), groups=4)
    scores = [1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    guard.see(0, Seen(list("aaaabbcc"), ["x"] * 8, scores, ["1"] * 8, ["valid"] * 8, [1.0] * 8))
    assert guard.teaching == 0.25


def test_it_says_why_nothing_is_left(caplog):
    guard = Guard(Watch(act="hold"), problems=2)
    guard.alarms.append(guard_alarm())
    seen = Seen(["a"] * 2, ["x"] * 2, [1.0, 0.0], ["1"] * 2, ["absent"] * 2, [1.0] * 2)
    guard.see(0, seen)
    assert guard.spent == ""  # b was not tried
    guard.see(1, Seen(["b"] * 2, *list(vars(seen).values())[1:]))
    assert "none of the 2 problems" in guard.spent
    control = SimpleNamespace(should_training_stop=False)
    trainer = SimpleNamespace(train_dataset=Dataset.from_dict({"prompt": ["a", "b"]}))
    trainer._generate_and_score_completions = None
    callback = GuardCallback(guard, trainer)  # pyright: ignore
    callback.on_step_end(None, SimpleNamespace(global_step=1), control)
    assert control.should_training_stop
    assert "none of the 2 problems" in caplog.text


def test_a_data_set_without_an_index_is_refused():
    with pytest.raises(UserMistake, match="index"):
        hold_back(SimpleNamespace(train_dataset=iter([])), Guard(Watch(act="hold")))  # pyright: ignore


@pytest.mark.slow
def test_a_run_that_is_killed_fills_its_batches_as_the_unkilled_one(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    _ended(_held(whole))
    _killed(_held(killed), killed / "seen" / "step_000007.jsonl")
    _ended(_held(killed))
    assert _told(killed) == _told(whole)
    asked = _problems(whole)
    assert asked == _problems(killed)
    alarm = next(step for name, step, *_, harm in _told(whole)["alarms"] if harm)
    assert any(Counter(step)["0="] + Counter(step)["1="] >= 3 for step in asked[alarm + 1 :]), asked


def _held(folder) -> subprocess.Popen:
    return _start(folder, act="hold")


def _problems(folder):
    """Return the problems of each step, a group each."""
    files = sorted(file for file in (folder / "seen").iterdir() if file.stem.count("_") == 1)
    return [[json.loads(line)["input"] for line in file.read_text().splitlines()][::4] for file in files]
