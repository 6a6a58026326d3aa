"""How experts are trained: any accepted target, sets of experts, going on after a kill, a learned weighting."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights
from tellapart.models.local import LocalModel
from tellapart.models.model import Request, Sampling
from tellapart.specimens.skills import load_model, load_task
from tellapart.studies.skills import learn as learning
from tellapart.studies.skills.encoding import Pair
from tellapart.studies.skills.learn import Course, Tuning, learn, tokens_of, whole_places
from tellapart.studies.skills.mix import read_mix
from tellapart.studies.skills.mixed_run import Lanes
from tellapart.studies.skills.objectives import Answered, Practice, draw_batch, own_answers, shares
from tellapart.studies.skills.paused import EVERY, FILE
from tellapart.studies.skills.together import draw_others, draw_set, learn_together
from tellapart.studies.skills.train import elsewhere_than
from tellapart.studies.skills.weighting import learn_weighting
from tellapart.training.matrices import matrices_of, matrix
from tellapart.training.svf import Svf

TUNING = Tuning(steps=EVERY + 3, rate=0.05, kl=0.0, keep=0.3)


pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def model() -> LocalModel:
    return load_model("skills-0")


def practised(name: str, objective: str = "ce") -> Practice:
    task = load_task(f"skills-0/{name}")
    return Practice(task, task.items[:40], objective, 4, 2, True, 0)  # pyright: ignore[reportArgumentType]


def answered(places: list[int], lengths: list[int]) -> list[Answered]:
    return [Answered((1,), tuple(range(n)), 1.0, 1.0, at) for at, n in zip(places, lengths, strict=True)]


def test_shares_give_the_gradient_of_the_log_of_the_summed_probabilities() -> None:
    places = [0, 0, 3, 1, 1, 1]
    given = torch.randn(6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ours, theirs = (given.clone().requires_grad_() for _ in range(2))
    (shares(ours, places) * ours).sum().backward()
    sum(theirs[[at for at, p in enumerate(places) if p == q]].logsumexp(0) for q in (0, 1, 3)).backward()  # pyright: ignore[reportAttributeAccessIssue]
    assert ours.grad is not None
    assert theirs.grad is not None
    assert torch.allclose(ours.grad, theirs.grad)


def test_answers_at_a_place_stay_together_and_count_once() -> None:
    batch = answered([0, 0, 1, 2, 2, 2], [2, 4, 5, 1, 1, 1])
    assert [[one.place for one in part] for part in whole_places(batch, 3)] == [[0, 0, 1], [2, 2, 2]]
    assert [len(part) for part in whole_places(batch, 1)] == [2, 1, 3]
    assert tokens_of(batch) == 3 + 5 + 1


def test_every_accepted_target_is_learned_from(model: LocalModel) -> None:
    practice = practised("digits")._replace(batch=16)
    batch = draw_batch(model, practice, 0)
    counts = np.bincount([one.place for one in batch])
    assert len(counts) == 16
    assert set(counts.tolist()) == {1, 2}


def test_sets_hold_their_own_expert_and_only_others_when_held() -> None:
    import random

    rng, names = random.Random(0), ["a", "b", "c"]
    drawn = [draw_set(rng, 3, 1) for _ in range(300)]
    assert all(1 in one for one in drawn)
    assert {len(one) for one in drawn} == {1, 2, 3}
    held = [draw_others(rng, names, "b") for _ in range(300)]
    assert all(one and 1 not in one for one in held)
    assert {at for one in held for at in one} == {0, 2}
    assert draw_others(rng, ["a"], "a") == ()


def test_training_goes_on_with_the_same_result_where_it_was_broken_off(
    model: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    practice, course = practised("digits"), Course("expert", tmp_path)
    others = [Pair((1, 20, 30), (40, 2))]
    whole = learn(model, Svf(), practice, others, TUNING)

    def torn(model: LocalModel, practice: Practice, step: int) -> list[Answered]:
        if step == EVERY + 2:
            raise KeyboardInterrupt
        return draw_batch(model, practice, step)

    monkeypatch.setattr(learning, "draw_batch", torn)
    with pytest.raises(KeyboardInterrupt):
        learn(model, Svf(), practice, others, TUNING, course)
    steps: list[int] = []
    monkeypatch.setattr(learning, "draw_batch", lambda *told: steps.append(told[2]) or draw_batch(*told))
    again = learn(model, Svf(), practice, others, TUNING, course)
    assert steps == [EVERY, EVERY + 1, EVERY + 2]
    assert again.weights == whole.weights
    assert again.log == whole.log
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:500])
    with pytest.raises(UserMistake, match=r"damaged.*delete"):
        learn(model, Svf(), practice, others, TUNING, course)


def test_experts_beside_each_other_leave_the_model_alone_and_repeat(model: LocalModel) -> None:
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    practices = {"digits": practised("digits"), "letters": practised("letters", "reinforce")}
    elsewhere = {"digits": [Pair((1, 20), (40, 2))], "kinds": [Pair((1, 21), (41, 2))]}
    first, second = (
        learn_together(model, Svf(), practices, elsewhere, TUNING._replace(steps=3)) for _ in range(2)
    )
    assert {name: one.weights for name, one in first.items()} == {
        name: one.weights for name, one in second.items()
    }
    assert first["digits"].weights != first["letters"].weights
    assert [entry.step for entry in first["letters"].log] == [0.0, 1.0, 2.0]
    after = model.module.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_keep_holds_to_the_base(model: LocalModel) -> None:
    """With more weight on what is kept, answers to other prompts stay nearer to the base's."""
    practices = {"digits": practised("digits"), "letters": practised("letters")}
    others = [
        Pair(prompt, answer)
        for prompt, answer, _ in own_answers(
            model, load_task("skills-0/signs"), load_task("skills-0/signs").items[:16], "0"
        )
    ]
    apart, beside = [], []
    for keep in (1e-6, 30.0):
        tuning = TUNING._replace(steps=12, keep=keep)
        alone = learn(model, Svf(), practices["digits"], others, tuning)
        apart.append(alone.log[-1].keep_kl)
        together = learn_together(model, Svf(), practices, {"signs": others}, tuning)
        beside.append(together["digits"].log[-1].keep_kl)
    assert apart[1] < apart[0] / 2
    assert beside[1] < beside[0] / 2


def test_an_expert_is_not_held_on_its_own_prompts() -> None:
    pairs = {"a": [Pair((1,), (2,))], "b": [Pair((3,), (4,))]}
    assert elsewhere_than(pairs, "a") == pairs["b"]


@pytest.mark.slow
def test_a_run_killed_in_the_middle_of_training_ends_as_one_that_was_not(tmp_path: Path) -> None:
    def command(out: str) -> list[str]:
        task = ["--task", "specimen:skills-0/digits", "--task", "specimen:skills-0/letters"]
        size = ["--objective", "ce", "--steps", "80", "--batch", "4", "--limit", "2", "--lora-rank", "0"]
        return [sys.executable, "-m", "tellapart.cli", "skills", "train", "specimen:skills-0", *task, *size,
                "--out", str(tmp_path / out), "--json"]  # fmt: skip

    kept = tmp_path / "killed" / "scratch" / "experts" / FILE
    child = subprocess.Popen(command("killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not kept.exists() and child.poll() is None:
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert kept.exists()
    for out in ("killed", "whole"):
        subprocess.run(command(out), check=True, capture_output=True)
    for name in ("digits", "letters"):
        ours, theirs = (
            Weights(load_file(tmp_path / out / "experts" / f"{name}.safetensors"))
            for out in ("killed", "whole")
        )
        assert ours == theirs
    assert not (tmp_path / "killed" / "scratch").exists()


@pytest.mark.slow
def test_a_weighting_learns_which_requests_need_which_expert(model: LocalModel) -> None:
    """What is to be said is what the model says with a in to digits, with b in to letters."""
    ranks = {name: min(matrix(part).shape) for name, part in matrices_of(model.module).items()}
    rng = np.random.default_rng(0)
    experts = {
        skill: Weights(
            {name: (1 + 0.3 * rng.standard_normal(rank)).astype(np.float32) for name, rank in ranks.items()}
        )
        for skill in ("a", "b")
    }
    given, asked = [], {}
    with Lanes(model, experts) as lanes:
        for task, name in (
            (load_task("skills-0/only-digits"), "a"),
            (load_task("skills-0/only-letters"), "b"),
        ):
            requests = [
                Request(task.prompt(item), 0, Sampling(0.0, max_tokens=6)) for item in task.items[:48]
            ]
            mix = read_mix(name, list(experts))
            said = {at: one.text for at, one in lanes.generate([(r, mix) for r in requests])}
            items = [replace(item, target=(said[at],)) for at, item in enumerate(task.items[:48])]
            given.append((task, items[:32]))
            asked[name] = [task.prompt(item) for item in items[32:]]
    weighting = learn_weighting(model, experts, given)
    assert weighting.numbers == 2 * 97
    mean = {}
    for own, prompts in asked.items():
        rows = [dict(mix.weights) for mix in weighting.mixes(model, prompts)]
        mean[own] = {name: np.mean([row.get(name, (0.0,))[0] for row in rows]) for name in experts}
    assert mean["a"]["a"] > 0.6 > 0.4 > mean["a"]["b"]
    assert mean["b"]["b"] > 0.6 > 0.4 > mean["b"]["a"]
    assert learn_weighting(model, experts, given).mixes(model, asked["a"]) == weighting.mixes(
        model, asked["a"]
    )
    with pytest.raises(UserMistake, match="learn-on"):
        learn_weighting(model, experts, [])
