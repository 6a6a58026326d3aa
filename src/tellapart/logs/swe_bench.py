"""SWE-bench reports: MODEL.RUN.json with lists of ids (resolved_ids, unresolved_ids, ..), and report.json of instances.

Resolved is 1; unresolved and an empty patch are 0; what ended in an error of the harness has no score, although the
published rate counts it as unresolved: a note says how many. Instances that were not submitted are no answers.
"""

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.logs.metric import Metric
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import NAN, Logged, Recorded, recorded
from tellapart.logs.source import Source
from tellapart.logs.value import identity, listing, mapping, number, short

TOOL = "swe_bench"
LISTS = {"resolved_ids": 1.0, "unresolved_ids": 0.0, "empty_patch_ids": 0.0, "error_ids": NAN}


def read(source: Source) -> Recorded:
    """Return one row an instance; raises UserMistake where only the resolved ones are named."""
    place, notes = str(source.path), []
    resolved = _instances(source.head) if _is_instances(source.first) else _listed(source.head, place)
    errors = sum(value != value for value in resolved.values())
    if errors:
        rate = sum(value == 1 for value in resolved.values()) / len(resolved)
        notes.append(
            f"{errors} instances ended in an error: no score (counted as unresolved, the rate is {rate:.4g})"
        )
    rows = [
        Logged(name, value, status="failed" if value != value else "ok") for name, value in resolved.items()
    ]
    parts = source.name.removesuffix(".json").split(".")
    model = parts[0].replace("__", "/") if len(parts) > 1 and not _is_instances(source.first) else ""
    return recorded(rows, origin(source, TOOL, model, metric=Metric("resolved")), notes)


def _listed(document: JsonObject, place: str) -> dict[str, float]:
    scores: dict[str, float] = {}
    if not {"unresolved_ids", "completed_ids", "submitted_ids", "generated"} & set(document):
        raise UserMistake(
            f"{place}: names the resolved instances only: those that were tried and failed are not in it"
        )
    for name in ("submitted_ids", "completed_ids", "generated"):
        for instance in listing(document.get(name) or [], f"{place}: {name}"):
            scores[identity(instance, place)] = 0.0
    for name, value in LISTS.items():
        for instance in listing(document.get(name) or [], f"{place}: {name}"):
            scores[identity(instance, place)] = value
    for instance in listing(document.get("resolved") or [], f"{place}: resolved"):
        scores[identity(instance, place)] = 1.0
    return scores


def _instances(document: JsonObject) -> dict[str, float]:
    return {
        name: number(mapping(held, short(name)).get("resolved"), f"{short(name)}: resolved")
        for name, held in document.items()
    }


def _is_instances(document: Json) -> bool:
    if not isinstance(document, dict) or not document:
        return False
    return all(
        isinstance(instance, dict) and "resolved" in instance and "patch_exists" in instance
        for instance in document.values()
    )


def _recognises(source: Source) -> bool:
    if source.kind not in ("json", "jsonl") or source.rows is not None or not isinstance(source.first, dict):
        return False
    document = source.first
    by_lists = isinstance(document.get("resolved_ids"), list) or (
        isinstance(document.get("resolved"), list)
        and bool({"generated", "no_generation", "applied"} & set(document))
    )
    return by_lists or _is_instances(document)


READER = Reader(TOOL, _recognises, read)
