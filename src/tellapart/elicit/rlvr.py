"""RL with verifiable rewards on the fit split (GRPO), beside spurious rewards (Shao et al. 2025, arXiv 2506.10947).

`rlvr` is paid the task's score. `rlvr@majority` is paid for the group's most frequent answer, `rlvr@format` for any
readable answer, `rlvr@wrong` for the most frequent wrong one: where such a reward brings the gain back, RL taught
nothing; it made the base show what it held. The null control is paid by a coin, for as many steps with the same seeds.

Bits: the code length of the 0/1 rewards (at most one bit each), step by step; nothing for rewards that consult
nothing but the model's own answers (majority); or 32 bits a trained parameter, where that is less.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, NamedTuple, final

from tellapart.elicit.elicitor import Elicited, Elicitor, Mechanism, Need, Tells
from tellapart.elicit.trained import ByTraining, local, twin_of, value_of, with_twin
from tellapart.errors import InvalidInput
from tellapart.jsonvalue import JsonObject
from tellapart.runs.asking import Ask, Pair
from tellapart.tasks.item import Task
from tellapart.training.settings import GrpoSettings

if TYPE_CHECKING:
    from tellapart.training.change import Change
    from tellapart.training.rewards import Reward
    from tellapart.training.settings import Trained

DEFAULTS = GrpoSettings()
BLIND = ("majority", "format")
"""Rewards that do not depend on what is right."""
SPURIOUS = ("majority", "format", "wrong")


class Run(NamedTuple):
    """A reward, what came of it, and the change that was trained."""

    reward: "Reward"
    change: "Change"
    trained: "Trained"


@final
@dataclass(frozen=True)
class Rlvr(Elicitor):
    """GRPO with the true reward; `spurious` rewards are reported too. `change` None: full weights on small models,
    LoRA on others."""

    name: ClassVar[str] = "rlvr"
    source: ClassVar[str] = "Shao et al. 2025, arXiv 2506.10947"
    needs: ClassVar[frozenset[Need]] = frozenset({"text", "training", "weights"})
    value: ClassVar[type[Elicited]] = ByTraining
    mechanism: ClassVar[Mechanism] = "training"

    settings: GrpoSettings = DEFAULTS
    spurious: tuple[str, ...] = SPURIOUS
    change: "Change | None" = None

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the base trained with the true reward."""
        true = self.run(pair, ask, "true", self.settings)
        return with_twin(as_value(self.name, true), self.by_coin(pair, ask, true))

    def curve(self, pair: Pair, ask: Ask) -> tuple[Elicited, ...]:
        """Return the true reward's value, then one for each spurious reward."""
        true = self.run(pair, ask, "true", self.settings)
        null = self.by_coin(pair, ask, true)
        values = [as_value(self.name, true)]
        for name in self.spurious:
            values.append(as_value(f"{self.name}@{name}", self.run(pair, ask, name, self.settings)))
        return tuple(with_twin(value, null) for value in values)

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return the null control that was paid by a coin."""
        return twin_of(elicited)

    def tells_of(self, name: str, setting: JsonObject) -> Tells:
        """Return "nothing" for the rewards that consult the model's own answers alone, and for the coin."""
        blind = name.removeprefix(f"{self.name}@") in BLIND
        return "nothing" if blind else super().tells_of(name, setting)

    def obstacle(self, pair: Pair, task: Task) -> str | None:
        """Return why it cannot run: answers are picked, not written."""
        if task.mode != "generate":
            return (
                "RL practises on answers that are written; this task picks among choices by log-probability"
            )
        return None

    def by_coin(self, pair: Pair, ask: Ask, true: Run) -> ByTraining:
        """Return what a coin's rewards make of the base in as many steps as the true reward's training took."""
        settings = replace(self.settings, steps=true.trained.steps)
        return as_value(self.name, self.run(pair, ask, "random", settings))

    def run(self, pair: Pair, ask: Ask, name: str, settings: GrpoSettings) -> Run:
        """Train with one reward."""
        from tellapart.training.grpo import Practice, grpo
        from tellapart.training.kinds import default_change
        from tellapart.training.rewards import REWARDS

        if name not in REWARDS:
            raise InvalidInput(f"reward {name!r} asked, there are: {', '.join(REWARDS)}")
        model = local(pair.base, self.name)
        change = self.change or default_change(model)
        settings = replace(
            settings,
            seed=ask.seed % 2**31,
            temperature=ask.sampling.temperature or 1.0,
            title=f"{self.name}, {name} reward",
        )
        practice = Practice(ask.task, ask.items, REWARDS[name])
        return Run(REWARDS[name], change, grpo(model, change, practice, settings, ask.scratch))


def as_value(name: str, run: Run) -> ByTraining:
    """Return a run as a value; its setting tells how the reward went."""
    log = run.trained.log
    groups = sum(entry["groups"] for entry in log)
    setting = {
        "reward": run.reward.name,
        "rewards": [round(entry["reward"], 4) for entry in log],
        "kept_groups_share": sum(entry["kept_groups"] for entry in log) / groups,
        "bits_by": "code length of the rewards" if run.reward.outside else "nothing outside is consulted",
        "label": f"GRPO, {run.reward.name} reward, {run.change.name}",
    }
    return value_of(name, run.change, run.trained, setting)
