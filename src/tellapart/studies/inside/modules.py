"""Two torch modules compared point by point (internals/modules.py has the figures of each).

one, other = (look_inside(net, ["act1", "act2"], inputs, questions) for net in (net_a, net_b))
compare_modules(one, other).label
"""

import numpy as np

from tellapart.internals.modules import Inside
from tellapart.stats.intervals import wilson
from tellapart.studies.inside.verdict import Same, Side, Verdict, decide, same_scores, votes_of

SAME_OUTPUT = 1e-3
"""Mean squared difference, as a share of the outputs' variance, up to which outputs without targets are the same."""


def compare_modules(one: Inside, other: Inside) -> Verdict:
    """Return the verdict on `one` beside `other`, over the same inputs. Where a concept is no more decodable, a
    direction no steadier, or a score no better than chance in one of the two, nothing is told apart."""
    sides = Side(one.name, one.estimates), Side(other.name, other.estimates)
    if obstacles := [*_obstacles(one), *_obstacles(other)]:
        return Verdict("cannot tell", f"{'; '.join(obstacles)}.", votes_of(*sides), ())
    return decide(*sides, same_outputs(one, other))


def _obstacles(one: Inside) -> list[str]:
    """Return what of a module's figures does not exceed its null control."""
    found = []
    if one.scores is not None and np.isfinite(one.chance_score):
        right = wilson(round(float(one.scores.sum())), len(one.scores))
        if not right.low > one.chance_score:
            found.append(f"the score of {one.name}, {right.value:.3f} [{right.low:.3f}, {right.high:.3f}], is not "
                         f"above that of the best constant answer, {one.chance_score:.3f}")  # fmt: skip
    for name, chance in one.estimates.items():
        head, _, concept = name.partition("/")
        tail = f"/{concept}" if concept else ""
        what = f"the concept {concept}".rstrip()
        if (
            head == "null_linear_decodability"
            and not one.estimates[f"linear_decodability{tail}"].value > chance.high
        ):
            found.append(f"{what} is not linearly decodable above chance in {one.name}")
        if head == "null_direction_reuse" and not one.estimates[f"direction_limit{tail}"].value > chance.high:
            found.append(f"two halves of one context agree on {what} no more than random vectors in {one.name}: more "
                         "points are needed")  # fmt: skip
    return found


def same_outputs(one: Inside, other: Inside) -> Same:
    """Return whether the two are right on the same share of points; without targets, whether outputs are equal."""
    if one.scores is not None and other.scores is not None:
        return same_scores((one.name, other.name), one.scores.tolist(), other.scores.tolist())
    if one.outputs.shape != other.outputs.shape:
        return Same(None, f"{one.name} and {other.name} have outputs of other shapes")
    spread = float(((one.outputs - one.outputs.mean(axis=0)) ** 2).mean())
    apart = float(((one.outputs - other.outputs) ** 2).mean()) / spread
    if not np.isfinite(apart) or apart > SAME_OUTPUT:
        return Same(False, f"The outputs differ by {apart:.2g} of their variance, more than {SAME_OUTPUT:g}")
    return Same(True, f"The outputs, which differ by {apart:.1g} of their variance, do not tell them apart")
