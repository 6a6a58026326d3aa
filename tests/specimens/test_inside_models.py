"""Twins of language models: their worlds, what exchanges must do, and the parts of their training, by hand."""

import pytest
import torch

from tellapart.errors import UserMistake
from tellapart.specimens import inside
from tellapart.specimens.inside.exchanging import draw_prompts, exchanging, lesions, measure, wanted_of
from tellapart.specimens.inside.recipe import CONTEXTS, KINDS, Recipe, exchanges
from tellapart.specimens.inside.training import held_elsewhere, smallest, turn
from tellapart.specimens.inside.truth import read_truth
from tellapart.specimens.inside.twin import Rows, Twin, empty_places, logits_of, new_twin
from tellapart.specimens.inside.worlds import WORLDS, prompt_of, world_pairs


@pytest.mark.parametrize("name", WORLDS)
def test_pairs_differ_in_one_concept_only(name: str) -> None:
    world = WORLDS[name]
    facts = {prompt_of(world, c, i): world.holds[i] for c in range(CONTEXTS) for i in range(len(world.items))}
    pairs = world_pairs(world)
    assert len(set(pairs)) == len(pairs) == 2 * CONTEXTS * 24
    for pair in pairs:
        at = [one.name for one in world.concepts].index(pair.concept)
        yes, no = facts[pair.positive], facts[pair.negative]
        assert (yes[at], no[at]) == (True, False)
        assert yes[1 - at] == no[1 - at]
    for concept in range(2):
        share = sum(told[concept] for told in world.holds) / len(world.holds)
        assert 0.25 < share < 0.75


def rows_of(twin: Twin, count: int = 32) -> Rows:
    draw = torch.Generator().manual_seed(1)
    highs = (CONTEXTS, len(twin.asked.facts), 2)
    return Rows(*(torch.randint(high, (count,), generator=draw) for high in highs))


@pytest.mark.parametrize("kind", KINDS)
def test_what_must_come_of_an_exchange_follows_from_the_causal_model(kind) -> None:
    twin = new_twin(Recipe(kind))
    facts = twin.asked.facts
    for at, exchange in enumerate(twin.exchanges):
        chosen = torch.full((64,), at)
        base, source = draw_prompts(twin, chosen, torch.Generator().manual_seed(at))
        wanted = wanted_of(twin, chosen, base, source)
        plain = facts[base.item, base.concept]
        if not exchange.moves:
            assert (wanted == plain).all()
        elif kind == "tangled" and exchange.places == (0,):
            agree = facts[base.item, 2]
            first = facts[source.item, 0]
            # the second concept is read off as the first (now the other prompt's), turned round where they disagree
            assert (wanted == torch.where(base.concept == 0, first, first == agree)).all()
        elif exchange.moves == ((0, 0), (1, 1)):
            assert (wanted == facts[source.item, base.concept]).all()
            assert (base.context == source.context).all()
        assert (wanted != plain).any() == bool(exchange.moves)


def test_an_exchange_with_itself_changes_nothing_and_another_does() -> None:
    twin = new_twin(Recipe("shared"))
    rows = rows_of(twin)
    same = Rows(*(torch.cat([column, column]) for column in rows))
    with torch.no_grad():
        plain = logits_of(twin, rows)
        with exchanging(twin, torch.zeros(32, dtype=torch.long), same):
            again = logits_of(twin, same)
        torch.testing.assert_close(again[:32], plain, atol=1e-5, rtol=1e-4)
        other = Rows(*(torch.cat([column, column.flip(0)]) for column in rows))
        with exchanging(twin, torch.full((32,), 2), other):
            moved = logits_of(twin, other)
    assert (moved[:32] - plain).abs().max() > 1e-4
    torch.testing.assert_close(moved[32:], plain.flip(0), atol=1e-5, rtol=1e-4)


def test_a_turned_model_answers_as_before() -> None:
    twin = new_twin(Recipe("split"))
    rows = rows_of(twin)
    before = {name: value.clone() for name, value in twin.model.named_parameters()}
    with torch.no_grad():
        plain = logits_of(twin, rows)
        turn(twin.model, 3)
        torch.testing.assert_close(logits_of(twin, rows), plain, atol=1e-4, rtol=1e-3)
    name = "model.layers.0.mlp.up_proj.weight"
    assert (twin.model.get_parameter(name) - before[name]).abs().max() > 1e-3


def test_what_is_held_elsewhere_is_0_where_only_own_places_vary() -> None:
    twin = new_twin(Recipe("split"))
    context = torch.arange(64) % CONTEXTS
    own = 1 - empty_places(twin, context)
    assert own.sum(1).eq(12).all()
    drawn = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    constant = torch.randn(CONTEXTS, 64, generator=torch.Generator().manual_seed(1))[context]
    kept = (drawn * own) @ twin.basis.T + constant
    assert float(held_elsewhere(twin, kept, context)) < 1e-9
    free = float(held_elsewhere(twin, drawn, context))
    assert free == pytest.approx(52 / 64, abs=0.05)


def test_lesions_and_measuring_leave_the_model_as_it_was() -> None:
    twin = new_twin(Recipe("units", "names"))
    before = {name: value.clone() for name, value in twin.model.named_parameters()}
    found = lesions(twin)
    assert set(measure(twin, 16)) == {
        "plain",
        *(f"exchange_{at}" for at in range(4)),
        *found,
        "exchanged",
    }
    for name, value in twin.model.named_parameters():
        assert torch.equal(value, before[name])
    for name, kept in smallest(twin.model).items():
        assert float(kept.mean()) == pytest.approx(0.7, abs=0.01), name


def test_names_are_read_and_bad_ones_give_one_line() -> None:
    recipe = Recipe("shared", "names", 1, "pruned", True)
    assert recipe.name == "shared_pruned_turned-names-1"
    assert inside.read_name(recipe.name) == recipe
    assert len({len(exchanges(kind)) for kind in KINDS}) > 2
    for name in ("shared-sums", "shared_odd-sums-0", "split-nowhere-0", "../x-sums-0"):
        with pytest.raises(UserMistake, match="KIND") as told:
            inside.read_name(name)
        assert "\n" not in str(told.value)
    with pytest.raises(UserMistake, match="are not installed: pip install"):
        inside.load_model("free-order-9")


def test_truths_follow_from_kinds() -> None:
    assert read_truth("shared-sums-0", "split-sums-0") == "organised"
    assert read_truth("tangled-sums-0", "shared-sums-0") == "fractured"
    assert read_truth("units-sums-0", "units-sums-1") == "no difference"
    assert read_truth("shared_pruned-sums-0", "shared-sums-0") == "no difference"
    for pair in (("split-sums-0", "units-sums-0"), ("free-sums-0", "shared-sums-0")):
        with pytest.raises(UserMistake, match="no truth"):
            read_truth(*pair)
