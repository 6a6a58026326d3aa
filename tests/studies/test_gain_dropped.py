"""An adaptive plan does not wait for a mechanism of which every method failed, was refused or is missing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from test_gain_adaptive import drawn, rows

from tellapart import elicit
from tellapart.elicit.elicitor import Elicited, Elicitor, Mechanism, Need, Tells, null_name
from tellapart.errors import UserMistake
from tellapart.models.model import Answer, Completion, Model, Request, Sampling
from tellapart.runs.asking import Ask, Elicitation, Pair, row_seed
from tellapart.runs.folder import open_run
from tellapart.studies.gain import eliciting as module
from tellapart.studies.gain.adaptive import OPTIONAL, watching
from tellapart.studies.gain.ask import Plan
from tellapart.studies.gain.eliciting import ElicitedRows, elicit_all
from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.spec import GainSpec
from tellapart.tasks.item import Item, Task
from tellapart.tasks.scorers import make_scorer

ITEMS = tuple(Item(f"i{at:03d}", {"question": f"{at}?"}, ("yes",)) for at in range(120))
REAL = tuple(elicit.ELICITORS.values())


class Silent(Model):
    """A model that nobody asks: the fake methods answer by themselves."""

    reference = "fake"
    fingerprint = "fake"

    def generate(self, requests: Sequence[Request]) -> Iterator[Answer]:
        raise AssertionError


@dataclass(frozen=True)
class Value(Elicited):
    """Right on a share of the answers. Setting: `share`, `how`: well, refused, or failing."""

    def answers(self, pair: Pair, ask: Ask) -> Iterator[Elicitation]:
        how = self.setting["how"]
        if how == "refused":
            raise UserMistake("the server refused it")
        for index, item in enumerate(ask.items):
            for sample in range(ask.samples):
                rng = np.random.default_rng(row_seed(0, self.name + item.id, sample))
                text = "yes" if rng.random() < self.setting["share"] else "no"
                finish = "failed" if how == "failing" and index < 3 else "stop"
                completion = Completion(text, (1,), (text,), None, None, finish, 1, 0.0, "no route")
                yield Elicitation(index, sample, "", completion)


def fake(real: Elicitor, share: float, how: str, fitted: list[str]) -> Elicitor:
    """Return a method in the place of a real one; `fitted` gets its name when it is asked."""

    class Fake(Elicitor):
        name: ClassVar[str] = real.name
        source: ClassVar[str] = ""
        needs: ClassVar[frozenset[Need]] = frozenset({"logprobs"} if how == "missing" else ())
        value: ClassVar[type[Elicited]] = Value
        mechanism: ClassVar[Mechanism] = real.mechanism
        tells: ClassVar[Tells] = real.tells
        null_tells: ClassVar[Tells] = real.null_tells

        def fit(self, pair: Pair, ask: Ask) -> Elicited:
            fitted.append(self.name)
            if how == "unfitted":
                raise UserMistake("nothing to fit")
            return Value(self.name, {"share": share, "how": how})

        def null(self, elicited: Elicited, seed: int) -> Elicited:
            return Value(null_name(elicited.name), {"share": 0.02, "how": "well"})

    return Fake()


def run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, failing: dict[str, str], share: float = 0.02
) -> tuple[list[str], ElicitedRows]:
    """Return the methods asked, in order, and the outcome, where all methods of some mechanisms fail."""
    fitted: list[str] = []
    fakes: dict[str, Any] = {
        real.name: fake(real, share, failing.get(real.mechanism, "well"), fitted) for real in REAL
    }
    monkeypatch.setattr(elicit, "ELICITORS", fakes)
    monkeypatch.setattr(module, "ELICITORS", fakes)
    rng = np.random.default_rng(0)
    sides = (("base", 0.02), ("tuned", 0.95))
    plain = [row for role, p in sides for row in rows(f"{role}/plain", drawn(rng, p))]
    watch = watching(plain, Facts(guess_floor=0.0), None)
    task = Task("fake", ITEMS, "{question}", make_scorer("exact"))
    plan = Plan(
        GainSpec("b", "t", "fake", plan="adaptive", json=True), Pair(Silent()), task, (), ITEMS, Sampling()
    )
    with open_run(tmp_path / "run", {}, {}) as folder:
        return fitted, elicit_all(folder, plan, watch)


@pytest.mark.parametrize("how", ["unfitted", "refused", "missing"])
def test_a_mechanism_that_gives_nothing_is_dropped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str
) -> None:
    asked, brought = run(monkeypatch, tmp_path, {"noise": how})
    assert "nothing that is left could change the word" in brought.stopped
    assert "weight_noise: " in brought.dropped["noise"]
    assert "missing" in brought.elicitors["weight_noise"]
    assert len(asked) < len(REAL) / 2


def test_a_plan_that_stays_open_asks_what_could_change_the_word_and_no_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked, brought = run(monkeypatch, tmp_path, {}, share=0.5)
    assert set(asked) == {real.name for real in REAL if real.tells == "nothing" and real.name not in OPTIONAL}
    assert list(brought.elicitors) == [real.name for real in REAL], "told in the order of the list"
