"""Own answers: right ones are right, blind ones are blind, and what is drawn is drawn once."""

import math

import pytest
from planted import addition, ask_for, knowing, locked, split

from tellapart.elicit import own_answers as module
from tellapart.elicit.own_answers import A_PIECE, MOST_DRAWS, ROUND, own_answers
from tellapart.runs.asking import Pair

TASK = split(addition(), 0, 8)


@pytest.fixture(autouse=True)
def forget(monkeypatch):
    monkeypatch.setattr(module, "_KEPT", {})


def judged(picks) -> list[float]:
    items = {TASK.prompt(item): item for item in TASK.items}
    return [TASK.score(items[prompt], answer) for prompt, answer in picks]


def test_right_answers_are_right_and_blind_ones_are_not_chosen_by_that():
    own = own_answers(Pair(knowing(0.3)), ask_for(TASK))
    assert judged(own.right) == [1.0] * len(own.right)
    assert len(own.right) >= 3 * len(TASK.items)
    assert [prompt for prompt, _ in own.blind] == [prompt for prompt, _ in own.right]
    assert 0.05 < sum(judged(own.blind)) / len(own.blind) < 0.6


def test_no_item_gives_more_than_its_piece():
    own = own_answers(Pair(knowing(1.0)), ask_for(TASK))
    prompts = [prompt for prompt, _ in own.right]
    assert {prompts.count(prompt) for prompt in prompts} == {A_PIECE}
    assert own.draws == ROUND * len(TASK.items)


def test_where_nothing_is_right_it_gives_up_and_says_how_often_it_tried():
    own = own_answers(Pair(locked("z")), ask_for(TASK))
    assert own.right == own.blind == ()
    assert own.draws == MOST_DRAWS * len(TASK.items)
    assert own.verdict_bits < 10


def test_verdicts_cost_at_most_a_bit_each_and_about_their_entropy():
    own = own_answers(Pair(knowing(0.3)), ask_for(TASK))
    chance = 0.3
    entropy = -chance * math.log2(chance) - (1 - chance) * math.log2(1 - chance)
    assert own.verdict_bits <= own.draws
    assert own.verdict_bits == pytest.approx(entropy * own.draws, rel=0.2)


def test_finished_rounds_are_read_not_drawn_again(tmp_path, monkeypatch):
    ask = ask_for(TASK)._replace(scratch=tmp_path)
    first = own_answers(Pair(locked(sure=0.9)), ask)
    monkeypatch.setattr(module, "_KEPT", {})

    def never(*_):
        raise AssertionError("drawn again")

    monkeypatch.setattr(module, "generate", never)
    assert own_answers(Pair(locked(sure=0.9)), ask) == first
    with pytest.raises(AssertionError, match="drawn again"):
        own_answers(Pair(locked(sure=0.9)), ask._replace(seed=5))


def test_a_second_adapter_does_not_draw_again(monkeypatch):
    ask = ask_for(TASK)
    first = own_answers(Pair(knowing(0.5)), ask)
    monkeypatch.setattr(module, "generate", None)
    assert own_answers(Pair(knowing(0.5)), ask) is first
