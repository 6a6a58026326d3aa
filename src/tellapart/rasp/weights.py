"""From a layout to the weights of a Llama, exact in float32.

A head's products stand in pairs that RoPE turns slowly, its distances in a pair that turns. Its logits lie SURE or more
apart, so that softmax gives exact zeros. The MLP counts steps: silu(z + SURE) - silu(z - SURE) is 2 SURE where
z >= 2 SURE, and 0 where z <= -2 SURE, since silu is the identity there and 0 here.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from tellapart.rasp.language import AT_BOS, SURE, Attended, Form, Head, Stairs, Variable
from tellapart.rasp.layout import ROOT, Layer, Layout, constants, scale_of, steps
from tellapart.rasp.shape import Shape

Tensors = dict[str, np.ndarray]
COUNTING, FETCHING = 0.02, 12.0
"""Most that RoPE may move a logit where several positions share the attention, and where one takes all of it: two move
apart by 24 at most, which leaves 106 of SURE, and exp(-104) is 0 in float32."""


class DoesNotFit(Exception):
    """This compiler's network does not fit the shape; the message says what it needs. No proof that none does."""


class Turned(NamedTuple):
    """What a "since" head is given: RoPE pair, amplitude and phase; `shares` by distance of what BOS is left with."""

    pair: int
    amplitude: float
    phase: float
    shares: tuple[float, ...]


@dataclass
class Neuron:
    """A neuron of a gated MLP: silu(gate), written to coordinates (its up projection is 1)."""

    gate: Form
    writes: dict[int, float] = field(default_factory=dict)


@dataclass
class _Group:
    """What is used of a key-value head."""

    pairs: set[int] = field(default_factory=set)
    values: int = 0
    free: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Placed:
    """A head in the shape: its query head, key-value head, the pairs of its dots and its first value coordinate."""

    head: Head
    ones: tuple[Attended, ...]
    query: int
    keys: int
    pairs: tuple[int, ...]
    value: int
    since: Turned | None
    before: tuple[int, ...]


class Writer:
    """Writes the weights of one layout into one shape. Raises DoesNotFit at once where it cannot."""

    def __init__(self, layout: Layout, shape: Shape) -> None:
        self.layout, self.shape = layout, shape
        self.squares = constants(shape.width)
        self.outputs = self._tied_outputs() if shape.tied else {}
        self._check()
        self.placed = [self._place(layer) for layer in layout.layers]
        self.turned = {placed.head: placed.since for layer in self.placed for placed in layer if placed.since}
        self.mlps = [self._neurons(number) for number in range(len(layout.layers))]
        needed = max(map(len, self.mlps))
        if needed > shape.neurons:
            raise DoesNotFit(f"it needs {needed} neurons a layer, the shape has {shape.neurons}")

    @property
    def neurons(self) -> int:
        """Return the most neurons of a layer."""
        return max(1, *map(len, self.mlps))

    @property
    def variables(self) -> int:
        """Return how many coordinates are variables (with those that a tied embedding answers through)."""
        return self.layout.variables + len(self.outputs)

    def _check(self) -> None:
        layout, shape = self.layout, self.shape
        for name, needed, there in (
            ("layers", len(layout.layers), shape.layers),
            ("heads", layout.heads, shape.heads),
            ("tokens", len(layout.symbols), shape.vocab),
            ("context", layout.context, shape.context),
        ):
            if needed > there:
                raise DoesNotFit(f"it needs {name} {needed}, the shape has {there}")
        if self.variables + len(self.squares) > shape.width:
            raise DoesNotFit(
                f"it has {self.variables} variables, and a width of {shape.width} {len(self.squares)} constants; "
                f"the least width is {layout.width + len(self.outputs)}"
            )
        if np.float32(ROOT**2) + np.float32(shape.epsilon) != np.float32(ROOT**2):
            raise DoesNotFit(f"rms_norm_eps {shape.epsilon} moves a mean square of {ROOT**2} in float32")

    def _tied_outputs(self) -> dict[Variable | None, int]:
        """Return a coordinate for each variable that scores read (None: constants): the embedding of a token is its
        row of scores there, which the last MLP takes away and puts the variable in place of."""
        read = dict.fromkeys(term for form in self.layout.scores.values() for term in form.terms)
        return {term: self.layout.variables + place for place, term in enumerate([*read, None])}

    # heads

    def _place(self, layer: Layer) -> list[Placed]:
        """Return where each head of a layer goes: key-value heads are filled evenly."""
        shape = self.shape
        share = shape.heads // shape.kv_heads
        groups = [
            _Group(free=list(range(share * index, share * (index + 1)))) for index in range(shape.kv_heads)
        ]
        placed = []
        for head, ones in layer.heads:
            for index in sorted(range(len(groups)), key=lambda index: (groups[index].values, index)):
                head_placed = self._fit(head, ones, groups[index], index)
                if head_placed is not None:
                    placed.append(head_placed)
                    break
            else:
                raise DoesNotFit(
                    f"{len(layer.heads)} heads in one layer find no place in {shape.kv_heads} key-value heads "
                    f"of {shape.head_width}"
                )
        return placed

    def _fit(self, head: Head, ones: tuple[Attended, ...], group: _Group, index: int) -> Placed | None:
        turns = self.shape.frequencies
        slow = [pair for pair in reversed(range(len(turns))) if pair not in group.pairs]
        pairs = tuple(slow[: len(head.dots)])
        if not group.free or len(pairs) < len(head.dots) or group.values + len(ones) > self.shape.head_width:
            return None
        counts = any(AT_BOS in stair.value.terms for stair in ones)
        moved = sum(
            query.bound * key.bound * (1 - math.cos(min(math.pi, turns[pair] * self.layout.context)))
            for (query, key), pair in zip(head.dots, pairs, strict=True)
        )
        if moved > (COUNTING if counts else FETCHING):
            return None
        left = [pair for pair in range(len(turns)) if pair not in group.pairs and pair not in pairs]
        since = _since(head.furthest, turns, left) if head.relative == "since" else None
        before = _before(head.furthest, turns, left) if head.relative == "before" else ()
        if head.relative == "latest":
            since = _latest(head.furthest, turns, left)
        if (head.relative in ("since", "latest") and since is None) or (
            head.relative == "before" and not before
        ):
            return None
        group.pairs.update(pairs, before, (since.pair,) if since else ())
        value, group.values = group.values, group.values + len(ones)
        return Placed(head, ones, group.free.pop(0), index, pairs, value, since, before)

    # neurons

    def _neurons(self, number: int) -> list[Neuron]:
        """Return the neurons of a layer's MLP. Stairs of one form with equal levels share them."""
        layer = self.layout.layers[number]
        last = number == len(self.layout.layers) - 1
        shared: dict[object, dict[tuple[float, float], Neuron]] = {}
        made: list[Neuron] = []
        constant: dict[int, float] = {}
        for stair in layer.stairs:
            levels = self._levels(stair)
            form, slack = stair.form_in, stair.slack
            top, rises = steps(levels, slack)
            group = shared.setdefault(
                (frozenset(form.terms.items()), form.constant, slack, tuple(at for at, _ in levels)), {}
            )
            targets = {self.layout.coordinates[stair]: scale_of(stair)}
            if last and stair in self.outputs:
                targets[self.outputs[stair]] = scale_of(stair)
            for target, scale in targets.items():
                constant[target] = constant.get(target, 0.0) + top * scale
            for step in rises:
                for half in (SURE, -SURE):
                    steep = 2 * SURE / step.reach
                    neuron = group.setdefault(
                        (step.at, half), Neuron(Form({}, steep * step.at + half) - form * steep)
                    )
                    for target, scale in targets.items():
                        to = -step.jump * scale / (2 * half)
                        neuron.writes[target] = neuron.writes.get(target, 0.0) + to
            made += [neuron for neuron in group.values() if all(neuron is not other for other in made)]
        for place in layer.cleared:
            made += _passing(place_form(place), {place: -1.0})
        if last and self.outputs:
            made += self._tied(layer, constant)
        if any(constant.values()):
            made.append(Neuron(Form({}, ROOT), {place: to / ROOT for place, to in constant.items() if to}))
        return made

    def _tied(self, layer: Layer, constant: dict[int, float]) -> list[Neuron]:
        """Return the neurons that put the variables of the scores where a tied embedding reads them."""
        made: list[Neuron] = []
        for term, place in self.outputs.items():
            made += _passing(place_form(place), {place: -1.0})
            if term is None:
                constant[place] = constant.get(place, 0.0) + LARGEST_CONSTANT
            elif term not in layer.stairs:
                made += _passing(Form({term: scale_of(term)}), {place: 1.0})
        return made

    def _levels(self, stairs: Stairs) -> Sequence[tuple[float, float]]:
        if stairs.since is None:
            return stairs.levels
        return stairs.levels_of(self.turned[stairs.since].shares)

    # tensors

    def row(self, form: Form) -> np.ndarray:
        """Return the weights, of the shape's width, that read a form off the residual stream."""
        row = np.zeros(self.shape.width)
        row[self.variables] = form.constant / (ROOT * self.squares[0])
        for term, factor in form.terms.items():
            if isinstance(term, Raw):
                row[term.place] += factor
            else:
                row[self.layout.coordinates[term]] += factor / scale_of(term)
        return row

    def ends(self, vocab: int | None = None) -> Tensors:
        """Return embedding, last norm and, where it is not tied, the output matrix, for the first `vocab` tokens."""
        shape, layout = self.shape, self.layout
        rows = shape.vocab if vocab is None else vocab
        embedding = np.zeros((rows, shape.width), dtype=np.float32)
        embedding[:, self.variables : self.variables + len(self.squares)] = np.array(self.squares) * ROOT
        for feature in layout.features:
            for index, token in enumerate(layout.symbols):
                embedding[index, layout.coordinates[feature]] = feature.table.get(token, 0.0) * scale_of(
                    feature
                )
        norm = np.full(shape.width, float(ROOT), dtype=np.float32)
        if shape.tied:
            self._write_tied(embedding, norm)
            return {"model.embed_tokens.weight": embedding, "model.norm.weight": norm}
        least = -SURE * (1 + max(form.bound for form in layout.scores.values()))
        never = self.row(Form({}, least)).astype(np.float32)
        head = np.tile(never, (rows, 1))
        for index, token in enumerate(layout.symbols):
            if token in layout.scores:
                head[index] = self.row(layout.scores[token] * SURE)
        return {"model.embed_tokens.weight": embedding, "model.norm.weight": norm, "lm_head.weight": head}

    def _write_tied(self, embedding: np.ndarray, norm: np.ndarray) -> None:
        """Write each token's scores into the coordinates of `outputs`; the last norm's weights bring them to scale and
        leave all other coordinates out."""
        scores = self.layout.scores
        norm[:] = 0.0
        least = -(1 + max(form.bound for form in scores.values()))
        for term, place in self.outputs.items():
            factors = {
                index: (scores[token].constant if term is None else scores[token].terms.get(term, 0.0))
                for index, token in enumerate(self.layout.symbols)
                if token in scores
            }
            largest = max(
                1e-9, *(abs(factor) for factor in factors.values()), -least if term is None else 0.0
            )
            small = LARGEST_CONSTANT / largest
            if term is None:
                embedding[:, place] = least * small
            for index, factor in factors.items():
                embedding[index, place] = factor * small
            stored = LARGEST_CONSTANT if term is None else scale_of(term)
            norm[place] = ROOT * SURE / small / stored

    def layer(self, number: int) -> Tensors:
        """Return the weights of layer `number` (from 0); a layer that the program has no use for adds nothing."""
        shape = self.shape
        size = shape.head_width
        zeros = {
            "self_attn.q_proj": (shape.heads * size, shape.width),
            "self_attn.k_proj": (shape.kv_heads * size, shape.width),
            "self_attn.v_proj": (shape.kv_heads * size, shape.width),
            "self_attn.o_proj": (shape.width, shape.heads * size),
            "mlp.gate_proj": (shape.neurons, shape.width),
            "mlp.up_proj": (shape.neurons, shape.width),
            "mlp.down_proj": (shape.width, shape.neurons),
        }
        made: Tensors = {name: np.zeros(of, dtype=np.float32) for name, of in zeros.items()}
        if number < len(self.layout.layers):
            for placed in self.placed[number]:
                self._write_head(placed, made)
            for index, neuron in enumerate(self.mlps[number]):
                made["mlp.gate_proj"][index] = self.row(neuron.gate)
                made["mlp.up_proj"][index] = self.row(Form({}, 1.0))
                for place, to in neuron.writes.items():
                    made["mlp.down_proj"][place, index] = to
        for name in ("input_layernorm", "post_attention_layernorm"):
            made[name] = np.full(shape.width, float(ROOT), np.float32)
        return {f"model.layers.{number}.{name}.weight": value for name, value in made.items()}

    def _write_head(self, placed: Placed, made: Tensors) -> None:
        size, half = self.shape.head_width, self.shape.head_width // 2
        queries = made["self_attn.q_proj"][placed.query * size : (placed.query + 1) * size]
        keys = made["self_attn.k_proj"][placed.keys * size : (placed.keys + 1) * size]
        root = math.sqrt(size)  # attention divides by it
        for (query, key), pair in zip(placed.head.dots, placed.pairs, strict=True):
            queries[pair] = self.row(query * root)
            keys[pair] = self.row(key)
        for pair, (amplitude, phase) in self._turning(placed).items():
            queries[pair] = self.row(Form({}, root * amplitude * math.cos(phase)))
            queries[pair + half] = self.row(Form({}, root * amplitude * math.sin(phase)))
            keys[pair] = self.row(placed.head.marked or Form({}, 1.0))
        for offset, attended in enumerate(placed.ones):
            value = placed.value + offset
            made["self_attn.v_proj"][placed.keys * size + value] = self.row(attended.value)
            to = made["self_attn.o_proj"][:, placed.query * size + value]
            to[self.layout.coordinates[attended]] += scale_of(attended)

    def _turning(self, placed: Placed) -> dict[int, tuple[float, float]]:
        """Return (amplitude, phase) by RoPE pair, of a head that looks at distance."""
        if placed.since:
            return {placed.since.pair: (placed.since.amplitude, placed.since.phase)}
        turns = self.shape.frequencies
        gap = _before_gap(placed.head.furthest, turns, placed.before)
        return {pair: (SURE / gap, -turns[pair]) for pair in placed.before}


LARGEST_CONSTANT = 2.0**-8


class Raw(Variable):
    """What stands in a coordinate, as it is written."""

    def __init__(self, place: int) -> None:
        self.place, self.bound = place, LARGEST_CONSTANT


def place_form(place: int) -> Form:
    """Return what stands in a coordinate as a form."""
    return Form({Raw(place): 1.0})


def _passing(form: Form, writes: Mapping[int, float]) -> list[Neuron]:
    """Return two neurons that write a form as it is: silu(z) - silu(-z) = z."""
    steep = 2.0**14
    return [
        Neuron(form * (sign * steep), {place: sign * to / steep for place, to in writes.items()})
        for sign in (1.0, -1.0)
    ]


def _since(furthest: int, turns: Sequence[float], left: Iterable[int]) -> Turned | None:
    """Return the RoPE pair, amplitude and phase that tell distances 0 .. `furthest` best apart."""
    distances = np.arange(furthest + 1)
    best: tuple[float, Turned | None] = (0.0, None)
    for pair in left:
        for amplitude in (1.0, 2.0, 3.0, 4.0):
            for phase in np.linspace(0, 2 * np.pi, 128, endpoint=False):
                logits = amplitude * np.cos(phase + turns[pair] * distances)
                shares = 1 / (1 + np.exp(logits))
                gap = float(np.diff(np.sort([*shares, 1.0])).min())
                if gap > best[0]:
                    best = gap, Turned(pair, amplitude, float(phase), tuple(map(float, shares)))
    return best[1] if best[0] > LEAST_GAP else None


def _latest(furthest: int, turns: Sequence[float], left: Iterable[int]) -> Turned | None:
    """Return the RoPE pair, amplitude and phase of logits that fall by SURE with each position up to `furthest`, and
    end above SURE, which is more than any token's that is not marked; None where no pair turns slowly enough."""
    best: tuple[float, int, float] = (0.0, 0, 0.0)
    for pair in left:
        for phase in np.linspace(0, np.pi / 2, 64, endpoint=False):
            logits = np.cos(phase + turns[pair] * np.arange(furthest + 1))
            best = max(best, (float(min(-np.diff(logits).max(), logits.min())), pair, float(phase)))
    gap, pair, phase = best
    return Turned(pair, SURE / gap, phase, ()) if gap > LEAST_GAP else None


LEAST_GAP = 1e-4
"""Shares of attention that lie nearer to each other are not told apart."""


def _before(furthest: int, turns: Sequence[float], left: Sequence[int]) -> tuple[int, ...]:
    """Return the RoPE pairs, few, whose sum tells distance 1 from all others up to `furthest`."""
    for count in (1, 2, 4, 8, 16):
        pairs = tuple(left[:count])
        if len(pairs) == count and _before_gap(furthest, turns, pairs) > 0.01:
            return pairs
    return ()


def _before_gap(furthest: int, turns: Sequence[float], pairs: Sequence[int]) -> float:
    distances = np.array([at for at in range(furthest + 1) if at != 1])
    away = np.array([turns[pair] for pair in pairs])[:, None] * (distances - 1)
    return float((1 - np.cos(away)).sum(axis=0).min())
