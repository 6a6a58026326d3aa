"""promptfoo results: results.json, {"results": {"results": [..]}}, or a line each: one a test, prompt and provider.

A test that passed is 1 (`success`); `path#score` reads the graded score, `path#NAME` a named one. Several providers
or prompts are told apart by `path#PROVIDER`, or `path#PROVIDER, prompt N`. A test that ended in an error has no
score.
"""

from tellapart.jsonvalue import Json, JsonObject
from tellapart.logs.choice import one_of
from tellapart.logs.metric import Metric, choose
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import NAN, Logged, Recorded, recorded
from tellapart.logs.source import Source, records
from tellapart.logs.value import hashed, identity, listing, mapping, number, numeric, short, spoken, text

TOOL = "promptfoo"
ERROR = 2
"""`failureReason` of a test that could not be run."""


def read(source: Source) -> Recorded:
    """Return one row a test of one provider and prompt; raises UserMistake naming those that are there."""
    place = str(source.path)
    notes: list[str] = []
    placed: list[tuple[str, JsonObject]] = (
        list(records(source, notes))
        if source.kind == "jsonl"
        else [
            (f"{place}: result {index + 1}", mapping(result, f"{place}: result {index + 1}"))
            for index, result in enumerate(listing(_results(source.first), f"{place}: results"))
        ]
    )
    prompts = {
        text(result.get("promptIdx")) for _, result in placed if _provider(result) == _provider(placed[0][1])
    }
    named = [
        _provider(result) + (f", prompt {text(result.get('promptIdx'))}" if len(prompts) > 1 else "")
        for _, result in placed
    ]
    models = list(dict.fromkeys(named))
    choices = [part for part in source.choice.split("#") if part]
    model = next((part for part in choices if part in models), "")
    left = "#".join(part for part in choices if part != model)
    model = one_of(models, model, source.path, "providers")
    kept = [pair for pair, name in zip(placed, named, strict=True) if name == model]
    names = dict.fromkeys(name for where, result in kept for name in numeric(_named_scores(result, where)))
    metrics = [Metric(name) for name in dict.fromkeys(("success", "score", *names))]
    metric = choose(metrics, left, place, [])
    rows = [_row(result, metric.name, where) for where, result in kept]
    return recorded(rows, origin(source, TOOL, model, metric=metric, metrics=metrics), notes)


def _named_scores(result: JsonObject, where: str) -> JsonObject:
    return mapping(result.get("namedScores") or {}, f"{where}: namedScores")


def _row(result: JsonObject, metric: str, where: str) -> Logged:
    scores = _named_scores(result, where)
    response = result.get("response")
    usage = response.get("tokenUsage") if isinstance(response, dict) else None
    failed = result.get("failureReason") == ERROR or bool(result.get("error") and not response)
    prompt = result.get("prompt")
    value = result.get(metric) if metric in ("success", "score") else scores.get(metric)
    test = result.get("testIdx")
    return Logged(
        item=identity(test if test is not None else hashed(result.get("vars")), where),
        score=NAN if failed else number(value, f"{where}: {short(metric)}"),
        question=spoken(prompt.get("raw") if isinstance(prompt, dict) else prompt, where),
        completion=text(response.get("output")) if isinstance(response, dict) else text(response),
        status="failed" if failed else "ok",
        tokens=number(usage.get("completion"), f"{where}: tokens") if isinstance(usage, dict) else NAN,
        document=hashed(result.get("vars")),
    )


def _provider(result: JsonObject) -> str:
    held = result.get("provider")
    return text(held.get("label") or held.get("id")) if isinstance(held, dict) else text(held)


def _results(document: Json) -> Json:
    held = document.get("results") if isinstance(document, dict) else None
    return held.get("results") if isinstance(held, dict) else None


def _recognises(source: Source) -> bool:
    if source.kind == "jsonl":  # as `promptfoo eval --output FILE.jsonl` writes it, a result a line
        return source.has("testIdx", "promptIdx", "success")
    results = _results(source.first) if source.kind == "json" else None
    return (
        isinstance(results, list)
        and bool(results)
        and isinstance(results[0], dict)
        and "success" in results[0]
    )


READER = Reader(TOOL, _recognises, read)
