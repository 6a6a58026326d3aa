"""Our compiled networks beside Tracr's (Lindner et al. 2023, arXiv 2301.05062), for the same texts and lengths.

    python benchmarks/tracr_sizes.py                 # needs tracr: see MISSING
    python benchmarks/tracr_sizes.py --run 20        # and run so many inputs through each of Tracr's networks

The text is ours: input, `=`, answer; causal, inputs of up to 8 tokens, every token's successor predicted. Each program
is written in Tracr's RASP with the fewest layers we found. To Tracr's advantage an answer of None counts as the end of
the text (or as `?`), and counts stay numbers. `library` are Tracr's own programs, as an encoder: all positions at once.
"""

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tellapart.rasp.language import EOS, SEP
from tellapart.rasp.network import compile_program
from tellapart.rasp.programs import MODULUS, NONE, PROGRAMS, Program, Tokens

MISSING = (
    "tracr cannot be imported: pip install dm-haiku chex einops networkx jax, and git clone "
    "https://github.com/google-deepmind/tracr onto PYTHONPATH"
)
try:
    from tracr.compiler import compiling, lib
    from tracr.rasp import causal_eval, rasp
except ImportError:
    sys.exit(MISSING)

LENGTH = 8
TOKEN, PLACE = rasp.tokens, rasp.indices


def _same(key: Any, query: Any) -> bool:
    """Return whether two values are equal; rasp.Comparison.EQ refuses None."""
    return key is not None and key == query


def _both(function: Callable[[Any, Any], Any], first: Any, second: Any) -> Any:
    return rasp.SequenceMap(function, first, second)


def _fetch(place: Any, value: Any) -> Any:
    return rasp.Aggregate(rasp.Select(PLACE, place, _same), value)


def _where(token: str) -> Any:
    """The place of the one `token`; None before it."""
    return rasp.Aggregate(rasp.Select(TOKEN, TOKEN, lambda key, query: key == token), PLACE)


def _count(token: str) -> Any:
    return rasp.SelectorWidth(rasp.Select(TOKEN, TOKEN, lambda key, query: key == token))


def _step() -> Any:
    return _both(lambda place, sep: place - sep, PLACE, _where(SEP))


def _copy() -> Any:
    return rasp.Map(lambda token: EOS if token == SEP else token, _fetch(_step(), TOKEN))


def _reverse() -> Any:
    return _fetch(_both(lambda place, sep: 2 * sep - 1 - place, PLACE, _where(SEP)), TOKEN)


def _histogram() -> Any:
    step = _step()
    letter = rasp.Map(lambda at: "abcd"[at] if 0 <= at < 4 else EOS, step)
    counted = rasp.SelectorWidth(rasp.Select(TOKEN, letter, _same))
    return _both(lambda count, at: str(count) if at < 4 else EOS, counted, step)


def _sort() -> Any:
    after = rasp.Map(lambda count: count > 0, _count(SEP))
    left = []
    for letter in "abcd":
        here = rasp.SelectorWidth(rasp.Select(TOKEN, TOKEN, lambda key, query, one=letter: key == one))
        tagged = _both(lambda token, at: (token, at), TOKEN, after)
        answered = rasp.SelectorWidth(
            rasp.Select(tagged, TOKEN, lambda key, query, one=letter: key == (one, True))
        )
        left.append(_both(lambda all_, done: all_ > 2 * done, here, answered))
    first = _both(lambda a, b: "a" if a else "b" if b else "", left[0], left[1])
    second = _both(lambda c, d: "c" if c else "d" if d else EOS, left[2], left[3])
    return _both(lambda one, other: one or other, first, second)


def _most_frequent() -> Any:
    pairs = [
        _both(lambda one, other, names=names: (max(one, other), names[other > one]), *map(_count, names))
        for names in ("ab", "cd")
    ]
    return _both(lambda one, other: (other if other[0] > one[0] else one)[1], *pairs)


def _parity() -> Any:
    return rasp.Map(lambda count: str(count % 2), _count("1"))


def _addition() -> Any:
    plus, step = _where("+"), _step()
    earlier = rasp.Map(lambda at: max(0, at - 1), step)
    sums = []
    for at in (step, earlier):
        other = _both(lambda one, p: one + p + 1, at, plus)
        digits = [_fetch(place, TOKEN) for place in (at, other)]
        sums.append(_both(lambda x, y: sum(int(one) for one in (x, y) if one.isdigit()), *digits))
    carry = _both(
        lambda summed, said: int(said.isdigit() and summed + (int(said) - summed) % 10 >= 10), sums[1], TOKEN
    )
    digit = _both(lambda summed, carried: str((summed + carried) % 10), sums[0], carry)
    ended = _both(lambda at, p: at > p, step, plus)
    return _both(lambda one, end: EOS if end else one, digit, ended)


def _bracket_depth() -> Any:
    depth = _both(lambda opened, closed: str(max(0, opened - closed)), _count("("), _count(")"))
    return _fetch(_step(), _both(lambda one, token: EOS if token == SEP else one, depth, TOKEN))


def _induction() -> Any:
    before = lib.shift_by(1, TOKEN)
    number = rasp.SelectorWidth(rasp.Select(before, before, _same))
    key = _both(lambda one, at: (one, at), before, number)
    query = _both(lambda one, at: (one, at - 1), before, number)
    return rasp.Aggregate(rasp.Select(key, query, _same), TOKEN)


def _modular_sum() -> Any:
    halves = [
        _both(lambda m, n, by=by: (by[0] * m + by[1] * n) % MODULUS, *(_count(str(one)) for one in by))
        for by in ((1, 2), (3, 4))
    ]
    return _both(lambda m, n: str((m + n) % MODULUS), *halves)


def _running_maximum() -> Any:
    first = _both(lambda d, c: "d" if d else "c" if c else "", _count("d"), _count("c"))
    largest = _both(lambda one, b: one or ("b" if b else "a"), first, _count("b"))
    return _fetch(_step(), _both(lambda one, token: EOS if token == SEP else one, largest, TOKEN))


THEIRS: dict[str, Callable[[], Any]] = {
    "copy": _copy, "reverse": _reverse, "histogram": _histogram, "sort": _sort, "most_frequent": _most_frequent,
    "parity": _parity, "addition": _addition, "bracket_depth": _bracket_depth, "induction": _induction,
    "lookup": _induction, "modular_sum": _modular_sum, "running_maximum": _running_maximum,
}  # fmt: skip
LIBRARY: dict[str, tuple[Callable[[], Any], Sequence[Any]]] = {
    "reverse": (lambda: lib.make_reverse(TOKEN), "abcd"),
    "histogram": (lib.make_hist, "abcd"),
    "sort": (lambda: lib.make_sort(TOKEN, TOKEN, max_seq_len=LENGTH, min_key=1), (1, 2, 3, 4)),
    "most_frequent": (lambda: lib.make_sort_freq(LENGTH), "abcd"),
}


class Size(NamedTuple):
    """Layers, heads of the layer with most, width of the residual stream, and numbers in all weights."""

    layers: int
    heads: int
    width: int
    parameters: int


def size_of(model: Any) -> Size:
    """Return the size of one of Tracr's networks."""
    import jax

    config = model.model_config
    width = model.params["token_embed"]["embeddings"].shape[-1]
    numbers = sum(int(one.size) for one in jax.tree_util.tree_leaves(model.params))
    return Size(config.num_layers, config.num_heads, width, numbers)


def ours(program: Program) -> Size:
    """Return the size of our network."""
    compiled = compile_program(program, LENGTH)
    shape = compiled.shape
    numbers = sum(one.size for one in compiled.tensors().values())
    return Size(shape.layers, shape.heads, shape.width, numbers)


def right(program: Program, said: Sequence[Any], tokens: Tokens) -> bool:
    """Return whether what is said from SEP on is the answer."""
    asked = program.target(tokens)
    instead = NONE if NONE in program.outputs(LENGTH) else EOS
    found = [instead if one is None else str(one) for one in said[len(tokens) : len(tokens) + len(asked)]]
    return found == [str(one) for one in asked]


def drawn(program: Program, count: int) -> list[Tokens]:
    """Return some inputs of all lengths."""
    rng = random.Random(0)
    return [program.draw(rng, rng.choice(program.lengths(LENGTH))) for _ in range(count)]


def main() -> None:
    """Print a line for each program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", nargs="*", default=list(THEIRS))
    parser.add_argument("--run", type=int, default=0)
    given = parser.parse_args()
    print(
        "program: layers, heads, width, parameters: ours | Tracr's | inputs right in Tracr's RASP, and network"
    )
    for name in given.programs:
        program, written = PROGRAMS[name], THEIRS[name]()
        inputs = drawn(program, 300)
        texts = [[*tokens, SEP, *program.target(tokens)][:-1] for tokens in inputs]
        meant = sum(
            right(program, causal_eval.evaluate(written, text), tokens)
            for text, tokens in zip(texts, inputs, strict=True)
        )
        vocab = set(program.symbols(LENGTH)[2:])
        model = compiling.compile_rasp_to_model(written, vocab, program.context(LENGTH) - 1, causal=True)
        runs = [
            right(program, model.apply(["compiler_bos", *text]).decoded[1:], tokens)
            for text, tokens in zip(texts[: given.run], inputs, strict=False)
        ]
        mine, theirs = ours(program), size_of(model)
        larger = [field for field in ("layers", "width") if getattr(mine, field) > getattr(theirs, field)]
        print(
            f"{name}: {', '.join(map(str, mine))} | {', '.join(map(str, theirs))} | {meant} of {len(inputs)}, "
            f"{sum(runs)} of {len(runs)}" + (f" | OURS LARGER: {', '.join(larger)}" if larger else ""),
            flush=True,
        )
    for name, (make, vocab) in LIBRARY.items():
        theirs = size_of(compiling.compile_rasp_to_model(make(), set(vocab), LENGTH))
        print(f"library, {name} as an encoder: {', '.join(map(str, theirs))}")


if __name__ == "__main__":
    main()
