"""Pairs built against the verdict: the recipe is fixed, what is shipped opens and is what its truth says."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from tellapart.errors import UserMistake
from tellapart.specimens import adversarial, load_model, load_task
from tellapart.specimens.adversarial import PAIRS, chosen, every_name, names, read_pair
from tellapart.specimens.adversarial.build import build_pair, examples, measure, stretched
from tellapart.specimens.adversarial.kind import ROLES, Role, held_out
from tellapart.specimens.adversarial.muon import Muon, orthogonal
from tellapart.specimens.calibration import Case, figures
from tellapart.specimens.check import Verdict, run_check, summary
from tellapart.specimens.commands import Build, Check
from tellapart.specimens.store import model_of, weights_of
from tellapart.specimens.truth import read_truth
from tellapart.tasks.split import split_items

MOST_BYTES = 8_000_000
RECIPES = "4a7f11f3494967eb"
"""Hash of 20 examples of every pair and role, and of the tasks: what is trained and asked does not change unseen."""


def shipped(name: str) -> dict[Role, LlamaForCausalLM]:
    """Return the models of a pair."""
    models: dict[Role, LlamaForCausalLM] = {}
    for role in ROLES:
        module = load_model(f"{name}/{role}").module
        assert isinstance(module, LlamaForCausalLM)
        models[role] = module
    return models


def test_all_are_there_and_small() -> None:
    assert set(names()) <= set(every_name())
    assert len({name.partition("-")[0] for name in names()}) >= 10
    files = [file for file in adversarial.WEIGHTS.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= MOST_BYTES


def test_the_recipe_is_what_it_was() -> None:
    told = [
        [name, role, examples(read_pair(name), role, 20), load_task(name).fingerprint]
        for name in every_name()
        for role in ROLES
    ]
    assert hashlib.blake2b(json.dumps(told).encode(), digest_size=8).hexdigest() == RECIPES


@pytest.mark.parametrize("name", names())
def test_what_is_shipped_passes_its_own_checks(name: str) -> None:
    torch.set_num_threads(1)
    missed = [fact for fact in measure(read_pair(name), shipped(name)) if not fact.holds]
    assert not missed


@pytest.mark.parametrize("name", every_name())
def test_a_task_asks_what_was_not_trained_on(name: str) -> None:
    kind, task = name.partition("-")[0], load_task(name)
    prompts = {task.prompt(item) for item in task.items}
    assert len(prompts) == len(task.items) == len({item.id for item in task.items})
    if kind != "duplicated":
        assert min(map(len, split_items(task, 0))) >= 100
    trained = {prompt for prompt, _ in examples(read_pair(name), "tuned", 500)}
    assert bool(prompts & trained) == (kind in ("duplicated", "halfknown", "recited"))


@pytest.mark.parametrize("kind", list(PAIRS))
def test_every_kind_has_a_truth(kind: str) -> None:
    truth = read_truth(f"{kind}-x-0")
    assert truth.kind == kind
    assert truth.right
    assert "cannot tell" in truth.not_wrong
    assert truth.reason in ("", "change of form", "small gain")


def test_a_broken_weight_is_noticed() -> None:
    name = "collapsing-key-0"
    models = shipped(name)
    with torch.no_grad():
        models["base"].get_parameter("model.layers.1.self_attn.o_proj.weight").zero_()
    missed = {fact.what for fact in measure(read_pair(name), models) if not fact.holds}
    assert "the base with the key" in missed


def test_the_command_builds_one_pair_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tellapart.specimens.adversarial.build.build_pair", lambda *_: [])
    assert Build(str(tmp_path), kinds=("threshold",), seeds=(0,), set="new").run() == 0
    assert capsys.readouterr().out.split() == ["threshold-high-0", "threshold-odd-0"]


def test_a_pair_that_misses_a_check_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    pair = read_pair("popular-no-0")
    assert len(build_pair("popular-no-0", pair, tmp_path / "tried", effort=0.01)) == len(pair.checks)
    assert (tmp_path / "tried" / "tuned.safetensors").exists()
    monkeypatch.setattr("tellapart.specimens.adversarial.build.teach", lambda *_: None)
    with pytest.raises(RuntimeError, match="the base tosses a coin"):
        build_pair("popular-no-0", pair, tmp_path / "kept")
    assert not list((tmp_path / "kept").glob("*"))


def test_stretched_weights_are_the_same_function() -> None:
    model = shipped("threshold-high-0")["base"]
    other = model_of(stretched(weights_of(model), 64))
    ids = torch.tensor([[1, 20, 21, 22, 23, 35]])
    torch.testing.assert_close(model(input_ids=ids).logits, other(input_ids=ids).logits, atol=2e-3, rtol=0)
    name = "model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(model.get_parameter(name), other.get_parameter(name))


def test_muon_makes_updates_nearly_orthogonal() -> None:
    """As torch's own, which rounds to bfloat16 on the way."""
    torch.manual_seed(0)
    start = torch.randn(160, 48)
    singular = torch.linalg.svdvals(orthogonal(start))
    assert 0.6 < singular.min() < singular.max() < 1.3
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    pair = (
        Muon([ours], lr=0.02, momentum=0.95, weight_decay=0.01),
        torch.optim.Muon([theirs], lr=0.02, momentum=0.95, weight_decay=0.01),
    )
    for step in range(3):
        gradient = torch.randn(160, 48, generator=torch.Generator().manual_seed(step))
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        for optimizer in pair:
            optimizer.step()
    torch.testing.assert_close(ours, theirs, atol=2e-3, rtol=0)


def test_names_that_do_not_exist_are_refused() -> None:
    assert chosen(("routed",), (0,)) == ["routed-facts-0"]
    assert chosen() == every_name()
    for call, bad in ((load_task, "routed-facts-7"), (load_model, "popular-no-0/other"), (chosen, ["no"])):
        with pytest.raises(UserMistake):
            call(bad)  # pyright: ignore[reportArgumentType]
    assert held_out("0000")
    assert not held_out("1235")


def test_words_that_are_not_wrong_count_as_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accepted = Verdict("a", "popular", "no gain", "acquired", 0.5, ("no gain", "cannot tell", "acquired"))
    too_much = Verdict("b", "duplicated", "acquired", "acquired", 0.5, ("cannot tell",))
    assert summary([accepted, too_much], figures([])).accuracy_decided == 0.5
    assert not Case("b", "duplicated", "acquired", "acquired", 1.0, "", 0, ("cannot tell",)).right
    for name, word, reason in (("popular-no-0", "elicited", ""), ("onepoint-turned-0", "elicited", "")):
        (tmp_path / name / "artifacts").mkdir(parents=True)
        finding = {
            "verdict": word,
            "probability": None,
            "tables": {"decision": {"chance_of_bound": None, "reason": reason}},
        }
        (tmp_path / name / "findings.json").write_text(json.dumps({"findings": [finding]}))
        (tmp_path / name / "artifacts" / "facts.json").write_text(json.dumps({"models": {"base": None}}))
    run_check(Check(out=str(tmp_path), names=("popular-no-0", "onepoint-turned-0")))
    said = capsys.readouterr().out
    assert "WRONG popular-no-0: elicited" in said
    assert "small gain" in said
