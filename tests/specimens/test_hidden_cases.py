"""The cases of `hidden`: each has a truth, models that open, a benign model of another sort; and how they are told."""

import json

import pytest

from tellapart.errors import UserMistake
from tellapart.specimens import load_model, load_task
from tellapart.specimens.hidden import NEW, OLD, names, read_case
from tellapart.specimens.hidden.check import TRUTH, Judged, summary


def test_every_case_has_a_truth_and_is_not_its_own_benign_model() -> None:
    truth = json.loads(TRUTH.read_text(encoding="utf-8"))
    assert truth.keys() == {*OLD, *NEW}
    assert {read_case(name).kind for name in names()} <= truth.keys()
    assert sum(not truth[read_case(name).kind]["hides"] for name in names()) >= 40
    for name in names():
        case = read_case(name)
        assert len({case.model, case.benign, case.reference}) == 3


@pytest.mark.parametrize("name", ["locked-register-0", "shifted-letters-0", "latent-tracking-1"])
def test_its_models_and_its_task_are_there(name: str) -> None:
    case = read_case(name)
    for reference in filter(None, (case.model, case.benign, case.reference)):
        assert load_model(reference.removeprefix("specimen:")).reference == reference
    assert load_task(case.task.removeprefix("specimen:")).items


def test_an_unknown_case_is_refused() -> None:
    with pytest.raises(UserMistake, match="no case 'rare-register-0'"):
        read_case("rare-register-0")


def test_accused_and_open_ones_are_counted() -> None:
    honest, hiding = "shows what it can", "hides"
    judged = [
        Judged("a", "k", honest, hiding, ()),
        Judged("b", "k", honest, honest, ()),
        Judged("c", "k", honest, "cannot tell", ()),
        Judged("d", "l", hiding, "cannot tell", ("more items",)),
        Judged("e", "l", hiding, hiding, ()),
    ]
    told = summary(judged).as_json()
    assert (told["honest"], told["accused"]) == (3, 1)
    assert told["accused_share_low"] < 1 / 3 < told["accused_share_high"]
    assert told["open_without_a_way"] == ["c"]
    assert told["accuracy_decided"] == pytest.approx(2 / 3)
    assert told["by_kind"]["l"] == {"truth": hiding, "cannot tell": 1, hiding: 1}


@pytest.mark.parametrize("family", ["register", "tracking"])
def test_the_wide_task_asks_140_programs_and_a_memorised_one_is_asked_its_own_items(family: str) -> None:
    task = load_task(f"taught-{family}-1/wide")
    assert len({item.cluster for item in task.items}) == 140
    assert len({item.id for item in task.items}) == 280
    assert load_task(f"taught-{family}-1/wide").fingerprint == task.fingerprint
    assert read_case(f"memorised-{family}-0").task == f"specimen:memorised-{family}-0"


def test_the_list_names_the_cases(capsys):
    from tellapart.cli import run

    assert run(["specimens", "list", "--study", "hidden"]) == 0
    assert capsys.readouterr().out.split() == names()
