"""The live guard: TRL's own trainer and ours, what it does on an alarm, what it writes and goes on from."""

import json
import math
from dataclasses import replace

import pytest
import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from tellapart.errors import UserMistake
from tellapart.models.local import LocalModel
from tellapart.specimens.recipe import Shape
from tellapart.specimens.tokenizer import tokenizer
from tellapart.specimens.training import new_model
from tellapart.studies import run_study
from tellapart.studies.guard.live import GuardCallback, Watched, checker_of, guarded_reward, watch
from tellapart.studies.guard.seen import Seen
from tellapart.studies.guard.spec import GuardSpec
from tellapart.studies.guard.watching import Guard, Watch
from tellapart.tasks.item import Item, Scorer, Task
from tellapart.training.full import FullWeights
from tellapart.training.grpo import Practice, grpo
from tellapart.training.rewards import Group, Reward, pay_truth
from tellapart.training.settings import GrpoSettings

pytestmark = pytest.mark.usefixtures("one_thread")
STEPS, GROUP = 5, 4
SETTINGS = GrpoSettings(steps=6, prompts=2, group=8, rate=2e-2, save_every=2, quiet=True, patience=0)


class FirstLetter(Scorer):
    name = "first_letter"

    def answer(self, item, completion):
        return completion[:1] if completion[:1].isalnum() else None

    def score(self, item, completion):
        return float(self.answer(item, completion) in item.target)


def _tiny():
    torch.manual_seed(0)
    return LocalModel(new_model(Shape(width=32, inner=32, layers=2, heads=2)), tokenizer(), "tiny")


def _task():
    items = tuple(Item(f"i{n}", {"n": str(n)}, tuple("abcdefghijklmnopqrstuvwxyz")) for n in range(4))
    return Task(
        "letters",
        items,
        "{n}=",
        FirstLetter(),
        max_tokens=3,
        steps=lambda item, text: "valid" if item.id == "i0" else "absent",
        fingerprint="letters",
    )


def _trainer(tmp_path, guard, **more):
    """TRL's own trainer on a reward of one half, so that every group has both outcomes."""
    model = _tiny()
    words = model.tokenizer
    words.pad_token = words.pad_token or words.eos_token
    config = GRPOConfig(
        output_dir=str(tmp_path), max_steps=STEPS, per_device_train_batch_size=2 * GROUP, num_generations=GROUP,
        max_completion_length=4, logging_steps=1, report_to="none", use_cpu=True, save_strategy="no",
        disable_tqdm=True, bf16=False, learning_rate=1e-2,
    )  # fmt: skip

    def half(prompts, completions, **told):
        return [float(at % 2) for at in range(len(completions))]

    rows = Dataset.from_list([{"prompt": f"{n}="} for n in range(8)])
    reward = guarded_reward(half, guard) if more.get("wrapped", True) else half
    callbacks = [GuardCallback(guard)] if more.get("wrapped", True) else []
    return GRPOTrainer(
        model=model.module, reward_funcs=reward, args=config, train_dataset=rows, processing_class=words,
        callbacks=callbacks,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_trls_trainer_is_watched_masked_and_told(tmp_path):
    guard = Guard(Watch(act="mask", check=lambda prompt, text: "absent", folder=tmp_path / "guard"))
    trainer = _trainer(tmp_path, guard)
    trainer.train()
    assert guard.steps == list(range(STEPS))
    assert guard.alarm is not None
    assert (guard.alarm.signal, guard.alarm.step) == ("lucky", 1)
    assert guard.masked == [0, 2, 2, 2, 2]  # from the second step on both groups earn nothing
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert [entry["guard/masked_groups"] for entry in logged] == [0, 2, 2, 2, 2]
    assert [entry["frac_reward_zero_std"] for entry in logged] == [0, 1, 1, 1, 1]
    assert all(math.isfinite(value) for value in guard.signals["entropy"])
    assert len(list((tmp_path / "guard").glob("step_*.jsonl"))) == STEPS


@pytest.mark.filterwarnings("ignore")
def test_stop_and_plain_advantages(tmp_path):
    guard = Guard(Watch(act="stop", check=lambda prompt, text: "invalid"))
    trainer = _trainer(tmp_path, guard)
    trainer.train()
    assert trainer.state.global_step == 2
    guard = Guard(Watch(act="plain", check=lambda prompt, text: "invalid"))
    with pytest.raises(UserMistake, match="watch"):
        GuardCallback(guard)
    trainer = _trainer(tmp_path, guard, wrapped=False)
    watch(trainer, guard)
    assert trainer.scale_rewards == "group"
    trainer.train()
    assert trainer.scale_rewards == "none"


@pytest.mark.filterwarnings("ignore")
def test_a_healthy_run_is_left_alone_and_paid_what_it_earns(tmp_path):
    guard = Guard(Watch(act="hold", check=lambda prompt, text: "valid"))
    with pytest.raises(UserMistake, match="watch"):
        GuardCallback(guard)
    trainer = _trainer(tmp_path, guard, wrapped=False)
    watch(trainer, guard)
    trainer.train()
    assert guard.alarm is None
    assert sum(guard.masked) == 0
    assert guard.signals["reward"] == [0.5] * STEPS


class Fails:
    """A true reward that ends the run at a call."""

    def __init__(self, last=0):
        self.count, self.last = 0, last

    def __call__(self, group: Group):
        self.count += 1
        if self.count == self.last:
            raise KeyboardInterrupt
        return pay_truth(group)


def _practise(scratch, folder, pay, act="hold"):
    task = _task()
    guard = Guard(
        Watch(act=act, check=checker_of(task), canaries=(replace(task, name="held"),), every=2, folder=folder)
    )
    trained = grpo(
        _tiny(),
        FullWeights(),
        Practice(task, task.items, Reward("true", pay)),
        SETTINGS,
        scratch,
        Watched(guard),
    )
    return trained, guard


@pytest.mark.slow
def test_a_run_that_was_ended_goes_on_watched_to_the_same_end(tmp_path):
    straight, whole = _practise(tmp_path / "a", tmp_path / "seen a", Fails())
    assert whole.alarm is not None
    assert sum(whole.masked) > 0
    with pytest.raises(KeyboardInterrupt):
        _practise(tmp_path / "b", tmp_path / "seen b", Fails(10))
    resumed, again = _practise(tmp_path / "b", tmp_path / "seen b", Fails())
    assert resumed.weights == straight.weights
    assert json.dumps([again.steps, again.signals, again.alarms, again.masked, again.asked]) == json.dumps(
        [whole.steps, whole.signals, whole.alarms, whole.masked, whole.asked]
    )
    for file in (tmp_path / "seen a").iterdir():
        assert (tmp_path / "seen b" / file.name).read_bytes() == file.read_bytes()


def test_what_the_live_guard_saw_is_a_log_like_any_other(tmp_path):
    _, guard = _practise(None, tmp_path / "seen", Fails(), act="log")
    assert sorted(guard.asked["held"]) == [0, 2, 4, 6]
    run = run_study(GuardSpec(str(tmp_path / "seen"), out=str(tmp_path / "out")), quiet=True)
    table = run.findings[0].tables["guard_signals"]
    assert table["steps"] == guard.steps
    for name in ("reward", "lucky", "skipped", "thin", "length", "entropy", "concentration"):
        seen = [math.nan if value is None else value for value in table["signals"][name]]  # None: not known
        assert seen == pytest.approx(guard.signals[name], nan_ok=True), name
    canary = table["signals"]["canary held"]
    assert canary[0] == pytest.approx(sum(guard.asked["held"][0].values()) / 4)
    assert canary[1] is None, "not asked at that step"
    assert [alarm["signal"] for alarm in table["alarms"] if alarm["harm"]][:1] == ["lucky"]


def _seen(item, scores, steps):
    n = len(scores)
    return Seen([item] * n, ["x"] * n, scores, ["1"] * n, steps, [1.0] * n)


def test_held_problems_come_back_when_solved_with_valid_steps():
    guard = Guard(Watch(act="hold"))
    lucky = ["absent", "absent", "absent", "absent"]
    for step in range(3):
        barred = guard.see(step, _seen("a", [1.0, 0, 0, 0], lucky))
    assert barred == [True] * 4
    assert guard.held == ["a"]
    for step in range(3, 6):
        barred = guard.see(step, _seen("a", [1.0, 1.0, 0, 0], ["valid", "valid", "absent", "absent"]))
    assert barred == [False] * 4
    assert guard.held == []
    assert (
        guard.see(6, _seen("b", [0.0, 0, 0, 0], lucky)) == [True] * 4
    )  # no right answer: form alone would be paid


def test_without_a_checker_luck_is_the_only_success_of_a_group():
    guard = Guard(Watch(act="mask"))
    guard.alarms.append(guard_alarm())
    assert guard.see(0, _seen("a", [1.0, 0, 0, 0], [""] * 4)) == [True] * 4
    assert guard.see(1, _seen("a", [1.0, 1.0, 0, 0], [""] * 4)) == [False] * 4


def guard_alarm():
    from tellapart.studies.guard.alarms import Alarm

    return Alarm("lucky", 0, 1.0, 0.5, 0.5, True)


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(UserMistake, match="act 'pray'"):
        Watch(act="pray")  # pyright: ignore
    with pytest.raises(UserMistake, match="every"):
        Watch(every=0)


def test_what_a_killed_write_left_is_removed(tmp_path):
    (tmp_path / ".step_000002.jsonl.123.tmp").write_text("half")
    Guard(Watch(folder=tmp_path)).replay(0)
    assert list(tmp_path.iterdir()) == []
