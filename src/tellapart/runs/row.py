"""A Row is one scored answer; a run is many. The columns of rows.parquet are these fields, in this order."""

import json
import math
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from tellapart.errors import one_line

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
_TEXTS = (
    "study", "condition", "item", "key", "split", "cluster", "prompt_hash", "completion", "status", "steps", "error",
    "question",
)  # fmt: skip
_COUNTS = {"sample": 2**31, "seed": 2**63, "tokens": 2**53, "prompt_tokens": 2**53}
_FIGURES = ("score", "logprob", "seconds", "bits", "lenient")
_LISTS = {"token_ids": int, "token_texts": str, "token_logprobs": float}


def to_line(row: Row) -> str:
    """Return the row as one JSON line (no newline); NaN becomes null, lone surrogates are escaped."""
    values = {name: _finite(getattr(row, name)) for name in ROW_FIELDS}
    return json.dumps(values, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> Any:
    """Return a value with its NaN and infinities, also inside lists and mappings, as None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, tuple) and value and isinstance(value[0], float):
        return [number if math.isfinite(number) else None for number in value]
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    return value


def from_line(line: str | bytes) -> Row:
    """Return the row of a JSON line. Raises ValueError where the line is torn, is no row, or holds what no row can."""
    values: Any = json.loads(line, parse_constant=_no_number)
    if not isinstance(values, dict) or not set(ROW_FIELDS[:17]) <= set(values):
        raise ValueError("not a row")
    fields = {name: values[name] for name in ROW_FIELDS if name in values}
    for name in _TEXTS:
        if name in fields and not isinstance(fields[name], str):
            raise _odd(name, fields[name])
    for name, most in _COUNTS.items():
        if type(fields[name]) is not int or not 0 <= fields[name] < most:
            raise _odd(name, fields[name])
    for name in _FIGURES:
        if name in fields:
            fields[name] = _figure(name, fields[name])
    for name, kind in _LISTS.items():
        if fields.get(name) is not None:
            fields[name] = _listed(name, fields[name], kind)
    if fields.get("measures") is not None:
        if not isinstance(fields["measures"], dict):
            raise _odd("measures", fields["measures"])
        fields["measures"] = {key: _figure("measures", figure) for key, figure in fields["measures"].items()}
    row = Row(**fields)
    _check(row)
    return row


def _check(row: Row) -> None:
    """Raise ValueError where a row's values do not go together."""
    if row.status not in get_args(Status):
        raise ValueError(f"status {row.status!r:.40}: a row is {', '.join(get_args(Status))}")
    for name in ("score", "lenient"):
        value = getattr(row, name)
        if not (math.isnan(value) or 0 <= value <= 1):
            raise ValueError(f"{name} {value}: a score is in [0, 1]")
    if row.status == "failed" and not math.isnan(row.score):
        raise ValueError(f"a failed row with score {row.score}")
    if row.answer is not None and not isinstance(row.answer, str):
        raise _odd("answer", row.answer)
    lengths = {len(column) for column in (row.token_ids, row.token_texts, row.token_logprobs) if column}
    if len(lengths) > 1:
        raise ValueError(
            f"lists of {', '.join(map(str, sorted(lengths)))} tokens: they are of the same tokens"
        )


def _figure(name: str, value: Any) -> float:
    if value is None:
        return math.nan
    if type(value) not in (int, float):
        raise _odd(name, value)
    try:
        number = float(value)
    except OverflowError:
        raise _odd(name, value) from None
    if not math.isfinite(number):
        raise _odd(name, value)
    return number


def _listed(name: str, values: Any, kind: type) -> tuple[Any, ...]:
    if not isinstance(values, list):
        raise _odd(name, values)
    if kind is float:
        return tuple(_figure(name, value) for value in values)
    if not all(type(value) is kind for value in values):
        raise _odd(name, values)
    if kind is int and values and not 0 <= min(values) <= max(values) < 2**31:
        raise ValueError(f"{name} from {min(values)} to {max(values)}: ids are 0 <= x < 2^31")
    return tuple(values)


def _odd(name: str, value: Any) -> ValueError:
    shown = f"{value:.6g}" if isinstance(value, float) else json.dumps(value, default=str)
    return ValueError(f"{name} cannot be {one_line(shown, 60)}")


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
