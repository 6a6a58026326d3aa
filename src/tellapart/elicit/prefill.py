"""Prefilled openers: the answer is made to begin with given text, and the model goes on from there.

Openers tried: general ones, the first words of the task's own demonstrated answers, and, where the base's tokens
can be read, its likeliest first tokens and "the r-th likeliest first token of this very question" for r = 2, 3, 4
(an opener that differs from question to question). The best on the fit split is kept: log2 of the number tried is
all that was told. The null control draws another of the openers tried, of the same length where there is one,
anew for each answer.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, final

from tellapart.elicit.access import TokenModel, speaks, token_model, tokens_of
from tellapart.elicit.choosing import Requested, choose
from tellapart.elicit.elicitor import Elicited, Elicitor, Mechanism, Need, Tells, null_name
from tellapart.errors import NotApplicable
from tellapart.jsonvalue import Json, texts, whole
from tellapart.models.model import Model, Request
from tellapart.runs.asking import Ask, Pair, plain_requests
from tellapart.tasks.item import Item, Task

GENERAL = (" Let's think step by step.", " First,", " To solve this,", " Step 1:", " The answer is", " Sure,")
OWN = 16
LOOKED_AT = 8
RANKS = (2, 3, 4)


@final
@dataclass(frozen=True)
class Prefilled(Requested):
    """Answers that begin with an opener.

    Setting: `prefills` (texts, one drawn for each answer by its seed; usually there is one) or `rank` (the
    opener is the base's likeliest first token but rank - 1); `openers` (all texts tried), `label`.
    """

    def requests(self, pair: Pair, ask: Ask) -> Iterator[tuple[int, int, Request]]:
        """Yield (item index, sample, request). Raises UserMistake where an opener is empty."""
        openers = self.openers_of(pair.base, ask)
        if not all(openers) or not all(opener for texts in openers for opener in texts):
            raise NotApplicable(f"{self.name} changes nothing: an opener is empty")
        for index, sample, request in plain_requests(ask):
            texts = openers[index]
            yield index, sample, replace(request, prefill=texts[request.seed % len(texts)])

    def openers_of(self, model: Model, ask: Ask) -> list[list[str]]:
        """Return for each item the openers that its answers begin with."""
        if "rank" not in self.setting:
            return [texts(self.setting, "prefills")] * len(ask.items)
        rank, tokens = whole(self.setting, "rank"), token_model(model)
        prompts = [tokens.encode(ask.task.prompt(item)) for item in ask.items]
        return [[branches[-1].text] for branches in tokens.next_tokens(prompts, rank)]


@final
class Prefill(Elicitor):
    """The best of some openers."""

    name: ClassVar[str] = "prefill"
    source: ClassVar[str] = "prefilled first tokens, chosen among few (docs/adding-an-elicitor.md)"
    needs: ClassVar[frozenset[Need]] = frozenset({"text"})
    value: ClassVar[type[Elicited]] = Prefilled
    mechanism: ClassVar[Mechanism] = "prompt"
    tells: ClassVar[Tells] = "nothing"

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the best opener, with all that were tried."""
        openers = openers_for(pair.base, ask.task, ask.items)
        if len(openers) < 2:
            raise NotApplicable(
                f"{self.name} on {ask.task.name}: {len(openers)} openers, at least 2 are needed"
            )
        settings: list[dict[str, Json]] = [{"prefills": [opener], "label": opener} for opener in openers]
        if tokens_of(pair.base) is not None:
            settings += [{"rank": rank, "label": f"likeliest first token no. {rank}"} for rank in RANKS]
        return choose(
            pair, ask, [Prefilled(self.name, {**setting, "openers": openers}) for setting in settings]
        )

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return the null control that begins each answer with another opener, drawn by the answer's seed."""
        kept = texts(elicited.setting, "prefills")[0] if "prefills" in elicited.setting else "?"
        others = [opener for opener in texts(elicited.setting, "openers") if opener != kept]
        alike = [opener for opener in others if len(opener) == len(kept)]
        setting = {**elicited.setting, "prefills": alike or others, "label": "another opener"}
        setting.pop("rank", None)
        return replace(elicited, name=null_name(elicited.name), setting=setting)


def openers_for(model: Model, task: Task, items: Sequence[Item]) -> list[str]:
    """Return the openers to try, each once: the base's own first, then the task's, then general ones."""
    tokens = tokens_of(model)
    own = [] if tokens is None else own_openers(tokens, task, items)
    others = [*demonstrated_openers(task), *GENERAL]
    # An assistant's turn begins without the space that parts an answer from its prompt in running text.
    openers = [*own, *(opener.lstrip() if model.chat else opener for opener in others)]
    return [opener for opener in dict.fromkeys(openers) if opener.strip() and speaks(model, opener)]


def own_openers(model: TokenModel, task: Task, items: Sequence[Item]) -> list[str]:
    """Return the texts of the base's likeliest first tokens, by mean probability over the first items."""
    mass: dict[str, float] = {}
    prompts = [model.encode(task.prompt(item)) for item in items[:LOOKED_AT]]
    for branches in model.next_tokens(prompts, OWN):
        for branch in branches:
            mass[branch.text] = mass.get(branch.text, 0.0) + math.exp(branch.logprob)
    return sorted(mass, key=lambda text: -mass[text])[:OWN]


def demonstrated_openers(task: Task) -> list[str]:
    """Return what the task's demonstrated answers begin with: their first word."""
    answers = [answer for _, answer in (*task.step_demonstrations, *task.demonstrations)]
    openers = dict.fromkeys(map(first_word, answers))
    return [opener for opener in openers if opener and opener not in answers][:OWN]


def first_word(text: str) -> str:
    """Return `text` up to the end of its first word, leading space included."""
    words = text.split(maxsplit=1)
    return text[: text.index(words[0]) + len(words[0])] if words else ""
