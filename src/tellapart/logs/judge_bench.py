"""JudgeBench outputs: pairs of answers of which one is right (`label`), and a judge's decisions in both orders.

The score is the judge's: it is right where more of its decisions name the label than its opposite (Tan et al. 2024,
arXiv 2410.12784). So two judges pair as two models do.
"""

import re

from tellapart.jsonvalue import JsonObject
from tellapart.logs.metric import Metric
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import NAN, Logged, Recorded, recorded
from tellapart.logs.source import Source, records
from tellapart.logs.value import field, hashed, identity, listing, text

TOOL = "judge_bench"
FLIPPED = {"A>B": "B>A", "B>A": "A>B"}
_JUDGE = re.compile(r"judge_model=(?P<name>[^,]+?)\.jsonl")


def read(source: Source) -> Recorded:
    """Return one row a pair; a pair without any decision failed."""
    notes: list[str] = []
    rows = [_row(record, where) for where, record in records(source, notes)]
    named = _JUDGE.search(source.name)
    judge = named["name"] if named else text(source.head.get("judge_name"))
    return recorded(rows, origin(source, TOOL, judge, metric=Metric("accuracy")), notes)


def _row(record: JsonObject, where: str) -> Logged:
    label = text(field(record, "label", where))
    given = [
        text(judgment.get("decision")) if isinstance(judgment, dict) else ""
        for judgment in listing(field(record, "judgments", where), f"{where}: judgments")
    ]
    decisions = [
        FLIPPED.get(decision, decision) if place else decision for place, decision in enumerate(given[:2])
    ]
    lead = decisions.count(label) - decisions.count(FLIPPED.get(label, ""))
    failed = not any(decisions)
    return Logged(
        item=identity(field(record, "pair_id", where), where),
        score=NAN if failed else float(lead > 0),
        question=text(record.get("question")),
        completion=" | ".join(given),
        status="failed" if failed else "ok",
        cluster=text(record.get("source")),
        target=label,
        document=hashed([record.get("response_A"), record.get("response_B")]),
    )


READER = Reader(
    TOOL, lambda source: source.kind == "jsonl" and source.has("pair_id", "label", "judgments"), read
)
