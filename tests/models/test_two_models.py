"""Two models in two_models: the ends of the curve are the models themselves, and every token can be checked by hand."""

import math
from dataclasses import replace

import pytest
import torch
from tiny import model_of, module_of, tokenizer

from tellapart.errors import UserMistake
from tellapart.models import two_models
from tellapart.models.draw import uniform
from tellapart.models.local import LocalModel
from tellapart.models.model import Request, Sampling
from tellapart.models.two_models import RoutedAnswer, route

PROMPTS = ("a", "the cat", "hello there, how are you today?", "one two three")
NEVER, ALWAYS = two_models.first_tokens(0), two_models.first_tokens(math.inf)


@pytest.fixture(scope="module")
def base() -> LocalModel:
    return model_of("llama", seed=0, max_rows=5)


@pytest.fixture(scope="module")
def tuned(base) -> LocalModel:
    """The base, nudged: it agrees with the base often but not always."""
    module = module_of("llama", seed=0)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * parameter.std(correction=0) * torch.randn_like(parameter))
    return LocalModel(module, tokenizer(), "tiny:tuned")


def asked(temperature: float = 1.0) -> list[Request]:
    sampling = Sampling(temperature=temperature, top_p=0.95, max_tokens=24)
    return [Request(p, seed=10 * i + k, sampling=sampling) for i, p in enumerate(PROMPTS) for k in range(3)]


def routed(base, tuned, requests, decide) -> list[RoutedAnswer]:
    answers = sorted(route(base, tuned, requests, decide), key=lambda answer: answer.index)
    assert [answer.index for answer in answers] == list(range(len(requests)))
    return answers


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_ends_are_the_models_themselves(base, tuned, temperature):
    requests = asked(temperature)
    for decide, model, flag in ((NEVER, base, False), (ALWAYS, tuned, True)):
        alone = dict(model.generate(requests))
        for answer in routed(base, tuned, requests, decide):
            assert answer.completion.tokens == alone[answer.index].tokens
            assert answer.completion.text == alone[answer.index].text
            assert set(answer.routed) == {flag}
            mine = answer.tuned_logprobs if flag else answer.base_logprobs
            assert mine == pytest.approx(alone[answer.index].logprobs, abs=1e-4)


def test_a_teacher_that_overrules_every_difference_writes_its_own_answer(base, tuned):
    requests = asked()
    alone = dict(tuned.generate(requests))
    answers = routed(base, tuned, requests, two_models.when_tokens_differ())
    assert all(answer.completion.tokens == alone[answer.index].tokens for answer in answers)
    share = sum(map(sum, (a.routed for a in answers))) / sum(len(a.routed) for a in answers)
    assert 0.02 < share < 0.6


@pytest.mark.parametrize(
    "decide",
    [
        two_models.when_divergent(0.1),
        two_models.when_unsure(1.0),
        two_models.when_tokens_differ(0.5),
        two_models.at_random(0.3),
    ],
)
def test_every_figure_can_be_recomputed(base, tuned, decide):
    for answer in routed(base, tuned, asked(), decide):
        prompt = base.vocabulary.encode(str(asked()[answer.index].prompt))
        ids = torch.tensor([(*prompt, *answer.completion.tokens)])
        with torch.inference_mode():
            logs = [
                m.module(input_ids=ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1) for m in (base, tuned)
            ]
        written = torch.tensor(answer.completion.tokens)[:, None]
        assert logs[0].gather(1, written)[:, 0].tolist() == pytest.approx(answer.base_logprobs, abs=1e-4)
        assert logs[1].gather(1, written)[:, 0].tolist() == pytest.approx(answer.tuned_logprobs, abs=1e-4)
        assert logs[0].argmax(-1).tolist() == list(answer.base_best)


def test_what_the_deciders_see(base, tuned):
    for answer in routed(base, tuned, asked(), two_models.when_divergent(0.1)):
        prompt = base.vocabulary.encode(str(asked()[answer.index].prompt))
        ids = torch.tensor([(*prompt, *answer.completion.tokens)])
        with torch.inference_mode():
            one, two = (
                m.module(input_ids=ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1) for m in (base, tuned)
            )
        assert answer.seen == pytest.approx((two.exp() * (two - one)).sum(-1).tolist(), abs=1e-4)
        assert answer.routed == tuple(value > 0.1 for value in answer.seen)
    for answer in routed(base, tuned, asked(), two_models.when_unsure(1.0)):
        assert answer.routed == tuple(value > 1.0 for value in answer.seen)


def test_random_positions_come_from_the_seed(base, tuned):
    import numpy as np

    requests = asked()
    for answer in routed(base, tuned, requests, two_models.at_random(0.3)):
        n = len(answer.routed)
        chance = uniform(
            np.full(n, requests[answer.index].seed, np.uint64), np.arange(n), two_models.ROUTING_SALT
        )
        assert answer.routed == tuple((chance < 0.3).tolist())


def test_a_budget_bounds_the_share_at_every_point(base, tuned):
    for answer in routed(base, tuned, asked(), two_models.within(ALWAYS, 0.25)):
        for n in range(1, len(answer.routed) + 1):
            assert sum(answer.routed[:n]) == math.ceil(0.25 * n)


def test_refusals(base, tuned):
    long = Request("a" * 400)
    (answer,) = routed(base, tuned, [long], NEVER)
    assert answer.completion.finish == "failed"
    other = model_of("llama")
    other.tokenizer_id = "another"
    with pytest.raises(UserMistake, match="do not share a vocabulary"):
        route(base, other, [replace(long, prompt="a")], NEVER)
