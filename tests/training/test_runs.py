"""SFT and GRPO: what they learn, what they log, what a kill costs, and what they leave behind (nothing)."""

import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from letters import SETTINGS, Calls, letters, practise, tiny

from tellapart.errors import UserMistake
from tellapart.models.model import Request, Sampling
from tellapart.stats.advantages import grpo_advantages
from tellapart.training import sft as sft_module
from tellapart.training import trainers
from tellapart.training.change import changed
from tellapart.training.full import FullWeights
from tellapart.training.grpo import Practice, grpo
from tellapart.training.lora import Lora
from tellapart.training.rewards import RANDOM, TRUE, Reward
from tellapart.training.settings import Example, GrpoSettings, SftSettings
from tellapart.training.sft import description_bits, encode, sft

pytestmark = pytest.mark.usefixtures("one_thread")
EXAMPLES = [Example("1=", "ab"), Example("2=", "cd")]
LEARN = SftSettings(steps=30, rate=1e-2, quiet=True, batch=2)


def written(model, prompt: str) -> str:
    return next(model.generate([Request(prompt, 0, Sampling(temperature=0, max_tokens=4))])).completion.text


def test_what_all_prompts_begin_with_may_be_read_once(monkeypatch):
    """Equal losses and weights, with a cut of the batch and without; where it gives another loss it is not done."""
    examples = [
        Example(f"the question is {one}=", answer)
        for one, answer in (("1", "a"), ("2", "b"), ("3", "c"), ("4", "dd"))
    ]
    settings = replace(LEARN, steps=8, batch=4)
    model, once = tiny(), []
    plain = sft(model, Lora(rank=2), examples, settings, None)
    read = trainers.logits_after_shared
    monkeypatch.setattr(sft_module, "FULL_BELOW", 0)
    monkeypatch.setattr(
        trainers, "logits_after_shared", lambda *args: once.append(len(args[1])) or read(*args)
    )
    for room in (trainers.CPU_BATCH_BYTES, 1):
        monkeypatch.setattr(trainers, "CPU_BATCH_BYTES", room)
        shared = sft(model, Lora(rank=2), examples, settings, None)
        assert once
        losses = [[entry["loss"] for entry in run.log if "loss" in entry] for run in (plain, shared)]
        assert losses[1] == pytest.approx(losses[0], abs=1e-4)
        for name, value in plain.weights.items():
            assert np.allclose(shared.weights[name], value, atol=1e-4)
        assert max(once) == (4 if room > 1 else 1)
        once.clear()
    monkeypatch.setattr(trainers, "logits_after_shared", lambda *args: once.append(1) or 2 * read(*args))
    other = sft(model, Lora(rank=2), examples, settings, None)
    assert len(once) == 1
    assert [one["loss"] for one in other.log if "loss" in one] == pytest.approx(losses[0], abs=1e-5)


@pytest.mark.parametrize(
    ("change", "rate"), [(FullWeights(), 1e-2), (Lora(rank=4), 1e-2)], ids=["full", "lora"]
)
def test_sft_learns_the_answers_and_leaves_the_model_as_it_was(change, rate):
    model = tiny()
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    things, config = dict(vars(model.module)), model.module.config.to_dict()
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    trained = sft(model, change, EXAMPLES, replace(LEARN, steps=60, rate=rate), None)
    assert vars(model.module) == things
    assert model.module.config.to_dict() == config
    assert all(torch.equal(value, before[name]) for name, value in model.module.state_dict().items())
    assert not model.module.training
    assert random.getstate() == states[0]
    assert np.random.get_state()[1].tolist() == states[1]
    assert torch.equal(torch.get_rng_state(), states[2])
    plain = description_bits(model, encode(model, EXAMPLES))
    with changed(model, change, trained.weights):
        assert description_bits(model, encode(model, EXAMPLES)) < 0.95 * plain
        if change == FullWeights():
            assert [written(model, example.prompt) for example in EXAMPLES] == ["ab", "cd"]
    assert len(trained.log) == trained.steps == 60
    assert trained.log[-1]["loss"] < 0.95 * trained.log[0]["loss"]


def test_the_loss_is_that_of_the_answers_tokens_only():
    model = tiny()
    trained = sft(model, FullWeights(), EXAMPLES, replace(LEARN, steps=1), None)
    nats = [-value for one in model.score(encode(model, EXAMPLES)) for value in one.logprobs]
    assert len(nats) == 6
    assert trained.log[0]["loss"] == pytest.approx(sum(nats) / 6, rel=1e-3)
    assert trained.supervision_bits == pytest.approx(sum(nats) / np.log(2), rel=1e-5)


def test_an_example_is_charged_once():
    model = tiny()
    once, twice = encode(model, EXAMPLES), encode(model, EXAMPLES * 2)
    assert description_bits(model, once) == pytest.approx(description_bits(model, twice))


def test_grpo_earns_its_reward_and_nothing_by_a_coin():
    task = letters()
    settings = replace(SETTINGS, steps=25, prompts=4, save_every=0)
    logs = {}
    for reward in (TRUE, RANDOM):
        logs[reward.name] = grpo(
            tiny(), FullWeights(), Practice(task, task.items, reward), settings, None
        ).log
    assert logs["true"][-1]["reward"] > 0.9
    assert logs["true"][0]["reward"] < 0.6
    assert all(0 <= entry["kept_groups"] <= entry["groups"] == 4 for entry in logs["true"])
    assert abs(np.mean([entry["reward"] for entry in logs["random"]]) - 0.5) < 0.07


@pytest.mark.parametrize("successes", [1, 7])
def test_advantages_are_those_of_the_closed_form(successes, monkeypatch):
    seen = []
    plain = trainers.GrpoRun._generate_and_score_completions

    def spy(self, inputs):
        batch = plain(self, inputs)
        seen.append(batch["advantages"].clone())
        return batch

    monkeypatch.setattr(trainers.GrpoRun, "_generate_and_score_completions", spy)
    task = letters()
    reward = Reward("some", lambda group: [1.0] * successes + [0.0] * (16 - successes))
    settings = GrpoSettings(steps=1, prompts=1, group=16, quiet=True)
    grpo(tiny(), FullWeights(), Practice(task, task.items, reward), settings, None)
    wanted = grpo_advantages([1.0] * successes + [0.0] * (16 - successes))
    assert seen[0].tolist() == pytest.approx(wanted.tolist(), rel=2e-3)


def test_equal_rewards_teach_nothing_and_end_the_training():
    task, model = letters(), tiny()
    flat = Reward("flat", lambda group: [1.0] * len(group.texts))
    trained = grpo(
        model, FullWeights(), Practice(task, task.items, flat), replace(SETTINGS, steps=9, patience=3), None
    )
    assert trained.steps == 3
    assert not trained.moved
    assert all(not value.any() for value in trained.weights.values())


def test_a_kl_term_holds_the_model_back():
    task = letters()
    settings = replace(SETTINGS, steps=12, prompts=4, save_every=0)
    last = {}
    for kl in (0.0, 50.0):
        trained = grpo(
            tiny(), FullWeights(), Practice(task, task.items, TRUE), replace(settings, kl=kl), None
        )
        last[kl] = trained.log[-1]["reward"]
    assert last[50.0] < last[0.0] - 0.2


@pytest.mark.slow
def test_a_killed_grpo_goes_on_from_its_checkpoint_to_the_same_weights(tmp_path):
    child = [sys.executable, str(Path(__file__).with_name("letters.py")), str(tmp_path / "killed"), "10"]
    assert subprocess.run(child, check=False).returncode == -signal.SIGKILL
    found = sorted(path.name for path in (tmp_path / "killed").glob("*/checkpoint-*"))
    assert found == ["checkpoint-2", "checkpoint-4"]
    kept = {path.name for path in (tmp_path / "killed").glob("*/checkpoint-4/*")}
    assert "change.safetensors" in kept
    assert not any(name.startswith(("model", "README", "training_args", "tokenizer")) for name in kept)
    rest, whole = Calls(), Calls()
    resumed = practise(tmp_path / "killed", rest)
    straight = practise(tmp_path / "straight", whole)
    assert (rest.count, whole.count) == (4, 12)
    assert resumed.weights == straight.weights
    assert [one["reward"] for one in resumed.log] == [one["reward"] for one in straight.log]
    assert resumed.supervision_bits == straight.supervision_bits
    again = Calls()
    assert practise(tmp_path / "killed", again).weights == straight.weights
    assert again.count == 0


def test_a_torn_checkpoint_is_passed_over(tmp_path):
    for step, text in ((2, "{}"), (4, '{"global'), (10, None)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if text is not None:
            (folder / "trainer_state.json").write_text(text)
    assert trainers.last_checkpoint(tmp_path) == tmp_path / "checkpoint-2"


def test_what_cannot_be_trained_is_refused_in_one_line():
    model, task = tiny(), letters()
    with pytest.raises(UserMistake, match="at least one"):
        sft(model, FullWeights(), [], LEARN, None)
    with pytest.raises(UserMistake, match="context"):
        sft(model, FullWeights(), [Example("1=", "a" * 5000)], LEARN, None)
    with pytest.raises(UserMistake, match="at least one"):
        grpo(model, FullWeights(), Practice(task, (), TRUE), SETTINGS, None)
    with pytest.raises(UserMistake, match="at least 2"):
        grpo(model, FullWeights(), Practice(task, task.items, TRUE), replace(SETTINGS, group=1), None)


def test_steps_are_cut_into_what_memory_and_processes_allow(monkeypatch):
    model = tiny()
    arguments = trainers.Arguments("x", 8, 16, 100)
    assert arguments.cut(model, False) == (128, 1)
    monkeypatch.setattr(trainers, "BATCH_BYTES", 40 * 100 * 2 * 32 * 34 * 4)
    assert arguments.cut(model, False) == (32, 4)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert arguments.cut(model, False) == (32, 2)
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(UserMistake, match="3 processes"):
        arguments.cut(model, False)


def test_rates_follow_the_width_and_the_change():
    model = tiny()
    full = 5e-5 * (2000 / 32) ** 0.781
    assert trainers.learning_rate(model, FullWeights(), SftSettings()) == pytest.approx(full)
    assert trainers.learning_rate(model, Lora(), SftSettings()) == pytest.approx(10 * full)
    assert trainers.learning_rate(model, Lora(), GrpoSettings()) == pytest.approx(3 * full)
    assert trainers.learning_rate(model, Lora(), GrpoSettings(rate=0.5)) == 0.5


def test_gradient_descent_goes_no_further_in_a_step_than_rate_times_clip():
    settings = SftSettings(steps=1, rate=0.5, optimizer="sgd", clip=0.1, save_every=0, quiet=True)
    for clip, length in ((0.1, 0.05), (0.02, 0.01)):
        trained = sft(tiny(), FullWeights(), [Example("a", "b")], replace(settings, clip=clip), None)
        moved = sum(float(np.square(one).sum()) for one in trained.weights.values()) ** 0.5
        assert moved == pytest.approx(length, rel=1e-3)
