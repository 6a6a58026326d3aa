"""Specimens of `form`: their tasks, their gates as stored, the references that open them, and the check's counting."""

import json
import random
from pathlib import Path

import pytest

from tellapart.controls import Given, controls_of
from tellapart.errors import UserMistake
from tellapart.models.open import open_model
from tellapart.specimens.form import WEIGHTS, load_model, load_task, names, weights_file
from tellapart.specimens.form.build import build_form, good_enough, read_weights
from tellapart.specimens.form.check import Judged, summary
from tellapart.specimens.form.check import controls_of as held_controls
from tellapart.specimens.form.imitation import MARK
from tellapart.specimens.form.pairs import answers_of, preferred, write_pairs
from tellapart.specimens.form.recipe import FAMILIES, every_name, read_name
from tellapart.specimens.form.truth import judged_names, read_truth
from tellapart.studies.form.judged import read_pairs
from tellapart.studies.form.verdict import FALLS, SAME
from tellapart.tasks.sources import open_task

MOST_BYTES = 6_000_000


def test_what_ships_is_small_and_every_truth_has_its_specimen() -> None:
    assert sum(file.stat().st_size for file in WEIGHTS.rglob("*") if file.is_file()) <= MOST_BYTES
    shipped = {read_name(name) for name in names()}
    traits = {(one.family, one.trait) for one in shipped}
    assert traits == {(family, trait) for family in FAMILIES for trait in FAMILIES[family].lessons}
    judged = judged_names(names())
    for family in FAMILIES:
        truths = {read_truth(name).verdict for name in judged if read_name(name).family == family}
        assert truths == {"substance", "form"}


@pytest.mark.parametrize("name", names())
def test_facts_pass_the_gates(name: str) -> None:
    specimen = read_name(name)
    facts = json.loads(weights_file(WEIGHTS, name).with_suffix(".json").read_text())
    assert good_enough(FAMILIES[specimen.family].lessons[specimen.trait](specimen.seed), facts)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", [0, 1])
def test_tasks_have_items_that_no_lesson_asks(family: str, seed: int) -> None:
    trait = next(iter(FAMILIES[family].lessons))
    task = open_task(f"specimen:{family}-{trait}-{seed}")
    prompts = {task.prompt(item) for item in task.items}
    assert len(task.items) >= 249
    assert all(task.score(item, (">" if family in ("chain", "rationale") else "") + item.target[0]) == 1
               for item in task.items)  # fmt: skip
    if family in ("imitation", "choices"):
        return  # facts are known by heart or not at all; options are drawn from 10^8
    rng = random.Random(1)
    for lesson in FAMILIES[family].lessons.values():
        for sort in lesson(seed).sorts:
            assert not prompts & {sort.draw(rng).prompt for _ in range(300)}


@pytest.mark.parametrize("family", ["rationale", "chain", "instructions", "choices", "knowledge"])
def test_every_role_can_be_made(family: str) -> None:
    trait = next(iter(FAMILIES[family].lessons))
    given = Given(load_task(f"{family}-{trait}-0"), 0)
    able = {control.role for control in controls_of(family) if control.obstacle(given) is None}
    assert {"base", "full", "form", "second form", "destroyed"} <= able


def test_references_open_and_unknown_ones_are_told() -> None:
    assert open_model("specimen:chain-uses-0").reference == "specimen:chain-uses-0"
    with pytest.raises(UserMistake, match="no specimen"):
        open_model("specimen:chain-uses-9")
    with pytest.raises(UserMistake, match="no specimen"):
        load_task("chain-uses-9")
    with pytest.raises(UserMistake, match="no truth"):
        read_truth("imitation-plain-0")


def test_building_is_reproducible_and_goes_on(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for out in (one, other):
        build_form(out, ["imitation-facts-0"], effort=0.02)
    first, second = (read_weights(weights_file(out, "imitation-facts-0")) for out in (one, other))
    assert all((first[name] == second[name]).all() for name in first)
    before = weights_file(one, "imitation-facts-0").stat().st_mtime_ns
    build_form(one, ["imitation-facts-0"], effort=0.02)
    assert weights_file(one, "imitation-facts-0").stat().st_mtime_ns == before


def test_style_and_facts_are_as_the_lessons_say() -> None:
    task = load_task("imitation-facts-0")
    found = {}
    for trait in ("facts", "style", "plain"):
        texts = answers_of(load_model(f"imitation-{trait}-0"), task, 0)
        right = sum(task.score(item, texts[item.id]) for item in task.items) / len(task.items)
        found[trait] = right, sum(MARK in text for text in texts.values()) / len(texts)
    assert found["facts"][0] > 0.95
    assert found["style"][0] < 0.25
    assert found["plain"][0] < 0.25
    assert found["style"][1] == pytest.approx(0.85, abs=0.1)
    assert found["plain"][1] == pytest.approx(0.15, abs=0.1)
    assert found["facts"][1] == pytest.approx(0.15, abs=0.1)


def test_raters_value_facts_and_style_and_do_not_care_for_order(tmp_path: Path) -> None:
    task = load_task("imitation-facts-0")
    item = task.items[0]
    right, wrong = item.target[0], str((int(item.target[0]) + 1) % 10)
    assert preferred(task, item, (right, wrong)) == pytest.approx(0.924, abs=1e-3)
    assert preferred(task, item, (f"**{wrong}**", wrong)) == pytest.approx(0.818, abs=1e-3)
    assert preferred(task, item, (wrong, "no number")) > 0.99
    write_pairs("imitation-style-0", tmp_path / "pairs.jsonl", 0)
    judged, _ = read_pairs(str(tmp_path / "pairs.jsonl"))
    seen = {(one.item, one.models): one.won for one in judged}
    assert all(seen[one.item, (one.models[1], one.models[0])] == 1 - one.won for one in judged)


def test_controls_are_read_from_a_finding() -> None:
    held = {"second valid form (x)": f"{SAME} 5 points (TOST); +0.0", "both destroyed (y)": f"{FALLS}; -90"}
    assert held_controls(held) == (True, True)
    broken = {"second valid form (x)": "differs", "both destroyed (y)": "does not clearly fall"}
    assert held_controls(broken) == (False, False)
    judge = {"judge: order swap": "100 %: FLAGGED", "judge: constant answer (c)": "wins 1 %"}
    assert held_controls(judge) == (False, True)


def test_the_summary_counts_all_and_the_decided() -> None:
    result = summary(
        [
            Judged("chain-uses-0", "chain", "substance", "substance", 0.99, True, True, True, 9.0),
            Judged("chain-idle-0", "chain", "form", "form", 0.9, True, False, False, None),
            Judged(
                "choices-question-0", "choices", "substance", "cannot tell", None, False, False, True, 9.0
            ),
            Judged("choices-options-0", "choices", "form", "mixed", 0.7, True, True, True, 9.0),
        ]
    ).as_json()
    assert result["right"] == 0.5
    assert result["accuracy_decided"] == pytest.approx(2 / 3)
    assert result["cannot_tell_share"] == 0.25
    assert result["families"]["chain"]["positive_must_fall"] == 1
    assert result["families"]["choices"] == {
        "specimens": 2, "right": 0, "negative_held": 1, "positive_must_fall": 2, "positive_fell": 1,
    }  # fmt: skip
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_names_are_read_back() -> None:
    assert all("-".join(map(str, read_name(name))) == name for name in every_name())
