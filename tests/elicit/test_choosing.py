"""Choosing: what is charged, what a refused candidate costs, and when nothing is left."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from planted import addition, ask_for, locked, split
from scripted import Scripted

from tellapart.elicit import ELICITORS, applicable
from tellapart.elicit.choosing import choose
from tellapart.elicit.sampling import Resampled
from tellapart.errors import UserMistake
from tellapart.models.model import Request
from tellapart.runs.asking import Pair

ASK = ask_for(split(addition(), 0, 4))


@dataclass
class Server(Scripted):
    """Refuses min-p, as some servers do."""

    reference: str = "server"

    def generate(self, requests: Sequence[Request], record: frozenset[str] = frozenset()):
        if any(request.sampling.min_p for request in requests):
            raise UserMistake("the server has no min_p")
        return super().generate(requests, record)


def test_a_refused_candidate_is_named_and_not_charged():
    value = ELICITORS["sampling"].fit(Pair(Server(locked().law)), ASK)
    refused = [one for one in value.setting["tried"] if one[2]]
    assert len(refused) == 2
    assert all("min_p" in reason and score is None for _, score, reason in refused)
    assert value.bits_once == math.log2(len(value.setting["tried"]) - 2)


def test_where_all_are_refused_the_reason_is_told():
    setting = {"temperature": 1.0, "top_p": 1.0, "min_p": 0.1}
    with pytest.raises(UserMistake, match="no min_p"):
        choose(Pair(Server(locked().law)), ASK, [Resampled("sampling", setting)])


def test_the_first_of_equals_is_taken():
    settings = [{"temperature": t, "top_p": 1.0, "min_p": 0.0, "label": str(t)} for t in (0.5, 0.6, 0.7)]
    never = Scripted(lambda prompt, written: {"x": 1.0})
    value = choose(Pair(never), ASK, [Resampled("sampling", setting) for setting in settings])
    assert (value.setting["label"], value.bits_once) == ("0.5", math.log2(3))


def test_bits_of_demonstrations_are_their_description_length():
    pair = Pair(locked())
    value = ELICITORS["few_shot"].fit(pair, ASK)
    assert value.setting["bits_by"] == "the base's own log-probabilities"
    pair.base.can_score = False
    bound = ELICITORS["few_shot"].fit(pair, ASK)
    assert bound.bits_once == 8 * sum(len(answer) for _, answer in ASK.task.demonstrations)
    assert bound.setting["bits_by"] == "8 bits a character"


def test_a_log_answers_no_elicitor(tmp_path):
    from tellapart.models.recorded import open_recorded

    path = tmp_path / "log.jsonl"
    path.write_text('{"item": "1", "question": "1+1=", "completion": "2", "model": "m", "correct": 1}\n')
    try:
        model = open_recorded(str(path))
    except UserMistake as reason:
        pytest.skip(f"this plain format holds no completions: {reason}")
    assert "log" in str(applicable(ELICITORS["prefill"], Pair(model), addition()))
