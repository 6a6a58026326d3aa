"""A point: one model's score on one task under one metric, with what is known of the model's scale."""

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

NAN = float("nan")


class Point(NamedTuple):
    """`family` names the models that differ in scale only; `setting` what else must be equal (shots). `error` is the
    standard error, `n` the item count, `length` the answer's tokens. `kind` is discontinuous, continuous or "" (by
    the metric's name), `higher_is_better` true, false or "" as the log has it. NaN where not known; `scale` is one
    whose meaning the file does not tell."""

    task: str
    metric: str
    value: float
    model: str
    family: str = ""
    setting: str = ""
    kind: str = ""
    seed: str = ""
    higher_is_better: str = ""
    error: float = NAN
    n: float = NAN
    length: float = NAN
    parameters: float = NAN
    tokens: float = NAN
    steps: float = NAN
    compute: float = NAN
    loss: float = NAN
    scale: float = NAN


TEXTS = ("task", "metric", "model", "family", "setting", "kind", "seed", "higher_is_better")
NUMBERS = tuple(name for name in Point._fields if name not in TEXTS)
SCALES = ("loss", "parameters", "compute", "tokens", "steps", "scale")

_SIZE = re.compile(
    r"(?<![A-Za-z0-9.])(?:(?<![_])(?P<whole>\d{1,2})_(?P<part>\d+)(?P<billions>[bB])"
    r"|(?P<before>\d{1,3})(?P<point>[bB])(?P<after>\d)|(?P<number>\d+(?:\.\d+)?)\s?(?P<unit>[mMbBtT]))(?![A-Za-z0-9])"
)
"""A size, also as 1_6b (1.6 b) and 7b1 (7.1 b)."""
_OTHER = re.compile(
    r"(?<=_)\d{1,2}_\d+[bB](?![A-Za-z0-9])|(?<![A-Za-z0-9.])\d+(?:\.\d+)?\s?"
    r"(?:[kK]|[mMbBtT](?=[-_ .]?(?:tok|ctx|context|steps\b|samples|examples|rows|pairs|words)))(?![0-9])",
    re.IGNORECASE,
)
"""What looks like a size and is none: a context length (4k, 128k), a count of tokens or examples; and what may be two
sizes (x_2_7b: version 2, or 2.7 b)."""
CONTEXTS = {1e6, 2e6, 4e6, 10e6}
"""Sizes in millions that are context lengths as often."""
_FACTOR = {"m": 1e6, "b": 1e9, "t": 1e12}
_PRECISION = re.compile(r"[-_.](?:bf16|fp16|fp32|float16|bfloat16|float32|int8|8bit|4bit)\b", re.IGNORECASE)
_STEP = re.compile(
    r"(?:^|[^A-Za-z])(?:global_)?step[-_]?(\d+(?:\.\d+(?=[km]))?)([km](?![A-Za-z0-9]))?", re.IGNORECASE
)
_THOUSANDS = {"": 1.0, "k": 1e3, "m": 1e6}


def to_frame(points: Iterable[Point]) -> pd.DataFrame:
    """Return the points as a frame with the columns of Point."""
    frame = pd.DataFrame(list(points), columns=list(Point._fields))
    return frame.astype(dict.fromkeys(NUMBERS, np.float64))


def parameters_of(name: str) -> float:
    """Return the parameters that a model's name tells, NaN where it tells none or several.

    A number in thousands is a context length or a count of data. Beside a size in billions, one in millions is a
    context length (7b-1m) and one in trillions a count of tokens (7b-3t).

    >>> parameters_of("pythia-v1.1-410m-deduped"), parameters_of("EleutherAI/pythia-1b-bf16"), parameters_of("gpt-4")
    (410000000.0, 1000000000.0, nan)
    >>> parameters_of("Phi-3-mini-4k-instruct"), parameters_of("plum-7b-32k"), parameters_of("Qwen2.5-7B-Instruct-1M")
    (nan, 7000000000.0, 7000000000.0)
    >>> parameters_of("stablelm-2-1_6b"), parameters_of("bloom-7b1"), parameters_of("plum_2_7b")
    (1600000000.0, 7100000000.0, nan)
    """
    sizes = _sizes(name)
    return sizes[0][0] if len(sizes) == 1 else NAN


def _sizes(name: str) -> list[tuple[float, str]]:
    """Return the sizes that a name tells, as number and as written, each once."""
    plain = _OTHER.sub(lambda match: " " * len(match[0]), name)
    sizes = {value: (match[0], letter) for match in _SIZE.finditer(plain) for value, letter in [_size(match)]}
    for unit in "bmt":
        kept = [(value, written) for value, (written, letter) in sizes.items() if letter == unit]
        if kept and not (unit == "m" and set(sizes) <= CONTEXTS):  # gemini-pro-1m has no million parameters
            return kept
    return []


def _size(match: re.Match[str]) -> tuple[float, str]:
    """Return a size and the letter of its unit."""
    if match["whole"]:
        return float(f"{match['whole']}.{match['part']}") * _FACTOR["b"], "b"
    if match["before"]:
        return float(f"{match['before']}.{match['after']}") * _FACTOR["b"], "b"
    letter = match["unit"].lower()
    return float(match["number"]) * _FACTOR[letter], letter


def family_of(name: str) -> str:
    """Return a model's name without its owner and without what tells its size or precision.

    >>> family_of("pythia-v1.1-1b-bf16"), family_of("EleutherAI/pythia-v1.1-70m")
    ('pythia-v1.1-#', 'pythia-v1.1-#')
    """
    last = name.rsplit("/", 1)[-1]
    written = {text for _, text in _sizes(last)}
    return _PRECISION.sub("", _SIZE.sub(lambda match: "#" if match[0] in written else match[0], last))


def step_of(text: str) -> float:
    """Return the training step that a revision or path names, NaN where there is none.

    >>> step_of("step143000"), step_of("step-1431k-3T"), step_of("main")
    (143000.0, 1431000.0, nan)
    """
    steps = _STEP.findall(text)
    return float(steps[-1][0]) * _THOUSANDS[steps[-1][1].lower()] if steps else NAN
