"""Labelled examples of the fit split, as text to train on: from the items' targets, or from the tuned model's own
right answers."""

import re
from collections import Counter
from collections.abc import Sequence

from tellapart.errors import NotApplicable
from tellapart.models.model import Model
from tellapart.runs.asking import Ask, generate, plain_requests
from tellapart.tasks.item import Item, Task
from tellapart.training.settings import Example

WORKED = ("solution", "rationale", "worked", "answer")
"""Fields of an item that may hold a worked solution; one does if its text scores 1 and is longer than the target."""
TRIES = 4
STEPS = 2
"""Words of its own that an answer must hold to show steps."""
_WORDS = re.compile(r"\w+")
FORMS = (("", ""), ("\\boxed{", "}"), ("The answer is ", "."), ("<answer>", "</answer>"), ("#### ", ""))
"""What may stand before and after an answer, where no demonstration shows it."""


def target_examples(task: Task, items: Sequence[Item]) -> list[Example]:
    """Return each item's prompt with its worked solution where it has one, else with its target in the form that
    the task's demonstrations have (">1305", " 18"). Raises UserMistake where the scorer does not take that."""
    return [Example(task.prompt(item), label_of(task, item)) for item in items]


def worked_solutions(task: Task, item: Item) -> list[str]:
    """Return the texts of the item's fields that are worked solutions."""
    lead = leading_space(task.step_demonstrations)
    worked = [text for name in WORKED if isinstance(text := item.fields.get(name), str)]
    longer = [f"{lead}{text.strip()}" for text in worked if len(text) > len(item.target[0])]
    return [text for text in longer if task.score(item, text) == 1]


def is_worked(task: Task, item: Item) -> bool:
    """Return whether the item has a worked solution."""
    return bool(worked_solutions(task, item))


def shows_steps(items: Sequence[Item], answers: Sequence[Example]) -> bool:
    """Return whether most of the answers to `items` show how they were found: they hold STEPS words or more that stand
    neither in the question nor in the target, nor in most of the other answers. A sentence around a target is none."""
    words = [set(_WORDS.findall(one.answer.lower())) for one in answers]
    usual = {
        word for word, n in Counter(word for some in words for word in some).items() if n > len(words) / 2
    }
    given = [
        set(_WORDS.findall(" ".join((one.prompt, *item.target)).lower()))
        for item, one in zip(items, answers, strict=True)
    ]
    own = [len(some - usual - there) for some, there in zip(words, given, strict=True)]
    return sum(count >= STEPS for count in own) > len(own) / 2


def label_of(task: Task, item: Item) -> str:
    """Return the text that answers `item` right."""
    before, after = form_of(task)
    for text in (*worked_solutions(task, item), f"{before}{item.target[0]}{after}", item.target[0]):
        if task.score(item, text) == 1:
            return text
    raise NotApplicable(
        f"item {item.id}: its target {item.target[0]!r:.40} as an answer does not score 1: give the task "
        "demonstrations, so that the form of an answer is known"
    )


def direct(form: tuple[str, str], text: str) -> tuple[str, int]:
    """Return `text` as a direct answer (`form` is what stands before and after it), and where in it `text` begins."""
    before, after = form
    return f"{before}{text}{after}", len(before)


def form_of(task: Task) -> tuple[str, str]:
    """Return what stands before and after the answer in most demonstrations; without any, what the scorer reads an
    answer after; nothing where neither is known."""
    frames = []
    for _, text in task.demonstrations:
        answer = task.scorer.answer(Item("", {}, ()), text)
        at = -1 if answer is None else text.rfind(answer)
        if answer is not None and at >= 0:
            frames.append((text[:at], text[at + len(answer) :]))
    if frames:
        return Counter(frames).most_common(1)[0][0]
    item = next((item for item in task.items if item.target), None)
    forms = (form for form in FORMS if item and task.score(item, f"{form[0]}{item.target[0]}{form[1]}") == 1)
    marker = getattr(task.scorer, "marker", None)
    if isinstance(marker, str) and item and task.score(item, f"{marker}{item.target[0]}") == 1:
        return ("", "") if task.score(item, item.target[0]) == 1 else (marker, "")
    return next(forms, ("", ""))


def leading_space(examples: Sequence[tuple[str, str]]) -> str:
    """Return the white space that every demonstrated answer begins with."""
    leads = {text[: len(text) - len(text.lstrip())] for _, text in examples}
    return leads.pop() if len(leads) == 1 else ""


def tuned_examples(tuned: Model, ask: Ask) -> list[tuple[int, Example]]:
    """Return the tuned model's first right answer to each item that it solves in TRIES draws, with the item's index."""
    rows = list(plain_requests(ask._replace(samples=TRIES)))
    right: dict[int, tuple[int, Example]] = {}
    for answer in generate(tuned, rows):
        text = answer.completion.text
        if answer.completion.finish != "stop" or ask.task.score(ask.items[answer.item], text) < 1:
            continue
        if answer.item not in right or answer.sample < right[answer.item][0]:
            right[answer.item] = (answer.sample, Example(answer.prompt, text))
    return [(index, right[index][1]) for index in sorted(right)]
