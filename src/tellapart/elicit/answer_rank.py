"""The right answer's rank among wrong ones of its kind, by log-probability: what is known but not said.

For each item its right answer and up to 15 wrong ones, all as direct answers, are scored after the item's prompt. The
wrong ones are its own choices; else the right answers of other items that are of the same kind, half of them from the
items whose prompts are most like its own: among answers to quite other questions the right one stands out by its sort
alone. Where the right answer stands in the prompt, pieces of the prompt that are written alike come before them: else
whoever copies anything out of the prompt would seem to know. A candidate's score is the log-probability of its answer
tokens less their mean after other items' prompts, so that a popular answer does not win by being popular (compare
Holtzman et al. 2021, arXiv 2104.08315). The candidate with the highest score is the answer; chance is 1 / candidates.
The null control scores the same candidates after another item's prompt.

With worked answers, which copy from the prompt, a rank says nothing: only direct answers are scored.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, NamedTuple, final

import numpy as np
from scipy.special import logsumexp

from tellapart.elicit.elicitor import Elicited, Elicitor, Mechanism, Need, Switched, Tells, null_name
from tellapart.elicit.labels import direct, form_of
from tellapart.errors import NotApplicable
from tellapart.jsonvalue import whole
from tellapart.models.model import Completion, Model, Scored
from tellapart.runs.asking import Ask, Elicitation, Pair
from tellapart.tasks.choice import LETTERS, choice_letter, continuations
from tellapart.tasks.item import Item, Task

WRONG = 15
PRIORS, FEWEST_PRIORS = 32, 8
"""So many other prompts give a candidate's prior; fewer where there are fewer, and below the least nothing is ranked.
(Of a planted skill, 8 by the mean log-probability found 64 % and more on eight bases, 32 by mean probability 95 %.)"""
BLOCK = 64
POOL, PARTNERS = 512, 64
"""Answers of one kind, and items whose prompts are borrowed: the first ones by hash are enough."""
MOST_COMPARED = 2000
"""Characters at the end of a prompt by which it is compared."""
MOST_COPIED = 10
"""Of the wrong candidates at most so many are pieces of the prompt."""
NOT_ITS_OWN = "mean_probability_not_its_own"
DIGITS = 4
"""Scores are compared to so many decimals (nats): the batch in which a text is scored moves the ones after them."""


class Candidate(NamedTuple):
    """A direct answer, and where in it the answer proper begins and ends."""

    text: str
    begins: int
    ends: int


class Prompts(NamedTuple):
    """The prompt after which an item's candidates are scored, and those that give their priors."""

    own: str
    others: tuple[str, ...]


@final
@dataclass(frozen=True)
class Ranked(Switched):
    """The best of an item's candidates. Setting: `prompt` (own | other: whose prompt they are scored after), `wrong`,
    `priors` (how many), `prior` (how they are read; none in older runs: mean log-probability over all), `label`.

    Measures of an answer: `rank` of the right candidate (0 best), `candidates`, `chance` (1 / candidates), `priors`
    (how many prompts gave the priors), `lead` (nats by which the right one's score exceeds the best wrong one's).
    """

    def bring_out(self, pair: Pair, ask: Ask) -> Iterator[Elicitation]:
        """Yield the best candidate of each item, the same for each sample."""
        likelihoods = TextScores(pair.base)
        pool = Pool(ask.task, whole(self.setting, "wrong"), whole(self.setting, "priors"))
        other = self.setting["prompt"] == "other"
        older = self.setting.get("prior") != NOT_ITS_OWN
        for first in range(0, len(ask.items), BLOCK):
            items = ask.items[first : first + BLOCK]
            sets = [pool.candidates(item) for item in items]
            prompts = [pool.prompts(item, other) for item in items]
            likelihoods.read(
                (prompt, candidate.text)
                for candidates, where in zip(sets, prompts, strict=True)
                for candidate in candidates
                for prompt in (where.own, *where.others)
            )
            for place, (item, candidates, where) in enumerate(zip(items, sets, prompts, strict=True)):
                answer = ranked(likelihoods, pool, item, candidates, where, older)
                for sample in range(ask.samples):
                    yield answer._replace(item=first + place, sample=sample)


@final
@dataclass(frozen=True)
class AnswerRank(Elicitor):
    """The right answer's rank among wrong ones, less each one's prior."""

    name: ClassVar[str] = "answer_rank"
    source: ClassVar[str] = "Holtzman et al. 2021, arXiv 2104.08315"
    needs: ClassVar[frozenset[Need]] = frozenset({"text", "logprobs"})
    value: ClassVar[type[Elicited]] = Ranked
    mechanism: ClassVar[Mechanism] = "decoding"
    tells: ClassVar[Tells] = "nothing"
    picks: ClassVar[bool] = True

    wrong: int = WRONG
    priors: int = PRIORS

    def fit(self, pair: Pair, ask: Ask) -> Elicited:
        """Return the setting; nothing is fitted."""
        return Ranked(
            self.name,
            {
                "prompt": "own",
                "wrong": self.wrong,
                "priors": self.priors,
                "prior": NOT_ITS_OWN,
                "label": f"best of {self.wrong + 1} candidates",
            },
        )

    def null(self, elicited: Elicited, seed: int) -> Elicited:
        """Return the ranking of the same candidates after another item's prompt."""
        setting = {**elicited.setting, "prompt": "other"}
        return replace(elicited, name=null_name(elicited.name), setting=setting)

    def obstacle(self, pair: Pair, task: Task) -> str | None:
        """Return why it cannot run: too few prompts for priors, or only one answer."""
        prompts = {task.prompt(item) for item in task.items}
        least = min(self.priors, FEWEST_PRIORS)
        if len(prompts) <= least:
            return f"the task has {len(prompts)} different prompts, {least + 1} are needed for the priors"
        if len({item.target[0] for item in task.items if item.target}) < 2 and not task.items[0].choices:
            return "all items have the same answer: there is no wrong one of its kind"
        return None


@dataclass
class Pool:
    """The candidates and prompts of a task's items; they depend on the whole task, not on which items are asked."""

    task: Task
    wrong: int
    priors: int
    order: tuple[Item, ...] = field(init=False)
    texts: dict[str, list[str]] = field(init=False)
    pieces: dict[str, frozenset[str]] = field(init=False)
    weight: dict[str, float] = field(init=False)
    answers: dict[str, set[str]] = field(init=False)
    form: tuple[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.order = tuple(sorted(self.task.items, key=lambda item: hashed("order", item.id))[:PARTNERS])
        self.form = form_of(self.task)
        self.texts, self.answers = {}, {}
        for item in self.task.items:
            self.answers.setdefault(self.task.prompt(item), set()).update(item.target)
        targets = {item.target[0]: self.task.prompt(item) for item in self.task.items if item.target}
        self.pieces = {text: pieces_of(prompt) for text, prompt in targets.items()}
        seen = Counter(piece for pieces in self.pieces.values() for piece in pieces)
        self.weight = {piece: math.log(len(targets) / times) for piece, times in seen.items()}
        for text in sorted(targets, key=lambda text: hashed("pool", text)):
            alike = self.texts.setdefault(kind_of(text), [])
            alike += [text] if len(alike) < POOL else []

    def candidates(self, item: Item) -> list[Candidate]:
        """Return the item's right answer and wrong ones, in an order that does not tell which is right. Raises
        UserMistake where there is no wrong one."""
        right = self.right(item)
        listed = self.listed(item)
        copied = [] if listed else self.copied(item)
        wrong = [
            candidate
            for candidate in (listed or copied + self.alike(item))
            if self.task.score(item, candidate.text) == 0
        ]
        if not listed:
            stranger = self.stranger(item)
            spared = [candidate for candidate in wrong if self.task.score(stranger, candidate.text) == 0]
            wrong = spared if len(spared) >= self.wrong else wrong
        wrong = sorted(wrong, key=lambda candidate: hashed(item.id, candidate.text))
        if not listed:
            wrong = self.hardest(item, wrong, copied)
        wrong = wrong[: self.wrong]
        if not wrong:
            raise NotApplicable(
                f"item {item.id}: no wrong answer of the kind of {item.target[0]!r:.40} is known"
            )
        return sorted([right, *wrong], key=lambda candidate: hashed(f"{item.id}|order", candidate.text))

    def right(self, item: Item) -> Candidate:
        """Return the right answer. Raises UserMistake where the scorer does not take it."""
        listed = [candidate for candidate in self.listed(item) if self.task.score(item, candidate.text) == 1]
        for candidate in listed or [
            self.as_answer(item.target[0]), Candidate(item.target[0], 0, len(item.target[0]))
        ]:  # fmt: skip
            if self.task.score(item, candidate.text) == 1:
                return candidate
        raise NotApplicable(
            f"item {item.id}: its target {item.target[0]!r:.40} as a direct answer does not score 1: give the task "
            "demonstrations, so that the form of an answer is known"
        )

    def listed(self, item: Item) -> list[Candidate]:
        """Return the item's own choices as answers: as letters where its target is one; none where it has none."""
        if self.task.mode == "choice_logprob":
            return [Candidate(text, 1, len(text)) for text in continuations(item)]
        by_letter = any(target.strip() in LETTERS[: len(item.choices)] for target in item.target)
        texts = LETTERS[: len(item.choices)] if by_letter else item.choices
        listed = [self.as_answer(text) for text in texts if choice_letter(item.choices, text) is not None]
        return listed if any(self.task.score(item, candidate.text) == 1 for candidate in listed) else []

    def alike(self, item: Item) -> list[Candidate]:
        """Return the right answers of other items that are of the same kind, in the form that this item's has."""
        return self.written(item, self.texts.get(kind_of(item.target[0]), []))

    def copied(self, item: Item) -> list[Candidate]:
        """Return the pieces of the item's prompt that are written as its right answer is; none where that does not
        stand in the prompt."""
        return self.written(item, pieces_like(self.task.prompt(item), item.target[0]))

    def written(self, item: Item, texts: Iterable[str]) -> list[Candidate]:
        """Return answers in the form that the item's right one has."""
        plain = self.right(item).text == item.target[0]
        return [Candidate(text, 0, len(text)) if plain else self.as_answer(text) for text in texts]

    def hardest(self, item: Item, wrong: Sequence[Candidate], copied: Sequence[Candidate]) -> list[Candidate]:
        """Return the wrong candidates in an order that begins with those that tempt whoever does not know: answers
        known of other items that stand in this prompt, then pieces of it and answers to prompts like it. Small
        words are hardly copied for an answer: pieces made of them alone come after."""
        texts = set(self.texts.get(kind_of(item.target[0]), ()))
        there = [
            candidate for candidate in copied if candidate.text[candidate.begins : candidate.ends] in texts
        ]
        telling = set(sorts_of_words(item.target[0])) != {"other"} or len(item.target[0]) == 1
        first = copied[:MOST_COPIED] if telling else ()
        order = dict.fromkeys([*there, *first, *self.nearest(item, wrong), *copied, *wrong])
        left = set(wrong)
        return [candidate for candidate in order if candidate in left]

    def nearest(self, item: Item, wrong: Sequence[Candidate]) -> list[Candidate]:
        """Return the candidates, half as many as are wanted, whose items' prompts share the rarest pieces with this
        one's."""
        own = pieces_of(self.task.prompt(item))

        def likeness(candidate: Candidate) -> float:
            prompt = self.pieces.get(candidate.text[candidate.begins : candidate.ends], frozenset())
            return math.fsum(sorted(self.weight[piece] for piece in own & prompt))

        return sorted(wrong, key=likeness, reverse=True)[: (self.wrong + 1) // 2]

    def as_answer(self, text: str) -> Candidate:
        """Return `text` in the form of a direct answer."""
        whole, begins = direct(self.form, text)
        return Candidate(whole, begins, begins + len(text))

    def stranger(self, item: Item) -> Item:
        """Return another item, of another cluster and prompt where there is one."""
        return self.others(item)[0]

    def others(self, item: Item) -> list[Item]:
        """Return the other items in an order of their own, those of the same cluster or prompt left out where others
        remain. The order begins at a place that depends on the item, so that partners differ."""
        prompt = self.task.prompt(item)
        others = [
            candidate
            for candidate in self.order
            if candidate.id != item.id and self.task.prompt(candidate) != prompt
        ]
        apart = [other for other in others if other.cluster is None or other.cluster != item.cluster]
        partners = apart or others
        if not partners:
            raise NotApplicable(f"item {item.id}: the task has no other prompt to compare with")
        first = int.from_bytes(hashed("partner", item.id)[:8], "big") % len(partners)
        return partners[first:] + partners[:first]

    def foreign(self, prompts: Sequence[str], candidate: Candidate) -> Sequence[str]:
        """Return the prompts to which the candidate is not the right answer; all where it is the answer to each."""
        answer = candidate.text[candidate.begins : candidate.ends]
        return [prompt for prompt in prompts if answer not in self.answers[prompt]] or prompts

    def prompts(self, item: Item, other: bool) -> Prompts:
        """Return after which prompts the item's candidates are scored; after a stranger's where `other`."""
        first = self.stranger(item)
        fixed = [candidate for candidate in self.order if candidate.id not in (item.id, first.id)]
        apart = {other_item.id for other_item in self.others(item)}
        rest = [self.task.prompt(other_item) for other_item in fixed if other_item.id in apart] or [
            self.task.prompt(first)
        ]
        asked_prompt = self.task.prompt(first if other else item)
        priors = [prompt for prompt in dict.fromkeys(rest) if prompt != asked_prompt][: self.priors]
        return Prompts(asked_prompt, tuple(priors or [self.task.prompt(item)]))


@dataclass
class TextScores:
    """Scored texts of one model: each pair of prompt and text once."""

    model: Model
    scored: dict[tuple[str, str], Scored] = field(default_factory=dict)

    def read(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Score the pairs that are not known yet."""
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self.scored]
        self.scored.update(zip(new, self.model.score(new), strict=True))

    def logprob(self, prompt: str, candidate: Candidate) -> float:
        """Return the log-probability (nats) of the answer's tokens in `one` after the prompt."""
        return answer_logprob(self.scored[prompt, candidate.text], candidate)


def answer_logprob(scored: Scored, candidate: Candidate) -> float:
    """Return the sum over the tokens that hold a character of the answer proper; NaN where nothing was scored."""
    at, total, reached = 0, 0.0, False
    for text, logprob in zip(scored.token_texts, scored.logprobs, strict=True):
        if at < candidate.ends and at + len(text) > candidate.begins:
            total, reached = total + logprob, True
        at += len(text)
    return total if reached else math.nan


def ranked(
    likelihoods: TextScores,
    pool: Pool,
    item: Item,
    candidates: Sequence[Candidate],
    where: Prompts,
    older: bool = False,
) -> Elicitation:
    """Return the best candidate as the item's answer; with `older` as runs did before priors left out a candidate's
    own prompts."""
    task, scores = pool.task, []
    for candidate in candidates:
        others = where.others if older else pool.foreign(where.others, candidate)
        priors = np.array([likelihoods.logprob(prompt, candidate) for prompt in others])
        prior = priors.mean() if older else logsumexp(priors) - math.log(len(priors))
        scores.append(round(likelihoods.logprob(where.own, candidate) - float(prior), DIGITS))
    if any(math.isnan(score) for score in scores):
        error = f"item {item.id}: its candidates could not be scored (prompt too long for the model?)"
        return Elicitation(0, 0, where.own, Completion("", (), (), None, None, "failed", 0, 0.0, error))
    order = sorted(range(len(candidates)), key=lambda place: (-scores[place], place))
    right = [place for place, candidate in enumerate(candidates) if task.score(item, candidate.text) == 1]
    best = candidates[order[0]]
    chosen = likelihoods.scored[where.own, best.text]
    measures = {
        "rank": float(min(order.index(place) for place in right)),
        "candidates": float(len(candidates)),
        "chance": len(right) / len(candidates),
        "priors": float(len(where.others)),
        "lead": max(scores[place] for place in right)
        - max(score for place, score in enumerate(scores) if place not in right),
    }
    text = best.text.strip() if task.mode == "choice_logprob" else best.text
    completion = Completion(
        text, chosen.tokens, chosen.token_texts, chosen.logprobs, None, "stop", 0, 0.0, generated=0
    )
    return Elicitation(0, 0, where.own, completion, 0.0, measures)


def kind_of(text: str) -> str:
    """Return what kind of answer a target is: a whole number, another number, or text.

    >>> [kind_of(text) for text in ("1,305", "-2.5", "Paris")]
    ['integer', 'number', 'text']
    """
    plain = text.strip().replace(",", "")
    if plain.lstrip("+-").isdigit():
        return "integer"
    try:
        return "number" if math.isfinite(float(plain)) else "text"
    except ValueError:
        return "text"


def pieces_of(prompt: str) -> frozenset[str]:
    """Return the pieces by which prompts are compared: all runs of three characters, the case apart.

    >>> sorted(pieces_of("A cat"))
    [' ca', 'a c', 'cat']
    """
    text = prompt[-MOST_COMPARED:].casefold()
    return frozenset(text[at : at + 3] for at in range(max(1, len(text) - 2)))


def pieces_like(prompt: str, answer: str) -> list[str]:
    """Return the different pieces of a prompt that are written as `answer` is, itself left out: as many words of the
    same sorts where it stands there as whole words, as many characters of the same sorts where it stands inside a
    word; nothing where it does not stand there.

    >>> pieces_like("Ann met Bob and Eve in 1987 and 12.", "Bob"), pieces_like("1|kmrt?", "m")
    (['Ann', 'Eve'], ['k', 'r', 't'])
    """
    text = prompt[-MOST_COMPARED:]
    words = list(_WORD.finditer(text))
    count = max(1, len(_WORD.findall(answer)))
    pieces = [
        text[first.start() : last.end()] for first, last in zip(words, words[count - 1 :], strict=False)
    ]
    sorts = sorts_of_words
    if answer not in pieces:
        pieces = [text[at : at + len(answer)] for at in range(len(text) - len(answer) + 1)]
        sorts = sorts_of_characters
    if not answer or answer not in pieces:
        return []
    wanted = sorts(answer)
    return list(dict.fromkeys(piece for piece in pieces if piece != answer and sorts(piece) == wanted))


def sorts_of_words(text: str) -> tuple[str, ...]:
    """Return how each word is written: as a number, with a capital first, or otherwise.

    >>> sorts_of_words("In 1987 they")
    ('capital', 'number', 'other')
    """
    return tuple(
        "number" if word[0].isdigit() else "capital" if word[0].isupper() else "other"
        for word in _WORD.findall(text)
    )


def sorts_of_characters(text: str) -> tuple[str, ...]:
    """Return what each character is: a digit, a letter, or itself.

    >>> sorts_of_characters("a1+")
    ('letter', 'digit', '+')
    """
    return tuple(
        "digit" if character.isdigit() else "letter" if character.isalpha() else character
        for character in text
    )


_WORD = re.compile(r"\w+(?:[.,'-]\w+)*")


def hashed(salt: str, text: str) -> bytes:
    """Return a hash by which things are put in an order that nothing else decides."""
    return hashlib.blake2b(f"{salt}|{text}".encode(), digest_size=16).digest()
