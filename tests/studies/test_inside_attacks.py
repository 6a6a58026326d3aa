"""Cases that `inside` must not put a wrong word on: no training, shuffled labels, few prompts, a loud direction."""

import numpy as np
import pytest
import torch

from tellapart.internals.concept_figures import ConceptFigures, ConceptSettings, measure_concepts
from tellapart.internals.concepts import ConceptPair, read_concepts
from tellapart.internals.features import chance_decodability, held_out_decodability
from tellapart.internals.modules import Inside, look_inside
from tellapart.internals.reuse import random_reuse, readout, reuse_estimate, reuse_limit
from tellapart.internals.twins import Recipe, train_twin
from tellapart.models.local import LocalModel
from tellapart.specimens import load_model
from tellapart.stats.estimate import Estimate
from tellapart.studies.inside.language import verdict_on
from tellapart.studies.inside.levels import decide_levels, level_of
from tellapart.studies.inside.modules import compare_modules
from tellapart.studies.inside.verdict import Same, Side, same_scores

SAME = Same(True, "The scores do not tell them apart")


def some_pairs(most: int = 12) -> list[ConceptPair]:
    """Return at most so many pairs of each concept and context."""
    kept: dict[tuple[str, str], list[ConceptPair]] = {}
    for pair in read_concepts("specimen:sums"):
        kept.setdefault((pair.concept, pair.context), []).append(pair)
    return [pair for some in kept.values() for pair in some[:most]]


def shuffled(pairs: list[ConceptPair]) -> list[ConceptPair]:
    """Return the pairs with the sides of a random half exchanged, answers with them: the labels mean nothing."""
    coin = np.random.default_rng(3).integers(0, 2, len(pairs))
    return [
        ConceptPair(
            one.concept, one.context, one.negative, one.positive, one.negative_answer, one.positive_answer
        )
        if turned
        else one
        for one, turned in zip(pairs, coin, strict=True)
    ]


def measured(model: LocalModel, pairs: list[ConceptPair]) -> ConceptFigures:
    return measure_concepts(model, pairs, ConceptSettings(layer=0, tuning=0))


def untrained(seed: int) -> LocalModel:
    like = load_model("shared-sums-0")
    torch.manual_seed(seed)
    return LocalModel(type(like.module)(like.module.config), like.tokenizer, f"untrained {seed}")


def test_a_model_beside_itself_shows_no_difference() -> None:
    found = measured(load_model("shared-sums-0"), some_pairs(24))
    assert verdict_on(found, found).label == "no difference"
    assert (
        found.estimates["linear_decodability/parity"].value
        > found.estimates["null_linear_decodability/parity"].high
    )
    assert found.estimates["cross_effect"].value > found.estimates["net_cross_effect"].value
    assert found.estimates["prompt_pairs/parity"].value == 24


def test_models_without_training_are_not_classed() -> None:
    one, other = (measured(untrained(seed), some_pairs()) for seed in (0, 1))
    for found in (one, other):
        assert level_of(found.estimates).kind == "undecided"
    assert verdict_on(one, other).label == "cannot tell"
    assert verdict_on(one, one).label == "cannot tell"


@pytest.mark.parametrize("kind", ["shared", "split"])
def test_shuffled_labels_are_not_decodable_and_that_is_said(kind: str) -> None:
    found = measured(load_model(f"{kind}-sums-0"), shuffled(some_pairs(24)))
    assert level_of(found.estimates).kind == "undecided"
    said = verdict_on(found, found)
    assert said.label == "cannot tell"
    assert "not linearly decodable above chance" in said.sentence


@pytest.mark.parametrize("kind", ["shared", "split"])
def test_four_prompt_pairs_are_too_few_and_how_many_are_missing_is_said(kind: str) -> None:
    found = measured(load_model(f"{kind}-sums-0"), some_pairs(4))
    assert level_of(found.estimates).kind == "undecided"
    said = verdict_on(found, found)
    assert said.label == "cannot tell"
    assert "4 are missing" in said.sentence or "not linearly decodable" in said.sentence
    assert "more points (prompts) are needed" in said.sentence


def loud(own: bool, seed: int, loudness: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return states of 12 pairs in each of four contexts, positive ones first, which hold a concept along one direction
    or each context its `own`, and vary along one more, as loud as given, that means nothing."""
    random = np.random.default_rng(seed)
    context = np.tile(np.repeat(np.arange(4), 12), 2)
    side = np.repeat([1, 0], 48)
    held = np.eye(64)[context if own else np.zeros_like(context)] * side[:, None]
    noise = 0.05 * random.standard_normal(held.shape)
    return (
        held + noise + loudness * random.standard_normal(96)[:, None] * np.eye(64)[9],
        side,
        context.astype(str),
    )


def figures_of(points: tuple[np.ndarray, np.ndarray, np.ndarray]) -> dict[str, Estimate]:
    found = {"linear_decodability/c": held_out_decodability(points[0], points[1], 0),
             "null_linear_decodability/c": chance_decodability(points[0], points[1], 0, copies=2)}  # fmt: skip
    for name in ("direction", "unit", "reading"):
        for figure, of in (("reuse", reuse_estimate), ("limit", reuse_limit), ("readout", readout)):
            found[f"{name}_{figure}/c"] = of(*points, 0)
        found[f"null_{name}_reuse/c"] = random_reuse(*points, 0)
    return found


@pytest.mark.parametrize("own", [False, True])
def test_a_loud_direction_that_means_nothing_makes_no_class(own: bool) -> None:
    truth = "fractured" if own else "organised"
    assert level_of(figures_of(loud(own, 0, 0.0))).kind == truth
    for seed in range(20):
        for loudness in (3.0, 30.0):
            assert level_of(figures_of(loud(own, seed, loudness))).kind in (truth, "undecided"), (
                seed,
                loudness,
            )


def test_a_cross_effect_of_any_vector_as_long_is_no_fracture() -> None:
    quiet = figures_of(loud(False, 0, 0.0))
    figures = quiet | {name.replace("/c", "/d"): one for name, one in quiet.items()}
    crossed = Estimate(0.6, 0.55, 0.65, 48, "share of own effect", "")
    net = Estimate(0.02, -0.1, 0.14, 48, "share of own effect", "")
    level = level_of(figures | {"cross_effect": crossed, "net_cross_effect": net})
    assert level.kind == "undecided"
    assert "random vectors of equal norm" in level.why["cross_effect"]
    assert level_of(figures | {"cross_effect": crossed, "net_cross_effect": crossed}).kind == "fractured"


def test_an_open_reuse_says_how_many_prompt_pairs_are_missing() -> None:
    open_one = Estimate(0.5, 0.4, 0.6, 48, "cosine", "")
    quiet = figures_of(loud(False, 0, 0.0))
    pairs = {"prompt_pairs/c": Estimate(24.0, 24.0, 24.0, 96, "pairs", "")}
    side = Side("a", quiet | pairs | {"reading_reuse/c": open_one})
    said = decide_levels(side, side, SAME)
    assert said.label == "cannot tell"
    assert "about 46 more prompt pairs a concept and context" in said.sentence


def test_scores_that_are_not_shown_equal_are_not_called_unequal() -> None:
    rng = np.random.default_rng(1)
    one = (rng.random(60) < 0.9).astype(float)
    other = np.roll(one, 7)
    told = same_scores(("a", "b"), one.tolist(), other.tolist())
    assert told.same is None
    assert "not shown to be equal" in told.words
    assert "more points (prompts)" in told.words
    assert "are not equal" not in told.words
    assert same_scores(("a", "b"), [1.0] * 50, [1.0] * 20 + [0.0] * 30).same is False


def looked(trained: bool, shuffle: bool = False) -> Inside:
    recipe = Recipe("shared", "squares", 9)
    twin = train_twin(recipe)
    questions = twin.questions
    if not trained:
        torch.manual_seed(1)
        for weight in twin.module.parameters():
            torch.nn.init.normal_(weight, std=0.3)
    if shuffle:
        order = np.random.default_rng(0).permutation(len(twin.inputs))
        concepts = {name: np.asarray(values)[order] for name, values in questions.concepts.items()}
        questions = type(questions)(questions.targets, concepts, questions.contexts)
    return look_inside(twin.module, ["hidden1", "hidden2"], twin.inputs, questions, 0, "twin")


def test_modules_at_chance_or_with_shuffled_concepts_are_not_told_apart() -> None:
    for found, says in (
        (looked(trained=False), "not above that of the best constant answer"),
        (looked(trained=True, shuffle=True), "not linearly decodable above chance"),
    ):
        said = compare_modules(found, found)
        assert said.label == "cannot tell"
        assert says in said.sentence
