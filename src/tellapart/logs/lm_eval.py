"""lm-evaluation-harness samples: samples_TASK_TIME.jsonl, with results_TIME.json beside it where it is there.

One metric of one filter is read: the first score that the results list (else the first in the samples), or the one
named after `#`: `path#METRIC`, `path#FILTER` or `path#METRIC,FILTER`. What is better the lower it is (as the
results say, else by its name) is no score. A folder of several tasks is one log; `folder#mmlu_*` takes some of them.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from tellapart.errors import UserMistake
from tellapart.jsonvalue import JsonObject
from tellapart.logs.lm_eval_sample import BYPASS, is_single, logged, metrics_of, questions
from tellapart.logs.metric import Metric, choose
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import Recorded, recorded
from tellapart.logs.source import SUFFIXES as PACKED
from tellapart.logs.source import Source, parse, records
from tellapart.logs.value import identity, listing, mapping, short, text

TOOL = "lm_eval"
NAME = re.compile(r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT[\d.-]+)\.jsonl")
Placed = tuple[str, JsonObject]


def read(source: Source) -> Recorded:
    """Return one row a response; raises UserMistake where a sample lacks what its metric needs."""
    notes: list[str] = []
    samples = _samples(source, notes)
    results = results_beside(source.path)
    metrics = metrics_in(samples, results, source)
    if not metrics:
        bypassed = any(BYPASS in sample for _, sample in samples)
        why = (
            " (predict_only: the answers were not scored); score them, or ask again without it"
            if bypassed
            else ""
        )
        raise UserMistake(f"{source.path}: no sample has a metric{why}")
    metric = choose(metrics, source.choice, str(source.path), notes)
    kept = [(where, s) for where, s in samples if text(s.get("filter")) == metric.filter]
    question_texts = questions(kept)
    scored_first = 0
    rows = []
    for (where, sample), question in zip(kept, question_texts, strict=True):
        answers, responses = logged(sample, identity(sample["doc_id"], where), metric.name, question, where)
        rows += answers
        scored_first += responses > len(answers)
    if scored_first:
        notes.append(
            f"{scored_first} items have several responses but one {short(metric.name)}: only the first response is "
            f"read (lm-eval scores what its filter {short(metric.filter)} kept)"
        )
    config = mapping(results.get("config") or {}, "results")
    if config.get("use_cache"):
        notes.append(
            "config.use_cache is set: answers may be another model's (the cache ignores interventions)"
        )
    where = origin(source, TOOL, _model(results, config), task_of(source), metric, metrics)
    return recorded(rows, where._replace(settings=_settings(kept, results, task_of(source))), notes)


def _settings(samples: Sequence[Placed], results: JsonObject, task: str) -> tuple[tuple[str, str], ...]:
    """Return how the questions were asked, as far as results and samples tell."""
    shots = results.get("n-shot")
    settings = {"few-shot examples": shots.get(task) if isinstance(shots, dict) else None}
    if "chat_template" in results:
        settings["chat template"] = "yes" if results["chat_template"] else "no"
    arguments = samples[0][1].get("arguments") if samples else None
    first = arguments.get("gen_args_0") if isinstance(arguments, dict) else None
    how = first.get("arg_1") if isinstance(first, dict) else None
    if isinstance(how, dict):
        settings["longest answer in tokens"] = how.get("max_gen_toks")
        stops = how.get("until")
        settings["stop strings"] = " ".join(map(repr, stops)) if isinstance(stops, list) else stops
    return tuple((name, text(value)) for name, value in settings.items() if value not in (None, ""))


def task_of(source: Source) -> str:
    """Return the task that a samples file is named after, "" where its name tells none."""
    name = NAME.fullmatch(source.name)
    return name["task"] if name else ""


def _samples(source: Source, notes: list[str]) -> list[Placed]:
    if source.kind in ("jsonl", "parquet"):
        samples: list[Placed] = list(records(source, notes))
    else:  # up to version 0.4.2: one JSON list
        samples = [
            (f"{source.path}: sample {i + 1}", mapping(s, f"{source.path}"))
            for i, s in enumerate(listing(source.first, str(source.path)))
        ]
    for where, sample in samples:
        if "doc_id" not in sample or "resps" not in sample:
            raise UserMistake(f"{where}: a sample needs `doc_id` and `resps`")
    return samples


def results_beside(path: Path) -> JsonObject:
    """Return the results that lie beside a samples file (of its time, or the only ones), {} where there are none."""
    name = NAME.fullmatch(path.stem if path.name.endswith(PACKED) else path.name)
    beside = sorted(path.parent.glob("results*.json"))
    matching = [other for other in beside if name and name["time"] in other.name]
    chosen = matching or beside
    if len(chosen) != 1 or chosen[0].stat().st_size > 2**30:
        return {}
    return mapping(parse(chosen[0].read_bytes(), str(chosen[0])), str(chosen[0]))


def metrics_in(samples: Sequence[Placed], results: JsonObject, source: Source) -> list[Metric]:
    """Return the metrics of samples, one a filter, those that the results list first; each a single number a sample."""
    single: dict[tuple[str, str], bool] = {}
    in_parts: set[tuple[str, str]] = set()
    for _, sample in samples:
        for name in metrics_of(sample):
            key = name, text(sample.get("filter"))
            fits = is_single(sample, name)
            single[key] = single.get(key, False) or fits
            if not fits and isinstance(sample[name], list):
                in_parts.add(key)  # of instructions, not of responses
    names_kept = [key for key, fits in single.items() if fits and key not in in_parts] or list(single)
    task = task_of(source)
    preferred = [key for key in _listed(task, results) if key in names_kept]
    directions = results.get("higher_is_better")
    directions = directions.get(task) if isinstance(directions, dict) else None
    directions = directions if isinstance(directions, dict) else {}
    higher = {name: higher for name, higher in directions.items() if isinstance(higher, bool)}
    return [
        Metric(name, filter_, higher.get(name)) for name, filter_ in dict.fromkeys((*preferred, *names_kept))
    ]


def _listed(task: str, results: JsonObject) -> list[tuple[str, str]]:
    tasks = results.get("results")
    figures = tasks.get(task) if task and isinstance(tasks, dict) else None
    if not isinstance(figures, dict):
        return []
    parts = [key.split(",", 1) for key in figures if "," in key]
    return [(name, filter_) for name, filter_ in parts]


def _model(results: JsonObject, config: JsonObject) -> str:
    arguments = config.get("model_args")
    if isinstance(arguments, dict):
        arguments = arguments.get("pretrained") or arguments.get("model")
    elif isinstance(arguments, str):
        pairs = dict(part.split("=", 1) for part in arguments.split(",") if "=" in part)
        arguments = pairs.get("pretrained") or pairs.get("model")
    return text(results.get("model_name") or arguments or config.get("model"))


def _recognises(source: Source) -> bool:
    first = source.first
    if source.kind == "json" and isinstance(first, list) and first:
        first = first[0]
    return isinstance(first, dict) and "doc_id" in first and "resps" in first and "doc" in first


READER = Reader(TOOL, _recognises, read, task_of=task_of)
