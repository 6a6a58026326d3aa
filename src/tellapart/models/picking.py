"""Answers that are picked among given choices by log-probability, as multiple-choice benchmarks of base models do."""

from collections.abc import Iterator, Sequence

from tellapart.errors import UserMistake
from tellapart.models.model import Answer, Completion, Model, Request, Scored
from tellapart.tasks.choice import pick


def answers_of(model: Model, requests: Sequence[Request]) -> Iterator[Answer]:
    """Yield each answer as it is finished: picked where the request lists choices, generated where it does not."""
    if not any(request.choices for request in requests):
        yield from model.generate(requests)
        return
    if not all(request.choices for request in requests):
        raise ValueError("requests with and without choices in one call")
    if not model.can_score:
        raise UserMistake(
            f"{model.reference} gives no log-probabilities of given text: use a task scored on generated answers"
        )
    yield from _picked(model, requests)


def _picked(model: Model, requests: Sequence[Request]) -> Iterator[Answer]:
    pairs = [(request.prompt, request.prefill + choice) for request in requests for choice in request.choices]
    scored = iter(model.score(pairs))
    for index, request in enumerate(requests):
        yield Answer(index, _completion(request, [next(scored) for _ in request.choices]))


def _completion(request: Request, scored: Sequence[Scored]) -> Completion:
    """Return the likeliest choice as a completion; nothing was generated for it."""
    texts = [choice.strip() for choice in request.choices]
    sums = [sum(score.logprobs) for score in scored]
    best = pick(sums, texts, [len(score.tokens) for score in scored], request.normalise)
    chosen = scored[best]
    return Completion(
        texts[best], chosen.tokens, chosen.token_texts, chosen.logprobs, None, "stop", 0, 0.0, generated=0
    )
