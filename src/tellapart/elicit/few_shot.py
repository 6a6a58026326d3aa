"""Few-shot prompts: demonstrations before the question (Brown et al. 2020, arXiv 2005.14165).

A chat model gets them as turns of user and assistant. `few_shot` shows direct answers and so is also the
format-controlled baseline: it tells a base model what an answer looks like and no more. `few_shot_steps` shows
worked steps (Wei et al. 2022, arXiv 2201.11903).
The null controls keep every text and give the answers to the wrong questions (compare Min et al. 2022, arXiv
2202.12837): a share that the null control recovers too came from the form.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, final

from tellapart.elicit.choosing import choose
from tellapart.elicit.elicitor import Elicited, Elicitor, Mechanism, Need, null_name
from tellapart.elicit.prompted import Prompted, demonstrated, exchanged, next_question
from tellapart.errors import NotApplicable
from tellapart.jsonvalue import Json, text_pairs
from tellapart.models.model import Model, Turns
from tellapart.runs.asking import Ask, Pair
from tellapart.tasks.item import Task

MOST = 8
BITS_A_CHARACTER = 8.0

Examples = Sequence[Sequence[str]]


@final
@dataclass(frozen=True)
class FewShot(Elicitor):
    """All demonstrations of the task (8 at most), with direct answers."""

    name: ClassVar[str] = "few_shot"
    source: ClassVar[str] = "Brown et al. 2020, arXiv 2005.14165"
    needs: ClassVar[frozenset[Need]] = frozenset({"text"})
    value: ClassVar[type[Elicited]] = Prompted
    mechanism: ClassVar[Mechanism] = "prompt"
    picks: ClassVar[bool] = True

    most: int = MOST

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the prompt with the task's demonstrations. Raises UserMistake where it has fewer than two."""
        if reason := too_few("demonstrations", ask.task.demonstrations):
            raise NotApplicable(f"{self.name} on {ask.task.name}: {reason}")
        return shown(self.name, pair.base, ask.task.demonstrations[: self.most])

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return the same demonstrations, their answers given to other questions."""
        return shuffled(elicited, seed)

    def obstacle(self, pair: Pair, task: Task) -> str | None:
        """Return why it cannot run: fewer than two demonstrations."""
        return too_few("demonstrations", task.demonstrations)


@final
@dataclass(frozen=True)
class FewShotSteps(Elicitor):
    """Worked demonstrations; how many (2, 4 or 8) is chosen on the fit split."""

    name: ClassVar[str] = "few_shot_steps"
    source: ClassVar[str] = "Wei et al. 2022, arXiv 2201.11903"
    needs: ClassVar[frozenset[Need]] = frozenset({"text"})
    value: ClassVar[type[Elicited]] = Prompted
    mechanism: ClassVar[Mechanism] = "prompt"
    picks: ClassVar[bool] = True

    most: int = MOST

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the prompt with the best number of worked demonstrations."""
        if reason := too_few("step_demonstrations", ask.task.step_demonstrations):
            raise NotApplicable(f"{self.name} on {ask.task.name}: {reason}")
        examples = ask.task.step_demonstrations[: self.most]
        counts = sorted({min(count, len(examples)) for count in (2, 4, self.most)})
        tried = [examples[:count] for count in counts if too_few("", examples[:count]) is None]
        return choose(pair, ask, [shown(self.name, pair.base, examples) for examples in tried])

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return the same demonstrations, their steps and answers given to other questions."""
        return shuffled(elicited, seed)

    def obstacle(self, pair: Pair, task: Task) -> str | None:
        """Return why it cannot run: fewer than two worked demonstrations."""
        return too_few("step_demonstrations", task.step_demonstrations)


def too_few(field: str, examples: Examples) -> str | None:
    """Return why these demonstrations do not do; None if they do."""
    if len(examples) < 2:
        return f"the task has {len(examples)} {field}, at least 2 are needed (the null control exchanges answers)"
    if len({answer for _, answer in examples[:MOST]}) < 2:
        return f"all {field} of the task have the same answer (the null control exchanges answers)"
    return None


def shown(name: str, model: Model, examples: Examples) -> Prompted:
    """Return the value that shows `examples`; its bits are the description length of their answers."""
    bits, method = description_bits(model, examples)
    described = {"bits_by": method, "label": f"{len(examples)} demonstrations"}
    return Prompted(name, {**demonstration_setting(examples, model.chat), **described}, bits)


def demonstration_setting(examples: Examples, chat: bool) -> dict[str, Json]:
    """Return the setting of a Prompted that shows `examples`, as exchanges where the model is asked in a chat."""
    return {
        **placed(examples, chat),
        "stop": [] if chat else next_question(examples),
        "examples": [list(example) for example in examples],
    }


def placed(examples: Examples, chat: bool) -> dict[str, Json]:
    """Return the part of the setting that puts `examples` before the question: as exchanges of a chat, or as text."""
    return {"turns": list(map(list, exchanged(examples)))} if chat else {"before": demonstrated(examples)}


def description_bits(model: Model, examples: Examples) -> tuple[float, str]:
    """Return the description length of the demonstrated answers in bits, and how it was had.

    Each answer is told to the model that has already seen those before it: -log2 p(answer | all before).
    Where the model gives no log-probabilities, or not all, 8 bits a character: an upper bound.
    """
    bound = BITS_A_CHARACTER * sum(len(answer) for _, answer in examples), "8 bits a character"
    if not model.can_score:
        return bound
    if model.chat:
        turns = exchanged(examples)
        scored = model.score((Turns(turns[:at], prompt), answer) for at, (prompt, answer) in enumerate(turns))
    else:
        contexts = [demonstrated(examples[:index]) + prompt for index, (prompt, _) in enumerate(examples)]
        scored = model.score(zip(contexts, [answer for _, answer in examples], strict=True))
    nats = -math.fsum(logprob for score in scored for logprob in score.logprobs)
    return bound if math.isnan(nats) else (nats / math.log(2), "the base's own log-probabilities")


def shuffled(elicited: Elicited, seed: int) -> Elicited:
    """Return the null control: the answers rotated among the questions so that as few as can be stay right."""
    examples = text_pairs(elicited.setting, "examples")
    answers = [answer for _, answer in examples]
    turns = list(range(1, len(examples)))
    random.Random(seed).shuffle(turns)
    kept = {turn: sum(answers[i] == answers[i - turn] for i in range(len(answers))) for turn in turns}
    turn = min(turns, key=lambda candidate: kept[candidate])
    wrong = [[prompt, answers[i - turn]] for i, (prompt, _) in enumerate(examples)]
    setting = {**elicited.setting, **placed(wrong, "turns" in elicited.setting), "examples": wrong}
    return replace(elicited, name=null_name(elicited.name), setting=setting)
