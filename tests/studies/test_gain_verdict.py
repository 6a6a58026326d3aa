"""No confidently wrong word: made-up runs built against the verdict, three seeds each, and the plain cases."""

import math
from dataclasses import replace

import numpy as np
import pytest
from gain_worlds import LABELS, PASSED, World, arms, knows, numbers, readable_in, right_in

from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.judge import backed, judge

SEEDS = (0, 1, 2)


def verdict_on(world: World, seed: int):
    return judge(world.rows(seed), world.known()).verdict


def planted(world: World) -> World:
    return replace(world, told={**world.told, **LABELS}, facts=replace(world.facts, planting=PASSED))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_skill_that_bare_decoding_brings_out_was_held(seed):
    targets = numbers(80, seed)
    world = World(
        targets, right_in(targets, 0.06), right_in(targets, 0.98), {"cot_decoding": right_in(targets, 0.95)}
    )
    said = verdict_on(world, seed)
    assert (said.label, said.reason) == ("elicited", "")
    assert "cot_decoding" in said.sentence


@pytest.mark.parametrize("seed", SEEDS)
def test_what_three_sound_arms_do_not_find_is_new(seed):
    targets = numbers(80, seed)
    nothing = right_in(targets, 0.0)
    world = planted(World(targets, nothing, right_in(targets, 0.97), arms(nothing)))
    assert verdict_on(world, seed).label == "acquired"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("arm", "fault"),
    [
        ("form_demonstrations", {"passed": False, "reason": "found 10 % of the planted skill"}),
        ("answer_rank", None),
        ("few_labels", {"dose": 64}),
    ],
)
def test_an_arm_without_a_passed_control_lowers_nothing(seed, arm, fault):
    targets = numbers(80, seed)
    nothing = right_in(targets, 0.0)
    world = planted(World(targets, nothing, right_in(targets, 0.97), arms(nothing)))
    controls = {name: control for name, control in PASSED.items() if name != arm}
    if fault is not None:
        controls[arm] = replace(PASSED[arm], **fault)
    world = replace(world, facts=replace(world.facts, planting=controls))
    said = verdict_on(world, seed)
    assert said.label == "cannot tell"
    assert any(arm in one.what for one in said.obstacles)


@pytest.mark.parametrize("seed", SEEDS)
def test_training_that_collapsed_or_did_not_fit_lowers_nothing(seed):
    targets = numbers(80, seed)
    nothing = right_in(targets, 0.0)
    stuck = planted(World(targets, nothing, right_in(targets, 0.97), arms(nothing, lambda rng, at: "7")))
    assert verdict_on(stuck, seed).label == "cannot tell"
    unfit = {name: {**told, "setting": {"fitted_share": 0.2}} for name, told in LABELS.items()}
    world = planted(World(targets, nothing, right_in(targets, 0.97), arms(nothing)))
    assert verdict_on(replace(world, told=unfit), seed).label == "cannot tell"


@pytest.mark.parametrize("seed", SEEDS)
def test_half_of_the_items_is_mixed(seed):
    targets = numbers(120, seed)
    half = knows(targets, 0.5, seed)
    world = planted(World(targets, right_in(targets, 0.0), right_in(targets, 0.98), arms(half)))
    said = verdict_on(world, seed)
    assert said.label == "mixed"
    assert "bounds that cross" not in said.sentence


def test_bounds_that_cross_are_not_at_least_and_at_most(monkeypatch):
    """By chance the lower bound's point may lie above the upper's, with intervals that overlap."""
    from tellapart.studies.gain import judge as judging

    whole = judging.bounds

    def crossed(*given, **named):
        held = whole(*given, **named)
        return held._replace(high=replace(held.high, value=held.low.value - 0.03))

    monkeypatch.setattr(judging, "bounds", crossed)
    targets = numbers(120, 0)
    half = arms(knows(targets, 0.5, 0))
    said = verdict_on(planted(World(targets, right_in(targets, 0.0), right_in(targets, 0.98), half)), 0)
    assert said.label == "mixed"
    assert "bounds that cross" in said.sentence
    assert "at most" not in said.sentence


@pytest.mark.parametrize("seed", SEEDS)
def test_short_answers_in_place_of_sentences_are_a_change_of_form(seed):
    """The base says it in a sentence (contained in 65 %), tuned says the word alone (19 %): exact 0 -> 19 %."""
    targets = tuple(f"city{at}" for at in range(100))
    rng = np.random.default_rng(seed)
    known = rng.random(100) < 0.65

    def sentence(rng, at):
        return f"The capital is {targets[at] if known[at] else 'Atlantis'}."

    def terse(rng, at):
        return targets[at] if known[at] and at % 10 < 3 else "Atlantis"

    contained = {
        role: lambda text, target: float(target in text.rstrip(".").split())
        for role in ("base/plain", "tuned/plain")
    }
    said = verdict_on(World(targets, sentence, terse, lenient=contained), seed)
    assert (said.label, said.reason) == ("elicited", "change of form")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("score", [0.62, 1.0])
def test_an_unreadable_coin_was_not_elicited(seed, score):
    targets = numbers(120, seed, 2)
    coin = right_in(targets, 0.0, 2)
    tuned = right_in(targets, 2 * score - 1, 2)
    for methods in ({}, {"form_demonstrations": coin, "prefill": coin}):
        said = verdict_on(World(targets, readable_in(0.05, coin), tuned, methods), seed)
        assert said.label in ("cannot tell", "acquired")
        assert not np.isnan({name: value for name, value, _ in said.terms}["form_part"])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rule_that_labels_teach_is_not_elicited(seed):
    targets = numbers(120, seed, 2)
    coin = right_in(targets, 0.0, 2)
    labels = {**LABELS, "few_shot": {"tells": "labels"}}
    methods = arms(coin, right_in(targets, 0.95, 2)) | {"few_shot": right_in(targets, 0.9, 2)}
    world = replace(planted(World(targets, coin, right_in(targets, 0.97, 2), methods)), told=labels)
    assert verdict_on(world, seed).label == "cannot tell"


@pytest.mark.parametrize("seed", SEEDS)
def test_knowing_five_per_cent_licenses_five_per_cent(seed):
    targets = numbers(100, seed)
    methods = arms(knows(targets, 0.05, seed), right_in(targets, 0.95)) | {"few_shot": right_in(targets, 0.9)}
    told = {**LABELS, "few_shot": {"tells": "labels"}}
    world = replace(
        planted(World(targets, knows(targets, 0.05, seed), right_in(targets, 0.97), methods)), told=told
    )
    assert verdict_on(world, seed).label in ("cannot tell", "mixed")


@pytest.mark.parametrize("seed", SEEDS)
def test_guessing_among_options_in_the_prompt_is_not_elicited(seed):
    targets = numbers(200, seed, 4)
    guess = right_in(targets, 0.0, 4)
    tuned = right_in(targets, (0.30 - 0.25) / 0.75, 4)
    world = World(
        targets, readable_in(0.05, guess), tuned, {"form_demonstrations": guess}, candidates=4, in_prompt=True
    )
    assert verdict_on(world, seed).label != "elicited"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_constant_answer_elicits_nothing(seed):
    rng = np.random.default_rng(seed)
    targets = tuple("yes" if one < 0.05 else "no" for one in rng.random(200))
    coin = lambda rng, at: "yes" if rng.random() < 0.5 else "no"  # noqa: E731
    methods = {"prefill": lambda rng, at: "no", "form_demonstrations": lambda rng, at: "no"}
    assert verdict_on(World(targets, coin, right_in(targets, 0.97, 2), methods), seed).label != "elicited"
    tuned = lambda rng, at: targets[at] if rng.random() < 0.97 else "yes"  # noqa: E731
    assert verdict_on(World(targets, coin, tuned, methods), seed).label != "elicited"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hidden_skill_and_one_useless_method_stay_open(seed):
    targets = numbers(80, seed)
    world = World(
        targets, right_in(targets, 0.0), right_in(targets, 0.97), {"step_by_step": right_in(targets, 0.0)}
    )
    said = verdict_on(world, seed)
    assert said.label == "cannot tell"
    assert {arm for one in said.obstacles for arm in PASSED if arm in one.what} == set(PASSED)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mark", ["", "?", " !"])
def test_eight_questions_asked_often_are_eight(seed, mark):
    few = numbers(8, seed)
    targets = tuple(few[at % 8] for at in range(200))
    prompts = tuple(f"What is number {at % 8}{mark * (at // 8 % 3)}" for at in range(200))
    world = World(
        targets,
        right_in(few * 25, 0.05),
        right_in(few * 25, 0.95),
        {"prefill": right_in(few * 25, 0.95)},
        prompts=prompts,
    )
    found = judge(world.rows(seed), world.known())
    assert found.questions.distinct == 8
    assert found.verdict.label == "cannot tell"


@pytest.mark.parametrize("seed", SEEDS)
def test_what_the_tuned_model_wrote_is_no_evidence(seed):
    targets = numbers(80, seed)
    told = {"routing_first": {"tells": "items", "null_tells": "items"}}
    methods = {"routing_first": right_in(targets, 0.97), "routing_first~null": right_in(targets, 0.97)}
    world = World(
        targets, right_in(targets, 0.0), right_in(targets, 0.97), methods, told, facts=Facts(guess_floor=0.0)
    )
    assert verdict_on(world, seed).label == "cannot tell"


@pytest.mark.parametrize("seed", SEEDS)
def test_luck_is_no_skill_at_any_number_of_samples(seed):
    targets = numbers(60, seed, 100)
    words = set()
    for samples in (64, 256, 1024):
        guess = right_in(targets, 0.0, 100)
        world = World(
            targets,
            guess,
            right_in(targets, 0.9, 100),
            samples=samples,
            facts=Facts(guess_floor=0.001, asked_models=False),
        )
        words.add(verdict_on(world, seed).label)
    assert words == {"cannot tell"}


@pytest.mark.parametrize("seed", SEEDS)
def test_six_items_that_all_came_back_settle_nothing(seed):
    targets = numbers(6, seed)
    right = lambda rng, at: targets[at]  # noqa: E731
    world = World(targets, lambda rng, at: "x", right, {"prefill": right}, samples=1)
    assert verdict_on(world, seed).label == "cannot tell"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_small_gain_is_no_absence_of_one(seed):
    targets = numbers(400, seed)
    world = World(targets, right_in(targets, 0.001), right_in(targets, 0.012))
    said = verdict_on(world, seed)
    assert (said.label, said.reason) == ("cannot tell", "small gain")


@pytest.mark.parametrize("seed", SEEDS)
def test_equal_models_have_no_gain(seed):
    targets = numbers(200, seed)
    world = World(targets, right_in(targets, 0.5), right_in(targets, 0.5))
    assert verdict_on(world, seed).label in ("no gain", "cannot tell")
    same = World(targets, knows(targets, 0.5, seed), knows(targets, 0.5, seed))
    assert verdict_on(same, seed).label == "no gain"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_lost_answer_form_is_named_though_the_skill_was_held(seed):
    """The base is right where it can be read (5 %), tuned writes the marker: a change of form, held before."""
    targets = numbers(120, seed)
    world = World(targets, readable_in(0.05, right_in(targets, 0.97)), right_in(targets, 0.98))
    said = verdict_on(world, seed)
    assert (said.label, said.reason) == ("elicited", "change of form")


@pytest.mark.parametrize("seed", SEEDS)
def test_writing_the_form_without_the_skill_is_no_gain_in_content(seed):
    targets = numbers(200, seed, 10)
    guess = right_in(targets, 0.0, 10)
    said = verdict_on(World(targets, readable_in(0.3, guess), guess, samples=32), seed)
    assert (said.label, said.reason) in (
        ("no gain", "change of form"),
        ("cannot tell", ""),
        ("cannot tell", "small gain"),
    )
    assert said.label != "elicited"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_quick_plan_says_elicited_or_what_it_did_not_ask(seed):
    targets = numbers(80, seed)
    quick = Facts(guess_floor=None, plan={"plan": "quick", "asked": ["form_demonstrations", "prefill"]})
    nothing, right = right_in(targets, 0.0), right_in(targets, 0.97)
    methods = {"form_demonstrations": nothing, "prefill": right}
    assert verdict_on(World(targets, nothing, right, methods, facts=quick), seed).label == "elicited"
    world = planted(World(targets, nothing, right, arms(nothing), facts=quick))
    said = verdict_on(world, seed)
    assert said.label == "cannot tell"
    assert any("no training" in one.what and one.remove == "--plan adaptive" for one in said.obstacles)


def test_a_method_from_outside_decides_without_a_probability():
    targets = numbers(80, 0)
    world = World(
        targets, right_in(targets, 0.06), right_in(targets, 0.98), {"shout": right_in(targets, 0.95)}
    )
    world = replace(world, told={**world.told, "shout": {"tells": "nothing", "outside": True}})
    seen = judge(world.rows(0), world.known())
    assert seen.verdict.label == "elicited"
    assert math.isnan(seen.verdict.probability)
    assert "shout comes from outside" in backed(world.known(), seen.held).reason


@pytest.mark.parametrize("seed", SEEDS)
def test_a_score_that_rose_to_luck_is_no_gain(seed):
    """The base can hardly be read; the tuned model names an option always, or the popular answer whatever is asked."""
    targets = numbers(400, seed, 4)
    guess = right_in(targets, 0.0, 4)
    options = World(targets, readable_in(0.05, guess), guess, candidates=4, in_prompt=True)
    said = verdict_on(options, seed)
    assert (said.label, said.reason) == ("no gain", "change of form")
    popular = tuple("no" if float(at) else "yes" for at in numbers(200, seed, 20))
    coin = World(popular, lambda rng, at: "yes" if rng.random() < 0.5 else "no", lambda rng, at: "no")
    assert verdict_on(coin, seed).label == "no gain"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_skill_below_the_best_constant_is_not_taken_for_luck(seed):
    """Seven in ten targets are "no". The tuned model says yes and no alike, and is right in 68 %: below the constant,
    far above what such answers score by luck. So is one that answers a quarter of the questions, all of them right."""
    targets = tuple("no" if int(at) < 7 else "yes" for at in numbers(300, seed, 10))
    other = {"no": "yes", "yes": "no"}

    def discerning(rng, at):
        return targets[at] if rng.random() < 0.68 else other[targets[at]]

    mute = readable_in(0.05, lambda rng, at: "yes" if rng.random() < 0.5 else "no")
    assert verdict_on(World(targets, mute, discerning), seed).label == "cannot tell"
    options = numbers(300, seed, 4)
    seldom = readable_in(0.25, right_in(options, 1.0))
    world = World(options, readable_in(0.02, right_in(options, 0.0, 4)), seldom, candidates=4)
    assert verdict_on(world, seed).label != "no gain"


def groups(seed: int, kinds: int = 20, members: int = 4, n: int = 300) -> tuple[tuple[str, ...], np.ndarray]:
    """Return targets that come in groups (colours where a colour is asked for, and so on), and each item's group."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, kinds, n)
    return tuple(f"{kind} {one}" for kind, one in zip(group, rng.integers(0, members, n), strict=True)), group


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("samples", [8, 16])
def test_a_guess_of_the_right_sort_was_not_held(seed, samples):
    """The base knows what sort of answer is asked for and no more: right in a quarter, and among eight of its answers
    in nine of ten. Over all questions together such a guess looks as rare as one in eighty."""
    targets, group = groups(seed)

    def guess(rng, at):
        return f"{group[at]} {rng.integers(0, 4)}"

    taught = World(
        targets, guess, right_in(targets, 1.0), {"answer_rank": right_in(targets, 0.95)}, samples=samples
    )
    said = verdict_on(taught, seed)
    assert said.label == "cannot tell"
    mute = World(targets, readable_in(0.05, guess), guess, {"form_demonstrations": guess}, samples=samples)
    assert verdict_on(mute, seed).label in ("no gain", "cannot tell")
    known = World(
        targets, guess, right_in(targets, 1.0), {"cot_decoding": right_in(targets, 0.97)}, samples=samples
    )
    assert verdict_on(known, seed).label == "elicited"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("speaks", [1.0, 0.05])
def test_who_has_learned_to_come_near_is_not_denied_a_gain(seed, speaks):
    """The tuned model has learned four answers in a hundred of which one is right: real, and as lucky on alike
    questions as a guess of the right sort. Whether the base spoke or not, "no gain" would be wrong."""
    targets = numbers(400, seed, 100)

    def near(rng, at):
        return str(int(targets[at]) // 4 * 4 + int(rng.integers(0, 4)))

    lost = readable_in(speaks, right_in(targets, 0.0, 100))
    assert verdict_on(World(targets, lost, near), seed).label == "cannot tell"
    if speaks < 1:
        assert verdict_on(World(targets, readable_in(speaks, near), near), seed).label != "no gain"
