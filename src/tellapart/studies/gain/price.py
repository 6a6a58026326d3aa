"""The price of teaching, read from rows: does the base need far fewer labels than a reference that never met the skill?

Labels teach, so what they bring back proves nothing by itself. A reference of the base's shape that never met the
skill shows what the same labels teach; what the base brings beyond it was there. That counts where the reference is
comparable: at chance plainly, as readable, and as quick as the base to learn made-up rules over the same prompts.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from tellapart.findings.gain import Dose, RulePrice, TeachingTable
from tellapart.stats.arrays import Floats
from tellapart.stats.bounds import Gain
from tellapart.stats.estimate import missing
from tellapart.stats.intervals import mean
from tellapart.stats.prices import HALF, Doses, Prices, price_of, price_ratio
from tellapart.studies.gain.answers import reading_of
from tellapart.studies.gain.evidence import Evidence
from tellapart.studies.gain.items import per_item
from tellapart.studies.gain.recorded import ElicitorRecord, PricedRecord, RuleRecord

TEACHING = "teaching, less the same teaching of the reference"
LABELS = "few_labels@"
LEAST_RATIO = 4.0
"""Lower end of the price ratio from which on labels show what was held."""
DOSES_ABOVE = (2.0, 4.0)
"""The claim is read between so many times the price. (At the price itself the base shows one half by construction.)"""
ALIKE = 2.0
"""Made-up rules must be learned at prices within this factor."""
READ_ALIKE = 0.05
RULES, LEARNED = 3, 2
"""Made-up rules that are tried, and how many of them both must learn."""
HARD, HARD_ALIKE = 0.25, 0.1
"""A rule of which neither model holds so much with the most labels, and which they hold alike within the second, was
too hard for both: it shows neither to learn faster."""


class Rule(NamedTuple):
    """A made-up rule, what half of it cost in labels in each model (least and greatest), and the share of it that base
    and reference hold with the most labels."""

    name: str
    base: tuple[float, float]
    reference: tuple[float, float]
    most: tuple[float, float]

    @property
    def hard(self) -> bool:
        """Whether neither model learned it in the labels that there are, and both stand alike."""
        slow = math.isinf(self.base[1]) and math.isinf(self.reference[1])
        return slow and max(self.most) < HARD and abs(self.most[0] - self.most[1]) <= HARD_ALIKE


class Teaching(NamedTuple):
    """The prices; the claim that they license (per-item means (n,), None where there is none) and the doses at which
    it was read; what the reference rose by at each dose (empty where it is no valid control); the made-up rules; why
    nothing is claimed ("" where something is) and what would change that."""

    prices: Prices
    claim: Floats | None
    doses: tuple[int, ...]
    rises: Mapping[int, Floats]
    rules: tuple[Rule, ...]
    obstacle: str
    remove: str


class Curves(NamedTuple):
    """Dose curves of both models on the shared items, and the reference's plain means (n,)."""

    base: Doses
    reference: Doses
    plain: Floats


def teaching_of(evidence: Evidence, gain: Gain, level: Floats, confidence: float) -> Teaching | None:
    """Return what labels show beyond the same labels in the reference; None where there is no reference."""
    facts = evidence.facts
    if not facts.reference:
        return None
    rules = rules_of(facts.priced)
    curves = _curves(evidence)
    if isinstance(curves, str):
        unknown = _no_prices(curves, len(level))
        remove = "" if "nothing back" in curves else _REMOVE
        return Teaching(unknown, None, (), {}, rules, curves, remove)
    prices = price_ratio(gain, level, curves.base, curves.reference, confidence)
    fault = _not_a_control(evidence, gain, curves) or _not_comparable(rules, facts.priced)
    rises = {} if fault else _rises(curves)
    doses = _doses(curves, prices)
    obstacle = (
        fault
        or _too_cheap(prices, curves)
        or ("" if doses else f"no dose of {DOSES_ABOVE[0]:g} times the price was asked of both models")
        or _unread(evidence, doses)
        or _as_fast(rules, prices)
    )
    claim = None if obstacle else _claim(curves, doses)
    return Teaching(prices, claim, doses, rises, rules, obstacle, _REMOVE if obstacle else "")


_REMOVE = "a reference of the base's shape and ability that never met the skill (--reference MODEL)"


def collect_doses(records: Mapping[str, ElicitorRecord]) -> dict[int, list[str]]:
    """Return the names of the labelled conditions that were asked, by number of labels."""
    doses: dict[int, list[str]] = {}
    for name, record in records.items():
        if name.startswith(LABELS) and "missing" not in record:
            doses.setdefault(int(name.removeprefix(LABELS).partition(".")[0]), []).append(name)
    return dict(sorted(doses.items()))


def rules_of(priced: PricedRecord) -> tuple[Rule, ...]:
    """Return the made-up rules with their prices, as the run recorded them."""
    return tuple(
        Rule(
            str(rule["rule"]),
            _rule_price(rule, "base"),
            _rule_price(rule, "reference"),
            (float(_rule_shares(rule, "base")[-1]), float(_rule_shares(rule, "reference")[-1])),
        )
        for rule in priced.get("rules", ())
    )


def _rule_shares(rule: RuleRecord, who: Literal["base", "reference"]) -> Floats:
    """Return the share of the rule that a model holds at each number of labels (d,): 0 at chance, 1 whole."""
    chance = float(rule["chance"])
    return (np.array(rule[who], dtype=np.float64).mean(axis=1) - chance) / (1 - chance)


def _rule_price(rule: RuleRecord, who: Literal["base", "reference"]) -> tuple[float, float]:
    low, high = price_of(np.array(rule["labels"], dtype=np.int64), _rule_shares(rule, who)[None])
    return float(low[0]), float(high[0])


def _curves(evidence: Evidence) -> Curves | str:
    """Return both models' dose curves, or what is missing."""
    if (met := evidence.facts.reference.get(LABELS.removesuffix("@"), {}).get("missing")) is not None:
        return str(met)
    plain = per_item(evidence.rows, "reference/plain", evidence.facts.correct_at)
    if plain is None or not plain.has(evidence.base.items).all():
        return "the reference was not asked every item plainly"
    sides = []
    for who, records in (("base", evidence.facts.elicitors), ("reference", evidence.facts.reference)):
        names, at = collect_doses(records), evidence.facts.correct_at
        doses = dose_curve(evidence.rows, who, names, evidence.base.items, at)
        if doses is None:
            return f"labels were not tried on the {who}"
        sides.append(doses)
    return Curves(sides[0], sides[1], plain.at(evidence.base.items).mean)


def dose_curve(
    rows: pd.DataFrame, who: str, names: Mapping[int, Sequence[str]], items: np.ndarray, correct_at: float
) -> Doses | None:
    """Return a model's dose curve over the draws that every dose has; None where no dose was answered whole."""
    by_dose: dict[int, list[Floats]] = {}
    for dose, conditions in names.items():
        for condition in conditions:
            side = per_item(rows, f"{who}/{condition}", correct_at)
            if side is not None and side.has(items).all():
                by_dose.setdefault(dose, []).append(side.at(items).mean)
    if not by_dose:
        return None
    draws = max(len(scores) for scores in by_dose.values())
    whole = {dose: scores for dose, scores in by_dose.items() if len(scores) == draws}
    return Doses(np.array(list(whole), dtype=np.int64), np.array(list(whole.values())))


def _not_a_control(evidence: Evidence, gain: Gain, curves: Curves) -> str:
    """Return why the reference is no control at all, made-up rules apart; nothing where it may be one."""
    if evidence.facts.priced.get("by_tool"):
        return (
            "the reference was made by the tool: it can show that labels alone teach, not that they did not"
        )
    plain = mean(curves.plain, gain.clusters, 0.9)
    if plain.low > gain.chance:
        return f"the reference is right in {100 * plain.value:.0f} % plainly: it has met the skill"
    return ""


def _not_comparable(rules: Sequence[Rule], priced: PricedRecord) -> str:
    """Return why made-up rules do not show base and reference to be comparable; nothing where they do."""
    if len(rules) < RULES:
        return str(priced.get("missing") or f"{RULES} made-up rules were not tried on base and reference")
    if (learned := sum(not rule.hard for rule in rules)) < LEARNED:
        return f"base and reference learned {learned} of {len(rules)} made-up rules, {LEARNED} are needed"
    for rule in rules:
        if rule.hard:
            continue
        if math.isinf(rule.base[1]) or math.isinf(rule.reference[1]):
            slow = "base" if math.isinf(rule.base[1]) else "reference"
            return f"the {slow} did not learn a made-up rule ({rule.name}) in the labels that there are"
        most = max(rule.reference[1] / _least(rule.base), rule.base[1] / _least(rule.reference))
        if most > ALIKE:
            return (
                f"a made-up rule ({rule.name}) cost the base {rule.base[1]:.3g} labels and the reference "
                f"{rule.reference[1]:.3g}: more than a factor of {ALIKE:g} apart"
            )
    return ""


def _least(price: tuple[float, float]) -> float:
    """Return the least price; one that is censored from below counts as its bound."""
    return price[0] if price[0] > 0 else price[1]


def _rises(curves: Curves) -> dict[int, Floats]:
    """Return by dose what labels raised the reference by (n,); nothing where they lowered it."""
    result = {}
    for dose, scores in zip(curves.reference.labels.tolist(), curves.reference.scores, strict=True):
        rise = scores.mean(axis=0) - curves.plain
        result[dose] = rise if rise.mean() > 0 else np.zeros_like(rise)
    return result


def _too_cheap(prices: Prices, curves: Curves) -> str:
    if math.isnan(prices.ratio.value):
        return prices.ratio.method.removeprefix("missing: ")
    if math.isinf(prices.base.high) and prices.base.value >= curves.base.labels[-1]:
        return f"{curves.base.labels[-1]} labels did not bring half of the gain back from the base"
    if not prices.ratio.low >= LEAST_RATIO:
        ratio = prices.ratio
        return (
            f"teaching the reference costs {ratio.value:.3g} times as many labels [{ratio.low:.3g}, {ratio.high:.3g}]: "
            f"a lower end of {LEAST_RATIO:g} is needed"
        )
    return ""


def _doses(curves: Curves, prices: Prices) -> tuple[int, ...]:
    """Return the doses asked of both models from DOSES_ABOVE[0] times the price up to the first at DOSES_ABOVE[1]."""
    price = prices.base.value
    both = [dose for dose in curves.base.labels.tolist() if dose in curves.reference.labels.tolist()]
    above = [dose for dose in both if dose >= DOSES_ABOVE[0] * price]
    last = next((dose for dose in above if dose >= DOSES_ABOVE[1] * price), math.inf)
    return tuple(dose for dose in above if dose <= last)


def _claim(curves: Curves, doses: Sequence[int]) -> Floats:
    """Return the per-item means (n,) at the dose that claims least: the base's, less what the reference rose by."""
    rises = _rises(curves)
    at = {dose: place for place, dose in enumerate(curves.base.labels.tolist())}
    nets = [curves.base.scores[at[dose]].mean(axis=0) - rises[dose] for dose in doses]
    return min(nets, key=lambda net: float(net.mean()))


def _unread(evidence: Evidence, doses: Sequence[int]) -> str:
    """Return how the taught reference is less readable than the taught base; nothing where it is not."""
    sides = (("base", evidence.facts.elicitors), ("reference", evidence.facts.reference))
    for dose in doses:
        shares = [_readable(evidence, who, collect_doses(records)[dose]) for who, records in sides]
        if shares[0] - shares[1] > READ_ALIKE:
            return (
                f"after {dose} labels the reference is readable in {100 * shares[1]:.0f} % of its answers, the base in "
                f"{100 * shares[0]:.0f} %"
            )
    return ""


def _readable(evidence: Evidence, who: str, conditions: Sequence[str]) -> float:
    readings = [
        reading_of(evidence.rows, f"{who}/{condition}", evidence.questions) for condition in conditions
    ]
    shares = [reading.strict.readable.mean() for reading in readings if reading is not None]
    return float(np.mean(shares)) if shares else math.nan


def _as_fast(rules: Sequence[Rule], prices: Prices) -> str:
    """Return that the base learns what was made up as fast as the task: then its labels prove nothing."""
    learned = [rule for rule in rules if not rule.hard]
    slowest = max(rule.base[1] for rule in learned)
    if slowest > prices.base.value:
        return ""
    return (
        f"the base learns {len(learned)} made-up rules over the same prompts in {slowest:.3g} labels at most, the task "
        f"in {prices.base.value:.3g}: labels prove nothing"
    )


def _no_prices(reason: str, n: int) -> Prices:
    labels = missing("labels", reason, n)
    return Prices(labels, labels, missing("ratio", reason, n))


def teaching_table(evidence: Evidence, teaching: Teaching) -> TeachingTable:
    """Return the dose curves, the made-up rules and what came of them."""
    doses: dict[int, Dose] = {}
    for who, records in (("base", evidence.facts.elicitors), ("reference", evidence.facts.reference)):
        for dose, names in collect_doses(records).items():
            sides = [per_item(evidence.rows, f"{who}/{name}", evidence.facts.correct_at) for name in names]
            scores = [float(side.mean.mean()) for side in sides if side is not None]
            doses[dose] = replace(doses.get(dose, Dose(dose)), **{who: tuple(scores)})
    return TeachingTable(
        doses=tuple(doses[dose] for dose in sorted(doses)),
        rules=tuple(RulePrice(rule.name, rule.base[1], rule.reference[1]) for rule in teaching.rules),
        claim_at=tuple(teaching.doses) if teaching.claim is not None else (),
        obstacle=teaching.obstacle,
        half=HALF,
    )
