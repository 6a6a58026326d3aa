"""reasoning-gym evaluation results: categories > datasets > results > completions, each with a score."""

from collections.abc import Iterator

from tellapart.jsonvalue import JsonObject
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import Logged, Recorded, recorded
from tellapart.logs.source import Source
from tellapart.logs.value import field, listing, mapping, number, short, text

TOOL = "reasoning_gym"


def read(source: Source) -> Recorded:
    """Return one row a completion; `item` is dataset/index, `cluster` the dataset."""
    place = str(source.path)
    metadata = mapping(source.head.get("metadata", {}), f"{place}: metadata")
    rows: list[Logged] = []
    for category in listing(source.head["categories"], f"{place}: categories"):
        for dataset in listing(field(mapping(category, place), "datasets", place), f"{place}: datasets"):
            dataset = mapping(dataset, place)
            name = text(field(dataset, "name", place))
            for index, result in enumerate(
                listing(field(dataset, "results", place), f"{place}: {short(name)}")
            ):
                rows += _answers(mapping(result, place), name, index, f"{place}: {short(name)}/{index}")
    return recorded(rows, origin(source, TOOL, text(metadata.get("model"))))


def _answers(result: JsonObject, dataset: str, index: int, where: str) -> Iterator[Logged]:
    for answer in listing(field(result, "completions", where), where):
        answer = mapping(answer, where)
        yield Logged(
            item=f"{dataset}/{index}",
            question=text(result.get("question")),
            completion=text(answer.get("full_model_response")),
            score=number(field(answer, "score", where), where),
            cluster=dataset,
            target=text(result.get("expected_answer")),
        )


READER = Reader(TOOL, lambda source: source.kind == "json" and source.has("categories"), read)
