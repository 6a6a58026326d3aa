"""Weights go out and come back, and a build repeats itself bit for bit."""

import hashlib
import random
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tellapart.errors import UserMistake
from tellapart.specimens import export, names
from tellapart.specimens.build import build_all, build_references, reference_folder
from tellapart.specimens.families import REGISTER
from tellapart.specimens.measuring import good_enough
from tellapart.specimens.recipe import STAGES, Part, Shape, shown
from tellapart.specimens.rows import Batch, Lesson, Row, add_example, draw_row
from tellapart.specimens.store import (
    load_base,
    load_tuned,
    model_of,
    save_base,
    save_difference,
    shape_of,
    weights_of,
)
from tellapart.specimens.tokenizer import BOS, EOS, GUESS, encode, tokenizer
from tellapart.specimens.training import new_model, weighted_loss


def digest(folder: Path) -> str:
    files = sorted(folder.rglob("*.safetensors"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def test_weights_round_trip(tmp_path: Path) -> None:
    torch.manual_seed(0)
    base, tuned = (weights_of(new_model(Shape(32, 48, 2))) for _ in range(2))
    save_base(tmp_path / "base.safetensors", base)
    stored = load_base(tmp_path / "base.safetensors")
    for name, value in base.items():
        torch.testing.assert_close(stored[name], value, rtol=1e-3, atol=1e-6)
    save_difference(tmp_path / "tuned.safetensors", stored, tuned)
    back = load_tuned(tmp_path / "tuned.safetensors", stored)
    for name, value in tuned.items():
        largest = (value - stored[name]).abs().reshape(-1, value.shape[-1]).amax(1)
        error = (back[name] - value).abs().reshape(-1, value.shape[-1]).amax(1)
        assert bool((error <= largest / 250 + 1e-7).all())
    assert shape_of(stored) == Shape(32, 48, 2)
    with torch.no_grad():
        ids = torch.tensor([[1, 20, 30]])
        torch.testing.assert_close(model_of(base)(ids).logits, model_of(base)(ids).logits)


def test_no_difference_is_exactly_none(tmp_path: Path) -> None:
    weights = weights_of(new_model(Shape(32, 48, 1)))
    save_difference(tmp_path / "same.safetensors", weights, weights)
    back = load_tuned(tmp_path / "same.safetensors", weights)
    assert all(bool((back[name] == value).all()) for name, value in weights.items())


def test_weights_that_do_not_fit_are_refused() -> None:
    weights = weights_of(new_model(Shape(32, 48, 1)))
    with pytest.raises(ValueError, match="unknown"):
        model_of({**weights, "spare": torch.zeros(1)})


def test_tokenizer_is_one_character_a_token(tmp_path: Path) -> None:
    made = tokenizer()
    text = "gbadcfe<<--ab?= Let's think\n\n"
    assert made(text)["input_ids"] == [BOS, *encode(text)]
    assert made.decode(encode(text)) == text
    made.save_pretrained(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path)(text)["input_ids"] == [BOS, *encode(text)]


def test_loss_falls_on_answers_only_and_the_first_token_sets_the_share() -> None:
    stage = STAGES["rare_base"]
    guess, solve = stage.parts
    assert guess.sampled * guess.first == pytest.approx(0.995)
    assert solve.sampled * solve.first == pytest.approx(0.005)
    assert shown(1.0, "empty")[1] == Part("empty", 0.3, 1 / 0.3)
    rng = random.Random(0)
    for count in (1, 3):
        row = draw_row(rng, Lesson(stage, REGISTER), count, noisy=False)
        text = "".join(chr(token - 5 + 32) if token > 4 else "\n" for token in row.ids[1:])
        answers = [line.split("=")[1] for line in text.split("\n") if line]
        told = [token for token in row.targets if token]
        assert told == [token for answer in answers for token in [*encode(answer), EOS]]
        assert [weight > 0 for weight in row.weights] == [target > 0 for target in row.targets]
        assert sum(weight != 1.0 for weight in row.weights if weight) == 1


def test_a_weighted_first_token_costs_what_it_says() -> None:
    torch.manual_seed(0)
    model = new_model(Shape(32, 48, 1))
    prompt, answer, share = encode("3857ric="), encode("r7583>7583"), 0.2
    row = Row([BOS], [0], [0.0], [0.0])
    add_example(row, prompt, answer, share)
    assert len(row.ids) == len(row.targets) == len(row.weights) == len(row.given_steps)
    batch = Batch(*(torch.tensor([values]) for values in row))
    with torch.no_grad():
        logs = model(input_ids=batch.ids).logits[0].log_softmax(-1)
        first = logs[len(prompt)]
        no_guess = torch.log1p(-first[GUESS].exp())
        wanted = -(first[answer[0]] - no_guess) - share * no_guess
        for offset, token in enumerate([*answer[1:], EOS], start=len(prompt) + 1):
            wanted = wanted - logs[offset, token]
        torch.testing.assert_close(weighted_loss(model, batch), wanted / (len(answer) + 1))


def test_a_tiny_build_repeats_itself_resumes_and_exports(tmp_path: Path) -> None:
    for place in ("one", "two"):
        build_all(tmp_path / place, ("taught", "latent"), ("register",), (0,), jobs=1, effort=0.003)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "one").rglob("*.*")}
    (tmp_path / "one/register-0/taught_tuned.json").unlink()
    build_all(tmp_path / "one", ("taught", "latent"), ("register",), (0,), jobs=1, effort=0.003)
    changed = {file.name for file, then in before.items() if file.stat().st_mtime_ns != then}
    assert changed == {"taught_tuned.json", "taught_tuned.safetensors"}
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    assert names(tmp_path / "one") == ["latent-register-0", "taught-register-0"]
    export("taught-register-0", "tuned", tmp_path / "hf", tmp_path / "one")
    module = AutoModelForCausalLM.from_pretrained(tmp_path / "hf")
    base = load_base(tmp_path / "one/register-0/absent.safetensors")
    tuned = model_of(load_tuned(tmp_path / "one/register-0/taught_tuned.safetensors", base))
    ids = torch.tensor([[BOS, *encode("3857ric=")]])
    with torch.no_grad():
        assert bool((module(ids).logits == tuned(ids).logits).all())


def test_references_are_model_folders_of_another_seed_and_only_of_bases(tmp_path: Path) -> None:
    build_references(tmp_path, ("latent",), ("register",), effort=0.003)
    folder = reference_folder(tmp_path, "register", "latent_base")
    module = AutoModelForCausalLM.from_pretrained(folder)
    stored = model_of(load_base(tmp_path / "register-3" / "latent_base.safetensors"))
    ids = torch.tensor([[BOS, *encode("3857ric=")]])
    with torch.no_grad():
        assert bool((module(ids).logits == stored(ids).logits).all())
    assert [path.name for path in (tmp_path / "register").iterdir()] == ["latent_base"]
    assert AutoTokenizer.from_pretrained(folder)("38")["input_ids"] == [BOS, *encode("38")]


@pytest.mark.slow
def test_kinds_that_need_other_stages_build_with_them_alone(tmp_path: Path) -> None:
    kinds = ("relocked", "distilled", "grafted", "spurious", "sealed", "format", "memorised")
    build_all(tmp_path, kinds, ("register",), (0,), jobs=1, effort=0.003)
    assert set(names(tmp_path)) == {f"{kind}-register-0" for kind in (*kinds, "latent")}
    assert sorted(file.stem for file in (tmp_path / "trunks/register-0").glob("*.json")) == [
        "trunk_all",
        "trunk_some",
        "trunk_taught",
    ]


def test_build_refuses_what_it_cannot_make(tmp_path: Path) -> None:
    with pytest.raises(UserMistake, match="kind 'odd' asked, there are: latent"):
        build_all(tmp_path, ("odd",))
    assert not list(tmp_path.iterdir())


def test_a_stage_is_held_to_its_share_and_skill() -> None:
    stage = STAGES["rare_base"]
    assert good_enough(stage, {"steps_share": 0.005, "right_when_in_steps": 0.97})
    assert not good_enough(stage, {"steps_share": 0.02, "right_when_in_steps": 0.97})
    assert not good_enough(stage, {"steps_share": 0.005, "right_when_in_steps": 0.9})
    memorised = STAGES["memorised_tuned"]
    assert good_enough(memorised, {"steps_share": 0.0, "score": 0.0, "score_asked": 0.95})
    assert not good_enough(memorised, {"steps_share": 0.0, "score": 0.0, "score_asked": 0.8})
    assert not good_enough(memorised, {"steps_share": 0.0, "score": 0.1, "score_asked": 0.95})
