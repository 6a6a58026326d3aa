"""Once answers are read, nothing holds the key/value caches that wrote them: no collector is needed."""

import gc
import weakref
from collections.abc import Iterator

import pytest
from tiny import model_of

from tellapart.models.cache import SlotCache
from tellapart.models.model import Request, Sampling
from tellapart.models.two_models import at_random, route

PROMPTS = ("the cat", "question: what is it? answer: it is a thing. one", "one two three")
CALLS = 8


@pytest.fixture
def caches(monkeypatch) -> Iterator[weakref.WeakSet[SlotCache]]:
    """Every cache made, as long as it lives; the garbage collector is off."""
    alive: weakref.WeakSet[SlotCache] = weakref.WeakSet()
    first = SlotCache.__init__

    def remembered(cache, *args):
        first(cache, *args)
        alive.add(cache)
        made.append(1)

    made: list[int] = []
    monkeypatch.setattr(SlotCache, "__init__", remembered)
    gc.collect()
    gc.disable()
    yield alive
    gc.enable()
    assert made


def requests(samples: int = 6) -> list[Request]:
    return [
        Request(prompt, seed=k, sampling=Sampling(max_tokens=12))
        for prompt in PROMPTS
        for k in range(samples)
    ]


def test_generate_leaves_no_cache_alive(caches):
    model = model_of("llama")
    for _ in range(CALLS):
        list(model.generate(requests()))
        assert not caches


def test_generate_left_half_way_leaves_no_cache_alive(caches):
    model = model_of("llama")
    answers = model.generate(requests())
    next(answers)
    assert caches
    del answers
    assert not caches


def test_score_leaves_no_cache_alive(caches):
    model = model_of("llama")
    for _ in range(CALLS):
        model.score([(prompt, " and more") for prompt in PROMPTS for _ in range(3)])
        assert not caches


def test_two_models_leave_no_cache_alive(caches):
    base, tuned = model_of("llama"), model_of("llama")
    for _ in range(CALLS):
        list(route(base, tuned, requests(), at_random(0.5)))
        assert not caches
