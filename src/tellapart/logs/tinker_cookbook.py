"""tinker-cookbook: trajectories.jsonl of its benchmarks, and *_rollout_summaries.jsonl of its training.

`reward` (of summaries `total_reward`) is the score; `path#NAME` chooses a metric. A summary holds no text and numbers
its groups, so two runs pair only where both drew the same problems in one order.
"""

from tellapart.jsonvalue import JsonObject
from tellapart.logs.metric import Metric, choose, is_counted
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import NAN, Logged, Recorded, Status, recorded
from tellapart.logs.source import Source, parse, records
from tellapart.logs.value import field, identity, listing, mapping, number, numeric, short, text, whole

TOOL = "tinker_cookbook"
CUT = ("max_tokens_reached", "context_overflow")


def read(source: Source) -> Recorded:
    """Return one row a trajectory; raises UserMistake naming the line that lacks a reward."""
    notes: list[str] = []
    summary = source.has("total_reward")
    main, held = ("total_reward", "trajectory_metrics") if summary else ("reward", "metrics")
    placed = list(records(source, notes))
    names: dict[str, None] = {main: None, **({"final_reward": None} if summary else {})}
    for _, record in placed:
        values = record.get(held)
        names |= (
            dict.fromkeys(n for n in numeric(values) if not is_counted(n)) if isinstance(values, dict) else {}
        )
    metrics = [Metric(name) for name in names if name not in CUT]
    metric = choose(metrics, source.choice, str(source.path), [])
    rows = [(_summary if summary else _trajectory)(record, metric.name, where) for where, record in placed]
    if summary:
        notes.append("the log holds no questions: groups are told by iteration and number")
    task = "" if summary else text(source.head.get("benchmark"))
    return recorded(rows, origin(source, TOOL, _model(source), task, metric, metrics), notes)


def _trajectory(record: JsonObject, metric: str, where: str) -> Logged:
    metrics = mapping(record.get("metrics") or {}, f"{where}: metrics")
    logs = mapping(record.get("logs") or {}, f"{where}: logs")
    turns = [mapping(turn, where) for turn in listing(record.get("turns") or [], f"{where}: turns")]
    said = [turn for turn in turns if turn.get("role") == "assistant"]
    status: Status = (
        "failed" if record.get("error") else "cut off" if any(metrics.get(sign) for sign in CUT) else "ok"
    )
    value = field(record, "reward", where) if metric == "reward" else metrics.get(metric)
    name = record.get("example_id") or logs.get("example_id")
    return Logged(
        item=identity(field(record, "idx", where) if name in (None, "") else name, where),
        score=NAN if status == "failed" else number(value, f"{where}: {short(metric)}"),
        question="\n".join(text(turn.get("content")) for turn in turns if turn.get("role") == "user"),
        completion=text(said[-1].get("content")) if said else "",
        status=status,
        tokens=sum((number(turn.get("token_count"), where) for turn in said), 0.0) if said else NAN,
        target=text(logs.get("expected")),
    )


def _summary(record: JsonObject, metric: str, where: str) -> Logged:
    metrics = mapping(record.get("trajectory_metrics") or {}, f"{where}: trajectory_metrics")
    value = record[metric] if metric in record else metrics.get(metric)
    tags, group = record.get("tags"), whole(field(record, "group_idx", where), where)
    return Logged(
        item="/".join([text(record.get("split")), text(record.get("iteration")), str(group)]),
        score=number(value, f"{where}: {short(metric)}"),
        cluster="/".join(map(text, tags)) if isinstance(tags, list) else "",
    )


def _model(source: Source) -> str:
    """Return the model that metadata.json of the run names, with its checkpoint."""
    beside = source.path.resolve().parent.parent / "metadata.json"
    held = parse(beside.read_bytes(), str(beside)) if beside.is_file() else {}
    if not isinstance(held, dict):
        return ""
    name, checkpoint = text(held.get("model_name")), text(held.get("checkpoint_name"))
    return f"{name} ({checkpoint})" if checkpoint else name


def _recognises(source: Source) -> bool:
    if source.kind != "jsonl":
        return False
    return source.has("turns", "reward") or source.has("group_idx", "total_reward")


READER = Reader(TOOL, _recognises, read, task_of=lambda source: text(source.head.get("benchmark")))
