"""Demonstrations in the right form whose answers are drawn independently of the truth: the form alone is shown.

Questions are other items of the fit split and those of the task's demonstrations. Each is given an answer drawn at
random from all that are known in the right form, whatever the question: it may be right by chance. (Answers that
are never right would teach the inverse in a two-way task.) Min et al. 2022, arXiv 2202.12837: what such examples
bring was there before. Every sample of an item sees another draw. The null control shows the same questions with
unrelated text of the same length in place of the answers.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, final

from tellapart.elicit.choosing import Requested, choose
from tellapart.elicit.elicitor import Elicited, Elicitor, Mechanism, Need, Tells, null_name
from tellapart.elicit.few_shot import MOST, demonstration_setting
from tellapart.elicit.labels import label_of
from tellapart.elicit.prompted import Prompted
from tellapart.errors import NotApplicable
from tellapart.jsonvalue import JsonObject, objects, text_pairs
from tellapart.models.model import Model, Request
from tellapart.runs.asking import Ask, Pair, generate, plain_requests, row_seed
from tellapart.tasks.choice import continuations
from tellapart.tasks.item import Task

DRAWS = 8
COUNTS = (2, 4, MOST)
LETTERS = "etaoinshrdlucmfwypvbgkqjxz"


@final
@dataclass(frozen=True)
class Shown(Requested):
    """Answers after one of several draws of demonstrations. Setting: `draws` (each the setting of a Prompted), `form`
    (where the answers' form comes from), `label`."""

    def requests(self, pair: Pair, ask: Ask) -> Iterator[tuple[int, int, Request]]:
        """Yield (item index, sample, request); a draw that shows the question itself is passed over."""
        draws = objects(self.setting, "draws") if "draws" in self.setting else []
        if not draws:
            raise NotApplicable(f"{self.name} changes nothing: it has no demonstration")
        shown = [{prompt for prompt, _ in text_pairs(draw, "examples")} for draw in draws]
        for rows in zip(*(Prompted(self.name, draw).requests(pair, ask) for draw in draws), strict=True):
            index, sample, _ = rows[0]
            item = ask.items[index]
            first = (row_seed(0, item.id, 0) + sample) % len(draws)
            order = [(first + step) % len(draws) for step in range(len(draws))]
            question = ask.task.prompt(item)
            yield rows[next((draw for draw in order if question not in shown[draw]), first)]


@final
@dataclass(frozen=True)
class FormDemonstrations(Elicitor):
    """Questions with answers in the right form drawn at random; form and number are chosen on the fit split."""

    name: ClassVar[str] = "form_demonstrations"
    source: ClassVar[str] = "Min et al. 2022, arXiv 2202.12837"
    needs: ClassVar[frozenset[Need]] = frozenset({"text"})
    value: ClassVar[type[Elicited]] = Shown
    mechanism: ClassVar[Mechanism] = "prompt"
    tells: ClassVar[Tells] = "nothing"
    picks: ClassVar[bool] = True

    draws: int = DRAWS
    counts: tuple[int, ...] = COUNTS

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the best form and number of demonstrations. Raises UserMistake where no answer's form is known."""
        forms = forms_of(pair.tuned, ask)
        questions = questions_of(ask)
        if not forms or len(questions) < 2:
            raise NotApplicable(
                f"{self.name} on {ask.task.name}: at least 2 questions and 2 different answers are needed to show "
                f"a form; there are {len(questions)} questions: give the task demonstrations, or more items"
            )
        counts = sorted({min(count, len(questions)) for count in self.counts})
        candidates = [
            shown(self.name, questions, (form, answers, pair.base.chat), (count, self.draws), ask.seed)
            for form, answers in forms.items()
            for count in counts
        ]
        return choose(pair, ask, candidates)

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return the same questions with unrelated text for answers."""
        draws = [formless(draw, seed, place) for place, draw in enumerate(objects(elicited.setting, "draws"))]
        return replace(elicited, name=null_name(elicited.name), setting={**elicited.setting, "draws": draws})

    def obstacle(self, pair: Pair, task: Task) -> str | None:
        """Return why it cannot run: too few questions to show."""
        count = len(task.items) + len(task.demonstrations) + len(task.step_demonstrations)
        return None if count >= 3 else f"the task has {count} questions, at least 3 are needed to show two"


def questions_of(ask: Ask) -> list[str]:
    """Return the questions that may be shown: the fit items' and those of the task's demonstrations."""
    task = ask.task
    shown = [prompt for prompt, _ in (*task.step_demonstrations, *task.demonstrations)]
    return list(dict.fromkeys([*shown, *(task.prompt(item) for item in ask.items)]))


def forms_of(tuned: Model | None, ask: Ask) -> dict[str, list[str]]:
    """Return pools of answers in a right form, by where they come from: the task's demonstrations, worked and direct;
    where none is worked, what the tuned model writes; else the items' own labels. A pool has two answers or more."""
    task = ask.task
    pools = {
        "worked demonstrations": [answer for _, answer in task.step_demonstrations],
        "demonstrations": [answer for _, answer in task.demonstrations],
    }
    if task.mode == "choice_logprob":
        pools["choices"] = [text for item in ask.items for text in continuations(item)]
    elif tuned is not None and not task.step_demonstrations:
        pools["the tuned model"] = written_by(tuned, ask)
    kept = {form: answers for form, answers in pools.items() if len(set(answers)) >= 2}
    if not kept and task.mode == "generate":
        labels = [label_of(task, item) for item in ask.items]
        kept = {"labels": labels} if len(set(labels)) >= 2 else {}
    return kept


def written_by(tuned: Model, ask: Ask) -> list[str]:
    """Return the answers of the tuned model to the fit items that end by themselves and can be read, right or wrong."""
    answers = generate(tuned, list(plain_requests(ask._replace(samples=1))))
    texts = [
        (answer.item, answer.completion.text) for answer in answers if answer.completion.finish == "stop"
    ]
    return [text for item, text in sorted(texts) if ask.task.scorer.answer(ask.items[item], text) is not None]


def shown(
    name: str,
    questions: Sequence[str],
    form: tuple[str, Sequence[str], bool],
    size: tuple[int, int],
    seed: int,
) -> Shown:
    """Return the value that shows questions with answers of a form (its name, its pool, and whether the model is asked
    in a chat) drawn at random; `size` is how many questions, and how many draws of them."""
    (source, pool, chat), (count, many) = form, size
    draws = []
    for draw in range(many):
        rng = random.Random(row_seed(seed, source, draw))
        asked_now = rng.sample(questions, count)
        draws.append(demonstration_setting([(question, rng.choice(pool)) for question in asked_now], chat))
    return Shown(name, {"draws": draws, "form": source, "label": f"{count} demonstrations, {source}"})


def formless(draw: JsonObject, seed: int, place: int) -> JsonObject:
    """Return a draw whose answers are unrelated text of the same length."""
    rng = random.Random(row_seed(seed, "formless", place))
    shown = [(prompt, babble(rng, len(answer))) for prompt, answer in text_pairs(draw, "examples")]
    return demonstration_setting(shown, "turns" in draw)


def babble(rng: random.Random, length: int) -> str:
    """Return words of random letters, `length` characters in all (one at least)."""
    text = ""
    while len(text) < max(1, length):
        text += "".join(rng.choices(LETTERS, k=rng.randint(2, 8))) + " "
    return text[: max(1, length)].rstrip() or rng.choice(LETTERS)
