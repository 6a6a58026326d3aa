"""Continuous metrics out of per-sample logs, where the log holds what they need: the gold answer's log-probability and
Brier score from the options' likelihoods, token edit distance and per-token accuracy from the texts.

Texts are cut into words, single digits and single signs (the model's own tokens are not in such logs).
"""

import math
import re
from collections.abc import Iterator, Sequence

import numpy as np

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.logs.lm_eval_sample import likelihood_of, metrics_of
from tellapart.logs.recorded import Recorded
from tellapart.logs.scale_points import NAN, Point, family_of, parameters_of, step_of
from tellapart.logs.source import Source, records
from tellapart.logs.value import listing, mapping, number, text

_TOKEN = re.compile(r"\d|[^\W\d_]+|[^\w\s]|_")
LONGEST = 2000
"""Tokens of a text that are compared; a longer one has no edit distance."""
DERIVED = ("gold_logprob", "gold_probability", "brier", "token_edit_distance", "token_accuracy")


def tokens_of(answer: str) -> list[str]:
    """Return words, single digits and single signs.

    >>> tokens_of("x = 142.")
    ['x', '=', '1', '4', '2', '.']
    """
    return _TOKEN.findall(answer)


def edit_distance(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the least insertions, deletions and replacements that make one into the other (Levenshtein 1966).

    >>> edit_distance(list("kitten"), list("sitting"))
    3
    """
    row = np.arange(len(second) + 1)
    codes = {token: index for index, token in enumerate(dict.fromkeys([*first, *second]))}
    right = np.array([codes[token] for token in second], dtype=np.int64)
    ramp = np.arange(len(second) + 1)
    for index, token in enumerate(first, 1):
        best = np.empty_like(row)
        best[0] = index
        best[1:] = np.minimum(row[:-1] + (right != codes[token]), row[1:] + 1)
        row = np.minimum.accumulate(best - ramp) + ramp
    return int(row[-1])


def text_metrics(answer: str, gold: str) -> dict[str, float]:
    """Return token_edit_distance (edits a gold token) and token_accuracy (gold tokens at their place in the answer);
    nothing where either text cannot be compared."""
    given, wanted = tokens_of(answer), tokens_of(gold)
    if not wanted or max(len(given), len(wanted)) > LONGEST:
        return {}
    right = sum(a == b for a, b in zip(given, wanted, strict=False))
    return {
        "token_edit_distance": edit_distance(given, wanted) / len(wanted),
        "token_accuracy": right / len(wanted),
        "length": float(len(wanted)),
    }


def choice_metrics(likelihoods: Sequence[float], gold: int) -> dict[str, float]:
    """Return gold_logprob (nats), and gold_probability and brier among the options.

    >>> choice_metrics([math.log(0.6), math.log(0.2)], 0)["brier"]
    0.125
    """
    metrics = {"gold_logprob": likelihoods[gold]}
    if len(likelihoods) > 1:
        top = max(likelihoods)
        shares = [math.exp(likelihood - top) for likelihood in likelihoods]
        total = sum(shares)
        shares = [share / total for share in shares]
        metrics["gold_probability"] = shares[gold]
        metrics["brier"] = round(sum((share - (k == gold)) ** 2 for k, share in enumerate(shares)), 12)
    return metrics


def recognises(source: Source) -> bool:
    """Say whether the lines are lm-eval's samples."""
    return source.kind == "jsonl" and source.has("doc_id", "resps", "arguments")


def read(source: Source, model: str, task: str, setting: str = "") -> Iterator[Point]:
    """Yield a point for each metric and filter of the log and each that was derived. Samples without a metric
    do not count in it; texts count once a document, whatever filters read them. Raises UserMistake where the
    log is malformed."""
    gathered: dict[str, list[float]] = {}
    notes: list[str] = []
    seen: set[str] = set()
    for where, sample in records(source, notes):
        filter_ = text(sample.get("filter"))
        logged = {
            name if filter_ in ("", "none") else f"{name},{filter_}": number(sample[name], f"{where}: {name}")
            for name in metrics_of(sample)
            if isinstance(sample[name], int | float)
        }
        document = f"{text(sample.get('doc_id'))}/{text(sample.get('doc_hash'))}"
        derived = {} if document in seen else _derived(sample, where)
        seen.add(document)
        for name, value in (logged | derived).items():
            if math.isfinite(value):
                gathered.setdefault(name, []).append(value)
    yield from _points(gathered, task, model, setting)


def from_recorded(log: Recorded, task: str) -> Iterator[Point]:
    """Yield the points of a scored log of any tool: its score, and what its texts allow."""
    scores = log.frame["score"].groupby(log.frame["item"]).mean()
    name = log.metric.label or "score"
    gathered: dict[str, list[float]] = {name: [s for s in scores if math.isfinite(s)]}
    for answer, gold in zip(log.frame["completion"], log.frame["target"], strict=True):
        for name, value in text_metrics(answer, gold).items():
            gathered.setdefault(name, []).append(value)
    yield from _points(gathered, task, log.model, "")


def _points(gathered: dict[str, list[float]], task: str, model: str, setting: str) -> Iterator[Point]:
    lengths = gathered.pop("length", [])
    for metric, values in gathered.items():
        n = len(values)
        if n == 0:
            continue
        error = float(np.std(values, ddof=1) / math.sqrt(n)) if n > 1 else NAN
        yield Point(
            task,
            metric,
            float(np.mean(values)),
            model,
            family_of(model),
            setting,
            _kind(metric, values),
            error=error,
            n=float(n),
            length=float(np.mean(lengths)) if lengths else NAN,
            parameters=parameters_of(model.rsplit("/", 1)[-1]),
            steps=step_of(model),
        )


def _kind(metric: str, values: Sequence[float]) -> str:
    """Return the kind that the values tell: one that is 0 or 1 in every sample counts right outputs."""
    if metric in DERIVED:
        return "continuous"
    return "discontinuous" if len(values) > 1 and set(values) <= {0.0, 1.0} else ""


def _derived(sample: JsonObject, where: str) -> dict[str, float]:
    requests = [
        listing(response, f"{where}: resps") for response in listing(sample["resps"], f"{where}: resps")
    ]
    if not requests or not requests[0]:
        return {}
    gold = text(sample.get("target"))
    first = requests[0][0]
    if not isinstance(first, list) and len(requests) == 1:
        return text_metrics(text(first), gold)
    options = [_option(sample, index, where) for index in range(len(requests))]
    same = [index for index, option in enumerate(options) if option[0] == options[0][0]]
    likelihoods = [_likelihood(requests[index], where) for index in same]
    at = _gold_index(gold, [options[index][1] for index in same])
    if at is None or not all(math.isfinite(likelihood) for likelihood in likelihoods):
        return {}
    return choice_metrics(likelihoods, at)


def _likelihood(request: list[Json], where: str) -> float:
    answer = request[0] if request else None
    return likelihood_of(answer[0] if isinstance(answer, list) and answer else answer, where)


def _option(sample: JsonObject, request: int, where: str) -> tuple[str, str]:
    held = sample.get("arguments")
    if isinstance(held, dict):
        arguments = mapping(held.get(f"gen_args_{request}") or {}, f"{where}: arguments")
        return text(arguments.get("arg_0")), text(arguments.get("arg_1"))
    parts = held[request] if isinstance(held, list) and request < len(held) else None
    if isinstance(parts, list) and len(parts) > 1:
        return text(parts[0]), text(parts[1])
    raise UserMistake(f"{where}: arguments hold no request {request}")


def _gold_index(gold: str, options: Sequence[str]) -> int | None:
    if len(options) == 1:
        return 0
    stripped = [option.strip() for option in options]
    if stripped.count(gold.strip()) == 1:
        return stripped.index(gold.strip())
    return int(gold) if gold.isascii() and gold.isdigit() and int(gold) < len(options) else None
