"""Routing on two local models: the routers of this package as those of tellapart.models.two_models."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from tellapart.elicit.routing import TokenRouter
from tellapart.errors import InvalidInput, NotApplicable
from tellapart.interventions.weights import Weights
from tellapart.models.budget import until_spent
from tellapart.models.local import LocalModel
from tellapart.models.model import Model, Request
from tellapart.models.probe import Probe, answer_states, fit_probe, probed
from tellapart.models.two_models import (
    Decide,
    RoutedAnswer,
    at_random,
    first_tokens,
    route,
    when_divergent,
    when_probed,
    when_unsure,
)
from tellapart.runs.asking import Pair

AT_ONCE = 512
"""Answers written under a probe before they are handed on."""


def write(pair: Pair, requests: Sequence[Request], router: TokenRouter) -> Iterator[RoutedAnswer]:
    """Yield the answers as they are finished. Raises UserMistake where a model is not local."""
    base, tuned = pair
    if not isinstance(base, LocalModel) or not isinstance(tuned, LocalModel):
        raise NotApplicable("routing needs the weights of both models: give two local ones")
    yield from routed(base, tuned, requests, router)


def routed(
    base: LocalModel, tuned: LocalModel, requests: Sequence[Request], router: TokenRouter
) -> Iterator[RoutedAnswer]:
    """Yield the answers; where a probe decides, once they are all written and the base is without it again."""
    if router.kind != "probe":
        yield from route(base, tuned, requests, decide_by(router))
        return
    for begin in range(0, len(requests), AT_ONCE):
        with probed(base, probe_of(router.probe)):
            answers, spent = until_spent(
                route(base, tuned, requests[begin : begin + AT_ONCE], decide_by(router))
            )
        yield from (replace(answer, index=answer.index + begin) for answer in answers)
        if spent:
            raise spent


def probe_of(weights: Weights) -> Probe:
    """Return the probe that these weights hold. Raises UserMistake where they hold none."""
    if set(weights) != {"direction", "offset"}:
        raise InvalidInput(f"a router without its probe (weights {weights!r}): fit it anew")
    return Probe(torch.from_numpy(weights["direction"].copy()), float(weights["offset"][0]))


def fitted_probe(base: Model, requests: Sequence[Request], answers: Sequence[RoutedAnswer]) -> Weights:
    """Fit a probe of the base's state to where `answers` (in order) were routed; return its weights."""
    if not isinstance(base, LocalModel):
        raise NotApplicable(f"a router is learned from the states of {base.reference}: give a local model")
    prompts = base.vocabulary.encode_prompts([(str(request.prompt), "") for request in requests])
    texts = [
        (prompts[str(requests[answer.index].prompt), ""], answer.completion.tokens)
        for answer in answers
        if answer.routed
    ]
    wanted = torch.tensor([flag for answer in answers for flag in answer.routed])
    probe = fit_probe(answer_states(base, texts), wanted)
    return Weights({"direction": probe.direction.numpy(), "offset": np.array([probe.offset], np.float32)})


def decide_by(router: TokenRouter) -> Decide:
    """Return the router as a function of what both models see. Raises UserMistake for an unknown kind."""
    kind, level = router.kind, router.level
    if kind == "teacher":
        return when_divergent(level)
    if kind == "entropy":
        return when_unsure(level)
    if kind == "first":
        return first_tokens(level)
    if kind == "probe":
        return when_probed(level)
    if kind == "random":
        return at_random(level)
    if kind == "all":
        return first_tokens(math.inf)
    raise InvalidInput(f"decider {kind!r}: give teacher, entropy, probe, first, random or all")


def vocabulary_size(model: Model) -> int:
    """Return the number of token ids of a local model."""
    if not isinstance(model, LocalModel):
        raise NotApplicable(f"routing needs the weights of {model.reference}: give a local model")
    return model.asked.size
