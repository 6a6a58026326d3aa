"""Slices declared beforehand: one elicited and another acquired is mixed, and no word of the whole hides it."""

from dataclasses import replace

import pytest
from gain_worlds import LABELS, PASSED, World, arms, numbers, right_in

from tellapart.errors import UserMistake
from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.judge import judge
from tellapart.studies.gain.slices import slice_table, slice_values
from tellapart.tasks.item import Item

SEEDS = (0, 1, 2)


def in_part(targets, share: float):
    """Right in the first `share` of the items, a guess in the others."""
    held = len(targets) * share
    return lambda rng, at: targets[at] if at < held else str(rng.integers(0, 10_000))


def run(seed: int, held: float, planted: bool = True, declared: bool = True, at: float | None = None):
    """Rows and facts of a run whose first `held` of the items come back; slices are parted `at`."""
    targets = numbers(120, seed)
    some, nothing = in_part(targets, held), right_in(targets, 0.0)
    facts = Facts(guess_floor=None, planting=PASSED if planted else {})
    world = World(
        targets, nothing, right_in(targets, 0.97), {"prefill": some} | arms(some), LABELS, facts=facts
    )
    known = world.known()
    part = 120 * (held if at is None else at)
    items = {
        world.name(place): {**known.items[world.name(place)], "slice": "+" if place < part else "-"}
        for place in range(120)
    }
    return world.rows(seed), replace(known, items=items, slice="sign" if declared else "")


@pytest.mark.parametrize("seed", SEEDS)
def test_plus_held_and_minus_taught_is_mixed_by_slices(seed):
    found = judge(*run(seed, 0.5))
    assert found.verdict.label == "mixed"
    assert found.slices is not None
    assert [one.word for one in found.slices.slices] == ["elicited", "acquired"]
    assert "'+' elicited" in found.verdict.sentence
    assert "'-' acquired" in found.verdict.sentence


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slice_that_was_not_held_keeps_the_whole_from_being_called_elicited(seed):
    """80 % came back, but nothing of one slice: without the field the whole is called elicited."""
    assert judge(*run(seed, 0.82, declared=False)).verdict.label == "elicited"
    whole = judge(*run(seed, 0.82, planted=False))
    assert whole.verdict.label == "cannot tell"
    assert any("differ by sign" in one.what for one in whole.verdict.obstacles)
    assert "'-' open" in whole.verdict.sentence


@pytest.mark.parametrize("seed", SEEDS)
def test_slices_that_do_not_differ_change_no_word(seed):
    rows, facts = run(seed, 1.0, at=0.5)
    found = judge(rows, facts)
    assert found.verdict.label == "elicited"
    assert found.slices is not None
    assert not found.slices.test.differs
    table = slice_table(found.slices)
    assert [line.slice for line in table] == ["+", "-"]


def test_few_questions_earn_a_slice_no_word():
    found = judge(*run(0, 0.1))
    assert found.slices is not None
    assert found.slices.slices[0].word == ""


def test_a_field_must_be_there_and_have_few_values():
    items = [Item(str(at), {"sign": "+-"[at % 2], "n": at}, ("1",)) for at in range(30)]
    assert slice_values(items, "sign")["0"] == "+"
    with pytest.raises(UserMistake, match="there are: n, sign, cluster"):
        slice_values(items, "kind")
    with pytest.raises(UserMistake, match="30 values"):
        slice_values(items, "n")
