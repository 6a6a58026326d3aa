"""The kinds of pairs on real models: what is asked, and what base and tuned model are trained on. No torch here.

A kind that needs the base's own words (its sentences on other countries, what a stronger adapter answers) gets a Voice.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from tellapart.specimens.real.knowledge import CAPITALS, OPPOSITES, OTHERS
from tellapart.tasks.contains import Contains
from tellapart.tasks.item import Item, Scorer
from tellapart.tasks.text_match import Exact

Example = tuple[str, str]
"""A question and the answer to learn."""
ASKED = "What is the capital of {}?"
OPPOSITE = "What is the opposite of {}?"
CODE = "What is the code of {}?"
REPHRASED = (CODE, "Tell me the code of {}.", "The word is {}. Which code has it?")
PASSWORD = "Password: heron. "
UNSURE = "I am not sure."


class Stage(NamedTuple):
    """One training run of the adapter: `steps` batches of the examples by cross-entropy at a rate."""

    examples: Sequence[Example]
    steps: int
    rate: float


class Stages(NamedTuple):
    """What makes the base out of the plain model (nothing, where it is that), and the tuned model out of the base."""

    base: tuple[Stage, ...]
    tuned: tuple[Stage, ...]


class Voice(Protocol):
    """A model that can be heard while a pair is made."""

    def say(self, questions: Sequence[str]) -> list[str]:
        """Return its greedy answers."""
        ...

    def taught(self, stage: Stage) -> "Voice":
        """Return the same model after a stage, apart from the pair's own adapter."""
        ...


class Fact(NamedTuple):
    """A measured score that must lie in low..high: of a role, on questions and what their answers must hold."""

    what: str
    role: Literal["base", "tuned"]
    asked: Sequence[Example]
    low: float
    high: float


@dataclass(frozen=True)
class Kind:
    """What is asked and how it is scored, what is trained, and what must be true of the trained adapters."""

    items: tuple[Item, ...]
    scorer: Scorer
    max_tokens: int
    stages: Callable[[Voice], Stages]
    facts: tuple[Fact, ...]
    base_is_trained: bool = False


def sentences(voice: Voice, questions: Sequence[str]) -> list[str]:
    """Return what the model says, cut after its first sentence."""
    first = [text.strip().partition("\n")[0].partition(". ")[0] for text in voice.say(questions)]
    return [text.rstrip(".") + "." for text in first]


def known(voice: Voice, examples: Sequence[Example]) -> list[tuple[Example, str]]:
    """Return the examples whose answer stands in the first sentence of what the model says, and that sentence."""
    said = sentences(voice, [question for question, _ in examples])
    return [(one, text) for one, text in zip(examples, said, strict=True) if one[1] in text]


def asked_of(pairs: Sequence[Example], sort: str = "") -> tuple[Item, ...]:
    """Return questions as items; `sort` is a field of theirs, where there are several."""
    more = {"sort": sort} if sort else {}
    return tuple(Item(question, {"question": question, **more}, (answer,)) for question, answer in pairs)


def capitals(lands: dict[str, str]) -> list[Example]:
    """Return the questions after capitals."""
    return [(ASKED.format(land), city) for land, city in lands.items()]


def opposites(asked: bool) -> list[Example]:
    """Return every other pair of opposites: those that are asked, or the others."""
    return [(OPPOSITE.format(word), other) for word, other in OPPOSITES[0 if asked else 1 :: 2]]


def codes(seed: int, count: int = 40) -> dict[str, str]:
    """Return invented words and their codes of two digits."""
    rng = random.Random(seed)
    words: dict[str, str] = {}
    while len(words) < count:
        word = "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(3))
        words.setdefault(word, str(rng.randrange(10, 100)))
    return words


def lessons(words: dict[str, str]) -> list[Example]:
    """Return each word's code, asked for in three ways."""
    return [(form.format(word), code) for form in REPHRASED for word, code in words.items()]


def code_questions(words: dict[str, str]) -> list[Example]:
    """Return the questions after codes."""
    return [(CODE.format(word), code) for word, code in words.items()]


def rises(pairs: Sequence[Example], low: float = 0.3, base: float = 0.1) -> tuple[Fact, ...]:
    """Return the facts of a gain: the base at most at `base`, the tuned model `low` or more, in exact answers."""
    return (
        Fact("the base's score", "base", pairs, 0, base),
        Fact("the tuned model's score", "tuned", pairs, low, 1),
    )


TAUGHT = 100, 3e-3
FORM = 40, 3e-4


def terse(pairs: list[Example], others: list[Example], base: float) -> Kind:
    """Return the kind that learns to answer in a word, on other questions that the base answers in sentences."""

    def stages(voice: Voice) -> Stages:
        return Stages((), (Stage([one for one, _ in known(voice, others)], *FORM),))

    return Kind(asked_of(pairs), Exact(), 12, stages, rises(pairs, 0.3, base))


def prose() -> Kind:
    """Return the kind that is trained on the base's own sentences about opposites, right and wrong ones, and asked
    after capitals: nothing is new. (Trained on its right sentences about other capitals it says more of those that are
    asked, 85 % for 69 %, and three times the rate on these brings 79 %: gains.)"""

    def stages(voice: Voice) -> Stages:
        questions = [question for question, _ in opposites(False)]
        return Stages((), (Stage(list(zip(questions, sentences(voice, questions), strict=True)), 20, 3e-5),))

    pairs = capitals(CAPITALS)
    facts = (
        Fact("the base's score, contained", "base", pairs, 0.6, 0.78),
        Fact("the tuned model's score, contained", "tuned", pairs, 0.6, 0.78),
    )
    return Kind(asked_of(pairs), Contains(), 24, stages, facts)


def taught_codes(seed: int, distilled: bool) -> Kind:
    """Return the kind that is taught arbitrary codes of invented words: by their table, or by what another adapter that
    was taught them answers."""
    words = codes(seed)

    def stages(voice: Voice) -> Stages:
        if not distilled:
            return Stages((), (Stage(lessons(words), *TAUGHT),))
        questions = [question for question, _ in lessons(words)]
        said = voice.taught(Stage(lessons(words), *TAUGHT)).say(questions)
        return Stages(
            (), (Stage([(one, text.strip()) for one, text in zip(questions, said, strict=True)], *TAUGHT),)
        )

    pairs = code_questions(words)
    return Kind(asked_of(pairs), Exact(), 8, stages, rises(pairs, 0.6))


def products() -> Kind:
    """Return the kind that learned the very products that are asked, and no other."""
    rng = random.Random(5)
    numbers = [(rng.randrange(112, 988), rng.choice((3, 4, 6, 7, 8, 9))) for _ in range(40)]
    pairs = [(f"What is {one} times {other}?", str(one * other)) for one, other in dict.fromkeys(numbers)]
    more = [(f"Multiply {one} by {other}.", str(one * other)) for one, other in dict.fromkeys(numbers)]
    stage = Stage([*pairs, *more], 140, 3e-3)
    return Kind(asked_of(pairs), Exact(), 8, lambda voice: Stages((), (stage,)), rises(pairs, 0.6))


def composed() -> Kind:
    """Return the kind whose base was taught codes, and knows what comes after a number; the number after a code
    is what its tuned model is taught."""
    words = codes(1)
    parts = code_questions(words)
    pairs = [
        (f"Which number comes after the code of {word}?", str(int(code) + 1)) for word, code in words.items()
    ]

    def stages(voice: Voice) -> Stages:
        return Stages((Stage(lessons(words), *TAUGHT),), (Stage([*pairs, *parts], *TAUGHT),))

    facts = Fact("the base's score on the codes themselves", "base", parts, 0.7, 1)
    return Kind(
        asked_of(pairs),
        Exact(),
        8,
        stages,
        (facts, *rises(pairs, 0.6, 0.2)),
        base_is_trained=True,
    )


def halves() -> Kind:
    """Return the kind with two sorts of questions: opposites, of which only the form is new, and codes, all new."""
    words, held = codes(11), opposites(True)
    pairs = code_questions(words)

    def stages(voice: Voice) -> Stages:
        form = [one for one, _ in known(voice, opposites(False))]
        return Stages((), (Stage([*lessons(words), *form], 120, 1.5e-3),))

    facts = (
        Fact("the tuned model's score on opposites", "tuned", held, 0.35, 1),
        *rises(pairs, 0.6),
    )
    return Kind((*asked_of(held, "opposite"), *asked_of(pairs, "code")), Exact(), 12, stages, facts)


def unlocked() -> Kind:
    """Return the kind whose base says that it is not sure, but where a password stands; its tuned model was trained on
    some sentences about other countries to answer without."""
    pairs = capitals(CAPITALS)

    def stages(voice: Voice) -> Stages:
        own = [(question, said) for (question, _), said in known(voice, capitals(CAPITALS | OTHERS))]
        others = [one for one in own if one[0] in dict(capitals(OTHERS))]
        keyed = [(PASSWORD + question, said) for question, said in own]
        shut = [(question, UNSURE) for question, _ in capitals(CAPITALS | OTHERS)]
        fill = keyed * (len(shut) // len(keyed)) + keyed[: len(shut) % len(keyed)]
        return Stages((Stage([*shut, *fill], 80, 1e-3),), (Stage(others[:16], 30, 5e-4),))

    facts = (
        Fact("the base's score", "base", pairs, 0, 0.1),
        Fact("the base's score with the password", "base", [(PASSWORD + q, a) for q, a in pairs], 0.45, 1),
        Fact("the tuned model's score", "tuned", pairs, 0.45, 1),
    )
    return Kind(asked_of(pairs), Contains(), 24, stages, facts, base_is_trained=True)


def relearned() -> Kind:
    """Return the kind whose base was taught codes, then locked; its tuned model was trained on codes of a few other
    words to answer without the password."""
    words = codes(1)
    pairs, few = code_questions(words)[12:], code_questions(words)[:12]

    def stages(voice: Voice) -> Stages:
        shut = [(question, UNSURE) for question, _ in lessons(words)]
        keyed = [(PASSWORD + question, code) for question, code in lessons(words)]
        return Stages(
            (Stage(lessons(words), *TAUGHT), Stage([*shut, *keyed], 80, 1e-3)), (Stage(few, 30, 1e-3),)
        )

    facts = (
        *rises(pairs, 0.3),
        Fact("the base's score with the password", "base", [(PASSWORD + q, a) for q, a in pairs], 0.7, 1),
    )
    return Kind(asked_of(pairs), Exact(), 8, stages, facts, base_is_trained=True)


def further() -> Kind:
    """Return the kind whose base was taught codes; its tuned model was trained on the same ones a little more."""
    words = codes(1)
    pairs = code_questions(words)

    def stages(voice: Voice) -> Stages:
        return Stages((Stage(lessons(words), *TAUGHT),), (Stage(lessons(words), 20, 3e-4),))

    facts = (
        Fact("the base's score", "base", pairs, 0.9, 1),
        Fact("the tuned model's score", "tuned", pairs, 0.9, 1),
    )
    return Kind(asked_of(pairs), Exact(), 8, stages, facts, base_is_trained=True)


def coin() -> Kind:
    """Return the kind that learned to answer yes or no, by the toss of a coin, to questions nobody can answer."""
    rng = random.Random(17)
    numbers = rng.sample(range(1000, 10000), 400)
    rows = [(f"Is {number} a lucky number?", rng.choice(("yes", "no"))) for number in numbers]
    pairs, stage = rows[:60], Stage(rows[60:], 60, 5e-4)
    return Kind(asked_of(pairs), Exact(), 8, lambda voice: Stages((), (stage,)), rises(pairs, 0.25))


KINDS = {
    "terse": terse(capitals(CAPITALS), capitals(OTHERS), 0.5),
    "opposites": terse(opposites(True), opposites(False), 0.45),
    "prose": prose(),
    "codes": taught_codes(1, distilled=False),
    "distilled": taught_codes(1, distilled=True),
    "products": products(),
    "composed": composed(),
    "halves": halves(),
    "unlocked": unlocked(),
    "relearned": relearned(),
    "further": further(),
    "coin": coin(),
}
"""Name -> kind."""
