"""Rows of a run as Every Eval Ever files: UUID.json (the aggregate) and UUID_samples.jsonl beside it, schema 0.3.

write_eee(rows, Path("out"), Export(task="gsm8k", model="org/model"))     # out/data/gsm8k/org/model/UUID.json

github.com/evaleval/every_eval_ever; its own `python -m every_eval_ever validate` accepts what is written here.
"""

import datetime
import hashlib
import json
import math
import re
import uuid
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from tellapart.errors import NotApplicable
from tellapart.jsonvalue import Json, JsonObject
from tellapart.logs.write import AnswerRow, Export, answers_of, condition_of, replace_text
from tellapart.version import __version__

SCHEMA_VERSION = "0.3.0"
FINISH = {"ok": "stop", "cut off": "length", "failed": "error"}
RESERVED = ("data", "unknown", "con", "prn", "aux", "nul")
"""Names that the format, or Windows, gives to no folder."""
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


class _Evaluation(NamedTuple):
    """What every sample of an evaluation points back to."""

    id: str
    result: str
    model: str
    task: str
    condition: str


def write_eee(rows: pd.DataFrame, folder: Path, export: Export) -> Path:
    """Write one condition's rows below `folder`/data as an aggregate and its samples, and return the samples' path.

    An answer without a score is written as an error, since the format has no missing score. A model that is no hub id
    (ORG/NAME) is filed under `local`. Raises UserMistake where the rows are of several conditions, NotApplicable where
    none has a score.
    """
    condition = condition_of(rows)
    scored = rows.loc[rows["score"].notna()]
    if scored.empty:
        raise NotApplicable(f"{condition}: no answer has a score, and an evaluation of this format needs one")
    created = export.created or datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    seconds = str(int(datetime.datetime.fromisoformat(created).timestamp()))
    model = _model_id(export.model)
    task = _part(export.task)
    evaluation = _Evaluation(
        f"{task}/{model.replace('/', '_')}/{condition}/{seconds}",
        f"{condition}/score",
        model,
        export.task,
        condition,
    )
    name = _uuid(created, *evaluation)
    place = Path("data", task, *model.split("/"))
    lines = [json.dumps(_sample(row, export, evaluation)) for row in answers_of(rows)]
    samples = "\n".join(lines) + "\n"
    aggregate = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": evaluation.id,
        "evaluation_timestamp": created,
        "retrieved_timestamp": seconds,
        "source_metadata": {
            "source_name": "tellapart",
            "source_type": "evaluation_run",
            "source_organization_name": "unknown",
            "evaluator_relationship": "other",
        },
        "eval_library": {"name": "tellapart", "version": __version__},
        "model_info": {
            "name": export.model,
            "id": model,
            "additional_details": {
                "deployment_type": "unknown", "model_availability": "unknown", "condition": condition,
            },
        },
        "evaluation_results": [_result(scored, evaluation, created)],
        "detailed_evaluation_results": {
            "format": "jsonl",
            "file_path": (place / f"{name}_samples.jsonl").as_posix(),
            "hash_algorithm": "sha256",
            "checksum": hashlib.sha256(samples.encode()).hexdigest(),
            "total_rows": len(lines),
        },
    }  # fmt: skip
    (folder / place).mkdir(parents=True, exist_ok=True)
    path = folder / place / f"{name}_samples.jsonl"
    replace_text(path, samples)
    replace_text(path.with_name(f"{name}.json"), json.dumps(aggregate, indent=1))
    return path


def _result(scored: pd.DataFrame, evaluation: _Evaluation, created: str) -> dict[str, Json]:
    """Return the one metric: the mean score, samples averaged within their item."""
    by_item = scored.groupby("item")["score"].mean()
    binary = set(scored["score"].tolist()) <= {0.0, 1.0}
    return {
        "evaluation_result_id": evaluation.result,
        "evaluation_name": evaluation.task,
        "source_data": {"dataset_name": evaluation.task, "source_type": "other"},
        "evaluation_timestamp": created,
        "metric_config": {
            "metric_name": "score",
            "metric_unit": "proportion",
            "lower_is_better": False,
            "score_type": "binary" if binary else "continuous",
            "min_score": 0,
            "max_score": 1,
        },
        "score_details": {
            "score": float(by_item.mean()),
            "details": {"items": str(len(by_item)), "scored_samples": str(len(scored))},
        },
        "generation_config": {"additional_details": {"condition": evaluation.condition}},
    }


def _sample(row: AnswerRow, export: Export, evaluation: _Evaluation) -> JsonObject:
    item, score = row.item, float(row.score)
    question, target = export.questions.get(item, item), export.targets.get(item, "")
    scored = not math.isnan(score)
    sample: dict[str, Json] = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": evaluation.id,
        "model_id": evaluation.model,
        "evaluation_name": evaluation.task,
        "evaluation_result_id": evaluation.result,
        "sample_id": item,
        "sample_hash": hashlib.sha256(f"{question}{target}".encode("utf-8", "backslashreplace")).hexdigest(),
        "interaction_type": "single_turn",
        "input": {"raw": question, "reference": [target] if target else []},
        "output": {"raw": [row.completion]},
        "answer_attribution": _attribution(row.answer),
        "evaluation": {"score": score if scored else 0.0, "is_correct": scored and score >= 1},
        "metadata": {
            "condition": evaluation.condition,
            "cluster": row.cluster,
            "sample": str(row.sample),
            "finish_reason": FINISH[row.status],
        },
    }
    if row.status == "failed" or not scored:
        sample["error"] = row.error or "no score"
    return {**sample, **_usage(row)}


def _attribution(answer: str | None) -> list[dict[str, Json]]:
    """Return what the scorer found; nothing where it found none or that was not recorded."""
    if not isinstance(answer, str) or not answer:
        return []
    source = {"source": "output.raw", "extraction_method": "tellapart scorer", "is_terminal": True}
    return [{"turn_idx": 0, "extracted_value": answer, **source}]


def _usage(row: AnswerRow) -> JsonObject:
    """Return the tokens, where both sorts are known: the format wants both."""
    if row.prompt_tokens is None or math.isnan(row.tokens) or math.isnan(row.prompt_tokens):
        return {}
    written, read = int(row.tokens), int(row.prompt_tokens)
    return {"token_usage": {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}}


def _model_id(reference: str) -> str:
    """Return ORG/NAME: a hub id as it is, any other reference as a portable name under `local`."""
    return reference if _HUB_ID.fullmatch(reference) else f"local/{_part(reference)}"


def _part(name: str) -> str:
    """Return a name as one portable part of a path."""
    part = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("._") or "unnamed"
    return f"{part}_" if part.lower() in RESERVED else part


def _uuid(*parts: str) -> str:
    """Return a UUID that is the same for the same evaluation: written again, it takes its own place."""
    held = hashlib.blake2b("\x00".join(parts).encode(), digest_size=16)
    return str(uuid.UUID(bytes=held.digest(), version=4))
