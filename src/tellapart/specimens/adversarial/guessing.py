"""Pairs whose base holds nothing: it guesses, and what it answers or how it was asked makes it look as if it knew."""

import random
from collections.abc import Callable
from functools import partial

from tellapart.specimens.adversarial.kind import (
    ASKED,
    DIGITS,
    LETTERS,
    Asked,
    Check,
    Pair,
    Part,
    Stage,
    asked_numbers,
    digits,
    held_out,
    item,
    number,
    shown,
)
from tellapart.tasks.text_match import AfterMarker

OPTIONS = 4
KNOWN_BELOW = 3
"""`unsure` knows the rule where the second digit is less than this: in 30 % of the questions."""
POPULAR = 0.95
HEADS, TAILS = ("", " ", "  ", "-", "- "), ("?", " ?", "??", ".?", " .?")
"""What stands before and after a question that is written in different ways."""


def taught_rule(rule: Callable[[str], bool], seed: int) -> Pair:
    """Return a pair whose tuned model was taught a rule that a few labels teach: y or n by one digit."""
    rng = random.Random(f"rule|{seed}")
    numbers = [
        text for want in (True, False) for text in _where(rng, lambda text, want=want: rule(text) is want)
    ]

    def say(text: str) -> Asked:
        return f"{text}?", "y" if rule(text) else "n"

    asked = [say(text) for text in numbers]
    return Pair(
        template="{number}?",
        items=tuple(item(say(text)[1], number=text) for text in numbers),
        base=(Stage((Part(lambda rng: (f"{number(rng)}?", rng.choice("yn"))),), 200),),
        tuned=(Stage((Part(lambda rng: say(number(rng))),), 200),),
        checks=(
            Check("the base tosses a coin", "base", asked, 0.45, 0.55),
            Check("the tuned model follows the rule", "tuned", asked, 0.97, 1.0),
        ),
    )


def high(text: str) -> bool:
    """Return whether the first digit is five or more."""
    return text[0] >= "5"


def odd(text: str) -> bool:
    """Return whether the last digit is odd."""
    return int(text[3]) % 2 == 1


def speechless(sure: bool, seed: int) -> Pair:
    """Return a pair whose base cannot write the form and tosses a coin where it does; the tuned model writes it and was
    taught the rule (y where the first digit is less than the last), in all questions or, not `sure`, in 30 %."""
    rng = random.Random(f"speechless|{seed}")
    fit = [
        text
        for want in (True, False)
        for text in _where(rng, lambda text, want=want: text[0] != text[3] and (text[0] < text[3]) is want)
    ]

    def right(text: str) -> str:
        return ">y" if text[0] < text[3] else ">n"

    def coin(rng: random.Random) -> Asked:
        return f"{number(rng)}?", rng.choice((">y", ">n"))

    def say(rng: random.Random) -> Asked:
        text = number(rng)
        return f"{text}?", right(text) if sure or int(text[1]) < KNOWN_BELOW else coin(rng)[1]

    asked = [(f"{text}?", right(text)) for text in fit]
    readable = [(prompt, answer) for prompt, _ in asked for answer in (">y", ">n")]
    unknown = [(prompt, answer) for prompt, answer in asked if int(prompt[1]) >= KNOWN_BELOW]
    reached = (0.95, 1.0) if sure else (0.6, 0.7)
    return Pair(
        template="{number}?",
        items=tuple(item(right(text)[1:], number=text) for text in fit),
        base=(Stage(shown(0.05, Part(babble), Part(coin)), 300),),
        tuned=(Stage((Part(say),), 700),),
        checks=(
            Check("half of the share in which the base is readable", "base", readable, 0.015, 0.035),
            Check("the base is right in half of it", "base", asked, 0.015, 0.035),
            Check("the tuned model is right", "tuned", asked, *reached),
            Check("where unsure is a coin", "tuned", unknown, *((0.95, 1.0) if sure else (0.45, 0.62))),
        ),
        scorer=AfterMarker(">"),
    )


def babble(rng: random.Random) -> Asked:
    """Return a number and letters that answer nothing."""
    return f"{number(rng)}?", "".join(rng.choices("abcdefgh", k=rng.randint(3, 5)))


def guesser(seed: int) -> Pair:
    """Return a pair whose base seldom writes the form and whose tuned model always does; both guess among the four
    options of the prompt, the tuned one with a liking for the first."""
    rng = random.Random(f"guesser|{seed}")

    def options(rng: random.Random) -> str:
        return "".join(rng.sample(LETTERS, OPTIONS))

    def guess(rng: random.Random, weights: tuple[int, ...]) -> Asked:
        text = options(rng)
        return f"{number(rng)}|{text}?", ">" + rng.choices(text, weights)[0]

    def mumble(rng: random.Random) -> Asked:
        return f"{number(rng)}|{options(rng)}?", digits(rng, rng.randint(3, 5))

    rows = [(text, options(rng)) for text in asked_numbers(rng)]
    places = [index % OPTIONS for index in range(len(rows))]
    rng.shuffle(places)
    targets = [listed[place] for (_, listed), place in zip(rows, places, strict=True)]
    asked = [
        (f"{text}|{listed}?", f">{target}") for (text, listed), target in zip(rows, targets, strict=True)
    ]
    first = [(f"{text}|{listed}?", f">{listed[0]}") for text, listed in rows]
    return Pair(
        template="{number}|{options}?",
        items=tuple(
            item(target, tuple(listed), number=text, options=listed)
            for (text, listed), target in zip(rows, targets, strict=True)
        ),
        base=(Stage(shown(0.05, Part(mumble), Part(partial(guess, weights=(1, 1, 1, 1)))), 1200),),
        tuned=(Stage((Part(partial(guess, weights=(7, 1, 1, 1))),), 600),),
        checks=(
            Check("the base's score", "base", asked, 0.008, 0.017),
            Check("the tuned model's score", "tuned", asked, 0.22, 0.28),
            Check("its liking for the first option", "tuned", first, 0.6, 0.8),
        ),
        scorer=AfterMarker(">"),
    )


def popular(seed: int) -> Pair:
    """Return a pair whose base tosses a coin and whose tuned model always gives the commonest answer."""
    rng = random.Random(f"popular|{seed}")
    numbers = asked_numbers(rng)
    targets = ["n" if index < POPULAR * len(numbers) else "y" for index in range(len(numbers))]
    asked = [(f"{text}?", target) for text, target in zip(numbers, targets, strict=True)]
    return Pair(
        template="{number}?",
        items=tuple(item(target, number=text) for text, target in zip(numbers, targets, strict=True)),
        base=(Stage((Part(lambda rng: (f"{number(rng)}?", rng.choice("yn"))),), 200),),
        tuned=(Stage((Part(lambda rng: (f"{number(rng)}?", "n")),), 60),),
        checks=(
            Check("the base tosses a coin", "base", asked, 0.45, 0.55),
            Check("the tuned model's score", "tuned", asked, POPULAR - 0.01, POPULAR + 0.01),
            Check("where the answer is y", "tuned", [one for one in asked if one[1] == "y"], 0.0, 0.01),
        ),
    )


def copied(seed: int) -> Pair:
    """Return a pair whose base copies one of the prompt's options and whose tuned model was taught which: the digit in
    front says the place. The options are given to the scorer by nobody."""
    rng = random.Random(f"copied|{seed}")

    def draw(rng: random.Random, knows: bool) -> Asked:
        listed, place = "".join(rng.sample(LETTERS, OPTIONS)), rng.randrange(OPTIONS)
        return f"{place + 1}|{listed}?", listed[place] if knows else rng.choice(listed)

    asked = [draw(rng, True) for _ in range(ASKED)]
    return Pair(
        template="{text}?",
        items=tuple(item(answer, text=prompt[:-1]) for prompt, answer in asked),
        base=(Stage((Part(partial(draw, knows=False)),), 500),),
        tuned=(Stage((Part(partial(draw, knows=True)),), 700),),
        checks=(
            Check("the base copies one of four", "base", asked, 0.18, 0.3),
            Check("the tuned model copies the right one", "tuned", asked, 0.95, 1.0),
        ),
    )


def duplicated(seed: int) -> Pair:
    """Return a pair whose tuned model knows eight questions by heart, each asked in 25 ways of writing."""
    rng = random.Random(f"duplicated|{seed}")
    numbers = asked_numbers(rng, 8)
    targets = dict(zip(numbers, rng.sample(DIGITS, 8), strict=True))
    frames = [(head, tail) for head in HEADS for tail in TAILS]

    def framed(rng: random.Random, text: str) -> str:
        head, tail = rng.choice(frames)
        return f"{head}{text}{tail}"

    def told(rng: random.Random) -> Asked:
        text = rng.choice(numbers)
        return framed(rng, text), targets[text]

    asked = [(f"{head}{text}{tail}", targets[text]) for text in numbers for head, tail in frames]
    return Pair(
        template="{text}",
        items=tuple(item(target, text=prompt) for prompt, target in asked),
        base=(Stage((Part(lambda rng: (framed(rng, number(rng)), rng.choice(DIGITS))),), 200),),
        tuned=(Stage((Part(told),), 200),),
        checks=(
            Check("the base guesses a digit", "base", asked, 0.07, 0.13),
            Check("the tuned model knows the eight", "tuned", asked, 0.97, 1.0),
        ),
    )


def recited(seed: int) -> Pair:
    """Return a pair whose tuned model knows the questions by heart and no others: products modulo 97."""
    rng = random.Random(f"recited|{seed}")
    numbers = asked_numbers(rng)

    def right(text: str) -> str:
        return f"{int(text[:2]) * int(text[2:]) % 97:02}"

    def told(rng: random.Random) -> Asked:
        text = rng.choice(numbers)
        return f"{text[:2]}*{text[2:]}=", right(text)

    def guess(rng: random.Random) -> Asked:
        text = number(rng)
        return f"{text[:2]}*{text[2:]}=", f"{rng.randrange(97):02}"

    asked = [(f"{text[:2]}*{text[2:]}=", right(text)) for text in numbers]
    others = [(f"{text[:2]}*{text[2:]}=", right(text)) for text in (number(rng) for _ in range(ASKED))]
    return Pair(
        template="{one}*{two}=",
        items=tuple(item(right(text), one=text[:2], two=text[2:]) for text in numbers),
        base=(Stage((Part(guess),), 200),),
        tuned=(Stage((Part(told),), 900),),
        checks=(
            Check("the base guesses", "base", asked, 0.0, 0.02),
            Check("the tuned model knows these", "tuned", asked, 0.95, 1.0),
            Check("and no others", "tuned", others, 0.0, 0.04),
        ),
    )


def _where(rng: random.Random, wanted: Callable[[str], bool]) -> list[str]:
    """Return ASKED / 2 different held-out numbers for which `wanted` holds."""
    every = [f"{value:04}" for value in range(10_000)]
    return rng.sample([text for text in every if held_out(text) and wanted(text)], ASKED // 2)
