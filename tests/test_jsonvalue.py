"""What is read out of a JSON object is of the kind asked for, and exact; anything else is refused by its name."""

import json

import pytest

from tellapart.jsonvalue import nested, number, number_lists, objects, text_pairs, texts, whole, wholes

SEED = 2**62 + 1
FIELDS = json.loads(
    json.dumps(
        {
            "seed": SEED, "seeds": [SEED, 3], "alpha": 4, "among": [[0.3, 1]], "stop": ["\n"], "turns": [["a", "b"]],
            "draws": [{"stop": []}], "change": {"kind": "lora"}, "text": "ab", "none": None,
        }
    )
)  # fmt: skip


def test_values_are_read_by_kind() -> None:
    assert number(FIELDS, "alpha") == 4.0
    assert number_lists(FIELDS, "among") == [[0.3, 1.0]]
    assert texts(FIELDS, "stop") == ["\n"]
    assert text_pairs(FIELDS, "turns") == [("a", "b")]
    assert objects(FIELDS, "draws") == [{"stop": []}]
    assert nested(FIELDS, "change") == {"kind": "lora"}


def test_whole_numbers_are_exact() -> None:
    assert whole(FIELDS, "seed") == SEED
    assert wholes(FIELDS, "seeds") == [SEED, 3]


@pytest.mark.parametrize("read", [number, whole, wholes, number_lists, texts, text_pairs, objects, nested])
@pytest.mark.parametrize("name", ["text", "none"])
def test_a_value_of_another_kind_is_named(read, name: str) -> None:
    with pytest.raises(TypeError, match=name):
        read(FIELDS, name)


def test_a_missing_value_is_named() -> None:
    with pytest.raises(KeyError, match="gone"):
        number(FIELDS, "gone")
