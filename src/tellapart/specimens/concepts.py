"""Concept pairs for the bundled specimens (docs/specimens.md), which write digits and operations one token a character.

register: `operation`, the next operation written is i or c, in each of three steps; `digit`, the next digit is 8 or 2,
under each of four operations. tracking: `swap`, the next swap written is ab or fg, in each of three steps; `letter`,
the next letter is a or g, kept in its place by a swap elsewhere, or brought there by one. sums, names, order: those of
the twins of `inside` (specimens/inside/worlds.py).
"""

import random
from collections.abc import Iterator

from tellapart.errors import UserMistake
from tellapart.internals.concepts import ConceptPair
from tellapart.specimens.families import FAMILIES, Family, Problem, prompt_of, states_after
from tellapart.specimens.inside.worlds import WORLDS, world_pairs

PAIRS, SEED = 16, 5
OPERATIONS = {"register": ("i", "c"), "tracking": ("ab", "fg")}
NAMES = {"register": ("operation", "digit"), "tracking": ("swap", "letter")}
ENDS = {"register": ("8", "2"), "tracking": ("a", "g")}


def specimen_concepts(family: str) -> tuple[ConceptPair, ...]:
    """Return the pairs of a family. UserMistake where there is no such family."""
    if family in WORLDS:
        return world_pairs(WORLDS[family])
    if family not in FAMILIES:
        known = ", ".join(f"specimen:{name}" for name in (*FAMILIES, *WORLDS))
        raise UserMistake(f"no concepts specimen:{family[:40]}: choose {known}")
    rng = random.Random(SEED)
    return (*_operations(FAMILIES[family], rng), *_firsts(FAMILIES[family], rng))


def _operations(family: Family, rng: random.Random) -> Iterator[ConceptPair]:
    """Yield problems that differ in the operation of one step, written up to that step."""
    for step, name in enumerate(("first step", "second step", "third step")):
        for _ in range(PAIRS):
            start, sides = family.state(rng), []
            others = [op for op in family.known if op not in OPERATIONS[family.name]]
            rest = rng.sample(others, 2)
            for operation in OPERATIONS[family.name]:
                program = (*rest[:step], operation, *rest[step:])
                problem = Problem(start, program)
                done = zip(program[:step], states_after(family, problem), strict=False)
                sides.append(prompt_of(problem) + "".join(f"{op}{state};" for op, state in done))
            yield ConceptPair(NAMES[family.name][0], name, sides[0], sides[1], *OPERATIONS[family.name])


def _firsts(family: Family, rng: random.Random) -> Iterator[ConceptPair]:
    """Yield problems, written up to the first operation, whose next character differs."""
    operations = family.known if family.name == "register" else ("cd", "ag")
    for operation in operations:
        for _ in range(PAIRS):
            rest = rng.sample([op for op in family.known if op != operation], 2)
            sides = []
            found = _starts(family, rng, operation)
            for start in found:
                sides.append(prompt_of(Problem(start, (operation, *rest))) + operation)
            yield ConceptPair(
                NAMES[family.name][1], f"after {operation}", sides[0], sides[1], *ENDS[family.name]
            )


def _starts(family: Family, rng: random.Random, operation: str) -> tuple[str, str]:
    """Return two starts, alike but in the character that comes first after `operation` (two in `tracking`)."""
    high, low = ENDS[family.name]
    while True:
        start = family.state(rng)
        if family.apply(operation, start)[0] != high:
            continue
        if not family.repeats:
            other = start.translate(str.maketrans(high + low, low + high))
            return start, other
        for place in range(family.length):
            for letter in family.letters:
                other = start[:place] + letter + start[place + 1 :]
                if family.apply(operation, other)[0] == low:
                    return start, other
