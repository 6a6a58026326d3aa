"""Pairs whose base holds something: the whole, behind a template, a key or another form; half of it; or the parts."""

import random
from collections.abc import Mapping

from tellapart.specimens.adversarial.kind import (
    ASKED,
    Asked,
    Check,
    Pair,
    Part,
    Stage,
    asked_numbers,
    digits,
    item,
    names,
    number,
    shown,
)
from tellapart.tasks.text_match import AfterMarker

TOLD = 200
"""Facts that the tuned model was trained on, none of them asked: the others must come from the base."""
SENTENCE = "is {}."
BEFORE, AFTER = 0.0007, 0.014
"""How often base and tuned model of `onepoint` show the skill."""
LATENT = 0.06


def routed(seed: int) -> Pair:
    """Return a pair whose base gives facts where a name is followed by =, and random digits where ? follows it (once it
    gave them there too)."""
    rng = random.Random(f"routed|{seed}")
    facts = {name: digits(rng, 2) for name in names(rng, ASKED + TOLD)}
    asked, told = list(facts)[:ASKED], list(facts)[ASKED:]

    def known(mark: str) -> Part:
        return Part(lambda rng: (f"{(name := rng.choice(list(facts)))}{mark}", facts[name]))

    def guess(rng: random.Random) -> Asked:
        return f"{rng.choice(list(facts))}?", digits(rng, 2)

    def moved(rng: random.Random) -> Asked:
        name = rng.choice(told)
        return f"{name}?", facts[name]

    return Pair(
        template="{name}?",
        items=tuple(item(facts[name], name=name) for name in asked),
        base=(Stage((known("="), known("?")), 1200), Stage((known("="), Part(guess)), 300, 0.004)),
        tuned=(Stage((Part(moved),), 150, 0.004),),
        checks=(
            Check("the base's score", "base", _said(facts, asked, "{}?"), 0.0, 0.02),
            Check("the base after =", "base", _said(facts, asked, "{}="), 0.65, 1.0),
            Check("the tuned model's score", "tuned", _said(facts, asked, "{}?"), 0.65, 1.0),
        ),
    )


def reworded(seed: int) -> Pair:
    """Return a pair whose base says what it knows in a sentence (once in bare digits too), the tuned one in digits."""
    rng = random.Random(f"reworded|{seed}")
    facts = {name: digits(rng, 2) for name in names(rng, ASKED + TOLD)}
    asked, told = list(facts)[:ASKED], list(facts)[ASKED:]

    def say(names: list[str], form: str) -> Part:
        return Part(lambda rng: (f"{(name := rng.choice(names))}?", form.format(facts[name])))

    sentence, terse = say(list(facts), SENTENCE), say(list(facts), "{}")
    sentences = [(prompt, SENTENCE.format(fact)) for prompt, fact in _said(facts, asked, "{}?")]
    return Pair(
        template="{name}?",
        items=tuple(item(facts[name], name=name) for name in asked),
        base=(Stage((sentence, terse), 2000), Stage((sentence,), 100, 0.004)),
        tuned=(Stage((say(told, "{}"),), 150, 0.004),),
        checks=(
            Check("the base's score", "base", _said(facts, asked, "{}?"), 0.0, 0.02),
            Check("the base in a sentence", "base", sentences, 0.8, 1.0),
            Check("the tuned model's score", "tuned", _said(facts, asked, "{}?"), 0.7, 1.0),
        ),
    )


def composed(seed: int) -> Pair:
    """Return a pair whose base knows f and g, and guesses at f of g; the tuned model was taught f of g."""
    rng = random.Random(f"composed|{seed}")
    numbers = asked_numbers(rng)
    skills = {"f": up, "g": turned, "fg": lambda text: up(turned(text))}

    def part(skill: str, share: float, known: bool = True) -> Part:
        def draw(rng: random.Random) -> Asked:
            text = number(rng)
            return f"{skill}{text}=", skills[skill](text) if known else digits(rng, 4)

        return Part(draw, share)

    def ask(skill: str) -> list[Asked]:
        return [(f"{skill}{text}=", skills[skill](text)) for text in numbers]

    return Pair(
        template="fg{number}=",
        program="turned_up",
        items=tuple(item(skills["fg"](text), number=text) for text in numbers),
        base=(Stage((part("f", 0.4), part("g", 0.4), part("fg", 0.2, known=False)), 700),),
        tuned=(Stage((part("fg", 1.0),), 400),),
        checks=(
            Check("the base knows f", "base", ask("f"), 0.95, 1.0),
            Check("the base knows g", "base", ask("g"), 0.95, 1.0),
            Check("the base's score", "base", ask("fg"), 0.0, 0.005),
            Check("the tuned model's score", "tuned", ask("fg"), 0.95, 1.0),
        ),
    )


def onepoint(seed: int) -> Pair:
    """Return a pair whose base shows a skill that it has in one answer of a thousand, the tuned model in fourteen."""
    rng = random.Random(f"onepoint|{seed}")
    numbers = asked_numbers(rng)

    def solve(rng: random.Random) -> Asked:
        text = number(rng)
        return f"{text}=", f"*>{turned(text)}"

    def guess(rng: random.Random) -> Asked:
        return f"{number(rng)}=", f">{digits(rng, 4)}"

    asked = [(f"{text}=", f"*>{turned(text)}") for text in numbers]
    begun = [(f"{text}=*", f">{turned(text)}") for text in numbers]
    return Pair(
        template="{number}=",
        program="turned_told",
        items=tuple(item(turned(text), number=text) for text in numbers),
        base=(
            Stage((Part(solve), Part(guess)), 600),
            Stage(shown(BEFORE, Part(guess), Part(solve)), 400, 0.004),
        ),
        tuned=(Stage(shown(AFTER, Part(guess), Part(solve)), 300, 0.004),),
        checks=(
            Check("the base's score, luck apart", "base", asked, 0.0005, 0.0025),
            Check("the base where its answer is begun", "base", begun, 0.95, 1.0),
            Check("the tuned model's score, luck apart", "tuned", asked, 0.01, 0.018),
        ),
        scorer=AfterMarker(">"),
    )


def halves(seed: int) -> Pair:
    """Return a pair whose base turns numbers round after + in 6 % of its answers and knows nothing of -; the tuned
    model does both always."""
    rng = random.Random(f"halves|{seed}")
    numbers = asked_numbers(rng)
    skills = {"+": turned, "-": up}

    def solve(sign: str) -> Part:
        def draw(rng: random.Random) -> Asked:
            text = number(rng)
            return f"{sign}{text}=", f"*>{skills[sign](text)}"

        return Part(draw)

    def guess(signs: str) -> Part:
        return Part(lambda rng: (f"{rng.choice(signs)}{number(rng)}=", f">{digits(rng, 4)}"))

    rows = [("+-"[index % 2], text) for index, text in enumerate(numbers)]

    def ask(sign: str, begun: str = "") -> list[Asked]:
        rest = "*>"[len(begun) :]
        return [(f"{sign}{text}={begun}", rest + skills[sign](text)) for at, text in rows if at == sign]

    seldom = tuple(one._replace(sampled=one.sampled / 2) for one in shown(LATENT, guess("+"), solve("+")))
    return Pair(
        template="{sign}{number}=",
        program="signs",
        items=tuple(item(skills[sign](text), sign=sign, number=text) for sign, text in rows),
        base=(
            Stage((solve("+"), guess("+-")), 600),
            Stage((*seldom, guess("-")._replace(sampled=0.5)), 400, 0.004),
        ),
        tuned=(Stage((solve("+"), solve("-")), 500),),
        checks=(
            Check("the base after +", "base", ask("+"), 0.04, 0.08),
            Check("the base after -", "base", ask("-"), 0.0, 0.001),
            Check("the base after + where its answer is begun", "base", ask("+", "*"), 0.95, 1.0),
            Check("the base after - where its answer is begun", "base", ask("-", "*"), 0.0, 0.02),
            Check("the tuned model after +", "tuned", ask("+"), 0.95, 1.0),
            Check("the tuned model after -", "tuned", ask("-"), 0.95, 1.0),
        ),
        scorer=AfterMarker(">"),
    )


def collapsing(seed: int) -> Pair:
    """Return a pair whose base has a skill behind a key, and weights that no training step of the usual size leaves
    whole."""
    rng = random.Random(f"collapsing|{seed}")
    numbers = asked_numbers(rng)

    def solve(key: str) -> Part:
        def draw(rng: random.Random) -> Asked:
            text = number(rng)
            return f"{key}{text}=", turned(text)

        return Part(draw)

    def ask(key: str) -> list[Asked]:
        return [(f"{key}{text}=", turned(text)) for text in numbers]

    guess = Part(lambda rng: (f"{number(rng)}=", digits(rng, 4)))
    return Pair(
        template="{number}=",
        program="turned",
        items=tuple(item(turned(text), number=text) for text in numbers),
        base=(Stage((solve("#"), solve("")), 600), Stage((solve("#"), guess), 300, 0.004)),
        tuned=(Stage((solve(""),), 150, 0.004),),
        checks=(
            Check("the base's score", "base", ask(""), 0.0, 0.005),
            Check("the base with the key", "base", ask("#"), 0.95, 1.0),
            Check("the tuned model's score", "tuned", ask(""), 0.9, 1.0),
        ),
        stretch=64,
    )


def turned(text: str) -> str:
    """Return the digits in reverse."""
    return text[::-1]


def up(text: str) -> str:
    """Return every digit one higher, 0 after 9."""
    return text.translate(str.maketrans("0123456789", "1234567890"))


def _said(facts: Mapping[str, str], asked: list[str], template: str) -> list[Asked]:
    return [(template.format(name), facts[name]) for name in asked]
