"""LOGS -> the rollouts of each training step: TRL's completions, verl and open-instruct JSONL, files or folders."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json
from tellapart.logs import open_instruct, trl, verl
from tellapart.logs.recorded import Recorded
from tellapart.logs.source import Source, in_form, open_source, records, split
from tellapart.logs.value import number, short, text, whole

READERS = (trl.READER, verl.READER, open_instruct.READER)
SUFFIXES = {".parquet", ".jsonl"}
_MARKED = re.compile(r"\\boxed\{([^{}]*)\}|####\s*([^\n]+)|answer is:?\s*([^\n]+)", re.IGNORECASE)
MARKS = ("\\boxed{", "####", "answer is")
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
ENDING = 200
"""Characters of an answer in which its last number is looked for first."""
UNTOLD = ("answers of several training steps", "scored by 'score'; also in the log", "scores lie between")
"""Notes of the readers that say nothing of a training log: rewards may be negative, steps are told apart."""
STEPS = ("valid", "invalid", "absent", "")
OWN = ("step", "steps", "tokens", "entropy", "answer", "canary")
"""Columns that a log of TRL or verl may have beside its tool's own; the live guard writes them all."""


@dataclass(frozen=True)
class TrainingLog:
    """`frame` has one row an answer: step, item (of the whole log), question, completion, score, answer, steps,
    length (tokens, or words where the log has none), entropy (nats a token), target. `canaries` has the same columns
    and `canary`: answers to tasks of abilities held before, which are not trained on."""

    frame: pd.DataFrame
    tool: str
    files: tuple[str, ...]
    notes: tuple[str, ...]
    canaries: pd.DataFrame = field(default_factory=pd.DataFrame)


def find_log(reference: str) -> list[Source]:
    """Return the files of a run's log, none where `reference` is no log of a trainer. Of several none is held: each is
    opened anew when it is read. Raises UserMistake where a folder holds such logs and other files of their kind."""
    path, choice = split(reference)
    if not path.is_dir():
        source = open_source(reference, path, choice)
        return [source] if _reader(source) else []
    inside = path / "completions" if (path / "completions").is_dir() else path
    files = sorted(f for f in inside.iterdir() if f.is_file() and f.suffix in SUFFIXES and f.name[0] != ".")
    sources = [
        replace(open_source(f"{file}#{choice}" if choice else str(file), file, choice), data=b"")
        for file in files
    ]
    odd = [source for source in sources if not _reader(source)]
    if len(odd) == len(sources):
        return []
    if odd:
        raise UserMistake(
            f"{odd[0].path}: is no log of TRL, verl or open-instruct; give a folder of one run's logs"
        )
    return sources


def read_training(sources: Sequence[Source]) -> TrainingLog:
    """Return the rollouts of all files, in order of their steps."""
    frames, notes, tools = [], [], set()
    metrics: dict[str, Source] = {}
    for given in sources:
        source = given if given.data else open_source(given.reference, given.path, given.choice)
        reader = _reader(source)
        assert reader is not None
        with in_form(source.path):
            log = reader.read(source)
            tools.add(log.tool)
            metrics.setdefault(log.metric.label, source)
            notes += [note for note in log.notes if not note.startswith(UNTOLD)]
            frames.append(_rollouts(log, source))
    if len(metrics) > 1:
        given = " and ".join(
            f"{short(name)} in {source.path.name}" for name, source in list(metrics.items())[:3]
        )
        raise UserMistake(
            f"{sources[0].path.parent}: scored by {given}; choose one reward for all steps (PATH#NAME or #A+B)"
        )
    if len(tools) > 1:
        raise UserMistake(
            f"{sources[0].path.parent}: logs of {' and '.join(sorted(tools))}; give one run's logs"
        )
    frames.sort(key=lambda part: part["step"].iloc[0])  # files are sorted by name: 1, 10, 2
    frame = pd.concat(frames, ignore_index=True)
    del frames  # all texts are held once, not once more by file
    if not frame["step"].is_monotonic_increasing:
        frame = frame.sort_values("step", kind="stable", ignore_index=True)
    if frame["tokens"].isna().all():
        notes.append("the log has no token counts: length is in words")
        frame["length"] = frame["words"]
    else:
        frame["length"] = frame["tokens"]
    is_canary = frame["canary"] != ""
    trained, canaries = frame, frame.iloc[:0]  # a mask copies all texts
    if is_canary.any():
        trained, canaries = (frame[part].reset_index(drop=True) for part in (~is_canary, is_canary))
    if trained.empty:
        raise UserMistake(f"{sources[0].path}: holds answers to canary tasks only, none that was trained on")
    return TrainingLog(
        trained, tools.pop(), tuple(s.reference for s in sources), tuple(dict.fromkeys(notes)),
        canaries,
    )  # fmt: skip


def final_answer(completion: str) -> str:
    r"""Return the final answer of a completion: after the last \boxed, #### or "answer is", else the last number,
    else the last line; "" where there is nothing.

    >>> final_answer("3 + 4 = 7, so the answer is 7.")
    '7'
    """
    lower = completion.lower()  # to look for the three words takes a tenth of the pattern's time
    marked = list(_MARKED.finditer(completion)) if any(mark in lower for mark in MARKS) else ()
    if marked:
        answer = next(part for part in marked[-1].groups() if part is not None)
    else:
        _, _, ending = completion[-ENDING:].partition(" ")  # no number has a space in it
        numbers = _NUMBER.findall(ending) or _NUMBER.findall(completion)
        lines = completion.split("\n") if not numbers else ()
        answer = numbers[-1] if numbers else next((line for line in reversed(lines) if line.strip()), "")
    return " ".join(answer.lower().replace(",", "").split()).rstrip(".")


def _reader(source: Source):
    return next((reader for reader in READERS if reader.recognises(source)), None)


def _rollouts(log: Recorded, source: Source) -> pd.DataFrame:
    frame = log.frame
    own = _own_columns(log, source)
    tokens = _numbers(own.get("tokens"), frame["tokens"].to_numpy(dtype=float))
    with np.errstate(invalid="ignore", divide="ignore"):
        entropy = np.where(tokens > 0, -frame["logprob"].to_numpy(dtype=float) / tokens, math.nan)
    completions = frame["completion"].tolist()
    answers = own.get("answer") or [final_answer(completion) for completion in completions]
    return pd.DataFrame(
        {
            "step": _steps_of(log, source, own),
            "item": np.where(frame["question"] != "", frame["question"], frame["item"]),
            "question": frame["question"],
            "completion": frame["completion"],
            "score": frame["score"],
            "answer": [text(answer) for answer in answers],
            "steps": _checked(own.get("steps"), len(frame), str(source.path)),
            "tokens": tokens,
            "words": [len(completion.split()) if completion else math.nan for completion in completions],
            "entropy": _numbers(own.get("entropy"), entropy),
            "target": frame["target"],
            "canary": [text(name) for name in own.get("canary", [""] * len(frame))],
        }
    )


def _own_columns(log: Recorded, source: Source) -> dict[str, list[Json]]:
    """Return the columns of OWN that a log of TRL or verl has beside its tool's own."""
    wanted = [name for name in OWN if source.has(name)]
    if log.tool == open_instruct.TOOL or not wanted:
        return {}
    if log.tool == trl.TOOL:
        return pq.read_table(source.path, columns=wanted).to_pydict()
    lines = [record for _, record in records(source, [])]
    return {name: [line.get(name) for line in lines] for name in wanted}


def _steps_of(log: Recorded, source: Source, own: Mapping[str, list[Json]]) -> list[int]:
    """Return the training step of each row."""
    if log.tool == open_instruct.TOOL:
        return [int(item.partition("/")[0]) for item in log.frame["item"]]
    if "step" in own:
        return [whole(value, f"{source.path}: step") for value in own["step"]]
    return [_named_step(source.path)] * len(log.frame)


def _checked(said: Sequence[Json] | None, count: int, where: str) -> list[str]:
    """Return what the log's own column `steps` says of its reasoning."""
    steps = [""] * count if said is None else [text(value) for value in said]
    odd = next((value for value in steps if value not in STEPS), None)
    if odd is not None:
        raise UserMistake(f"{where}: steps {odd[:40]!r}; give valid, invalid, absent, or nothing")
    return steps


def _numbers(said: Sequence[Json] | None, otherwise: np.ndarray) -> np.ndarray:
    if said is None:
        return otherwise
    return np.asarray([math.nan if v is None else number(v, "tokens or entropy") for v in said], dtype=float)


def _named_step(path: Path) -> int:
    digits = re.findall(r"\d+", path.stem)
    if not digits:
        raise UserMistake(f"{path}: has no column `step` and no number in its name to tell the training step")
    return int(digits[-1])
