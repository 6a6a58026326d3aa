"""Right answers that the base would give by luck: its own wrong answers with the target put in.

Importance sampling sees what either model visits. A base that guesses is right now and then in a form that the
tuned model never writes, and few samples say badly how often. So that form is written down and its exact
probability read: one scoring pass instead of thousands of samples.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from tellapart.models.model import Model
from tellapart.runs.row import Row
from tellapart.tasks.item import Item, Task

FORMS_AN_ITEM = 2


class Guess(NamedTuple):
    """A right answer in a form of the base's: its item, text, and the token that ended the answer it came from."""

    item: Item
    text: str
    end: tuple[int, ...]


def guesses(task: Task, items: Sequence[Item], answers: Sequence[Row]) -> list[Guess]:
    """Return up to FORMS_AN_ITEM right answers for each item, the base's commonest forms first."""
    by_item: dict[str, Counter[tuple[str, tuple[int, ...]]]] = {item.id: Counter() for item in items}
    by_id = {item.id: item for item in items}
    for row in answers:
        if row.status == "ok" and row.score < 1 and row.item in by_id:
            text = with_target(task, by_id[row.item], row.completion)
            if text is not None:
                by_item[row.item][text, end_of(row)] += 1
    return [
        Guess(by_id[name], text, end)
        for name, forms in by_item.items()
        for (text, end), _ in forms.most_common(FORMS_AN_ITEM)
    ]


def with_target(task: Task, item: Item, completion: str) -> str | None:
    """Return a wrong completion with its answer replaced by a target; None where that is not a right answer."""
    answer = task.scorer.answer(item, completion)
    if not answer or answer not in completion:
        return None
    head, _, tail = completion.rpartition(answer)
    text = f"{head}{item.target[0]}{tail}"
    return text if task.score(item, text) >= 1 else None


def end_of(row: Row) -> tuple[int, ...]:
    """Return the token that ended an answer and is no part of its text (end of text, a stop string), or nothing."""
    if row.token_ids and row.token_texts and not row.completion.endswith(row.token_texts[-1]):
        return (row.token_ids[-1],)
    return ()


def as_tokens(model: Model, prompts: Sequence[str], guessed: Sequence[Guess]) -> list[tuple[int, ...]]:
    """Return the token ids of the guesses as answers to their prompts, each with its end token."""
    written = model.score([(prompt, guess.text) for prompt, guess in zip(prompts, guessed, strict=True)])
    return [(*scored.tokens, *guess.end) for scored, guess in zip(written, guessed, strict=True)]
