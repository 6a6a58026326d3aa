"""What a run has seen, as one row of numbers: for the tables that compare runs, and for no decision."""

import math

from tellapart.studies.gain.density import Density
from tellapart.studies.gain.held import Held
from tellapart.studies.gain.recovered import Recovered, Way
from tellapart.studies.gain.scores import Scores

ROUTED_AT_MOST = 0.2


def features(scores: Scores, recovered: Recovered, seen: Density, held: Held) -> dict[str, float]:
    """Return the features by name; NaN where the run has not seen what one says.

    held_at_least and held_at_most: the bounds' values, with their ends. log_bits: log2(1 + bits) by which an answer of
    tuned differs from the base; bits_a_token: the same a token (perplexity under the base, 2504.13837); concentration:
    in the top 5 % of tokens. pass_crossing: base less tuned at the largest k, over the gain (2504.13837). content:
    content.py. few_shot: by demonstrations. routing: with at most 20 % of the tokens routed (2510.07364).
    """
    bits = seen.estimates["bits_per_response"].value
    return {
        "share": held.low.value,
        "share_low": held.low.low,
        "held_at_most": held.high.value,
        "held_at_most_high": held.high.high,
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
    k = max(scores.coverage.k)
    gain = scores.gain.value
    return -scores.estimates[f"pass@{k}_difference"].value / gain if gain and k > 1 else math.nan


def _best(ways: "tuple[Way, ...] | list[Way]", names: tuple[str, ...]) -> float:
    shares = [way.share.value for way in ways if way.name.split("@")[0] in names]
    return max((share for share in shares if not math.isnan(share)), default=math.nan)
