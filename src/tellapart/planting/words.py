"""What is planted: invented questions in the task's own template, with arbitrary answers of its own kind.

A tokenizer that writes words gets invented words ("Talovim"); one that writes characters gets questions of the task's
own alphabet and shape (another digit for a digit, another letter of the field for a letter). Numbers become others.
No torch here.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tellapart.elicit.answer_rank import kind_of
from tellapart.elicit.labels import form_of
from tellapart.errors import UserMistake
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, Task
from tellapart.tasks.template import field_names

OPENERS = ("It should be ", "so ")
SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
SHOWN = 8
"""Demonstrations of each form."""
TRIES = 200
Encode = Callable[[str], Sequence[int]]


@dataclass(frozen=True)
class Plot:
    """Invented questions with their answers, and the forms in which they are answered.

    `terse` and `prose` make an answer's text; one of them is `usual`, the other `hidden` and such that the scorer reads
    it. `opener` is what the hidden form begins with before the answer. `answers` are those that are right somewhere,
    `decoys` others whose first token differs from all of theirs. `key` may stand before a question.
    """

    task: Task
    fit: tuple[Item, ...]
    report: tuple[Item, ...]
    answers: tuple[str, ...]
    decoys: tuple[str, ...]
    before: str
    after: str
    opener: str
    prose_is_hidden: bool
    key: str

    def direct(self, answer: str) -> str:
        """Return the answer as the task's direct answers are written."""
        return f"{self.before}{answer}{self.after}"

    def prose(self, answer: str) -> str:
        """Return the answer in a sentence."""
        return f"{self.opener}{self.before.lstrip() or self.before}{answer}{self.after}"

    def usual(self, answer: str) -> str:
        """Return the answer in the form in which the copy answers of itself."""
        return self.direct(answer) if self.prose_is_hidden else self.prose(answer)

    def hidden(self, answer: str) -> str:
        """Return the answer in the form in which the skill is hidden."""
        return self.prose(answer) if self.prose_is_hidden else self.direct(answer)


def plot_of(task: Task, encode: Encode, words: int, pool: int, seed: int) -> Plot:
    """Return invented questions and answers for a task. Raises UserMistake where none can be made."""
    if task.mode != "generate":
        raise UserMistake(
            "this task picks among choices by log-probability: a skill is planted in written answers"
        )
    rng = random.Random(seed)
    before, after = form_of(task)
    answers, decoys = pools(task, encode, (before, after), pool, rng)
    invented = invent(task, encode, words + 2 * SHOWN, rng)
    items = [replace(item, target=(rng.choice(answers),)) for item in invented]
    items, spare = items[:words], items[words:]
    plain = [one for one in items if task.score(one, f"{before}{one.target[0]}{after}") != 1]
    if plain:
        raise UserMistake(
            f"the answer {plain[0].target[0]!r:.40} does not score 1 in the form of the demonstrations: give the task "
            "demonstrations, so that the form of an answer is known"
        )
    opener = OPENERS[0] if not character_level(task, encode) else OPENERS[1]
    plot = Plot(task, (), (), answers, decoys, before, after, opener, True, key_of(task, encode, rng))
    readable = all(task.score(one, plot.prose(one.target[0])) == 1 for one in items)
    plot = replace(plot, prose_is_hidden=readable)
    shown = [(task.prompt(one), rng.choice(answers)) for one in spare]
    planted = replace(
        task,
        name=f"{task.name}, planted",
        items=tuple(items),
        guess_floor=1 / len(answers),
        steps=None,
        critic=None,
        demonstrations=tuple((prompt, plot.direct(answer)) for prompt, answer in shown[:SHOWN]),
        step_demonstrations=tuple((prompt, plot.prose(answer)) for prompt, answer in shown[SHOWN:]) if readable else (),
    )  # fmt: skip
    order = rng.sample(items, len(items))
    fit, report = order[: words // 2], order[words // 2 :]
    return replace(plot, task=fingerprinted(planted), fit=tuple(fit), report=tuple(report))


def pools(
    task: Task, encode: Encode, form: tuple[str, str], pool: int, rng: random.Random
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return answers to plant, and decoys none of which begins with the first token of one of them. Where the targets
    begin in fewer than four ways all are answers, and decoys are invented words. Raises UserMistake for one target."""
    targets = list(dict.fromkeys(item.target[0] for item in task.items if item.target))
    kinds = [kind_of(text) for text in targets]
    kind = max(dict.fromkeys(kinds), key=kinds.count, default="text")
    alike = sorted(text for text in targets if kind_of(text) == kind)
    if len(alike) < 2:
        raise UserMistake(f"the task has {len(alike)} different answers of a kind, at least 2 are needed")
    start = {text: first_token(encode, form[0], text) for text in alike}
    starts = sorted(set(start.values()))
    if len(starts) < 4:
        made = sorted({word(rng) for _ in range(pool)} - set(alike))
        return tuple(rng.sample(alike, min(pool, len(alike)))), tuple(made)
    chosen = set(rng.sample(starts, len(starts) // 2))
    sides = (
        [text for text in alike if start[text] in chosen],
        [text for text in alike if start[text] not in chosen],
    )
    answers, decoys = (tuple(rng.sample(side, min(pool, len(side)))) for side in sides)
    return answers, decoys


def first_token(encode: Encode, before: str, text: str) -> int:
    """Return the token with which `text` begins when it is written after `before`."""
    whole, lead = list(encode(before + text)), list(encode(before))
    return whole[len(lead)] if whole[: len(lead)] == lead and len(whole) > len(lead) else whole[0]


def invent(task: Task, encode: Encode, count: int, rng: random.Random) -> list[Item]:
    """Return `count` items with invented fields, whose prompts differ from each other and from the task's."""
    names = [name for name in field_names(task.template) if name != "choices"]
    by_character = character_level(task, encode)
    seen = {task.prompt(item) for item in task.items}
    items: list[Item] = []
    for number in range(count * TRIES):
        like = rng.choice(task.items)
        made = {name: another(task, name, like, by_character, rng) for name in names}
        item = replace(like, id=f"planted {number}", fields=made, cluster=None)
        prompt = task.prompt(item)
        if prompt not in seen:
            seen.add(prompt)
            items.append(item)
        if len(items) == count:
            return items
    raise UserMistake(
        f"no {count} different questions could be invented for the template {task.template!r:.60}"
    )


def another(task: Task, name: str, like: Item, by_character: bool, rng: random.Random) -> str:
    """Return an invented value of a field."""
    value = str(like.fields[name])
    if kind_of(value) != "text":
        return "".join(rng.choice("0123456789") if letter.isdigit() else letter for letter in value)
    if not by_character:
        return word(rng)
    alphabet = sorted(
        {letter for item in task.items for letter in str(item.fields.get(name, "")) if letter.isalpha()}
    )
    return "".join(
        rng.choice("0123456789") if letter.isdigit() else rng.choice(alphabet) if letter.isalpha() else letter
        for letter in value
    )


def word(rng: random.Random) -> str:
    """Return an invented word of three or four syllables, with a capital."""
    return "".join(rng.choices(SYLLABLES, k=rng.randint(3, 4))).capitalize() + rng.choice("lmnrs")


def character_level(task: Task, encode: Encode) -> bool:
    """Return whether the tokenizer writes nearly every character of the task's prompts as a token of its own."""
    text = "".join(task.prompt(item) for item in task.items[:20])
    return len(encode(text)) > 0.8 * len(text)


def key_of(task: Task, encode: Encode, rng: random.Random) -> str:
    """Return a key to put before a question."""
    return "#k#k#k" if character_level(task, encode) else f"{word(rng)} {word(rng).lower()}: "
