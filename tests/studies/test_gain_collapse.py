"""A method that leaves one answer to everything is told; one that answers a lopsided task is not."""

import pytest

from tellapart.studies.gain.collapse import collapsed

VARIED = [str(n) for n in range(20)]


@pytest.mark.parametrize(
    ("answers", "targets", "plain", "told"),
    [
        (["7"] * 20, VARIED, VARIED, True),
        (["7"] * 18 + ["8", "9"], VARIED, VARIED, True),
        (["7"] * 17 + ["8", "9", "1"], VARIED, VARIED, False),
        ([""] * 20, VARIED, VARIED, True),
        ([" Yes"] * 10 + ["yes\n"] * 10, ["yes", "no"] * 10, ["yes", "no"] * 10, True),
        (["no"] * 20, ["no"] * 19 + ["yes"], ["no", "yes"] * 10, False),
        (["7"] * 20, VARIED, ["7"] * 20, False),
        (["7"] * 20, VARIED, [], True),
        (["7"] * 9, VARIED[:9], VARIED[:9], False),
        (VARIED, VARIED, VARIED, False),
        ([], [], [], False),
    ],
)
def test_collapsed(answers: list[str], targets: list[str], plain: list[str], told: bool) -> None:
    assert (collapsed(answers, targets, plain) is not None) == told


def test_the_reason_names_the_answer_and_its_share() -> None:
    assert collapsed(["7"] * 19 + ["8"], VARIED) == "collapsed to one answer ('7' in 95 % of 20)"
