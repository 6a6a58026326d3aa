"""The adaptive plan: ways are asked one after another, cheap ones first, until the verdict is settled.

The j-th way's share is looked at with an interval of level 1 - alpha_j, alpha_j = 0.05 * 6 / (pi^2 j^2): the
alphas of any number of looks add up to at most 0.05, so stopping at the best-looking moment does not cheat
(alpha spending, a union bound). Settled means: the best honest way's interval lies above HIGH (elicited), or at
least one way of every mechanism that can run was seen and the best one's interval lies within one verdict. A mechanism
of which every method failed is waited for no longer. Where a share lies between two verdicts, asking also ends when
PATIENCE further ways found nothing better.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tellapart.report.text import whole
from tellapart.runs.row import Row
from tellapart.runs.table import to_table
from tellapart.stats.estimate import Estimate
from tellapart.stats.share_band import HIGH, LOW
from tellapart.stats.shares import recovered_share
from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.items import per_item, shared_items
from tellapart.studies.gain.recovered import Way, allowed, unanswered, way_of
from tellapart.studies.gain.scores import Scores, compare, finite

ALPHA = 0.05
PATIENCE = 4
"""So many ways in a row that do not beat the best one end an adaptive plan whose verdict stays open."""


class Look(NamedTuple):
    """One way's share as it was seen when it was asked, at level 1 - alpha; `honest` as in recovered.allowed."""

    way: str
    mechanism: str
    share: float
    low: float
    high: float
    alpha: float
    honest: bool

    def as_json(self) -> dict[str, Any]:
        """Return the look as JSON; what is not finite is None."""
        told = self._asdict()
        return {key: finite(value) if isinstance(value, float) else value for key, value in told.items()}


def spent_at(look: int) -> float:
    """Return the alpha of the `look`-th look (from 1); they add up to at most ALPHA.

    >>> sum(spent_at(j) for j in range(1, 100_000)) <= 0.05
    True
    """
    return ALPHA * 6 / (math.pi**2 * look**2)


@dataclass
class Watch:
    """Sees the ways' shares as they come and says when the verdict is settled."""

    scores: Scores
    facts: Facts
    looks: list[Look] = field(default_factory=list)

    @property
    def seen(self) -> frozenset[str]:
        """The mechanisms of which a way was looked at."""
        return frozenset(look.mechanism for look in self.looks)

    def see(self, name: str, about: Mapping[str, Any], mechanism: str, rows: Sequence[Row]) -> str:
        """Look at the way `name`, whose rows (and its twin's) have just come; return why it has no share, "" where it
        has one."""
        table = to_table(rows).to_pandas()
        way = way_of(table, self.scores, self.facts, name, about)
        if way is None:
            return unanswered(table, f"base/{name}", self.scores)
        alpha = spent_at(1 + len(self.looks))
        share = self._share(way, alpha)
        honest = allowed(way, self.scores, self.facts.guess_floor)
        self.looks.append(Look(name, mechanism, share.value, share.low, share.high, alpha, honest))
        return ""

    def settled(self, ahead: frozenset[str]) -> str | None:
        """Return in one sentence why nothing more need be asked, None where something must be. `ahead` are the
        mechanisms of the methods that can still be asked."""
        gain = self.scores.gain
        if not gain.low > 0:
            return "there is no gain whose share could be told"
        honest = [look for look in self.looks if look.honest and not math.isnan(look.low)]
        if not honest:
            return None
        best = max(honest, key=lambda look: look.low)
        told = f"{best.way} brought back {_percent(best)} at level {1 - best.alpha:.4f}"
        if best.low > HIGH:
            return f"settled after {len(self.looks)} looks: {told}"
        if ahead - self.seen:
            return None
        top = max(look.high for look in honest)
        if top < LOW or (best.low > LOW and top < HIGH):
            return f"settled after {len(self.looks)} looks at ways of every mechanism that gave one: the best, {told}"
        since = len(self.looks) - 1 - self.looks.index(best)
        if since >= PATIENCE:
            said = f"{since} ways more, and ways of every mechanism that gave one, found nothing better"
            return f"{said}: the best, {told}"
        return None

    def _share(self, way: Way, alpha: float) -> Estimate:
        scores = self.scores
        return recovered_share(scores.base.mean, way.means, scores.tuned.mean, scores.clusters, alpha)


def watching(plain: Mapping[str, Sequence[Row]], facts: Facts) -> Watch | None:
    """Return a watch over the two models' plain answers; None where they share no item that both answered."""
    rows = to_table([row for side in plain.values() for row in side]).to_pandas()
    base, tuned = (per_item(rows, f"{role}/plain", facts.correct_at) for role in ("base", "tuned"))
    if base is None or tuned is None:
        return None
    both_base, both_tuned = shared_items(base, tuned)
    if not len(both_base.items):
        return None
    return Watch(compare(base, tuned, both_base, both_tuned, facts.guess_floor), facts)


def _percent(look: Look) -> str:
    return f"{whole(look.share)} % [{whole(look.low)}, {whole(look.high)}] of the gain"
