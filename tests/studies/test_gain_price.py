"""The price of teaching in the verdict: labels raise L only beyond the same labels in a comparable reference."""

from dataclasses import replace

import pytest
from gain_worlds import COMPARABLE, PASSED, World, arms, dosed, labelled, numbers, readable_in, right_in

from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.judge import judge
from tellapart.studies.gain.price import TEACHING

SEEDS = (0, 1, 2)
DOSES = (1, 2, 4, 8, 16, 32, 64)


def learner(targets, price: float, most: float = 0.97):
    """By dose: right in half of `most` at `price` labels."""
    return {dose: right_in(targets, most / (1 + (price / dose) ** 3)) for dose in DOSES}


def taught(seed: int, base: float, reference: float, priced=COMPARABLE, plain=None) -> World:
    targets = numbers(80, seed)
    nothing = right_in(targets, 0.0)
    mine, theirs = learner(targets, base), learner(targets, reference)
    return World(
        targets,
        nothing,
        right_in(targets, 0.97),
        {"prefill": nothing} | dosed(mine),
        labelled(mine),
        reference={"plain": plain or nothing} | dosed(theirs),
        facts=Facts(guess_floor=None, priced=priced),
    )


def judged(world: World, seed: int):
    return judge(world.rows(seed), world.known())


@pytest.mark.parametrize("seed", SEEDS)
def test_labels_that_open_the_base_and_teach_the_reference_nothing_show_what_was_held(seed):
    found = judged(taught(seed, 4, 1e6), seed)
    assert found.verdict.label == "elicited"
    assert TEACHING in found.verdict.sentence
    assert "told no right answer" not in found.verdict.sentence


@pytest.mark.parametrize("seed", SEEDS)
def test_without_the_reference_the_same_rows_settle_nothing(seed):
    world = taught(seed, 4, 1e6)
    found = judge(world.rows(seed), replace(world.known(), reference={}))
    assert found.verdict.label == "cannot tell"
    assert any("--reference" in one.remove for one in found.verdict.obstacles)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("base", "reference"), [(8, 8), (8, 16), (24, 24)])
def test_what_labels_teach_the_reference_as_well_was_not_held(seed, base, reference):
    verdict = judged(taught(seed, base, reference), seed).verdict
    assert verdict.label == "cannot tell"


def unlike(**change):
    return {**COMPARABLE, "rules": [{**one, **change} for one in COMPARABLE["rules"]]}


SLOW = [[0.25], [0.25], [0.25], [0.3], [0.4]]
HARD = [[0.25], [0.25], [0.25], [0.3], [0.35]]
QUICK = [[0.9], [1.0], [1.0], [1.0], [1.0]]


@pytest.mark.parametrize(
    ("priced", "told"),
    [
        ({**COMPARABLE, "by_tool": True}, "made by the tool"),
        ({"by_tool": False}, "made-up rules were not tried"),
        (unlike(reference=SLOW), "did not learn a made-up rule"),
        (unlike(reference=QUICK), "more than a factor of 2"),
        (unlike(base=QUICK, reference=QUICK), "labels prove nothing"),
    ],
)
def test_a_reference_that_is_not_comparable_raises_nothing(priced, told):
    found = judged(taught(0, 4, 1e6, priced), 0)
    assert found.verdict.label == "cannot tell"
    assert any(told in one.what for one in found.verdict.obstacles)
    assert found.held.teaching is not None
    assert found.held.teaching.claim is None


@pytest.mark.parametrize(
    ("hard", "apart", "told"),
    [
        (1, 0.0, ""),
        (1, 0.2, "did not learn a made-up rule"),
        (2, 0.0, "1 of 3 made-up rules"),
        (3, 0.0, "0 of 3 made-up rules"),
    ],
)
def test_one_rule_that_neither_learns_is_alike_in_both(hard, apart, told):
    """The two that both learned show how fast each learns. Where the base holds much more of it, or two rules were too
    hard, nothing is shown."""
    most = {"base": [*HARD[:-1], [0.35 + apart]], "reference": HARD}
    rules = [{**rule, **(most if at < hard else {})} for at, rule in enumerate(COMPARABLE["rules"])]
    found = judged(taught(0, 4, 1e6, {**COMPARABLE, "rules": rules}), 0)
    assert (found.verdict.label == "elicited") == (not told)
    assert not told or any(told in one.what for one in found.verdict.obstacles)


def test_the_rule_that_was_too_hard_does_not_count_as_learned():
    quick = [{**rule, "base": QUICK, "reference": QUICK} for rule in COMPARABLE["rules"]]
    rules = [{**quick[0], "base": HARD, "reference": HARD}, *quick[1:]]
    found = judged(taught(0, 4, 1e6, {**COMPARABLE, "rules": rules}), 0)
    assert any("the base learns 2 made-up rules" in one.what for one in found.verdict.obstacles)


def test_a_reference_that_has_met_the_skill_or_cannot_be_read_raises_nothing():
    targets = numbers(80, 0)
    knows = judged(taught(0, 4, 1e6, plain=right_in(targets, 0.3)), 0)
    assert any("met the skill" in one.what for one in knows.verdict.obstacles)
    world = taught(0, 4, 1e6)
    mute = {
        name: readable_in(0.5, answer) if "@" in name else answer for name, answer in world.reference.items()
    }
    found = judged(replace(world, reference=mute), 0)
    assert found.verdict.label == "cannot tell"
    assert any("readable" in one.what for one in found.verdict.obstacles)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rule_that_labels_teach_anyone_is_new_with_a_reference(seed):
    """Two of the arms find nothing and the third no more than it teaches the reference: acquired; without the
    reference, or with one made by the tool, that stays open."""
    world = taught(seed, 12, 12)
    nothing = right_in(world.targets, 0.0)
    methods = {**world.methods, **{name: one for name, one in arms(nothing).items() if "@" not in name}}
    world = replace(world, methods=methods, facts=replace(world.facts, planting=PASSED))
    rows, facts = world.rows(seed), world.known()
    assert judge(rows, facts).verdict.label == "acquired"
    assert judge(rows, replace(facts, reference={})).verdict.label == "cannot tell"
    by_tool = replace(facts, priced={**COMPARABLE, "by_tool": True})
    assert judge(rows, by_tool).verdict.label == "cannot tell"
