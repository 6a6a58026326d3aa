"""LocalModel: opening, what comes back, and bad input, which is told and never stops the others."""

import json
import math
import shutil
from dataclasses import replace

import pytest
import torch
from tiny import END, LETTERS, VOCAB, model_of, module_of, tokenizer

from tellapart.errors import UserMistake
from tellapart.models.local import LocalModel, open_local
from tellapart.models.model import Completion, Request, Sampling
from tellapart.models.open import open_model
from tellapart.models.vocabulary import cut_at


@pytest.fixture(scope="module")
def model() -> LocalModel:
    return model_of("llama")


@pytest.fixture
def folder(tmp_path):
    module_of("llama").save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    return tmp_path


def answers(model, requests) -> list[Completion]:
    found = list(model.generate(requests))
    assert sorted(answer.index for answer in found) == list(range(len(requests)))
    return [completion for _, completion in sorted(found, key=lambda answer: answer.index)]


def greedy(tokens: int, **changes) -> Sampling:
    return replace(Sampling(temperature=0, max_tokens=tokens), **changes)


# What comes back


def test_text_tokens_and_figures_fit_together(model):
    requests = [Request("the cat", seed=seed, sampling=Sampling(max_tokens=5)) for seed in range(20)]
    finishes = set()
    for completion in answers(model, requests):
        finishes.add(completion.finish)
        ended = completion.tokens[-1] == END
        assert (completion.finish == "stop") == ended
        assert completion.text == "".join(LETTERS[t] for t in completion.tokens if t < END)
        assert len(completion.tokens) == len(completion.token_texts) == len(completion.logprobs)
        assert completion.prompt_tokens == 7
        assert completion.sampled_logprobs == pytest.approx(completion.logprobs)
    assert finishes == {"stop", "length"}


def test_same_seed_same_answer_other_seed_other_answer(model):
    requests = [Request("the cat", seed=seed, sampling=Sampling(max_tokens=30)) for seed in (1, 1, 2)]
    one, same, other = answers(model, requests)
    assert one.tokens == same.tokens != other.tokens


def test_stop_strings_cut_the_text_and_end_the_answer(model):
    requests = [Request("hello", seed=seed, sampling=Sampling(max_tokens=60)) for seed in range(100)]
    stops = ("a", "th", "q.")
    found = 0
    stopped = [replace(request, sampling=Sampling(max_tokens=60, stop=stops)) for request in requests]
    for plain, cut in zip(answers(model, requests), answers(model, stopped), strict=True):
        expected = cut_at(plain.text, stops)
        assert cut.text == (plain.text if expected is None else expected)
        assert cut.tokens == plain.tokens[: len(cut.tokens)]
        if expected is not None:
            assert cut.finish == "stop"
            assert any("".join(cut.token_texts).endswith(stop) for stop in stops)
            found += 1
    assert found > 10


def test_prefill_is_part_of_the_text_and_of_the_prompt(model):
    (joined,) = answers(model, [Request("hello there", sampling=greedy(10))])
    (split,) = answers(model, [Request("hello", prefill=" there", sampling=greedy(10))])
    (ids,) = answers(
        model, [Request(model.vocabulary.encode("hello"), prefill=" there", sampling=greedy(10))]
    )
    assert split.tokens == ids.tokens == joined.tokens
    assert split.text == ids.text == " there" + joined.text
    assert split.prompt_tokens == 11


def test_margins_and_entropies_where_asked_for(model):
    ((_, completion),) = model.generate(
        [Request("hello", sampling=greedy(8))], record=frozenset({"margins", "entropies"})
    )
    ids = torch.tensor([(*model.vocabulary.encode("hello"), *completion.tokens)])
    with torch.inference_mode():
        chances = model.module(input_ids=ids).logits[0, 4:-1].double().softmax(-1)
    best = chances.topk(2).values
    assert completion.margins == pytest.approx((best[:, 0] - best[:, 1]).tolist(), abs=1e-5)
    assert completion.entropies == pytest.approx((-(chances * chances.log()).sum(-1)).tolist(), abs=1e-5)
    assert answers(model, [Request("hello", sampling=greedy(8))])[0].margins is None


def test_score_takes_text_ids_and_what_the_model_cannot_hold(model):
    ids = model.vocabulary.encode("hello")
    text, tokens, empty, too_long = model.score(
        [("hello", " you"), (ids, (26, 24, 14, 20)), (ids, ()), ("a" * 200, "b")]
    )
    assert text == tokens
    assert empty.logprobs == ()
    assert len(too_long.logprobs) == 1
    assert math.isnan(too_long.logprobs[0])
    unknown, good = model.score([(ids, (26, VOCAB)), (ids, (26,))])
    assert all(map(math.isnan, unknown.logprobs))
    assert math.isfinite(good.logprobs[0])


def test_no_requests_and_no_tokens(model):
    assert list(model.generate([])) == []
    (nothing,) = answers(model, [Request("a", sampling=Sampling(max_tokens=0))])
    assert (nothing.finish, nothing.tokens, nothing.text) == ("length", (), "")


# What goes wrong


def test_bad_prompts_fail_alone(model):
    requests = [
        Request("a" * 129, sampling=greedy(5)),
        Request("", sampling=greedy(5)),
        Request((3, VOCAB), sampling=greedy(5)),
        Request((-1,), sampling=greedy(5)),
        Request("a" * 126, sampling=greedy(9)),
        Request("hello", sampling=greedy(5)),
    ]
    long, empty, outside, negative, full, good = answers(model, requests)
    assert "129 tokens, the model's context holds 128" in long.error
    assert "no tokens" in empty.error
    assert "outside 0-43" in outside.error
    assert "outside 0-43" in negative.error
    assert all(c.finish == "failed" and not c.tokens for c in (long, empty, outside, negative))
    assert (full.finish, len(full.tokens)) == ("length", 3)
    assert (good.finish, good.error) == ("length", "")


def test_logits_that_are_not_finite_fail_their_row_alone():
    model = model_of("llama")
    with torch.no_grad():
        model.module.get_input_embeddings().weight[LETTERS.index("z")] = math.nan
    bad, good = answers(model, [Request("fizz", sampling=greedy(5)), Request("hello", sampling=greedy(5))])
    assert (bad.finish, bad.tokens) == ("failed", ())
    assert "not finite" in bad.error
    assert good.finish == "length"


def test_a_row_that_went_wrong_leaves_nothing_behind():
    def asked() -> list[Request]:
        prompts = ("a", "hello there", "what is it that you see out there in the dark?")
        return [
            Request(prompts[k % 3], seed=k, sampling=Sampling(2.0, max_tokens=3 + k % 17)) for k in range(240)
        ]

    plain, broken = model_of("llama", max_rows=24), model_of("llama", max_rows=24)
    letter = LETTERS.index("z")
    with torch.no_grad():
        broken.module.get_input_embeddings().weight[letter] = math.nan
    failed = 0
    for good, seen in zip(answers(plain, asked()), answers(broken, asked()), strict=True):
        if letter in good.tokens[:-1]:
            assert seen.finish == "failed"
            assert seen.tokens == good.tokens[: good.tokens.index(letter) + 1]
            failed += 1
        else:
            assert seen.tokens == good.tokens
    assert failed > 2


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("can't allocate memory")]
)
def test_out_of_memory_halves_the_batch_and_loses_nothing(error):
    model = model_of("llama")
    requests = [
        Request(p, seed=k, sampling=Sampling(max_tokens=4 + k))
        for k in range(12)
        for p in ("a", "hello", "xyz")
    ]
    plain = answers(model, requests)
    widths = []

    def full(_module, _args, inputs):
        widths.append(inputs["input_ids"].shape[0])
        if widths[-1] > 10 or len(widths) == 9:
            raise error

    handle = model.module.register_forward_pre_hook(full, with_kwargs=True)
    got = answers(model, requests)
    handle.remove()
    assert [c.tokens for c in got] == [c.tokens for c in plain]
    assert max(widths) > 10 >= max(widths[-5:])


def test_memory_that_never_suffices_fails_every_row_with_the_reason():
    model = model_of("llama")

    def full(_module, _args):
        raise torch.OutOfMemoryError("CUDA out of memory")

    model.module.register_forward_pre_hook(full)
    for completion in answers(model, [Request("a"), Request("b"), Request("c")]):
        assert completion.finish == "failed"
        assert "out of memory" in completion.error


def test_other_errors_of_the_module_are_not_hidden():
    model = model_of("llama")

    def broken(_module, _args):
        raise RuntimeError("a bug")

    model.module.register_forward_pre_hook(broken)
    with pytest.raises(RuntimeError, match="a bug"):
        list(model.generate([Request("a")]))


@pytest.mark.parametrize(
    ("sampling", "message"),
    [
        (Sampling(temperature=-1), "temperature -1 asked"),
        (Sampling(top_p=0), "top_p 0 asked"),
        (Sampling(min_p=1), "min_p 1 asked"),
        (Sampling(stop=("",)), "stop"),
        (Sampling(max_tokens=-5), "max_tokens -5"),
    ],
)
def test_settings_outside_their_range_are_refused(model, sampling, message):
    with pytest.raises(UserMistake, match=message):
        list(model.generate([Request("a", sampling=sampling)]))


# Opening


def test_a_folder_opens_as_what_was_saved(folder, model):
    opened = open_model(str(folder))
    assert isinstance(opened, LocalModel)
    request = Request("hello", seed=4, sampling=Sampling(max_tokens=12))
    assert answers(opened, [request])[0].tokens == answers(model, [request])[0].tokens
    assert opened.tokenizer_id == model.tokenizer_id
    assert open_local(str(folder)).fingerprint == opened.fingerprint
    assert open_local(str(folder), dtype="bfloat16").fingerprint != opened.fingerprint


def test_fingerprints_tell_weights_apart(model):
    assert model_of("llama").fingerprint == model.fingerprint != model_of("llama", seed=1).fingerprint


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_answers(folder, dtype):
    opened = open_local(str(folder), dtype=dtype)
    assert {value.dtype for value in opened.module.parameters()} == {getattr(torch, dtype)}
    (completion,) = answers(opened, [Request("hello", sampling=greedy(6))])
    (score,) = opened.score([("hello", completion.tokens)])
    assert score.logprobs == pytest.approx(completion.logprobs, abs=0.15)


def test_auto_is_the_type_that_the_checkpoint_is_stored_in(folder, tmp_path):
    half = tmp_path / "half"
    shutil.copytree(folder, half)
    open_local(str(folder), dtype="float16").module.save_pretrained(half)
    for stored, where in ((torch.float32, folder), (torch.float16, half)):
        assert {value.dtype for value in open_local(str(where), dtype="auto").module.parameters()} == {stored}
    assert (
        open_local(str(half), dtype="auto").fingerprint == open_local(str(half), dtype="float16").fingerprint
    )


def refusal(reference: object, **options) -> str:
    with pytest.raises(UserMistake) as told:
        open_model(str(reference), **options)
    assert "\n" not in str(told.value)
    return str(told.value)


def test_refusals_when_opening(folder, tmp_path):
    assert "no model folder" in refusal(tmp_path / "absent")
    assert "is a file" in refusal(folder / "config.json")
    assert "dtype int8" in refusal(folder, dtype="int8")
    assert "no chat template" in refusal(folder, chat=True)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "no_such_type"}))
    assert "cannot be loaded" in refusal(folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "no *.safetensors" in refusal(folder)
    (folder / "config.json").unlink()
    assert "no config.json" in refusal(folder)


def test_weights_that_are_no_safetensors_are_refused(folder):
    (folder / "model.safetensors").write_bytes(b"not weights at all")
    assert "cannot be loaded" in refusal(folder)


def test_a_hub_id_that_cannot_be_reached(monkeypatch):
    def unreachable(*_args, **_options):
        raise OSError("We couldn't connect\nto the hub")

    monkeypatch.setattr("tellapart.models.checkpoint.AutoConfig.from_pretrained", unreachable)
    assert "neither a folder here nor a model the hub gave us" in refusal("someone/some-model")


def test_chat_template_is_put_around_the_prompt_and_before_the_prefill():
    table = tokenizer()
    table.chat_template = "{% for m in messages %}u: {{ m.content }} {% endfor %}a:"
    model = LocalModel(module_of("llama"), table, "chat", chat=True)
    plain = model_of("llama")
    (chat,) = answers(model, [Request("hello", prefill=" ok", sampling=greedy(8))])
    (same,) = answers(plain, [Request("u: hello a: ok", sampling=greedy(8))])
    assert chat.tokens == same.tokens
    assert model.fingerprint != plain.fingerprint


def test_a_real_model_goes_on_as_it_should(shared):
    model = open_local(str(shared / "models" / "stories260k"))
    (completion,) = answers(model, [Request("Once upon a time", sampling=greedy(40, stop=(" One",)))])
    assert completion.text == ", there was a little girl named Lily. She loved to play outside in the park."
    assert "".join(completion.token_texts).startswith(", there was a little girl named Lily.")
    assert completion.finish == "stop"


@pytest.mark.parametrize("device", ["abacus", "meta", "cuda:99", "cpu:x", ""])
def test_a_device_that_torch_cannot_use_is_one_line(device):
    with pytest.raises(UserMistake, match="cannot be used here") as caught:
        open_model("specimen:latent-register-0/base", device=device)
    assert "\n" not in str(caught.value)
