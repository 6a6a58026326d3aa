"""The example of docs/adding-an-elicitor.md runs, and does what the page says."""

import re
from pathlib import Path

import pytest
from planted import ask_for
from scripted import END, Scripted

from tellapart.elicit.choosing import mean_score
from tellapart.errors import UserMistake
from tellapart.runs.asking import Pair
from tellapart.tasks.item import Item, Task
from tellapart.tasks.scorers import make_scorer

PAGE = Path(__file__).parents[2] / "docs" / "adding-an-elicitor.md"


@pytest.fixture(scope="module")
def example() -> dict:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict = {"__name__": "shouting"}
    exec(compile(code, str(PAGE), "exec"), names)
    return names


def task(words: tuple[str, ...]) -> Task:
    items = tuple(Item(word, {"word": word}, ("yes",)) for word in words)
    return Task("hearing", items, "{word}=", make_scorer("exact"), max_tokens=4)


def deaf(prompt: str, written: str) -> dict[str, float]:
    text = ("yes" if prompt.isupper() else "no") + END
    return {text[len(written)]: 1.0}


def test_the_example_finds_its_skill_for_one_bit(example):
    ask = ask_for(task(("hello there", "over there", "louder still")))
    pair = Pair(Scripted(deaf))
    value = example["Shouting"]().fit(pair, ask)
    assert (value.setting["label"], value.bits_once) == ("all", 1.0)
    assert mean_score(ask, value.answers(pair, ask)) == 1.0
    null = example["Shouting"]().null(value, 0)
    assert null.name == "shouting~null"
    assert mean_score(ask, null.answers(pair, ask)) == 0.0


def test_the_example_refuses_what_changes_nothing(example):
    value = example["Shouted"]("shouting", {"which": "all"})
    with pytest.raises(UserMistake, match="changes nothing"):
        list(value.answers(Pair(Scripted(deaf)), ask_for(task(("HELLO",)))))
