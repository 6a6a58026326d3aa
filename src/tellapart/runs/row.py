"""A Row is one scored answer; a run is many. The columns of rows.parquet are these fields, in this order."""

import json
import math
from dataclasses import dataclass, fields
from typing import Any, Literal

Status = Literal["ok", "cut off", "failed"]


@dataclass(frozen=True)
class Row:
    """One scored answer of one condition to one item.

    `condition` is the readable name (`base/plain`, `tuned/plain`, `base/few_shot`, `base/few_shot~null`,
    `base<tuned` for the base's log-probabilities of the tuned model's answers); `key` is the content hash of
    everything that determines the answer. `logprob` is the sum over the completion's tokens in nats. `bits` were
    supplied from outside for this answer alone (routing); `measures` are what its elicitor tells beside. `score` is
    NaN where there is none (failed). `steps` is valid | invalid | absent | "" (no checker).
    `answer` is what the scorer found, in canonical form: "" where it found none, None where nothing was recorded (rows
    of older runs). `lenient` is the score of the lenient reading (tasks/lenient.py), NaN where there is none;
    `question` the hash under which nearly equal questions fall together (tasks/questions.py).
    `split` is `fit` (choices are made here) or `report` (figures come from here).
    """

    study: str
    condition: str
    item: str
    sample: int
    seed: int
    key: str
    split: str
    cluster: str
    prompt_hash: str
    completion: str
    score: float
    status: Status
    steps: str
    logprob: float
    tokens: int
    prompt_tokens: int
    seconds: float
    token_ids: tuple[int, ...] | None = None
    token_texts: tuple[str, ...] | None = None
    token_logprobs: tuple[float, ...] | None = None
    bits: float = 0.0
    measures: dict[str, float] | None = None
    error: str = ""
    answer: str | None = None
    lenient: float = math.nan
    question: str = ""


ROW_FIELDS = tuple(field.name for field in fields(Row))
_TUPLES = ("token_ids", "token_texts", "token_logprobs")


def to_line(row: Row) -> str:
    """Return the row as one JSON line (no newline); NaN becomes null, lone surrogates are escaped."""
    values = {name: _finite(getattr(row, name)) for name in ROW_FIELDS}
    return json.dumps(values, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> Any:
    """Return a value with its NaN and infinities, also inside lists and mappings, as None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, tuple) and value and isinstance(value[0], float):
        return [one if math.isfinite(one) else None for one in value]
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    return value


def from_line(line: str | bytes) -> Row:
    """Return the row of a JSON line. Raises ValueError where the line is torn or is no row."""
    values: Any = json.loads(line)
    if not isinstance(values, dict) or not set(ROW_FIELDS[:17]) <= set(values):
        raise ValueError("not a row")
    known = {name: values[name] for name in ROW_FIELDS if name in values}
    for name in ("score", "logprob", "seconds", "bits", "lenient"):
        if known.get(name) is None:
            known[name] = math.nan
    for name in _TUPLES:
        if known.get(name) is not None:
            known[name] = tuple(math.nan if one is None else one for one in known[name])
    if known.get("measures"):
        known["measures"] = {key: math.nan if one is None else one for key, one in known["measures"].items()}
    return Row(**known)
