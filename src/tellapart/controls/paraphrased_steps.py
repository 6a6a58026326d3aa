"""The model's own steps in other words, by a paraphraser, then the answer is forced (Lanham et al. 2023).

Where the score falls though the steps say the same, it was in their wording. The paraphraser is a model by reference;
its paraphrases come with `Given.paraphrases`.
"""

from typing import ClassVar, final

from tellapart.controls.audit import NUMBER, AuditLine
from tellapart.controls.control import Control, Given, Made
from tellapart.controls.own_chain import SOURCE, Chain, begun, cue, without_chains
from tellapart.controls.role import Role
from tellapart.stats.form_share import Keeps


@final
class ParaphrasedSteps(Control):
    """The same steps, said otherwise; items whose paraphrase drops or adds a number are left out."""

    name: ClassVar[str] = "paraphrased_steps"
    family: ClassVar[str] = "chain"
    role: ClassVar[Role] = "probe"
    keeps: ClassVar[Keeps] = "substance"
    kept: ClassVar[str] = "what the own steps say, every number in them"
    removed: ClassVar[str] = "their wording"
    source: ClassVar[str] = SOURCE
    needs_chains: ClassVar[bool] = True

    def make(self, given: Given) -> Made:
        """Return the task with answers begun by the paraphrase and the cue."""
        return begun(given, lambda chain: _said_otherwise(given, chain))

    def obstacle(self, given: Given) -> str | None:
        """Return why not: no paraphraser, or too few paraphrases that keep the numbers."""
        if given.chains is None:
            return None
        if given.paraphrases is None:
            return "no --paraphraser was given"
        if reason := without_chains(given):
            return reason
        able = len(self.make(given).task.items)
        return None if able >= 2 else f"{able} paraphrases keep every number: too few"

    def audit(self, full: Made, made: Made, tolerance: float) -> tuple[AuditLine, ...]:
        """Return nothing: a paraphrase has another form by design; that numbers stay is seen to when it is made."""
        return ()


def _said_otherwise(given: Given, chain: Chain) -> tuple[str, str] | None:
    text = (given.paraphrases or {}).get(chain.item.id, "").strip()
    own = chain.worked.rationale
    if not text or sorted(NUMBER.findall(text)) != sorted(NUMBER.findall(own)):
        return None
    return f"{chain.worked.lead}{text}{chain.worked.tail or ' '}{cue(given.task, chain.worked)}", text
