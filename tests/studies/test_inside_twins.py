"""The verdict on trained twins of known kind (benchmarks/inside_twins.py has the figure over many), and its rules."""

import numpy as np
import pytest

from tellapart.internals.modules import Inside, look_inside
from tellapart.internals.twins import Recipe, train_twin
from tellapart.stats.estimate import Estimate
from tellapart.studies.inside.modules import compare_modules
from tellapart.studies.inside.verdict import Same, Side, decide, same_scores


def look(recipe: Recipe) -> Inside:
    twin = train_twin(recipe)
    return look_inside(twin.module, ["hidden1", "hidden2"], twin.inputs, twin.questions, 0, recipe.name)


@pytest.fixture(scope="module")
def twins() -> dict[str, Inside]:
    recipes = (
        Recipe("shared", "squares", 9), Recipe("split", "squares", 9, "", True), Recipe("pressed", "squares", 9),
        Recipe("split", "squares", 9, "pruned"),
    )  # fmt: skip
    return {f"{recipe.wiring}{recipe.sparse}": look(recipe) for recipe in recipes}


def test_twins_score_and_decode_alike_and_are_told_apart(twins: dict[str, Inside]) -> None:
    shared, split = twins["shared"], twins["split"]
    assert shared.scores is not None
    assert split.scores is not None
    assert shared.scores.mean() == split.scores.mean() == 1
    decodable = [side.estimates["linear_decodability"].value for side in (shared, split)]
    assert abs(decodable[0] - decodable[1]) < 0.05
    verdict = compare_modules(shared, split)
    assert (verdict.label, compare_modules(split, shared).label) == ("organised", "fractured")
    assert verdict.rests_on == ("direction_reuse",)
    assert "do not tell them apart" in verdict.sentence


def test_twins_with_as_many_routines_show_no_difference(twins: dict[str, Inside]) -> None:
    assert compare_modules(twins["shared"], twins["pressed"]).label == "no difference"
    assert compare_modules(twins["splitpruned"], twins["split"]).label == "no difference"


def test_unequal_scores_are_no_twins(twins: dict[str, Inside]) -> None:
    told = same_scores(("a", "b"), [1.0] * 50, [1.0] * 30 + [0.0] * 20)
    assert told.same is False
    split = Side("b", twins["split"].estimates)
    assert decide(Side("a", twins["shared"].estimates), split, told).label == "cannot tell"
    assert same_scores(("a", "b"), [1.0], [1.0]).same is None


def side(name: str, **values: float) -> Side:
    return Side(name, {key: Estimate(v, v, v, 9, "", "") for key, v in values.items()})


def test_what_survives_a_rotation_is_preferred() -> None:
    same = Same(True, "The scores do not tell them apart")
    one = side(
        "a",
        tangent_participation_ratio=2.0,
        symmetric_variance=0.9,
        distinct_features=90.0,
        shared_symmetry=0.0,
    )
    other = side(
        "b",
        tangent_participation_ratio=9.0,
        symmetric_variance=0.5,
        distinct_features=9.0,
        shared_symmetry=0.9,
    )
    found = decide(one, other, same)
    assert found.label == "organised"
    assert set(found.rests_on) == {"tangent_participation_ratio", "symmetric_variance"}
    assert found.votes["distinct_features"].value == 1
    few = decide(side("a", distinct_features=90.0), side("b", distinct_features=9.0), same)
    assert few.label == "cannot tell"
    lost = decide(side("a", direction_reuse=np.nan), side("b", direction_reuse=1.0), same)
    assert lost.label == "cannot tell"
