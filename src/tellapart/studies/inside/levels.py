"""The verdict of `inside` on language models: each is classed by itself, and classes are compared.

    level_of(figures.estimates).kind                    # "organised", "fractured" or "undecided"
    decide_levels(one, other, same).label

A model is fractured where one of its three mean reuses is below RULE.reuse, or its cross effect above RULE.cross; it is
organised where all of them are known and none is. An interval that holds the threshold leaves a measure undecided.
Noise pulls cosines to 0, so a reuse counts as low only where it is low as a share of its limit, what these points would
show if every context had one direction.

Each is asked beside its null control first, and says nothing where it does not exceed it: a concept must be decodable
above permuted labels, its direction tell pairs apart that it was not made from, and halves of one context agree on
it more than random vectors do. A high reuse
counts less that of random vectors, and only where its limit is high as well; a high cross effect less that of random
vectors of equal norm. Below FEWEST pairs of prompts nothing is said.

"No difference" is sameness of class: both organised, or both fractured, each perhaps in its own way. Thresholds were
fitted on trained twins and tried on others (benchmarks/inside_models.py, docs/validation/inside.md).
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np

from tellapart.stats.estimate import Estimate, missing
from tellapart.studies.inside.verdict import Label, Same, Side, Verdict, Vote, untold, votes_of

Kind = Literal["organised", "fractured", "undecided"]
REUSES = ("direction", "unit", "reading")
CROSS = "cross_effect"


class Rule(NamedTuple):
    """The least mean reuse (cosine) and the most cross effect (share of the own effect) of an organised model."""

    reuse: float
    cross: float


FEWEST = 8
"""Prompt pairs of a concept in each context below which a model is not classed: with 8 none of 36 pairs of twins was
wrong, and half were left open."""
TELLS = 0.6
"""Share of pairs, by its interval's lower end, that a direction must tell apart that it was not made from: more than a
coin, since what else varies leans to one side by luck."""
MOST_TIMES = 64
"""As many times the prompt pairs as there are is looked ahead."""
RULE = Rule(0.45, 0.1)
"""Fitted on 33 pairs of twins of seeds 0 and 1, before any of other seeds was measured."""


class Level(NamedTuple):
    """A model's class, the figures it rests on by name, what each says (+1 fractured, -1 organised, 0 undecided, NaN
    not known), and what stands in the way of all of them ("" where nothing does) or of one, by its name."""

    kind: Kind
    figures: dict[str, Estimate]
    says: dict[str, float]
    obstacle: str = ""
    why: Mapping[str, str] = MappingProxyType({})


def level_of(estimates: Mapping[str, Estimate], rule: Rule = RULE) -> Level:
    """Return the class of one model, from the estimates of its concepts (internals/concept_figures.py)."""
    figures: dict[str, Estimate] = {}
    says: dict[str, float] = {}
    why: dict[str, str] = {}
    pairs = min(
        (estimate.value for name, estimate in estimates.items() if name.startswith("prompt_pairs/")),
        default=math.nan,
    )
    for name in REUSES:
        figure = f"{name}_reuse"
        reuse = figures[figure] = mean_over_concepts(estimates, figure)
        limit = mean_over_concepts(estimates, f"{name}_limit").value
        chance = mean_over_concepts(estimates, f"null_{name}_reuse").value
        chance = 0.0 if math.isnan(chance) else chance
        why[figure] = _not_above_random(estimates, name)
        says[figure] = (
            0.0 if why[figure] and not math.isnan(reuse.low) else _says_reuse(reuse, limit, chance, rule)
        )
        if not says[figure] and not why[figure]:
            why[figure] = _needed(reuse, limit, pairs, rule)
    if sum(name.startswith("direction_reuse/") for name in estimates) > 1:
        figures[CROSS] = estimates.get(CROSS, missing("share of own effect", "not measured"))
        says[CROSS] = _says_cross(figures[CROSS], estimates.get(f"net_{CROSS}", figures[CROSS]), rule)
        if not says[CROSS] and figures[CROSS].low > rule.cross:
            why[CROSS] = "not shown to be more than that of random vectors of equal norm"
    if obstacle := _obstacle(estimates, pairs):
        return Level("undecided", figures, dict.fromkeys(says, math.nan), obstacle)
    kind: Kind = "undecided"
    if any(said > 0 for said in says.values()):
        kind = "fractured"
    elif all(said < 0 for said in says.values()):
        kind = "organised"
    return Level(kind, figures, says, "", why)


def _obstacle(estimates: Mapping[str, Estimate], pairs: float) -> str:
    """Return what forbids to class a model at all, "" where nothing does. A control that was not measured is not
    asked."""
    blind = []
    for name, chance in estimates.items():
        if name.startswith("null_linear_decodability/"):
            concept = name.partition("/")[2]
            decodability = estimates[f"linear_decodability/{concept}"]
            if not decodability.value > chance.high:
                blind.append(f"{concept} ({decodability.value:.2f}, permuted labels up to {chance.high:.2f})")
    if blind:
        return f"the concept is not linearly decodable above chance: {', '.join(blind)}"
    if pairs < FEWEST:
        return (
            f"{pairs:g} prompt pairs a concept and context are too few: {FEWEST} are the least, "
            f"{FEWEST - pairs:g} are missing"
        )
    return ""


def _not_above_random(estimates: Mapping[str, Estimate], name: str) -> str:
    """Return why the reuse called `name` cannot be read, "" where it can."""
    concepts = [key.partition("/")[2] for key in estimates if key.startswith(f"null_{name}_reuse/")]
    concepts = [concept for concept in concepts if not math.isnan(estimates[f"{name}_reuse/{concept}"].value)]
    blind = [concept for concept in concepts if not estimates[f"{name}_readout/{concept}"].low > TELLS]
    if blind:
        blind_concepts = ", ".join(blind)
        return (
            "the direction tells pairs that it was not made from apart hardly better than a coin, "
            f"for {blind_concepts}"
        )
    limits = [
        concept
        for concept in concepts
        if not estimates[f"{name}_limit/{concept}"].value > estimates[f"null_{name}_reuse/{concept}"].high
    ]
    return f"halves of a context agree no more than random vectors for {', '.join(limits)}" if limits else ""


def _needed(reuse: Estimate, limit: float, pairs: float, rule: Rule) -> str:
    """Return how many more prompt pairs a concept and context would settle a reuse that stays as it is: its interval
    shrinks with their root, and its limit grows as Spearman and Brown say."""
    if math.isnan(pairs) or math.isnan(reuse.low) or not limit > 0:
        return ""
    limit, reach = min(limit, 1.0), (reuse.high - reuse.low) / 2
    agree = reuse.value / limit
    for more in range(int(pairs) + 1, int(MOST_TIMES * pairs) + 1):
        times = more / pairs
        then, half = times * limit / (1 + (times - 1) * limit), reach / math.sqrt(times)
        if agree * then - half > rule.reuse or agree + half / then < rule.reuse:
            return f"about {more - int(pairs)} more prompt pairs a concept and context would settle it"
    return f"{int(MOST_TIMES * pairs)} prompt pairs a concept and context would not settle it"


def mean_over_concepts(estimates: Mapping[str, Estimate], head: str) -> Estimate:
    """Return the mean of HEAD/CONCEPT over concepts, whose prompts are others: the intervals' halves add up as the root
    of their squares. Missing where one concept's is."""
    estimates_here = [estimate for name, estimate in estimates.items() if name.startswith(f"{head}/")]
    if not estimates_here or any(math.isnan(estimate.value) for estimate in estimates_here):
        return missing("cosine", f"{head} is not known of every concept")
    value = float(np.mean([estimate.value for estimate in estimates_here]))
    reach = math.hypot(*((estimate.high - estimate.low) / 2 for estimate in estimates_here)) / len(
        estimates_here
    )
    method = f"mean over {len(estimates_here)} concepts; {estimates_here[0].method}"
    return Estimate(
        value, value - reach, value + reach, sum(estimate.n for estimate in estimates_here), "cosine", method
    )


def _says_reuse(reuse: Estimate, limit: float, chance: float, rule: Rule) -> float:
    if math.isnan(reuse.low):
        return math.nan
    if reuse.low - chance > rule.reuse:
        # a reuse above its own limit is luck: the same few points, or one loud direction, in every context
        return -1.0 if limit > rule.reuse else 0.0
    return 1.0 if limit > 0 and reuse.high / min(limit, 1.0) < rule.reuse else 0.0


def _says_cross(cross: Estimate, net: Estimate, rule: Rule) -> float:
    """A high cross effect counts less that of random vectors; a low one as it is, which is more than less it."""
    if math.isnan(cross.low):
        return math.nan
    return -1.0 if cross.high < rule.cross else 1.0 if net.low > rule.cross else 0.0


def decide_levels(side: Side, other: Side, same: Same, rule: Rule = RULE) -> Verdict:
    """Return the verdict on `one` beside `other`: their classes compared, where they score the same."""
    levels = level_of(side.estimates, rule), level_of(other.estimates, rule)
    votes = {
        **{name: Vote(said, False, True) for name, said in levels[0].says.items()},
        **{name: vote for name, vote in votes_of(side, other).items() if name not in levels[0].says},
    }
    rests = tuple(name for name, said in levels[0].says.items() if not math.isnan(said))
    if not same.same:
        barred = [
            f" {side.name}: {level.obstacle}."
            for side, level in zip((side, other), levels, strict=True)
            if level.obstacle
        ]
        return Verdict("cannot tell", f"{untold(same)}{''.join(dict.fromkeys(barred))}", votes, ())
    label = _compared(levels[0].kind, levels[1].kind)
    sentence = f"{same.words}; inside, {_sentence(label, (side.name, other.name), levels, rule)}"
    return Verdict(label, sentence, votes, rests)


def _compared(kind: Kind, other_kind: Kind) -> Label:
    if "undecided" in (kind, other_kind):
        return "cannot tell"
    return "no difference" if kind == other_kind else "organised" if kind == "organised" else "fractured"


def _sentence(label: Label, names: tuple[str, str], levels: tuple[Level, Level], rule: Rule) -> str:
    if label == "no difference":
        return (
            f"both are {levels[0].kind}, {_bounds(levels[0].kind, rule)}. That is sameness of class, not of what is "
            f"inside ({names[0]}: {_why(levels[0])}; {names[1]}: {_why(levels[1])})."
        )
    levels_text = "; ".join(
        f"{name} is {'not to be classed' if level.kind == 'undecided' else level.kind} ({_why(level)})"
        for name, level in zip(names, levels, strict=True)
    )
    return f"{levels_text}. Organised is {_bounds('organised', rule)}."


def _bounds(kind: Kind, rule: Rule) -> str:
    if kind == "organised":
        return f"each reuse above {rule.reuse:g} and cross effect below {rule.cross:g}, with their intervals"
    return f"a reuse below {rule.reuse:g} or cross effect above {rule.cross:g}, with its interval"


def _why(level: Level) -> str:
    """Return the figures that made the class, or left it open: of an organised model the least reuse is enough."""
    wanted = {"fractured": 1.0, "organised": -1.0}.get(level.kind)
    if level.obstacle:
        return level.obstacle
    named = [name for name, said in level.says.items() if said == wanted]
    if level.kind == "organised":
        least = min((name for name in named if name != CROSS), key=lambda name: level.figures[name].low)
        named = [name for name in named if name in (least, CROSS)]
    if level.kind == "undecided":
        named = [name for name, said in level.says.items() if not said or math.isnan(said)]
    return ", ".join(_describe(name, level.figures[name], level.why.get(name, "")) for name in named)


def _describe(name: str, figure: Estimate, why: str) -> str:
    words = name.replace("_", " ")
    if math.isnan(figure.low):
        return f"{words} not known"
    return f"{words} {figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}]{f', {why}' if why else ''}"
