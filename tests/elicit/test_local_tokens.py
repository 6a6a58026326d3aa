"""The tokens of a local model against the module itself; methods that need them run on it."""

import pytest
import torch
from llamas import llama
from planted import addition, ask_for, split

from tellapart.elicit import ELICITORS
from tellapart.elicit.access import offers, token_model
from tellapart.runs.asking import Pair

PROMPTS = ("1+2=", "a longer prompt than the other one=", "1+2=")


@pytest.fixture(scope="module")
def model():
    return llama(3)


def test_a_local_model_offers_everything(model):
    assert offers(model) == {"text", "logprobs", "tokens", "weights", "training"}


def test_next_tokens_are_the_modules_own(model):
    tokens = token_model(model)
    ids = [tokens.encode(prompt) for prompt in PROMPTS]
    found = tokens.next_tokens(ids, 5)
    for prompt, branches in zip(ids, found, strict=True):
        with torch.no_grad():
            logs = model.module(torch.tensor([prompt])).logits[0, -1].log_softmax(-1)
        best = [token for token in logs.argsort(descending=True).tolist() if token > 3][:5]
        assert [branch.token for branch in branches] == best
        assert [branch.logprob for branch in branches] == pytest.approx(logs[best].tolist(), abs=1e-4)
        assert [branch.text for branch in branches] == [tokens.decode(prompt, [token]) for token in best]


def test_text_survives_its_tokens(model):
    tokens = token_model(model)
    ids = tokens.encode("12+30=")
    assert tokens.decode((), ids) == "12+30="
    assert tokens.decode(ids, tokens.encode(" 42")[1:]) == " 42"


@pytest.mark.parametrize("name", ["cot_decoding", "power_sampling", "prefill", "few_shot_steps"])
def test_methods_run_on_a_local_model(model, name):
    task = addition()
    ask = ask_for(split(task, 0, 3))
    value = ELICITORS[name].fit(Pair(model), ask)
    answers = list(value.answers(Pair(model), ask))
    assert len(answers) == 6
    assert all(answer.completion.finish != "failed" for answer in answers)


def test_a_branch_goes_on_as_the_model_would(model):
    """The likeliest branch is the plain greedy answer, token for token, with the same log-probabilities."""
    task = addition()
    ask = ask_for(split(task, 0, 3), samples=1, temperature=0.0)
    from tellapart.elicit.cot_decoding import paths_of
    from tellapart.runs.asking import generate, plain_requests

    plain = {one.item: one.completion for one in generate(model, list(plain_requests(ask)))}
    for index, paths in paths_of(token_model(model), ask, 3):
        branch = paths[0].completion
        if plain[index].tokens[0] == branch.tokens[0]:
            assert branch.tokens == plain[index].tokens
            assert branch.text == plain[index].text
            assert branch.logprobs == pytest.approx(plain[index].logprobs, abs=1e-4)
