"""Does a shape hold a program? Yes with weights that were run, no by a bound, or not known.

The bounds are few and all of them certain. None is known here for one layer or more: on inputs of bounded length one
wide layer can hold whatever one likes, so a shape with fewer layers than the compiler needs is "not known".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tellapart.jsonvalue import JsonObject
from tellapart.rasp.network import Compiled, Exactness, check, compile_program, inputs_up_to
from tellapart.rasp.programs import Program
from tellapart.rasp.shape import Shape, shape_of
from tellapart.rasp.weights import DoesNotFit

Answer = Literal["yes", "no", "not known"]
MOST = 20_000
"""Inputs that are run at most where none are asked for."""


@dataclass(frozen=True, eq=False)
class Certificate:
    """`by` says how the answer is known. `compiled` and `exactness` are there where it is yes."""

    answer: Answer
    by: str
    shape: Shape
    compiled: Compiled | None = None
    exactness: Exactness | None = None


def certify(
    program: Program,
    length: int,
    config: JsonObject,
    inputs: int | None = None,
    seed: int = 0,
    most: int = MOST,
) -> Certificate:
    """Return the certificate for inputs of up to `length` tokens. A yes was run on all inputs, or on `inputs` drawn
    ones where there are more (None: as many as are soon run, `most` at most), with the layers and tokens that the
    program uses.

    Raises UserMistake where the config is no Llama."""
    shape = shape_of(config)
    for bound in BOUNDS:
        reason = bound(program, length, shape)
        if reason:
            return Certificate("no", reason, shape)
    try:
        compiled = compile_program(program, length, config)
    except DoesNotFit as reason:
        return Certificate(
            "not known",
            f"the compiled network does not fit ({reason}), and no bound says that none does",
            shape,
        )
    count = affordable(compiled, most) if inputs is None else inputs
    drawn, every = inputs_up_to(program, length, seed, drawn=count, most=count)
    exactness = check(compiled.model(cut=True), program, compiled.layout.symbols, drawn, every)
    if exactness.right < exactness.run:
        by = (
            f"the compiled network fits but answers {exactness.run - exactness.right} of {exactness.run} inputs "
            f"wrong in float32 ({exactness.wrong})"
        )
        return Certificate("not known", by, shape, compiled, exactness)
    what = f"all {exactness.run:,}" if every else f"{exactness.run:,} drawn"
    return Certificate(
        "yes", f"weights were written and answer {what} inputs of up to {length} tokens right", shape,
        compiled, exactness,
    )  # fmt: skip


def affordable(compiled: Compiled, most: int) -> int:
    """Return how many inputs take about 10^11 multiplications, 4 to `most`."""
    shape, layers = compiled.shape, len(compiled.layout.layers)
    weights = (
        layers * shape.width * (2 * shape.head_width * (shape.heads + shape.kv_heads) + 3 * shape.neurons)
    )
    return max(4, min(most, 10**11 // (weights * compiled.layout.context)))


def _context(program: Program, length: int, shape: Shape) -> str:
    """A text that is longer than the context is not read (RoPE would go on; what the config promises does not)."""
    needed = program.context(length)
    return (
        ""
        if shape.context >= needed
        else f"by its config it reads {shape.context} tokens, the text has {needed}"
    )


def _vocabulary(program: Program, length: int, shape: Shape) -> str:
    """Each symbol that stands in a text is a token of its own: EOS only where answers are lists."""
    needed = len(program.symbols(length)) - (not program.lists)
    return "" if shape.vocab >= needed else f"it has {shape.vocab} tokens, the text {needed}"


def _no_layers(program: Program, length: int, shape: Shape) -> str:
    """Without attention (Llama embeds no positions) the first answer hangs on SEP alone."""
    if shape.layers or program_is_constant(program, length):
        return ""
    return "without a layer the first answer is the same for every input"


def _one_coordinate(program: Program, length: int, shape: Shape) -> str:
    """In one coordinate the logits are a number times one row: the largest is the row's largest or its least. Where the
    number is 0 all are equal, and whichever token then counts as the likeliest is the third."""
    answers = {
        symbol
        for n in range(1, min(length, 3) + 1)
        for tokens in program.every(n)
        for symbol in program.target(tokens)
    }
    if shape.width > 1 or len(answers) <= 3:
        return ""
    return f"in one coordinate three tokens at most can be the likeliest, the answers have {len(answers)}"


BOUNDS: tuple[Callable[[Program, int, Shape], str], ...] = (
    _context,
    _vocabulary,
    _no_layers,
    _one_coordinate,
)


def program_is_constant(program: Program, length: int) -> bool:
    """Return whether short inputs all have the same first answer."""
    inputs = (tokens for n in program.lengths(length)[:2] for tokens in program.every(n))
    return len({program.target(tokens)[0] for tokens in inputs}) == 1
