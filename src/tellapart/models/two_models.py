"""Two models that write one answer together: at each position both read the same text, and a router says whose
token stands (token routing, Venhoff et al. 2025, arXiv 2510.07364).

    for answer in route(base, tuned, requests, when_divergent(0.5)): ...

Both draw with the same noise, that of the row; so where their distributions agree, so do their tokens, and an
answer of which nothing is routed is the base's own.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from tellapart.errors import UserMistake
from tellapart.models.draw import Drawn, draw, gumbel_noise, uniform
from tellapart.models.engine import write_answers
from tellapart.models.local import LocalModel, entropy
from tellapart.models.model import Completion, Request
from tellapart.models.requests import InputLimits, completion_of, jobs_of, plan_of
from tellapart.models.rows import Choice, Drawing
from tellapart.models.vocabulary import PROBE

ROUTING_SALT = 0x726F757465


class View(NamedTuple):
    """What a router sees: both models' logits [rows, vocab], the tokens they drew, the rows, and what stands in the
    base's logits beyond the vocabulary [rows, columns]: a probe's figure is last (models/probe.py)."""

    base_logits: Tensor
    tuned_logits: Tensor
    base: Drawn
    tuned: Drawn
    rows: Drawing
    beyond: Tensor


class Decision(NamedTuple):
    """Which rows take the tuned model's token [rows], and the figure it was decided by [rows] (0: none)."""

    routed: Tensor
    seen: Tensor


Decide = Callable[[View], Decision]


@dataclass(frozen=True)
class RoutedAnswer:
    """An answer and, for each of its tokens: whether the tuned model wrote it, its natural log-probability under
    each model at temperature 1, what the router saw, and the base's likeliest token.

    The completion's `logprobs` are the base's, its `sampled_logprobs` those of the model that wrote the token.
    A request that could not be answered has a failed completion and no tokens.
    """

    index: int
    completion: Completion
    routed: tuple[bool, ...]
    base_logprobs: tuple[float, ...]
    tuned_logprobs: tuple[float, ...]
    seen: tuple[float, ...]
    base_best: tuple[int, ...]


def when_divergent(level: float) -> Decide:
    """Let the teacher decide: route where KL(tuned || base), in nats, is above `level`."""

    def decide(view: View) -> Decision:
        tuned = view.tuned_logits.log_softmax(-1)
        gap = tuned - view.base_logits.log_softmax(-1)
        divergence = torch.where(tuned > -torch.inf, tuned.exp() * gap, 0.0).sum(-1)
        return Decision(divergence > level, divergence)

    return decide


def when_tokens_differ(least_bits: float = -math.inf) -> Decide:
    """Let the teacher decide: route where it drew another token than the base, and log2 p_tuned / p_base of its
    token is above `least_bits`. The figure seen is that log-ratio in bits (0 where they drew the same)."""

    def decide(view: View) -> Decision:
        base_logprob = _logprob(view.base_logits, view.tuned.tokens, view.base.log_normaliser)
        bits = (view.tuned.logprobs - base_logprob) / math.log(2)
        differ = view.base.tokens != view.tuned.tokens
        return Decision(differ & (bits > least_bits), torch.where(differ, bits, 0.0))

    return decide


def when_unsure(level: float) -> Decide:
    """Let the base decide: route where the entropy of its distribution, in nats, is above `level`."""

    def decide(view: View) -> Decision:
        unsure = entropy(view.base_logits, view.base.log_normaliser)
        return Decision(unsure > level, unsure)

    return decide


def when_probed(level: float) -> Decide:
    """Let a probe of the base's state decide: route where its figure is above `level`. Needs `probe.probed`."""

    def decide(view: View) -> Decision:
        figure = view.beyond[:, -1]
        return Decision(figure > level, figure)

    return decide


def at_random(share: float) -> Decide:
    """Route each token with probability `share`: a hash of the row's seed and the position."""

    def decide(view: View) -> Decision:
        chance = uniform(view.rows.seeds, view.rows.positions, ROUTING_SALT)
        return _decide_as_given(view, chance < share)

    return decide


def first_tokens(count: float) -> Decide:
    """Route the first `count` tokens: infinity is every token (the ceiling), 0 none (the base itself)."""
    return lambda view: _decide_as_given(view, view.rows.positions < count)


def within(decide: Decide, share: float) -> Decide:
    """Route as `decide` says, but never more than a `share` of the tokens written so far (rounded up)."""

    def bounded(view: View) -> Decision:
        routed, seen = decide(view)
        allowed = np.ceil(share * (view.rows.positions + 1)) > view.rows.total("routed")
        return Decision(routed & torch.from_numpy(allowed).to(routed.device), seen)

    return bounded


def _decide_as_given(view: View, routed: np.ndarray) -> Decision:
    where = torch.from_numpy(routed).to(view.base_logits.device)
    return Decision(where, torch.zeros_like(view.base.logprobs))


def _logprob(logits: Tensor, tokens: Tensor, log_normaliser: Tensor) -> Tensor:
    return logits.gather(-1, tokens[:, None])[:, 0] - log_normaliser


def route(
    base: LocalModel, tuned: LocalModel, requests: Sequence[Request], decide: Decide
) -> Iterator[RoutedAnswer]:
    """Yield each answer written by both models as `decide` says, as soon as it is finished.

    Raises UserMistake if the models do not share a vocabulary, and RuntimeError if either is changed before the
    last answer is read.
    """
    if base.tokenizer_id != tuned.tokenizer_id:
        raise UserMistake(
            f"{base.reference} and {tuned.reference} do not share a vocabulary: they cannot write together"
        )
    probes = [(PROBE, "")]
    if base.vocabulary.encode_prompts(probes) != tuned.vocabulary.encode_prompts(probes):
        raise UserMistake(
            f"{base.reference} and {tuned.reference} are asked through different chat templates: they cannot read the "
            "same prompt; --no-chat asks both without"
        )
    return _route(base, tuned, requests, decide)


def _route(
    base: LocalModel, tuned: LocalModel, requests: Sequence[Request], decide: Decide
) -> Iterator[RoutedAnswer]:
    asked_of = (base.fingerprint, tuned.fingerprint)
    left, right = base.asked, tuned.asked
    both = InputLimits(
        left.vocabulary, left.ends | right.ends, min(left.context, right.context), min(left.size, right.size)
    )
    jobs, refused = jobs_of(both, requests)
    for index, completion in refused:
        yield RoutedAnswer(index, completion, (), (), (), (), ())
    if not jobs:
        return
    modules = [base.module, tuned.module]
    plan = plan_of(
        both,
        modules,
        jobs,
        lambda logits, rows: choose_routed(logits, rows, decide, both.size),
        base.max_rows,
    )
    done = 0
    for finished in write_answers(plan, jobs):
        done += 1
        if (base.fingerprint, tuned.fingerprint) != asked_of:
            raise RuntimeError(
                "a model was changed while its answers were being written: read them all first"
            )
        completion = completion_of(both.vocabulary, requests[finished.job.index], finished)
        lines = {name: column.tolist() for name, column in finished.columns.items()}
        yield RoutedAnswer(
            finished.job.index,
            completion,
            tuple(map(bool, lines.get("routed", ()))),
            tuple(lines.get("logprobs", ())),
            tuple(lines.get("tuned_logprobs", ())),
            tuple(lines.get("seen", ())),
            tuple(lines.get("base_best", ())),
        )
    if done < len(jobs):
        raise plan.budget.refusal()


def choose_routed(logits: Sequence[Tensor], rows: Drawing, decide: Decide, vocab: int) -> Choice:
    """Let both models draw with the rows' noise, and take the tuned model's token where `decide` says so. Both have
    the first `vocab` columns in common."""
    base_logits, tuned_logits = (part[:, :vocab] for part in logits)
    warm = bool((rows.settings.temperature > 0).any())
    noise = gumbel_noise(rows.seeds, rows.positions, vocab, base_logits.device) if warm else None
    base, tuned = draw(base_logits, rows.settings, noise), draw(tuned_logits, rows.settings, noise)
    routed, seen = decide(View(base_logits, tuned_logits, base, tuned, rows, logits[0][:, vocab:]))
    tokens = torch.where(routed, tuned.tokens, base.tokens)
    columns = {
        "routed": routed,
        "logprobs": _logprob(base_logits, tokens, base.log_normaliser),
        "tuned_logprobs": _logprob(tuned_logits, tokens, tuned.log_normaliser),
        "sampled_logprobs": torch.where(routed, tuned.sampled_logprobs, base.sampled_logprobs),
        "seen": seen,
        "base_best": base_logits.argmax(-1),
    }
    return Choice(tokens, columns, ~(base.log_normaliser.isfinite() & tuned.log_normaliser.isfinite()))
