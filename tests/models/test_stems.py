"""Stems: what many rows share is kept once, and the answers are those of rows that each keep their own."""

import pytest
import torch
from tiny import ARCHITECTURES, model_of

from tellapart.models import engine, stems
from tellapart.models import requests as requests_module
from tellapart.models.model import Completion, Request, Sampling
from tellapart.models.stems import attending, supports_stems

HEADER = "these are the questions that were put to us, with the answers we gave: "
PROMPTS = ("what?", "who is it?", "when was that, and where did it happen?")
ATTEND_PLAINLY = {"gemma2", "gemma3", "mistral"}


@pytest.fixture(autouse=True)
def small_stems_pay(monkeypatch):
    monkeypatch.setattr(stems, "LEAST_SAVED", 64 * 64)


@pytest.fixture(scope="module", params=sorted(ARCHITECTURES))
def model(request):
    return model_of(request.param)


def requests(header: str = HEADER) -> list[Request]:
    samplings = (
        Sampling(max_tokens=12),
        Sampling(0.7, top_p=0.9, max_tokens=5),
        Sampling(1.2, max_tokens=19),
    )
    return [
        Request(header + prompt, seed=100 * i + k, sampling=samplings[(i + k) % 3])
        for i, prompt in enumerate(PROMPTS)
        for k in range(2 + 4 * i)
    ]


def answers(model, asked) -> list[Completion]:
    found = dict(model.generate(asked))
    return [found[index] for index in range(len(asked))]


def test_which_architectures_use_them(model):
    assert supports_stems(model.module) == (model.reference.split(":")[1] not in ATTEND_PLAINLY)


@pytest.mark.parametrize("rows", [None, 5])
def test_answers_are_the_same_without_stems(model, rows, monkeypatch):
    model.max_rows = rows
    shared = answers(model, requests())
    monkeypatch.setattr(requests_module, "supports_stems", lambda module: False)
    for one, two in zip(shared, answers(model, requests()), strict=True):
        assert one.tokens == two.tokens
        assert one.logprobs == pytest.approx(two.logprobs, abs=1e-4)


def test_stems_are_attended_to_and_slots_hold_only_the_rest(monkeypatch):
    model = model_of("llama")
    used, columns = [], []

    def watched(module, groups):
        used.append([(len(group.rows), group.keys[0].shape[1]) for group in groups])
        return attending(module, groups)

    monkeypatch.setattr(engine, "attending", watched)
    monkeypatch.setattr(
        engine.Run,
        "_forward",
        lambda run, plain=engine.Run._forward: (plain(run), columns.append(run.caches[0].window))[0],
    )
    answers(model, requests(HEADER))
    lengths = {length for groups in used for _, length in groups}
    assert max(n for groups in used for n, _ in groups) > 4
    assert lengths <= {len(HEADER), *(len(HEADER + prompt) for prompt in PROMPTS)}
    assert len(lengths) > 1
    assert all(window.end - window.start < len(HEADER) for window in columns)


def test_rows_of_a_stem_equal_a_plain_forward():
    model = model_of("qwen3")
    asked = [Request(HEADER + "so", seed=k, sampling=Sampling(max_tokens=15)) for k in range(8)]
    for request, completion in zip(asked, answers(model, asked), strict=True):
        ids = (*model.vocabulary.encode(str(request.prompt)), *completion.tokens)
        with torch.inference_mode():
            logs = model.module(input_ids=torch.tensor([ids]), use_cache=False).logits[0].log_softmax(-1)
        n = len(completion.tokens)
        plain = [logs[at - 1, ids[at]].item() for at in range(len(ids) - n, len(ids))]
        assert completion.logprobs == pytest.approx(plain, abs=1e-4)


def test_the_attention_asked_for_is_put_back_after_an_error():
    model = model_of("llama")
    usual = model.module.config._attn_implementation
    assert supports_stems(model.module)

    def broken(_module, _args):
        raise RuntimeError("a bug")

    handle = model.module.model.layers[1].register_forward_pre_hook(broken)
    with pytest.raises(RuntimeError, match="a bug"):
        answers(model, requests())
    handle.remove()
    assert model.module.config._attn_implementation == usual
