"""MT-bench judgements (FastChat): MODEL_single.jsonl with a rating from 1 to 10, and MODEL_pair.jsonl with two winners.

Of ratings an item is a question and turn, the question its cluster; -1 is no rating. `path#MODEL` chooses a model.
Pairs are for `form --pairs` (a winner in both orders, else a tie, as FastChat counts).
"""

from collections.abc import Iterator

from tellapart.errors import UserMistake
from tellapart.jsonvalue import JsonObject
from tellapart.logs.choice import one_of
from tellapart.logs.compared import Compared
from tellapart.logs.metric import Metric
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import NAN, Logged, Recorded, recorded
from tellapart.logs.source import Source, records
from tellapart.logs.value import field, number, text

TOOL = "mt_bench"


def read(source: Source) -> Recorded:
    """Return one row a question and turn of one model; raises UserMistake for judgements of pairs."""
    if is_pairs(source):
        raise UserMistake(
            f"{source.path}: holds judgements of pairs, no scores: tellapart form --pairs {source.path}"
        )
    notes: list[str] = []
    placed = list(records(source, notes))
    models = list(dict.fromkeys(text(record.get("model")) for _, record in placed))
    model = one_of(models, source.choice, source.path, "models")
    rows = []
    for where, record in placed:
        if text(record.get("model")) != model:
            continue
        rating = number(field(record, "score", where), f"{where}: score")
        name = text(field(record, "question_id", where))
        rows.append(
            Logged(
                item=f"{name}/{text(record.get('turn'))}",
                score=NAN if rating == -1 else rating,
                status="failed" if rating == -1 else "ok",
                cluster=name,
            )
        )
    return recorded(rows, origin(source, TOOL, model, metric=Metric("rating")), notes)


def pairs(source: Source, notes: list[str]) -> Iterator[Compared]:
    """Yield the judged pairs, a question and turn each. The files hold no answers, so what rests on their
    lengths is not known."""
    notes.append("MT-bench files hold no answers: nothing that rests on their texts or lengths is known")
    for where, record in records(source, notes):
        won = [_won(record, name, where) for name in ("g1_winner", "g2_winner")]
        yield Compared(
            item=f"{text(field(record, 'question_id', where))}/{text(record.get('turn'))}",
            question=text(record.get("question_id")),
            models=(text(field(record, "model_1", where)), text(field(record, "model_2", where))),
            answers=("", ""),
            won=won[0] if won[0] == won[1] else 0.5,
        )


def _won(record: JsonObject, name: str, where: str) -> float:
    winner = text(field(record, name, where))
    return {"model_1": 1.0, "model_2": 0.0}.get(winner, 0.5)


def is_pairs(source: Source) -> bool:
    """Say whether the rows are judgements of pairs."""
    return source.kind == "jsonl" and source.has(
        "question_id", "model_1", "model_2", "g1_winner", "g2_winner"
    )


def _recognises(source: Source) -> bool:
    rated = source.has("question_id", "model", "score") and source.has("judge")
    return source.kind == "jsonl" and (rated or is_pairs(source))


READER = Reader(TOOL, _recognises, read)
