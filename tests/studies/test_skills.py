"""skills: mixes as written, expert files that must be refused, lanes against the merged model, CEM, export."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights
from tellapart.models.local import LocalModel
from tellapart.models.model import Completion, Request, Sampling
from tellapart.models.rows import Job
from tellapart.specimens.skills import load_model, load_task
from tellapart.studies.skills.cem import Range, search
from tellapart.studies.skills.dispatch import choose, dispatcher_of
from tellapart.studies.skills.expert import Expert, base_identity, expert_name, read_expert, write_expert
from tellapart.studies.skills.export import low_rank, write_lora, write_merged, write_vectors
from tellapart.studies.skills.few_shots import log_likelihoods
from tellapart.studies.skills.mix import Mix, mix_of, mixed, read_mix
from tellapart.studies.skills.mixed_run import Lanes
from tellapart.studies.skills.objectives import Practice, weigh
from tellapart.studies.skills.opened import Experts
from tellapart.training.change import changed
from tellapart.training.decomposition import decompose
from tellapart.training.matrices import matrices_of, matrix
from tellapart.training.svf import Svf

PROMPTS = ["3857=", "gbad=", "QWRT=", "3857gbad=", "!#$%=", "3857="]


pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def model() -> LocalModel:
    return load_model("skills-0")


@pytest.fixture(scope="module")
def experts(model: LocalModel) -> dict[str, Weights]:
    """Three random experts, far enough from 1 to change answers."""
    ranks = {name: min(matrix(part).shape) for name, part in matrices_of(model.module).items()}
    rng = np.random.default_rng(0)
    return {
        skill: Weights(
            {name: (1 + 0.3 * rng.standard_normal(rank)).astype(np.float32) for name, rank in ranks.items()}
        )
        for skill in ("a", "b", "c")
    }


def merged(
    experts: dict[str, Weights], mix: Mix, model: LocalModel, requests: list[Request]
) -> list[Completion]:
    """The answers of the model with the mix in its weights: what lanes must reproduce."""
    if not mix.weights:
        return [one for _, one in sorted(model.generate(requests), key=lambda answer: answer.index)]
    with changed(model, Svf(form="merged"), mixed(mix, experts)):
        return [one for _, one in sorted(model.generate(requests), key=lambda answer: answer.index)]


def test_rows_of_one_batch_answer_as_their_own_merged_model(
    model: LocalModel, experts: dict[str, Weights]
) -> None:
    mixes = [Mix(), *(read_mix(text, list(experts)) for text in ("a", "b", "a+0.5*b-c", "0.2*c", "-a"))]
    requests = [Request(p, at, Sampling(max_tokens=12)) for at, p in enumerate(PROMPTS * 4)]
    chosen = [mixes[(at + at // 6) % len(mixes)] for at in range(len(requests))]
    model.max_rows = 5
    try:
        with Lanes(model, experts) as lanes:
            found = dict(lanes.generate(list(zip(requests, chosen, strict=True))))
    finally:
        model.max_rows = None
    for mix in mixes:
        own = [at for at, one in enumerate(chosen) if one == mix]
        for at, wanted in zip(own, merged(experts, mix, model, [requests[i] for i in own]), strict=True):
            assert found[at].text == wanted.text
            assert np.allclose(found[at].logprobs or (), wanted.logprobs or (), atol=2e-4)


def test_the_model_is_as_before_after_lanes(model: LocalModel, experts: dict[str, Weights]) -> None:
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    with Lanes(model, experts) as lanes:
        list(lanes.generate([(Request("1="), mix_of({"a": 1.0}))]))
    with pytest.raises(UserMistake, match="no such"), Lanes(model, experts):
        raise UserMistake("no such thing")
    after = model.module.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_cancelled_job_leaves_the_others_as_they_were(
    model: LocalModel, experts: dict[str, Weights]
) -> None:
    from tellapart.serving.worker import Worker
    from tellapart.studies.skills.mixed_run import MixedRun, Size

    requests = [Request(p, at, Sampling(max_tokens=12)) for at, p in enumerate(PROMPTS)]
    mix = read_mix("a", list(experts))
    with Lanes(model, experts) as lanes:
        wanted = {index: one.tokens for index, one in lanes.generate([(r, mix) for r in requests])}
        run: MixedRun = Worker(lanes, dispatcher_of(list(experts)), Size(4, 12)).run
        ids = model.vocabulary.encode_prompts([(str(r.prompt), "") for r in requests])
        for at, request in enumerate(requests):
            run.submit(Job(at, ids[str(request.prompt), ""], at, request.sampling, 12), lanes.lane(mix))
        done = run.step() + run.step()
        assert run.cancel(1)
        assert run.cancel(5)
        assert not run.cancel(99)
        for _ in range(60):
            done += run.step()
        assert sorted(one.job.index for one in done) == [0, 2, 3, 4]
        assert all(tuple(one.tokens.tolist()) == wanted[one.job.index] for one in done)
        assert not run.lane_of


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("a", {"a": 1.0}),
        ("a+b", {"a": 1.0, "b": 1.0}),
        ("0.25*a + 0.75*b", {"a": 0.25, "b": 0.75}),
        ("a-b", {"a": 1.0, "b": -1.0}),
        ("-2*a", {"a": -2.0}),
        ("a+a", {"a": 2.0}),
        ("a-a", {}),
        ("base", {}),
    ],
)
def test_mixes_read_as_written(text: str, weights: dict[str, float]) -> None:
    mix = read_mix(text, ["a", "b"])
    assert {name: values[0] for name, values in mix.weights} == weights
    assert read_mix(mix.name, ["a", "b"]) == mix


@pytest.mark.parametrize(
    "text", ["", "z", "a b", "a+", "1e5*a", "nan*a", "a**b", "101*a", "a" * 200, "a" + "+a*" * 50]
)
def test_what_is_no_mix_is_refused(text: str) -> None:
    with pytest.raises(UserMistake):
        read_mix(text, ["a", "b"])


def test_a_mix_adds_what_experts_move(experts: dict[str, Weights]) -> None:
    z = mixed(read_mix("a-0.5*b", list(experts)), experts)
    for name in z:
        assert np.allclose(z[name], 1 + (experts["a"][name] - 1) - 0.5 * (experts["b"][name] - 1), atol=1e-6)
    by_layer = mixed(mix_of({"a": (0.0, 1.0)}), experts)
    for name in by_layer:
        wanted = experts["a"][name] if ".layers.1." in name else np.ones_like(experts["a"][name])
        assert np.allclose(by_layer[name], wanted, atol=1e-6)


def test_an_expert_comes_back_and_what_does_not_fit_is_refused(
    model: LocalModel, experts: dict[str, Weights], tmp_path: Path
) -> None:
    path = tmp_path / "a.safetensors"
    good = Expert("a", experts["a"], base_identity(model.module), {"seed": 3})
    write_expert(path, good)
    assert read_expert(path, model) == good
    names = list(experts["a"])

    def refused(match: str) -> None:
        with pytest.raises(UserMistake, match=match) as told:
            read_expert(path, model)
        assert "\n" not in str(told.value)

    whole = path.read_bytes()
    for cut in (0, 3, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        refused("torn")
    write_expert(path, replace(good, base="f" * 32))
    refused("another base")
    write_expert(path, replace(good, weights=Weights({names[0]: np.ones(7, np.float32)})))
    refused("shape")
    write_expert(path, replace(good, weights=Weights({"model.other": np.ones(96, np.float32)})))
    refused("no such matrix")
    broken = experts["a"][names[0]].copy()
    broken[3] = np.nan
    write_expert(path, replace(good, weights=Weights({**experts["a"], names[0]: broken})))
    refused("NaN")
    save_file({name: np.array(z) for name, z in experts["a"].items()}, path)
    refused("no expert")
    path.unlink()
    refused("no such expert")


def test_reinforce_and_grpo_weigh_as_published() -> None:
    practice = Practice(load_task("skills-0/digits"), (), "reinforce", 4, 2, False, 0)
    assert weigh([1.0, 0.0, 0.0, 0.0], practice) == [1.0, -1.0, -1.0, -1.0]
    assert weigh([1.0, 0.0, 0.0, 0.0], practice._replace(baseline=True)) == [1.5, -0.5, -0.5, -0.5]
    assert weigh([1.0, 0.0, 0.0, 0.0], practice._replace(objective="grpo")) == [1.0, -1.0, 0.0, 0.0]


def test_the_likelihood_of_rows_is_the_models_own(model: LocalModel, experts: dict[str, Weights]) -> None:
    task = load_task("skills-0/letters")
    items = task.items[:6]
    mixes = [Mix(), read_mix("a", list(experts))]
    with Lanes(model, experts) as lanes:
        found = log_likelihoods(lanes, mixes, task, items)
    end = model.tokenizer.eos_token_id
    assert isinstance(end, int)
    for mix, value in zip(mixes, found, strict=True):
        pairs = [
            (prompt, (*answer, end))
            for prompt, answer in model.vocabulary.encode_pairs(
                [(task.prompt(i), i.target[0]) for i in items]
            )
        ]
        inside = changed(model, Svf(form="merged"), mixed(mix, experts)) if mix.weights else nullcontext()
        with inside:
            scored = model.score(pairs)
        assert value == pytest.approx(np.mean([sum(one.logprobs) for one in scored]), abs=1e-3)


def test_cem_finds_a_planted_mix(model: LocalModel, experts: dict[str, Weights]) -> None:
    """The targets are what the model says with b alone in: only weights near b explain them."""
    task = load_task("skills-0/digits")
    asked = [Request(task.prompt(item), 0, Sampling(0.0, max_tokens=10)) for item in task.items[:24]]
    with Lanes(model, experts) as lanes:
        said, plain = (
            {at: one.text for at, one in lanes.generate([(r, read_mix(text, list(experts))) for r in asked])}
            for text in ("b", "base")
        )
        other = [at for at in said if said[at].strip() and said[at] != plain[at]][:8]
        items = [replace(task.items[at], target=(said[at],)) for at in other]
        found = search(lanes, task, items, Range(rounds=4), seed=1)
        weights = {name: values[0] for name, values in found.mix.weights}
        assert len(items) >= 4
        assert weights["b"] > max(weights.get("a", 0.0), weights.get("c", 0.0))
        assert found.score >= max(found.rounds[0][0], 0.5)
        assert search(lanes, task, items, Range(rounds=4), seed=1) == found


def test_cem_goes_as_far_as_it_is_let(model: LocalModel, experts: dict[str, Weights]) -> None:
    """The targets are what the model says with b at 1.6 in."""
    task = load_task("skills-0/digits")
    asked = [Request(task.prompt(item), 0, Sampling(0.0, max_tokens=10)) for item in task.items[:8]]
    with Lanes(model, experts) as lanes:
        mix = read_mix("1.6*b", list(experts))
        said = {at: one.text for at, one in lanes.generate([(request, mix) for request in asked])}
        items = [replace(task.items[at], target=(text,)) for at, text in said.items() if text.strip()]
        largest = {
            most: max(search(lanes, task, items, Range(rounds=3, most=most)).mix.as_json()["b"])
            for most in (1.0, 2.0)
        }
    assert largest[1.0] <= 1.0 < largest[2.0] <= 2.0


def test_dispatch_takes_the_likeliest_label_and_says_why(
    model: LocalModel, experts: dict[str, Weights]
) -> None:
    told = dispatcher_of(list(experts), "{prompt}?", ["d=a", "l=b", "n=base"])
    with Lanes(model, experts) as lanes:
        one, two = choose(lanes, told, ["3857=", "gbad="])
    assert one.label == two.label == "n"
    assert one.mix == Mix()
    assert sum(one.shares.values()) == pytest.approx(1.0)
    assert "likeliest" in one.reason
    assert one.shares["d"] > one.shares["l"]
    assert two.shares["l"] > two.shares["d"]
    for bad in (["d"], ["d=nope"], ["d=a", "d=b"], ["=a"]):
        with pytest.raises(UserMistake):
            dispatcher_of(list(experts), "{prompt}?", bad)
    with pytest.raises(UserMistake, match="prompt"):
        dispatcher_of(list(experts), "what?")


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
def test_exports_say_what_the_mix_says(
    model: LocalModel, experts: dict[str, Weights], tmp_path: Path
) -> None:
    import gguf
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    opened = Experts(tmp_path, model, experts, {})
    mix = read_mix("a+0.5*b", list(experts))
    ids = torch.tensor([list(model.vocabulary.encode_prompts([("3857gb=", "")])["3857gb=", ""])])
    with changed(model, Svf(form="merged"), mixed(mix, experts)), torch.no_grad():
        wanted = model.module(input_ids=ids).logits
    write_merged(opened, mix, tmp_path / "merged")
    module = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    with torch.no_grad():
        assert torch.allclose(module(input_ids=ids).logits, wanted, atol=1e-4)
    model.module.save_pretrained(tmp_path / "base")
    whole = write_lora(opened, mix, tmp_path / "lora", 0)
    assert whole.share == pytest.approx(1.0)
    adapted = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(tmp_path / "base"), tmp_path / "lora"
    )
    with torch.no_grad():
        assert torch.allclose(adapted(input_ids=ids).logits, wanted, atol=1e-3)
    assert 0.3 < write_lora(opened, mix, tmp_path / "small", 8).share < 1.0
    assert load_file(tmp_path / "small" / "adapter_model.safetensors")
    assert write_vectors(opened, mix, tmp_path / "v.gguf", load_task("skills-0/digits")) == 1
    assert [one.name for one in gguf.GGUFReader(tmp_path / "v.gguf").tensors] == ["direction.1"]


def test_a_truncated_change_is_the_nearest_of_its_rank() -> None:
    weight = torch.randn(9, 6, generator=torch.Generator().manual_seed(0))
    z = 1 + torch.randn(6, generator=torch.Generator().manual_seed(1))
    parts = decompose(weight)
    change = (parts.u * ((z - 1) * parts.sigma)) @ parts.vt
    a, b, sizes = low_rank(weight, z, 3)
    u, sigma, vt = torch.linalg.svd(change)
    best = (u[:, :3] * sigma[:3]) @ vt[:3]
    assert torch.allclose(b @ a, best, atol=1e-4)
    assert torch.allclose(sizes, sigma, atol=1e-4)


def test_names_can_stand_in_a_mix() -> None:
    for name in ("digits+letters", "3 apples", "bbh/navigate", "___", "é-è"):
        assert read_mix(expert_name(name), [expert_name(name)]).weights
