"""Every Eval Ever, instance level: UUID_samples.jsonl, one object an answer; the aggregate file beside it tells the
metric's direction (evaleval/every_eval_ever, instance_level_eval 0.2).

One file may hold several models and evaluations: `path#MODEL`, `path#EVALUATION` or `path#MODEL#EVALUATION`.
Evaluations of different samples are clusters of one log; several of the same samples are metrics, of which one is
chosen.
"""

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.logs.choice import one_of
from tellapart.logs.metric import Metric
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import NAN, Logged, Recorded, recorded
from tellapart.logs.source import Source, parse, records
from tellapart.logs.value import (
    field,
    hashed,
    identity,
    listing,
    mapping,
    number,
    replied,
    short,
    spoken,
    text,
)

TOOL = "every_eval_ever"
SCHEMA = "instance_level_eval"


def read(source: Source) -> Recorded:
    """Return one row an answer of one model; raises UserMistake naming what could be chosen."""
    notes: list[str] = []
    placed = list(records(source, notes))
    models = list(dict.fromkeys(text(record.get("model_id")) for _, record in placed))
    choices = [part for part in source.choice.split("#") if part]
    model = next((part for part in choices if part in models), "")
    left = [part for part in choices if part != model]
    model = one_of(models, model, source.path, "models")
    kept = [(where, record) for where, record in placed if text(record.get("model_id")) == model]
    names = list(dict.fromkeys(_name(record) for _, record in kept))
    chosen = left[0] if left else ""
    if chosen and chosen not in names:
        raise UserMistake(
            f"{source.path}: no model or evaluation {short(chosen)}; it has {', '.join([*models, *names][:12])}"
        )
    if not chosen and len(names) > 1 and _of_same_samples(kept):
        one_of(names, "", source.path, "metrics of the same samples")
    kept = [(where, record) for where, record in kept if not chosen or _name(record) == chosen]
    metric = Metric(
        chosen or (names[0] if len(names) == 1 else "score"), "", _direction(source, chosen or names[0])
    )
    if metric.is_error:
        raise UserMistake(f"{source.path}: {short(metric.name)} is better the lower it is, so it is no score")
    rows = [_row(record, where, len(names) > 1 and not chosen) for where, record in kept]
    task = names[0] if len(names) == 1 else chosen
    return recorded(rows, origin(source, TOOL, model, task, Metric(), [Metric()]), notes)


def _row(record: JsonObject, where: str, clustered: bool) -> Logged:
    given = mapping(field(record, "input", where), f"{where}: input")
    evaluation = mapping(field(record, "evaluation", where), f"{where}: evaluation")
    references = given.get("reference")
    output = mapping(record.get("output") or {}, f"{where}: output")
    usage = mapping(record.get("token_usage") or {}, f"{where}: token_usage")
    more = mapping(record.get("metadata") or {}, f"{where}: metadata")
    score = evaluation.get("score")
    failed = bool(record.get("error"))
    choices = [text(choice) for choice in listing(given.get("choices") or [], f"{where}: choices")]
    return Logged(
        item=identity(field(record, "sample_id", where), where),
        score=NAN
        if failed
        else number(evaluation.get("is_correct") if score is None else score, f"{where}: evaluation"),
        question="\n".join([text(given.get("raw")), *choices]),
        completion=spoken(output.get("raw"), where) or replied(record.get("messages"), where),
        status="failed" if failed else "cut off" if more.get("finish_reason") == "length" else "ok",
        tokens=number(usage.get("output_tokens"), f"{where}: output_tokens"),
        cluster=_name(record) if clustered else text(more.get("cluster")),
        target=" | ".join(map(text, references if isinstance(references, list) else [references])),
        document=hashed(given),
    )


def _name(record: JsonObject) -> str:
    return text(record.get("evaluation_name"))


def _of_same_samples(kept: list[tuple[str, dict[str, Json]]]) -> bool:
    """Say whether one sample stands under several evaluations."""
    seen: dict[str, set[str]] = {}
    for _, record in kept:
        seen.setdefault(hashed([record.get("sample_id"), record.get("input")]), set()).add(_name(record))
    return any(len(names) > 1 for names in seen.values())


def _direction(source: Source, name: str) -> bool | None:
    """Return whether higher is better, as the aggregate file beside the samples says."""
    beside = source.path.with_name(source.name.replace("_samples.jsonl", ".json"))
    if not beside.is_file() or beside == source.path:
        return None
    document = parse(beside.read_bytes(), str(beside))
    results = document.get("evaluation_results") if isinstance(document, dict) else None
    for result in results if isinstance(results, list) else []:
        if not isinstance(result, dict) or result.get("evaluation_name") != name:
            continue
        config = result.get("metric_config")
        lower = config.get("lower_is_better") if isinstance(config, dict) else None
        if isinstance(lower, bool):
            return not lower
    return None


def _recognises(source: Source) -> bool:
    return (
        source.kind == "jsonl"
        and source.has("sample_id", "evaluation")
        and str(source.head.get("schema_version")).startswith((SCHEMA, "0."))
        and isinstance(source.head["evaluation"], dict)
    )


READER = Reader(TOOL, _recognises, read)
