"""Step-by-step instructions after the question (Kojima et al. 2022, arXiv 2205.11916).

The wording is chosen on the fit split. The null control says something irrelevant in as many characters.
"""

from dataclasses import replace
from typing import ClassVar, final

from tellapart.elicit.access import speaks
from tellapart.elicit.choosing import choose
from tellapart.elicit.elicitor import Elicited, Elicitor, Mechanism, Need, Tells, null_name
from tellapart.elicit.prompted import Prompted
from tellapart.errors import NotApplicable
from tellapart.models.model import Model
from tellapart.runs.asking import Ask, Pair
from tellapart.tasks.item import Task

INSTRUCTIONS = (
    " Let's think step by step.",
    " Let's work this out in a step by step way to be sure we have the right answer.",
    " First, think about it logically, one step at a time.",
    " Break the problem into smaller steps and solve each of them.",
)
IRRELEVANT = (
    " The harbour was quiet that morning, and the boats lay still at their moorings all day.",
    " A grey cat sat on the wall of the garden and watched the people who went to the market.",
    " The train to the coast leaves at noon, and there is a small cafe at the end of the line.",
)


@final
class StepByStep(Elicitor):
    """An instruction to go step by step, put after the question."""

    name: ClassVar[str] = "step_by_step"
    source: ClassVar[str] = "Kojima et al. 2022, arXiv 2205.11916"
    needs: ClassVar[frozenset[Need]] = frozenset({"text"})
    value: ClassVar[type[Elicited]] = Prompted
    mechanism: ClassVar[Mechanism] = "prompt"
    tells: ClassVar[Tells] = "nothing"
    picks: ClassVar[bool] = True

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the best instruction. Raises UserMistake where the model's tokenizer can write none."""
        if reason := self.obstacle(pair, ask.task):
            raise NotApplicable(f"{self.name} on {ask.task.name}: {reason}")
        texts = instructions_for(pair.base)
        candidates = [Prompted(self.name, {"after": text, "label": text.strip()}) for text in texts]
        return choose(pair, ask, candidates)

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return an irrelevant sentence of the same number of characters in the instruction's place."""
        length = len(str(elicited.setting["after"]))
        text = IRRELEVANT[seed % len(IRRELEVANT)]
        while len(text) < length:
            text += text
        setting = {**elicited.setting, "after": text[: length - 1] + ".", "label": "irrelevant"}
        return replace(elicited, name=null_name(elicited.name), setting=setting)

    def obstacle(self, pair: Pair, task: Task) -> str | None:
        """Return why it cannot run: the tokenizer cannot write the instructions."""
        if instructions_for(pair.base):
            return None
        return f"the tokenizer of {pair.base.reference} cannot write an English instruction"


def instructions_for(model: Model) -> list[str]:
    """Return the instructions that the model's tokenizer can write."""
    return [text for text in INSTRUCTIONS if speaks(model, text)]
