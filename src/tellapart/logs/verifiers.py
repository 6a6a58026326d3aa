"""verifiers and prime-rl: results.jsonl (vf-eval --save-results) with metadata.json beside it, and traces.jsonl.

`reward` is the score (of a trace the weighted sum of its rewards); `path#NAME` chooses a single reward function or
metric. A rollout that ended in an error failed; it has no score.
"""

from pathlib import Path

from tellapart.jsonvalue import Json, JsonObject
from tellapart.logs.metric import Metric, choose, is_counted
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
    numeric,
    replied,
    short,
    spoken,
    text,
)

TOOL = "verifiers"
OWN = ("example_id", "reward", "advantage", "id", "prompt", "completion", "answer", "task", "info", "is_completed",
       "is_truncated", "error", "timing", "trajectory", "token_usage", "stop_condition", "version")  # fmt: skip
DATA = ("prompt", "question", "instruction", "problem")


def read(source: Source) -> Recorded:
    """Return one row a rollout; raises UserMistake naming the line that lacks a reward."""
    notes: list[str] = []
    placed = list(records(source, notes))
    traced = _is_trace(source)
    names: dict[str, None] = {"reward": None}
    for _, record in placed:
        names |= dict.fromkeys(_of_trace(record) if traced else _further(record))
    metrics = [Metric(name) for name in names]
    metric = choose(metrics, source.choice, str(source.path), notes)
    if not source.choice:
        notes = [
            note for note in notes if not note.startswith("scored by")
        ]  # the reward is what was trained on
    rows = [(_trace if traced else _result)(record, metric.name, where) for where, record in placed]
    model, task = _read_identity(source, placed[0][1])
    return recorded(rows, origin(source, TOOL, model, task, metric, metrics), notes)


def _further(record: JsonObject) -> list[str]:
    """Return the names of single rewards and metrics, in the order of the record."""
    held = record.get("metrics")
    own = {name: value for name, value in record.items() if name not in OWN}
    every = [*numeric(own), *(numeric(held) if isinstance(held, dict) else [])]
    return [name for name in every if not is_counted(name) and not name.endswith("_ms")]


def _result(record: JsonObject, metric: str, where: str) -> Logged:
    held = record.get("metrics")
    value = record.get(metric)
    if value is None and isinstance(held, dict):
        value = held.get(metric)
    failed = bool(record.get("error"))
    if metric == "reward" and not failed:
        value = field(record, "reward", where)
    usage = record.get("token_usage")
    usage = usage if isinstance(usage, dict) else {}
    tokens = next((usage[name] for name in ("completion_tokens", "output_tokens") if name in usage), None)
    return Logged(
        item=identity(field(record, "example_id", where), where),
        score=NAN if failed else number(value, f"{where}: {short(metric)}"),
        question=spoken(record.get("prompt"), where),
        completion=replied(record.get("completion"), where),
        status="failed" if failed else "cut off" if record.get("is_truncated") is True else "ok",
        tokens=number(tokens, f"{where}: tokens"),
        target=text(record.get("answer")),
        cluster=text(record.get("task")) if isinstance(record.get("task"), str) else "",
    )


def _of_trace(record: JsonObject) -> list[str]:
    return [
        name
        for held in (record.get("rewards"), record.get("metrics"))
        if isinstance(held, dict)
        for name in held
        if not is_counted(name)
    ]


def _trace(record: JsonObject, metric: str, where: str) -> Logged:
    rewards = mapping(record.get("rewards") or {}, f"{where}: rewards")
    metrics = mapping(record.get("metrics") or {}, f"{where}: metrics")
    task = mapping(field(record, "task", where), f"{where}: task")
    data = task.get("data")
    data = data if isinstance(data, dict) else {}
    parts = {name: _reward(value, f"{where}: {short(name)}") for name, value in rewards.items()}
    failed = bool(record.get("errors") or record.get("error"))
    if metric == "reward":
        reward = record.get("reward")
        value = sum(parts.values()) if reward is None and parts else number(reward, f"{where}: reward")
    else:
        value = parts[metric] if metric in parts else number(metrics.get(metric), f"{where}: {short(metric)}")
    key = task.get("key") or task.get("hash") or data.get("idx") or data.get("example_id")
    messages = [
        mapping(node, where).get("message") for node in listing(record.get("nodes") or [], f"{where}: nodes")
    ]
    question = next((data[name] for name in DATA if data.get(name)), None)
    return Logged(
        item=identity(hashed(data) if key is None else key, where),
        score=NAN if failed else value,
        question=spoken(question, where)
        or "\n".join(spoken(message, where) for message in messages if _role(message) == "user"),
        completion=replied(messages, where) if messages else text(record.get("root_reply")),
        status="failed" if failed else "cut off" if record.get("is_truncated") is True else "ok",
        target=text(data.get("answer")),
        document=hashed(data) if data else "",
    )


def _reward(value: Json, where: str) -> float:
    """Return a reward: a number, or its score times its weight."""
    if not isinstance(value, dict):
        return number(value, where)
    weight = value.get("weight")
    return number(value.get("score"), where) * (1.0 if weight is None else number(weight, where))


def _role(message: Json) -> str:
    return text(message.get("role")) if isinstance(message, dict) else ""


def _read_identity(source: Source, record: JsonObject) -> tuple[str, str]:
    """Return the model and the environment: from metadata.json beside the file, else from the trace or the folder."""
    beside = source.path.with_name("metadata.json")
    held = parse(beside.read_bytes(), str(beside)) if beside.is_file() else {}
    if isinstance(held, dict) and held.get("model"):
        return text(held["model"]), text(held.get("env_id") or held.get("env"))
    calls = record.get("calls")
    first = calls[0] if isinstance(calls, list) and calls else {}
    if isinstance(first, dict) and first.get("model"):
        return text(first["model"]), ""
    folder = (
        Path(source.path).resolve().parent.parent.name
    )  # outputs/evals/ENV--OWNER--MODEL/ID/results.jsonl
    parts = folder.split("--")
    return ("/".join(parts[1:3]), parts[0]) if len(parts) > 1 else ("", "")


def _is_trace(source: Source) -> bool:
    return source.has("task", "rewards") and isinstance(source.head["task"], dict)


def _recognises(source: Source) -> bool:
    if source.kind != "jsonl":
        return False
    return _is_trace(source) or (source.has("example_id", "reward") and not source.has("turns"))


READER = Reader(TOOL, _recognises, read)
