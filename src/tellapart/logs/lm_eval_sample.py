"""One sample of lm-eval as rows: generated responses, or options by their log-likelihood."""

from collections import Counter
from collections.abc import Sequence

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.logs.recorded import NAN, Logged
from tellapart.logs.value import hashed, listing, mapping, number, short, text

QUESTIONS = ("question", "query", "problem", "input", "prompt", "instruction", "text")
BYPASS = "bypass"
"""The metric of answers that were not scored (--predict_only): 999 for each."""
OWN = {
    "doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics", "doc_hash",
    "prompt_hash", "target_hash",
}  # fmt: skip


def metrics_of(sample: JsonObject) -> list[str]:
    """Return the names of a sample's metrics, in the task's order."""
    named = sample.get("metrics")
    if isinstance(named, list):
        return [name for name in named if isinstance(name, str) and name in sample and name != BYPASS]
    return [
        name
        for name, value in sample.items()
        if name not in OWN and name != BYPASS and isinstance(value, int | float | list)
    ]


def is_single(sample: JsonObject, name: str) -> bool:
    """Say whether a metric is one number a sample, or a number for each of its responses (not (gold, predicted))."""
    value = sample.get(name)
    if not isinstance(value, list):
        return isinstance(value, int | float)
    requests = sample.get("resps")
    first = requests[0] if isinstance(requests, list) and len(requests) == 1 else None
    generated = isinstance(first, list) and bool(first) and not isinstance(first[0], list)
    return generated and isinstance(first, list) and len(value) == len(first)


def questions(samples: Sequence[tuple[str, JsonObject]]) -> list[str]:
    """Return the text that each sample is paired by: the document's question (a field called one of
    QUESTIONS), or, where two documents ask the same, the whole prompt, with the options where prompts are the same
    too."""
    questions_of_documents = [_document_question(sample) for _, sample in samples]
    if "" in questions_of_documents or len(set(questions_of_documents)) < len(questions_of_documents):
        prompts = [_argument(sample, 0, 0, where) for where, sample in samples]
        if "" in prompts:
            return questions_of_documents
        times = Counter(prompts)
        return [
            prompt + _options(sample) if times[prompt] > 1 else prompt
            for prompt, (_, sample) in zip(prompts, samples, strict=True)
        ]
    return questions_of_documents


def _options(sample: JsonObject) -> str:
    """Return the continuations that a sample's prompt was given, a line each; "" where there is one only."""
    arguments = sample.get("arguments")
    requests = list(arguments.values()) if isinstance(arguments, dict) else arguments
    if not isinstance(requests, list) or len(requests) < 2:
        return ""
    given = [
        request.get("arg_1") if isinstance(request, dict) else request[1:2]
        for request in requests
        if isinstance(request, dict | list)
    ]
    texts = [option[0] if isinstance(option, list) and option else option for option in given]
    return "".join(f"\n{text}" for text in texts if isinstance(text, str))


def _document_question(sample: JsonObject) -> str:
    doc = sample.get("doc")
    if not isinstance(doc, dict):
        return ""
    texts = (doc.get(name) for name in QUESTIONS)
    return next((text for text in texts if isinstance(text, str) and text.strip()), "")


def logged(sample: JsonObject, item: str, metric: str, question: str, where: str) -> tuple[list[Logged], int]:
    """Return the rows of one sample, and the number of responses that the model gave to it."""
    document = hashed(sample.get("doc"))
    requests = [listing(r, f"{where}: resps") for r in listing(sample["resps"], f"{where}: resps")]
    value = sample.get(metric)
    target = text(sample.get("target"))
    if not requests or not requests[0]:
        row = Logged(item, NAN, question, status="failed", target=target, document=document)
        return [row], 1
    if len(requests) > 1 or isinstance(requests[0][0], list):
        option, logprob = _option(sample, requests, metric, where)
        score = _single(value, metric, where)
        row = Logged(item, score, question, option, 0, logprob=logprob, target=target, document=document)
        return [row], 1
    responses = requests[0]
    if isinstance(value, list) and len(value) == len(responses):
        scores = [number(v, f"{where}: {short(metric)}") for v in value]
    else:
        scores = [_single(value, metric, where)]
    return [
        Logged(item, score, question, text(response), index, target=target, document=document)
        for index, (score, response) in enumerate(zip(scores, responses, strict=False))
    ], len(responses)


def _single(value: Json, metric: str, where: str) -> float:
    if isinstance(value, list | dict):
        raise UserMistake(
            f"{where}: {short(metric)} is {short(value)}, not one number; choose another metric with #NAME"
        )
    return number(value, f"{where}: {short(metric)}")


def _option(sample: JsonObject, requests: list[list[Json]], metric: str, where: str) -> tuple[str, float]:
    """Return the option that the model finds likeliest (by character for acc_norm) and its log-likelihood."""
    best, chosen, logprob = -float("inf"), "", NAN
    for index, request in enumerate(requests):
        answer = request[0] if request else None
        likelihood = likelihood_of(answer[0] if isinstance(answer, list) and answer else answer, where)
        option = _argument(sample, index, 1, where)
        value = likelihood / max(len(option.removeprefix(" ")), 1) if metric == "acc_norm" else likelihood
        if value > best:
            best, chosen, logprob = value, option, likelihood
    return chosen, logprob


def likelihood_of(value: Json, where: str) -> float:
    """Return a log-likelihood; -inf, which a served model may give, is one."""
    minus_infinity = value == -float("inf") or text(value).strip().lower() in ("-inf", "-infinity")
    return -float("inf") if minus_infinity else number(value, f"{where}: resps")


def _argument(sample: JsonObject, request: int, position: int, where: str) -> str:
    held = sample.get("arguments")
    if isinstance(held, dict):
        held = held.get(f"gen_args_{request}")
        return text(mapping(held or {}, f"{where}: arguments").get(f"arg_{position}"))
    parts = held[request] if isinstance(held, list) and request < len(held) else None
    return text(parts[position]) if isinstance(parts, list) and position < len(parts) else ""
