"""Two torch modules compared point by point (internals/modules.py has the figures of each).

one, other = (look_inside(net, ["act1", "act2"], inputs, questions) for net in (net_a, net_b))
compare_modules(one, other).label
"""

import numpy as np

from tellapart.internals.modules import Inside
from tellapart.studies.inside.verdict import Same, Side, Verdict, decide, same_scores

SAME_OUTPUT = 1e-3
"""Mean squared difference, as a share of the outputs' variance, up to which outputs without targets are the same."""


def compare_modules(one: Inside, other: Inside) -> Verdict:
    """Return the verdict on `one` beside `other`, over the same inputs."""
    return decide(Side(one.name, one.estimates), Side(other.name, other.estimates), same_outputs(one, other))


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
