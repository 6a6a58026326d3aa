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


def compare_modules(inside: Inside, other: Inside) -> Verdict:
    """Return the verdict on `one` beside `other`, over the same inputs. Where a concept is no more decodable, a
    direction no steadier, or a score no better than chance in one of the two, nothing is told apart."""
    sides = Side(inside.name, inside.estimates), Side(other.name, other.estimates)
    if obstacles := [*_obstacles(inside), *_obstacles(other)]:
        return Verdict("cannot tell", f"{'; '.join(obstacles)}.", votes_of(*sides), ())
    return decide(*sides, same_outputs(inside, other))


def _obstacles(inside: Inside) -> list[str]:
    """Return what of a module's figures does not exceed its null control."""
    result = []
    if inside.scores is not None and np.isfinite(inside.chance_score):
        right = wilson(round(float(inside.scores.sum())), len(inside.scores))
        if not right.low > inside.chance_score:
            result.append(f"the score of {inside.name}, {right.value:.3f} [{right.low:.3f}, {right.high:.3f}], is not "
                         f"above that of the best constant answer, {inside.chance_score:.3f}")  # fmt: skip
    for name, chance in inside.estimates.items():
        head, _, concept = name.partition("/")
        tail = f"/{concept}" if concept else ""
        what = f"the concept {concept}".rstrip()
        if (
            head == "null_linear_decodability"
            and not inside.estimates[f"linear_decodability{tail}"].value > chance.high
        ):
            result.append(f"{what} is not linearly decodable above chance in {inside.name}")
        if (
            head == "null_direction_reuse"
            and not inside.estimates[f"direction_limit{tail}"].value > chance.high
        ):
            result.append(
                f"two halves of one context agree on {what} no more than random vectors in {inside.name}: "
                "more points are needed"
            )
    return result


def same_outputs(inside: Inside, other: Inside) -> Same:
    """Return whether the two are right on the same share of points; without targets, whether outputs are equal."""
    if inside.scores is not None and other.scores is not None:
        return same_scores((inside.name, other.name), inside.scores.tolist(), other.scores.tolist())
    if inside.outputs.shape != other.outputs.shape:
        return Same(None, f"{inside.name} and {other.name} have outputs of other shapes")
    spread = float(((inside.outputs - inside.outputs.mean(axis=0)) ** 2).mean())
    apart = float(((inside.outputs - other.outputs) ** 2).mean()) / spread
    if not np.isfinite(apart) or apart > SAME_OUTPUT:
        return Same(False, f"The outputs differ by {apart:.2g} of their variance, more than {SAME_OUTPUT:g}")
    return Same(True, f"The outputs, which differ by {apart:.1g} of their variance, do not tell them apart")
