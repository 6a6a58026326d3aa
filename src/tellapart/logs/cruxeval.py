"""CRUXEval results: `raw_generations` and `raw_scored_generations`, a list an item. No question texts."""

from tellapart.errors import UserMistake
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import Logged, Recorded, recorded
from tellapart.logs.source import Source
from tellapart.logs.value import field, listing, mapping, number, short, text

TOOL = "cruxeval"


def read(source: Source) -> Recorded:
    """Return one row a generation. The file names neither model nor question: items pair on their id."""
    place = str(source.path)
    answers = mapping(source.head["raw_generations"], f"{place}: raw_generations")
    scores = mapping(source.head["raw_scored_generations"], f"{place}: raw_scored_generations")
    rows: list[Logged] = []
    for item, graded in scores.items():
        where = f"{place}: {short(item)}"
        given = listing(field(answers, item, where), where)
        graded = listing(graded, where)
        if len(given) != len(graded):
            raise UserMistake(f"{where}: {len(given)} generations but {len(graded)} scores")
        for sample, (answer, score) in enumerate(zip(given, graded, strict=True)):
            rows.append(Logged(item, number(score, where), "", text(answer), sample))
    notes = [f"{len(answers) - len(scores)} items have no scores"] if len(answers) > len(scores) else []
    return recorded(rows, origin(source, TOOL, source.path.stem), notes)


READER = Reader(TOOL, lambda source: source.has("raw_generations", "raw_scored_generations"), read)
