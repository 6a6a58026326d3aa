"""Puzzles of growing complexity, each solved by search first: hanoi, river, blocks, sums (`puzzle:hanoi`).

Only solvable cases are asked. A given solution is played move by move, so any valid one counts; items carry
`complexity` (size) and `steps` (moves of the shortest solution). Compare Shojaee et al. 2025 (arXiv 2506.06941), whose
river crossings of six pairs and more had no solution (Lawsen 2025, arXiv 2506.09250).

    open_puzzle("hanoi")
"""

import random
import re
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, final

from tellapart.errors import UserMistake
from tellapart.jsonvalue import whole
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, Scorer, Task
from tellapart.tasks.numeric import LastNumber

State = Hashable
Moves = Callable[[State], Iterator[tuple[str, State]]]
MOST_STATES = 200_000
TOKENS_A_MOVE = 16


class Puzzle(NamedTuple):
    """A start, whether a state is the goal, and the moves of a state as (text, next state)."""

    text: str
    start: State
    goal: Callable[[State], bool]
    moves: Moves


def solve(puzzle: Puzzle) -> list[str] | None:
    """Return the moves of a shortest solution by breadth-first search; None where there is none.

    Raises ValueError beyond MOST_STATES states.
    """
    came: dict[State, tuple[State, str] | None] = {puzzle.start: None}
    waiting = deque([puzzle.start])
    while waiting:
        state = waiting.popleft()
        if puzzle.goal(state):
            moves = []
            while (before := came[state]) is not None:
                state, move = before
                moves.append(move)
            return moves[::-1]
        for move, after in puzzle.moves(state):
            if after not in came:
                came[after] = (state, move)
                waiting.append(after)
        if len(came) > MOST_STATES:
            raise ValueError(f"more than {MOST_STATES} states")
    return None


def play(puzzle: Puzzle, moves: list[str]) -> bool:
    """Return whether the moves are all allowed and end at the goal."""
    state = puzzle.start
    for move in moves:
        after = dict(puzzle.moves(state)).get(move)
        if after is None:
            return False
        state = after
    return puzzle.goal(state)


def hanoi(size: int) -> Puzzle:
    """Return the Tower of Hanoi with `size` disks on peg A, to be moved to peg C."""
    start = (tuple(range(size, 0, -1)), (), ())

    def moves(state: State) -> Iterator[tuple[str, State]]:
        assert isinstance(state, tuple)
        for a, b in ((a, b) for a in range(3) for b in range(3) if a != b):
            if state[a] and (not state[b] or state[a][-1] < state[b][-1]):
                pegs = list(state)
                pegs[a], pegs[b] = state[a][:-1], (*state[b], state[a][-1])
                yield f"disk {state[a][-1]} from {'ABC'[a]} to {'ABC'[b]}", tuple(pegs)

    text = (
        f"There are {size} disks on peg A, disk 1 the smallest on top, and two empty pegs B and C. Move one disk at a "
        "time, never onto a smaller one, until all are on peg C."
    )
    return Puzzle(text, start, lambda state: state == ((), (), start[0]), moves)


def river(size: int) -> Puzzle:
    """Return `size` missionaries and as many cannibals who cross a river in a boat for two (three from four on)."""
    room = 2 if size <= 3 else 3
    loads = [
        (m, c) for m in range(room + 1) for c in range(room + 1) if 1 <= m + c <= room and (m == 0 or m >= c)
    ]

    def safe(m: int, c: int) -> bool:
        return 0 <= m <= size and 0 <= c <= size and (m in (0, size) or m == c) and (m == 0 or m >= c)

    def moves(state: State) -> Iterator[tuple[str, State]]:
        assert isinstance(state, tuple)
        m, c, left = state
        way = -1 if left else 1
        for dm, dc in loads:
            after = (m + way * dm, c + way * dc)
            if safe(*after) and (size - after[0] == 0 or size - after[0] >= size - after[1]):
                yield (
                    f"{dm} missionaries and {dc} cannibals {'right' if left else 'left'}",
                    (*after, not left),
                )

    text = (
        f"{size} missionaries and {size} cannibals stand on the left bank of a river with a boat for {room}. On "
        "neither bank and in the boat may missionaries be outnumbered by cannibals where there are any. "
        "Bring all to the right."
    )
    return Puzzle(text, (size, size, True), lambda state: state == (0, 0, False), moves)


def blocks(size: int, rng: random.Random) -> Puzzle:
    """Return `size` blocks in drawn stacks that must become one drawn tower."""
    names = "ABCDEFG"[:size]

    def stacks() -> frozenset[str]:
        order = "".join(rng.sample(names, size))
        cuts = sorted(rng.sample(range(1, size), rng.randrange(size - 1))) if size > 1 else []
        return frozenset(order[a:b] for a, b in zip([0, *cuts], [*cuts, size], strict=True))

    goal = frozenset(["".join(rng.sample(names, size))])
    start = stacks()
    while start == goal:
        start = stacks()

    def moves(state: State) -> Iterator[tuple[str, State]]:
        assert isinstance(state, frozenset)
        for stack in sorted(state):
            rest = state - {stack}
            left = {stack[:-1]} - {""}
            if len(stack) > 1:
                yield f"{stack[-1]} onto table", rest | left | {stack[-1]}
            for other in sorted(rest):
                yield f"{stack[-1]} onto {other[-1]}", (rest - {other}) | left | {other + stack[-1]}

    def described(state: frozenset[str]) -> str:
        return "; ".join(" on ".join(reversed(stack)) for stack in sorted(state))

    text = (
        f"Blocks stand in stacks, the top one first: {described(start)}. Move one top block at a time, "
        f"onto the table or onto another top block, until there is one stack: {described(goal)}."
    )
    return Puzzle(text, start, lambda state: state == goal, moves)


@final
@dataclass(frozen=True)
class Played(Scorer):
    """Plays the moves that an answer lists and scores 1 where they are allowed and solve the puzzle.

    `kind` and `seed` name the puzzles: an item's id says which one it is.
    """

    kind: str
    seed: int
    name = "played"

    def answer(self, item: Item, completion: str) -> str | None:
        """Return the moves found in the completion, one a line; None where there is none."""
        moves = [" ".join(match.lower().split()) for match in _MOVES[self.kind].findall(completion)]
        return "\n".join(moves) if moves else None

    def score(self, item: Item, completion: str) -> float:
        """Return 1.0 where the moves solve the item's puzzle."""
        moves = self.answer(item, completion)
        if moves is None:
            return 0.0
        puzzle = puzzle_of(self.kind, whole(item.fields, "complexity"), item.id, self.seed)
        by_words = {" ".join(move.lower().split()): move for move in _every_move(puzzle)}
        return float(play(puzzle, [by_words.get(move, "") for move in moves.split("\n")]))


_MOVES: Mapping[str, re.Pattern[str]] = {
    "hanoi": re.compile(r"disk\s+\d+\s+from\s+[ABC]\s+to\s+[ABC]\b", re.IGNORECASE),
    "river": re.compile(r"\d+\s+missionaries\s+and\s+\d+\s+cannibals\s+(?:right|left)\b", re.IGNORECASE),
    "blocks": re.compile(r"\b[A-G]\s+onto\s+(?:table|[A-G]\b)", re.IGNORECASE),
}
_FORMS = {
    "hanoi": 'Write each move on a line of its own, as "disk 1 from A to C".',
    "river": 'Write each crossing on a line of its own, as "1 missionaries and 1 cannibals right" (or left).',
    "blocks": 'Write each move on a line of its own, as "A onto B" or "A onto table".',
}
_SIZES = {"hanoi": range(1, 8), "river": range(1, 6), "blocks": range(2, 6)}
_EACH = {"hanoi": 1, "river": 1, "blocks": 8}
SUM_LENGTHS = (1, 2, 4, 8, 16, 32)
SUMS_EACH = 16


def _every_move(puzzle: Puzzle) -> set[str]:
    """Return the texts of all moves from states that can be reached."""
    seen, waiting, texts = {puzzle.start}, deque([puzzle.start]), set()
    while waiting:
        for move, after in puzzle.moves(waiting.popleft()):
            texts.add(move)
            if after not in seen and len(seen) < MOST_STATES:
                seen.add(after)
                waiting.append(after)
    return texts


def puzzle_of(kind: str, size: int, name: str, seed: int) -> Puzzle:
    """Return the puzzle behind an item."""
    if kind == "hanoi":
        return hanoi(size)
    return river(size) if kind == "river" else blocks(size, random.Random(f"{seed}|{name}"))


def open_puzzle(kind: str, seed: int = 0) -> Task:
    """Return the task of a kind of puzzle: hanoi, river, blocks or sums. Raises UserMistake for another one."""
    if kind == "sums":
        return _sums(seed)
    if kind not in _SIZES:
        raise UserMistake(f"puzzle:{kind}: use {', '.join(_SIZES)} or sums")
    items = []
    for size in _SIZES[kind]:
        for at in range(_EACH[kind]):
            name = f"{kind}-{size}-{at}"
            puzzle = puzzle_of(kind, size, name, seed)
            solution = solve(puzzle)
            if solution:
                fields = {"text": puzzle.text, "complexity": size, "steps": len(solution)}
                items.append(Item(name, fields, ("\n".join(solution),)))
    longest = max(whole(item.fields, "steps") for item in items)
    return fingerprinted(
        Task(
            name=kind,
            items=tuple(items),
            template=f"{{text}} {_FORMS[kind]}\n\nMoves:\n",
            scorer=Played(kind, seed),
            guess_floor=0.0,
            max_tokens=TOKENS_A_MOVE * (longest + 8),
            source=f"puzzle:{kind}",
        )
    )


def _sums(seed: int) -> Task:
    """Return chained arithmetic: a number, then operations one after another."""
    rng, items = random.Random(f"sums|{seed}"), []
    for length in SUM_LENGTHS:
        for at in range(SUMS_EACH):
            value = rng.randint(10, 99)
            parts = [f"Start with {value}"]
            for _ in range(length):
                by = rng.randint(2, 49)
                plus = value - by < 10 or (value + by < 1000 and rng.random() < 0.5)
                parts.append(f"{'add' if plus else 'subtract'} {by}")
                value += by if plus else -by
            fields = {"text": ", ".join(parts), "complexity": length, "steps": length}
            items.append(Item(f"sums-{length}-{at}", fields, (str(value),)))
    template = "{text}. Give every step and end with the result.\n"
    task = Task("sums", tuple(items), template, LastNumber(), 0.0, max_tokens=TOKENS_A_MOVE * (SUM_LENGTHS[-1] + 8),
                source="puzzle:sums")  # fmt: skip
    return fingerprinted(task)
