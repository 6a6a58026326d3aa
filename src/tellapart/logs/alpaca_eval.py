"""AlpacaEval annotations.json: a judge's preference between a reference's answer (1) and a model's (2) to each
instruction.

`preference` is 1 + the probability that the second wins (Dubois et al. 2024, arXiv 2404.04475); old files have 1, 2,
and 0 for a tie. As a log the score is the model's win probability; as pairs (`form --pairs`) the likelier one wins.
"""

import math
from collections.abc import Iterator

from tellapart.errors import UserMistake
from tellapart.jsonvalue import JsonObject
from tellapart.logs.choice import one_of
from tellapart.logs.compared import Compared
from tellapart.logs.metric import Metric
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import Logged, Recorded, recorded
from tellapart.logs.source import Source, records
from tellapart.logs.value import field, hashed, number, short, text

TOOL = "alpaca_eval"
NEEDED = ("instruction", "output_1", "output_2", "preference")


def read(source: Source) -> Recorded:
    """Return one row an instruction: the second model's win probability. `path#MODEL` where there are several."""
    notes: list[str] = []
    placed = list(records(source, notes))
    models = list(dict.fromkeys(text(record.get("generator_2")) for _, record in placed))
    model = one_of(models, source.choice, source.path, "models")
    rows = [
        Logged(
            item=hashed(text(record.get("instruction")))[:12],
            score=preference(record, where),
            question=text(field(record, "instruction", where)),
            completion=text(field(record, "output_2", where)),
            cluster=text(record.get("dataset")),
        )
        for where, record in placed
        if text(record.get("generator_2")) == model
    ]
    against = sorted({text(record.get("generator_1")) for _, record in placed})
    notes.append(f"scores are the judge's preference over {', '.join(against[:3])}, not right or wrong")
    return recorded(rows, origin(source, TOOL, model, metric=Metric("preference")), notes)


def preference(record: JsonObject, where: str) -> float:
    """Return the probability that the second answer wins, NaN where the judge said nothing."""
    preferred = number(field(record, "preference", where), f"{where}: preference")
    if math.isnan(preferred):
        return preferred
    if preferred == 0:
        return 0.5
    if not 1 <= preferred <= 2:
        raise UserMistake(
            f"{where}: preference is {short(preferred)}; it lies between 1 (first wins) and 2 (second wins)"
        )
    return preferred - 1


def pairs(source: Source, notes: list[str]) -> Iterator[Compared]:
    """Yield the compared answers; those without a preference are noted and left out."""
    left_out = 0
    for where, record in records(source, notes):
        preferred = preference(record, where)
        if math.isnan(preferred):
            left_out += 1
            continue
        yield Compared(
            item=hashed(text(record.get("instruction")))[:12],
            question=text(record.get("instruction")),
            models=(text(field(record, "generator_1", where)), text(field(record, "generator_2", where))),
            answers=(text(field(record, "output_1", where)), text(field(record, "output_2", where))),
            won=0.5 if preferred == 0.5 else float(preferred < 0.5),
        )
    if left_out:
        notes.append(f"{left_out} pairs have no preference and were left out")


def recognises(source: Source) -> bool:
    """Say whether the rows are AlpacaEval's annotations."""
    return source.kind == "jsonl" and source.has(*NEEDED)


READER = Reader(TOOL, recognises, read)
