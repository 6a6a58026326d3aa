"""Requests become jobs of the engine, and finished jobs become completions."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from transformers import PreTrainedModel

from tellapart.errors import UserMistake
from tellapart.models.budget import current
from tellapart.models.engine import Plan
from tellapart.models.model import Answer, Completion, Request, Sampling
from tellapart.models.rows import Choose, Finished, Job
from tellapart.models.sharing import Sharing
from tellapart.models.stems import supports_stems
from tellapart.models.vocabulary import Ids, Stops, Vocabulary, reasoning_tokens
from tellapart.models.width import batch_width, layer_numbers


class InputLimits(NamedTuple):
    """What a model's requests are read with: its vocabulary, end tokens, context and number of token ids."""

    vocabulary: Vocabulary
    ends: frozenset[int]
    context: int
    size: int


def check_sampling(sampling: Sampling) -> None:
    """Raise UserMistake where a setting is outside its range."""
    checks = (
        ("temperature", sampling.temperature, sampling.temperature >= 0, "0 (greedy) or more"),
        ("top_p", sampling.top_p, 0 < sampling.top_p <= 1, "above 0 and at most 1"),
        ("top_k", sampling.top_k, sampling.top_k >= 0, "0 (off) or more"),
        ("min_p", sampling.min_p, 0 <= sampling.min_p < 1, "from 0 (off) to below 1"),
        ("max_tokens", sampling.max_tokens, sampling.max_tokens >= 0, "0 or more"),
        ("stop", sampling.stop, all(sampling.stop), "strings that are not empty"),
    )
    for name, given, good, allowed in checks:
        if not good:
            raise UserMistake(f"{name} {given!r} asked: it must be {allowed}")


def jobs_of(facts: InputLimits, requests: Sequence[Request]) -> tuple[list[Job], list[Answer]]:
    """Return the jobs of requests that can be answered, and the answers of those that cannot or need nothing."""
    for sampling in {request.sampling for request in requests}:
        check_sampling(sampling)
    texts = facts.vocabulary.encode_prompts(
        [(r.prompt, r.prefill) for r in requests if not isinstance(r.prompt, tuple)]
    )
    jobs, answers = [], []
    for index, request in enumerate(requests):
        if isinstance(request.prompt, tuple):
            ids = (*request.prompt, *(facts.vocabulary.encode(request.prefill) if request.prefill else ()))
        else:
            ids = texts[request.prompt, request.prefill]
        error = refusal(facts, ids)
        if error:
            answers.append(Answer(index, Completion("", (), (), None, None, "failed", len(ids), 0.0, error)))
        elif request.sampling.max_tokens == 0:
            answers.append(
                Answer(index, Completion(request.prefill, (), (), (), (), "length", len(ids), 0.0))
            )
        else:
            budget = min(request.sampling.max_tokens, facts.context - len(ids) + 1)
            jobs.append(Job(index, ids, request.seed, request.sampling, budget))
    return jobs, answers


def refusal(facts: InputLimits, ids: Ids) -> str:
    """Return why a prompt cannot be answered; empty where it can."""
    if not ids:
        return "the prompt has no tokens: give it at least one"
    if len(ids) > facts.context:
        return f"the prompt has {len(ids)} tokens, the model's context holds {facts.context}: shorten it"
    if min(ids) < 0 or max(ids) >= facts.size:
        return f"the prompt holds a token id outside 0-{facts.size - 1}"
    return ""


def plan_of(
    facts: InputLimits,
    modules: Sequence[PreTrainedModel],
    jobs: Sequence[Job],
    choose: Choose,
    max_rows: int | None,
    sharing: bool = True,
) -> Plan:
    """Return what the engine needs to write `jobs` with these modules; without `sharing` every row keeps its whole
    prompt."""
    stops = Stops(facts.vocabulary, [stop for job in jobs for stop in job.sampling.stop])
    among = Sharing(jobs, layer_numbers(modules[0]) if sharing else 0)
    if any(map(among.shared, among.samples)) and not all(map(supports_stems, modules)):
        among = Sharing(jobs, 0)
    return Plan(
        modules,
        choose,
        np.array(sorted(facts.ends), dtype=np.int64),
        lambda job, tokens: stops.cut(job.prompt, tokens, job.sampling.stop),
        stops.may_stop,
        batch_width(modules, among.room(), max_rows),
        current(),
        among.numbers,
    )


def completion_of(vocabulary: Vocabulary, request: Request, finished: Finished) -> Completion:
    """Return the public value of a finished job."""
    tokens = tuple(finished.tokens.tolist())
    text = finished.text
    if text is None:
        text = vocabulary.decode_after(finished.job.prompt, tokens)
    columns = {name: tuple(values.tolist()) for name, values in finished.columns.items()}
    begun, texts = vocabulary.opened_reasoning + request.prefill, vocabulary.token_texts(tokens)
    return Completion(
        text=begun + text,
        tokens=tokens,
        token_texts=texts,
        reasoning_tokens=reasoning_tokens(begun, texts),
        logprobs=columns.get("logprobs"),
        sampled_logprobs=columns.get("sampled_logprobs"),
        finish=finished.finish,
        prompt_tokens=len(finished.job.prompt),
        seconds=finished.seconds,
        error=finished.error,
        margins=columns.get("margins"),
        entropies=columns.get("entropies"),
    )
