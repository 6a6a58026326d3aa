"""Programs of the tasks about digits that the bundled specimens are asked: texts of one length, read by their places.

Both layers are alike for all of them. The first finds the position, and which operation is to be carried out; its MLP
turns both into the place to read and the table to apply. The second reads there, its MLP applies the table.

    register:  3857ric=  ->  r7583;i8694;c1305>1305      steps, each from the one before
    turned:    6708=     ->  8076                        one operation, the answer alone
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tellapart.rasp.language import (
    AT_BOS,
    EOS,
    Attended,
    Feature,
    Head,
    Numbered,
    Scores,
    Stairs,
    best,
    fetch,
    latest,
    nearest,
)
from tellapart.rasp.programs import Program, Tokens

DIGITS = "0123456789"
SAME, UP, NINES, TRIPLE = DIGITS, "1234567890", "9876543210", "0369258147"
TURNED = (3, 2, 1, 0)
STATE = 4
"""Digits of a state."""


@dataclass(frozen=True)
class Rule:
    """Digit `j` of what comes out is `table[state[places[j]]]`."""

    places: tuple[int, ...] = (0, 1, 2, 3)
    table: str = SAME

    def __call__(self, state: Sequence[str]) -> str:
        """Return the state that comes of a state."""
        return "".join(self.table[int(state[place])] for place in self.places)


REGISTER: Mapping[str, Rule] = {
    "i": Rule(table=UP), "c": Rule(table=NINES), "m": Rule(table=TRIPLE), "r": Rule(TURNED),
    "s": Rule((1, 0, 2, 3)), "t": Rule((1, 2, 3, 0)),
}  # fmt: skip


@dataclass(frozen=True)
class Text:
    """What is said at each position of a text: `reads` is the place whose token it rests on, for an operation; where
    `writes` is a token, it is that one; in `working` positions the operation's table is applied to what is read."""

    last: int
    reads: Callable[[int, Rule], int]
    writes: Mapping[int, str]
    working: Callable[[int], bool]


def scores_of(text: Text, rules: Mapping[str, Rule], letters: str, repeated: bool) -> Scores:
    """Return the scores of a text under the operations `rules`, each named by a token among `letters` that is read as
    it stands. The latest such token counts where they are `repeated`, else the one there is."""
    names, share = list(rules), Attended(Head(), AT_BOS)
    codes: dict[str, float] = {name: float(place) for place, name in enumerate(names)}
    operation: Attended | float = 0.0
    if len(names) > 1:
        named, code = Feature("is operation", dict.fromkeys(names, 1.0)), Feature("operation", codes)
        operation = latest(named, code, text.last) if repeated else best(named, code)
    both = share + operation
    positions = range(text.last + 1)
    sources = sorted({text.reads(at, rule) for at in positions for rule in rules.values()})
    number = {place: float(index - len(sources) // 2) for index, place in enumerate(sources)}
    beyond = number[sources[-1]] + 1

    def by_position(function: Callable[[int], float]) -> Stairs:
        return Stairs(share, [(1 / (1 + at), function(at)) for at in positions])

    def by_both(function: Callable[[int, Rule], float]) -> Stairs:
        return Stairs(both, [(codes[name] + 1 / (1 + at), function(at, rules[name])) for name in names
                             for at in positions])  # fmt: skip

    first = rules[names[0]]
    tables = list(dict.fromkeys((SAME, *(rule.table for rule in rules.values()))))
    written = list(dict.fromkeys(text.writes.values()))
    # A place is the first operation's, which position alone tells, and how far another's lies from it: few steps.
    own = by_position(lambda at: number[text.reads(at, first)])
    farther = by_both(lambda at, rule: number[text.reads(at, rule)] - number[text.reads(at, first)])
    table = by_both(lambda at, rule: float(tables.index(rule.table) if text.working(at) else 0))
    kind = by_position(lambda at: float(written.index(text.writes[at]) + 1) if at in text.writes else 0.0)
    # what is not read has the next larger number
    key = Numbered(
        by_position(lambda at: number.get(at, beyond)), by_position(lambda at: number.get(at, beyond) ** 2)
    )
    read = {token: float(place) for place, token in enumerate(dict.fromkeys((*DIGITS, *letters)))}
    size = len(read)
    said = {**read, **{token: float(size + place) for place, token in enumerate(written)}}
    there = fetch(key, own + farther).of(Feature("token", read))
    levels = [
        (place + size * at, said[table[int(token)]] if token in DIGITS else place)
        for at, table in enumerate(tables) for token, place in read.items()
    ]  # fmt: skip
    levels += [
        (place + size * (at + len(tables) * (index + 1)), said[token])
        for index, token in enumerate(written) for at in range(len(tables)) for place in read.values()
    ]  # fmt: skip
    return nearest(Stairs(there + table * size + kind * (size * len(tables)), levels), said)


# steps


def _register_text(shown: int, mark: str) -> Text:
    """Return the text of three steps, of which `shown` characters answer: BOS, state, names, `mark`, SEP, steps."""
    sep = STATE + 3 + len(mark) + 1
    begins = [
        sep + 1 + (STATE + 2) * step for step in range(3)
    ]  # where the name of each step's operation stands
    before = [1, *(at + 1 for at in begins[:2])]
    end = begins[2] + STATE + 1
    writes = {begins[1] - 2: ";", begins[2] - 2: ";", end - 1: ">", end + shown: EOS}

    def reads(at: int, rule: Rule) -> int:
        for step, begin in enumerate(begins):
            if begin <= at < begin + STATE:
                return before[step] + rule.places[at - begin]
            if at < begin:
                return STATE + 1 + step
        return begins[2] + 1 + min(max(0, at - end), shown - 1)

    return Text(end + shown, reads, writes, lambda at: begins[0] <= at < end - 1)


def _steps(tokens: Tokens, shown: int) -> Tokens:
    state, steps = "".join(tokens[:STATE]), list[str]()
    for name in tokens[STATE : STATE + 3]:
        state = REGISTER[name](state)
        steps.append(name + state)
    return tuple(f"{';'.join(steps)}>{state[:shown]}")


def _register(name: str, shown: int, mark: str = "") -> Program:
    text = _register_text(shown, mark)
    letters = "".join(REGISTER)
    size = 3 * (STATE + 2) + shown
    return Program(
        name, f"the register after three operations, step by step, of which {shown} characters answer",
        DIGITS + letters + mark,
        lambda n: ";>", partial(_steps, shown=shown), lambda n: size,
        lambda n: scores_of(text, REGISTER, letters, repeated=True),
        "does not", "places are computed with",
        places=lambda n: [DIGITS] * STATE + [letters] * 3 + list(mark) if n == STATE + 3 + len(mark) else None,
    )  # fmt: skip


# one operation


def _single(name: str, asks: str, rules: Mapping[str, Rule], before: str = "", lead: str = "") -> Program:
    """Return the program of an operation on four digits, named by what stands before them where there are several;
    `before` is what always stands there, `lead` what the answer begins with."""
    choices = ["".join(rules)] if len(rules) > 1 else list(before)
    sep = len(choices) + STATE + 1
    begin = sep + len(lead)
    writes = {**{sep + place: token for place, token in enumerate(lead)}, begin + STATE: EOS}

    def reads(at: int, rule: Rule) -> int:
        return len(choices) + 1 + rule.places[min(max(0, at - begin), STATE - 1)]

    text = Text(begin + STATE, reads, writes, lambda at: True)

    def answer(tokens: Tokens) -> Tokens:
        rule = rules[tokens[0]] if len(rules) > 1 else next(iter(rules.values()))
        return tuple(lead + rule(tokens[-STATE:]))

    return Program(
        name, asks, "".join(dict.fromkeys((*"".join(choices), *DIGITS))), lambda n: lead, answer,
        lambda n: len(lead) + STATE, lambda n: scores_of(text, rules, "", repeated=False),
        "does not", "places are computed with",
        places=lambda n: [*choices, *[DIGITS] * STATE] if n == len(choices) + STATE else None,
    )  # fmt: skip


_SIGNS = {"+": Rule(TURNED), "-": Rule(table=UP)}
_TOPICS = {"+": Rule(TURNED), "-": Rule(table=UP), "*": Rule((1, 2, 3, 0)), "/": Rule(table=NINES)}
_ALL = (
    _register("register", STATE),
    _register("register_first", 1, "?"),
    _single("turned", "four digits backwards", {"": Rule(TURNED)}),
    _single("turned_told", "four digits backwards, after >", {"": Rule(TURNED)}, lead=">"),
    _single("turned_up", "four digits backwards, each one more", {"": Rule(TURNED, UP)}, before="fg"),
    _single("signs", "after +, four digits backwards; after -, each one more", _SIGNS, lead=">"),
    _single("topics", "after +, -, *, /: four digits backwards, one more, rotated, taken from nine", _TOPICS),
)
DIGIT_PROGRAMS: Mapping[str, Program] = {program.name: program for program in _ALL}
