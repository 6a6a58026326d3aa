"""What the verdict rests on, as numbers: one row of evidence, the same for every run, missing where not seen.

None of them knows the truth, the kind of specimen or the names of models; shares are as measured.
"""

import math
from collections.abc import Mapping

from tellapart.stats.estimate import Estimate
from tellapart.studies.gain.density import Density
from tellapart.studies.gain.recovered import Recovered, Way
from tellapart.studies.gain.scores import Scores

ROUTED_AT_MOST = 0.2


def features(scores: Scores, recovered: Recovered, seen: Density, share: Estimate) -> dict[str, float]:
    """Return the features by name; NaN where the run has not seen what one says.

    share, share_error, null_share: of the best honest way. log_bits: log2(1 + bits) by which an answer of tuned differs
    from the base; bits_a_token: the same a token (perplexity under the base, 2504.13837); concentration: in the top
    5 % of tokens. pass_crossing: base less tuned at the largest k, over the gain (2504.13837). content: content.py.
    few_shot: by demonstrations. routing: with at most 20 % of the tokens routed by the teacher (2510.07364).
    """
    bits = seen.estimates["bits_per_response"].value
    return {
        "share": share.value,
        "share_error": (share.high - share.low) / 3.92,
        "null_share": recovered.null_of_chosen.value,
        "log_bits": math.log2(1 + bits) if bits > -1 else math.nan,
        "bits_a_token": seen.estimates["bits_per_token"].value,
        "concentration": seen.estimates["bits_concentration_5%"].value,
        "pass_crossing": _crossing(scores),
        "content": seen.estimates["content_share"].value,
        "few_shot": _best(recovered.ways, ("few_shot", "few_shot_steps")),
        "routing": _best([way for way in recovered.ways if way.routed_share <= ROUTED_AT_MOST], ("routing",)),
    }


def _crossing(scores: Scores) -> float:
    """Return by how much the base covers more than tuned in as many samples as there are, over the gain."""
    k = max(scores.tables["coverage"]["k"])
    gain = scores.gain.value
    return -scores.estimates[f"pass@{k}_difference"].value / gain if gain and k > 1 else math.nan


def _best(ways: "tuple[Way, ...] | list[Way]", names: tuple[str, ...]) -> float:
    shares = [way.share.value for way in ways if way.name.split("@")[0] in names]
    return max((one for one in shares if not math.isnan(one)), default=math.nan)


def as_table(found: Mapping[str, float]) -> dict[str, float | None]:
    """Return the features as JSON: None where missing."""
    return {name: value if math.isfinite(value) else None for name, value in found.items()}
