"""The verdict of `gain`: two bounds on one share (held.py), form apart from content, and words that both must earn.

Elicited where what was certainly held is high, acquired where what could have been held is low, mixed where both lie
between, else "cannot tell" with every obstacle and what removes it. The wording is one-sided: what was recovered was
there; what was not may be new, or not found.
"""

import math
from typing import Literal, NamedTuple

from tellapart.findings.shown import Obstacle
from tellapart.stats.equivalence import Equivalence
from tellapart.stats.estimate import Estimate
from tellapart.stats.form_parts import Parts
from tellapart.stats.share_band import HIGH, LOW, with_lapse
from tellapart.stats.wording import whole
from tellapart.studies.gain.answers import Chance
from tellapart.studies.gain.calibrated import Backing
from tellapart.studies.gain.held import LENIENT, AboveLuck, Held
from tellapart.studies.gain.price import LABELS, TEACHING
from tellapart.studies.gain.scores import Scores
from tellapart.studies.gain.slices import Slices
from tellapart.studies.gain.unread import NOTHING_UNREAD, Unread

Label = Literal["elicited", "mixed", "acquired", "no gain", "cannot tell"]
Reason = Literal["", "change of form", "small gain"]

SETTLED = 0.6
"""A verdict less probable than this is "cannot tell"."""
HALF = 0.5
FEWEST_QUESTIONS = 20
"""Distinct questions below which neither elicited nor acquired is said."""
SMALL = 0.05
"""A gain below this is called small."""


class Case(NamedTuple):
    """All that the words are decided on; `quick` names the methods of a quick plan (None: another plan), `elsewhere`
    those that were run elsewhere and state what they were told, `unstated` those that do not."""

    scores: Scores
    equivalent: Equivalence
    chance: Chance
    held: Held
    parts: Parts | None
    lenient: Estimate
    lenient_base: Estimate
    above_luck: AboveLuck
    distinct: int
    backing: Backing
    same_model: bool = False
    asked_models: bool = True
    said: tuple[str, ...] = ()
    slices: Slices | None = None
    quick: tuple[str, ...] | None = None
    elsewhere: tuple[str, ...] = ()
    unstated: tuple[str, ...] = ()
    unread: Unread = NOTHING_UNREAD


class Verdict(NamedTuple):
    """A label with its reason, its probability (NaN: none), one sentence, the evidence that decided (what, value,
    nothing) and, where nothing is decided, all obstacles; `raw` is its chance before the
    calibration's cap."""

    label: Label
    reason: Reason
    probability: float
    sentence: str
    terms: tuple[tuple[str, float, float], ...]
    obstacles: tuple[Obstacle, ...]
    raw: float


def decide(case: Case) -> Verdict:
    """Return the verdict on the case."""
    gain = case.scores.gain
    if case.same_model:
        what = "the same model" if case.asked_models else "one and the same log"
        return _said(case, "no gain", "", 1.0, f"Base and tuned are {what}: there is no gain to explain.")
    if gain.high < 0:
        sentence = f"The tuned model scores lower ({_points(gain)}): there is no gain to explain."
        return _said(case, "no gain", "", 1.0, sentence)
    if not gain.low > 0:
        return _without_gain(case)
    if case.distinct >= FEWEST_QUESTIONS and (said := _by_luck(case) or _change_of_form(case)) is not None:
        return said
    reason: Reason = "small gain" if gain.value < SMALL else ""
    label, chance = _by_bounds(case)
    if label == "elicited" and case.held.low_by == LENIENT:
        reason = "change of form"
    probability = case.backing.probability(label, chance)
    if label == "cannot tell" or probability < SETTLED:
        return _open(case, reason)
    return _said(case, label, reason, probability, _sentence(case, label))._replace(raw=chance)


def _without_gain(case: Case) -> Verdict:
    gain, equal = case.scores.gain, case.equivalent
    if equal.equivalent and case.distinct >= FEWEST_QUESTIONS:
        scores = case.scores
        if scores.base.mean.max() == 0 and scores.tuned.mean.max() == 0:
            sentence = (
                f"Neither model answered any of these questions right in {int(scores.base.n.sum())} and "
                f"{int(scores.tuned.n.sum())} answers: there is no gain to explain."
            )
        else:
            sentence = (
                f"Both models score the same within {100 * equal.margin:.1f} points ({_points(gain)}): there is no "
                "gain to explain."
            )
        return _said(case, "no gain", "", 1 - equal.p, sentence)
    return _open(case, "")


def _change_of_form(case: Case) -> Verdict | None:
    """Return the verdict where the gain is a change of form: content's upper end lies below the margin."""
    margin, chance = case.equivalent.margin, case.chance
    parts, change = case.parts, None
    if parts is not None and _is_form(case) and not _unseen(case):
        change = (parts.content, parts.right_base, "right in readable answers")
    elif case.lenient.high < margin and case.lenient_base.low > 0:
        change = (case.lenient, case.lenient_base, "right when read leniently, net of chance")
    if change is None:
        return None
    content, held, how = change
    gain = _points(case.scores.gain)
    apart = f"content changed by {_points(content)}"
    level = 0.0 if how.startswith("right when") else chance.upper
    if not math.isfinite(level):
        return None
    if held.low > level:
        sentence = (
            f"The gain ({gain}) is a change of form: {apart}, and the base was {how} in {whole(held.value)} % "
            f"[{whole(held.low)}, {whole(held.high)}] of them, above chance ({whole(level)} %): it held what it could "
            "not write in the form that is scored."
        )
        return _said(case, "elicited", "change of form", math.nan, sentence)
    least = level if chance.overall is None or level == 0.0 else chance.overall.high
    if held.high < max(least + margin, 2 * least):
        sentence = (
            f"The gain ({gain}) is a change of form: {apart}, and the base is right at chance where it is readable: "
            "there was nothing to hold, and nothing was learned but the form."
        )
        return _said(case, "no gain", "change of form", math.nan, sentence)
    return None


def _is_form(case: Case) -> bool:
    """Return whether the gain is one of form, were the base's unread answers like those that can be read."""
    parts = case.parts
    return parts is not None and parts.content.high < case.equivalent.margin and parts.form.low > 0


def _unseen(case: Case) -> bool:
    """Return whether a quarter of the gain or more lies on questions that the base never answered readably, and nothing
    shows that it held them."""
    parts, unread = case.parts, case.unread
    if parts is None or not unread.beyond:
        return False
    taken = parts.readable_tuned.value * parts.right_base.value * unread.beyond
    return taken - unread.held > LOW * case.scores.gain.value


def _by_luck(case: Case) -> Verdict | None:
    """Return the verdict where the tuned model answers, but no better than luck: its score rose and there is nothing in
    it to have been held or learned. Read leniently it must not do better either."""
    (luck, leniently), margin = case.above_luck, case.equivalent.margin
    if not (luck.low <= 0 and luck.high < margin) or leniently.high >= margin:
        return None
    formal = case.parts is not None and case.parts.form.low > 0
    sentence = (
        f"The score rose ({_points(case.scores.gain)}) and shows no skill: the tuned model's answers score no more "
        f"than luck does ({_points(luck)} from it)"
    )
    sentence += "; what rose is the share of answers in the right form." if formal else "."
    return _said(case, "no gain", "change of form" if formal else "", math.nan, sentence)


def _by_bounds(case: Case) -> tuple[Label, float]:
    """Return the word that the two bounds earn, and the chance that its bound lies where it must. Slices that differ
    may make it mixed, and keep it from being said of the whole what one of them is not."""
    label, chance = _of_the_whole(case)
    if case.quick is not None and label != "elicited":
        return "cannot tell", math.nan
    slices = case.slices
    if slices is None or case.distinct < FEWEST_QUESTIONS:
        return label, chance
    if slices.mixed:
        ends = [
            _beyond(part.low if part.word == "elicited" else part.high, HALF)
            for part in slices.slices
            if part.word
        ]
        return "mixed", min(ends)
    if label in ("elicited", "acquired") and slices.contradicts(label):
        return "cannot tell", math.nan
    return label, chance


def _of_the_whole(case: Case) -> tuple[Label, float]:
    low, high = case.held.low, case.held.high
    if case.held.refused or case.distinct < FEWEST_QUESTIONS:
        return "cannot tell", math.nan
    if low.low > HALF and low.value > HIGH:
        return "elicited", _beyond(low, HALF)
    if case.held.open_arms or not math.isfinite(high.high):
        return "cannot tell", math.nan
    certainly = low.low if math.isfinite(low.low) else -math.inf
    if high.high < HALF and high.value < LOW and not certainly > LOW:
        return "acquired", _beyond(high, HALF)
    if certainly > LOW and high.high < HIGH:
        return "mixed", min(_beyond(low, LOW), _beyond(high, HIGH))
    return "cannot tell", math.nan


def _beyond(share: Estimate, level: float) -> float:
    """Return the chance that the share lies on its own side of `level`, from its 90 % interval."""
    from scipy import stats

    error = (share.high - share.low) / (2 * float(stats.norm.ppf(0.95)))
    if not error > 0:
        return 1.0
    return float(stats.norm.cdf(abs(share.value - level) / error))


def _open(case: Case, reason: Reason) -> Verdict:
    obstacles = obstacles_of(case)
    reasons = "; ".join(obstacle.what for obstacle in obstacles) or "the bounds leave it open"
    settle = "; ".join(dict.fromkeys(obstacle.remove for obstacle in obstacles if obstacle.remove))
    sentence = f"The evidence does not settle it ({_points(case.scores.gain)}): {reasons}."
    if settle:
        sentence += f" What would: {settle}."
    return _said(case, "cannot tell", reason, math.nan, sentence)


def obstacles_of(case: Case) -> tuple[Obstacle, ...]:
    """Return everything that keeps a word from being said, each with what removes it."""
    obstacles: list[Obstacle] = []
    gain, held, distinct = case.scores.gain, case.held, case.distinct
    if distinct < FEWEST_QUESTIONS:
        obstacles.append(
            Obstacle(
                f"{distinct} distinct questions are too few",
                f"ask {FEWEST_QUESTIONS} distinct questions or more",
            )
        )
    if math.isnan(gain.low):
        return (*obstacles, Obstacle("too few items for an interval", "more items"))
    if not gain.low > 0:
        margin = 100 * case.equivalent.margin
        need = _items_needed(case)
        return (
            *obstacles,
            Obstacle(
                f"the gain's interval includes 0 and is too wide to call it none within {margin:.1f} points",
                f"about {need} distinct questions" if need else "more distinct questions",
            ),
        )
    if case.chance.reason:
        obstacles.append(Obstacle(case.chance.reason, "a chance level that can be measured or is stated"))
    elif held.refused:
        obstacles.append(Obstacle(held.refused, "more distinct questions, or harder ones for a guesser"))
    else:
        obstacles += _of_shares(case)
    if _is_form(case) and _unseen(case):
        unread = case.unread
        obstacles.append(
            Obstacle(
                f"to {unread.questions} of {unread.of} questions the base gave no answer that can be read (truncated, "
                "refused, failed?), and nothing in these answers shows what it holds",
                "readable answers of the base to these questions, or several samples an item",
            )
        )
    unasked = _of_unasked(case)
    return (*obstacles, *unasked)


def _of_shares(case: Case) -> list[Obstacle]:
    """Return what is wrong with the share that was certainly held."""
    obstacles: list[Obstacle] = []
    held = case.held
    if case.slices is not None and case.slices.test.differs:
        what = f"the shares differ by {case.slices.field} (p = {case.slices.test.p:.2g})"
        obstacles.append(Obstacle(what, "a run on each slice alone, with more distinct questions"))
    low = held.low
    if not (low.low > HALF and low.value > HIGH):
        share = f"{whole(low.value)} % [{whole(low.low)}, {whole(low.high)}]"
        by = held.low_by or "what was tried"
        if math.isnan(low.value):
            what = "nothing was asked that could elicit a hidden skill"
            how = "logs of several samples an item, or of elicited answers (--way)"
            if case.elsewhere:
                what = f"none of the ways given raises a bound (the caveats say why): {', '.join(case.elsewhere)}"
                how = "a way that was told nothing of the answers, on the same items, scored alike"
            obstacles.append(
                Obstacle(
                    what,
                    "more methods, or a larger --budget" if case.asked_models else how,
                )
            )
        elif low.value > HIGH or low.high > HIGH:
            obstacles.append(
                Obstacle(f"{by} brought back {share}, too wide an interval", "more distinct questions")
            )
        elif not case.asked_models:
            obstacles.append(
                Obstacle(
                    f"{by} brought back {share}", "the models themselves, or logs of elicited answers (--way)"
                )
            )
        else:
            obstacles.append(Obstacle(f"of what told no right answer, {by} brought back most, {share}", ""))
    return obstacles


def _of_unasked(case: Case) -> list[Obstacle]:
    """Return what was not asked, or did not pass its controls, so that what the base could have held is open."""
    obstacles: list[Obstacle] = []
    held = case.held
    obstacles += _of_teaching(held)
    if case.quick is not None:
        asked_methods = " and ".join(("plain answers", *case.quick))
        what = f"a quick plan asked {asked_methods}: no other method, no training and no planted skill"
        obstacles.append(Obstacle(what, "--plan adaptive"))
    if case.unstated:
        what = f"what {', '.join(case.unstated)} was told of right answers is not stated"
        obstacles.append(Obstacle(what, f"--bits {case.unstated[0]}=0, where it was told nothing"))
    if not case.asked_models:
        obstacles.append(
            Obstacle(
                "logs cannot show what the base could have held",
                "both models (weights and log-probabilities)",
            )
        )
    else:
        obstacles += [
            Obstacle(f"{arm.name}: {arm.obstacle}", _removal(arm.name, arm.obstacle))
            for arm in held.open_arms
            if case.quick is None
        ]
    if case.asked_models and math.isfinite(held.high.high) and not held.open_arms and not case.same_model:
        high = held.high
        obstacles.append(
            Obstacle(
                f"the base could have held up to {whole(high.high)} % ({held.high_by})",
                "a reference model that never met the skill (--reference), or more distinct questions",
            )
        )
    return obstacles


def _of_teaching(held: Held) -> list[Obstacle]:
    """Return why labels say nothing of what was held, where they brought something back."""
    if held.teaching is not None:
        return [Obstacle(held.teaching.obstacle, held.teaching.remove)] if held.teaching.obstacle else []
    share = next((arm.share for arm in held.arms if arm.name == LABELS.removesuffix("@")), None)
    if share is None or not share.value >= LOW:
        return []
    what = f"labels brought back {whole(share.value)} %, which they may have taught"
    return [Obstacle(what, "a reference model that never met the skill (--reference)")]


def _removal(name: str, obstacle: str) -> str:
    if obstacle == "not asked":
        return "the default plan with --plant, which asks all three arms (leave out --elicitors)"
    if obstacle.startswith("no planted skill"):
        return "--plant (hide a known skill in this base and look for it)"
    if "planted" in obstacle or "hidden for" in obstacle:
        return "a reference model that never met the skill (--reference)"
    if "log-probabilities" in obstacle or "weights" in obstacle:
        return "local weights, or a server with log-probabilities"
    if "installed" in obstacle:
        return "pip install 'tellapart[train]'"
    return f"an arm of {name.replace('_', ' ')} that passes its controls"


def _items_needed(case: Case) -> int | None:
    """Return how many distinct questions would make the interval as narrow as the margin."""
    gain = case.scores.gain
    half = (gain.high - gain.low) / 2
    if not half > 0:
        return None
    return math.ceil(case.distinct * (half / case.equivalent.margin) ** 2)


def _points(value: Estimate) -> str:
    return f"{100 * value.value:+.1f} points [{100 * value.low:+.1f}, {100 * value.high:+.1f}]"


def _said(case: Case, label: Label, reason: Reason, probability: float, sentence: str) -> Verdict:
    held, gain = case.held, case.scores.gain
    if case.slices is not None and case.slices.test.differs and not case.slices.mixed:
        sentence += f" By {case.slices.field} the shares differ: {case.slices.said()}."
    terms: list[tuple[str, float, float]] = [("gain", gain.value, math.nan)]
    for name, value in (
        ("guess_floor", case.chance.level.value),
        (f"held_at_least: {held.low_by or 'nothing'}", held.low.value),
        (f"held_at_most: {held.high_by or 'open'}", held.high.value),
    ):
        if math.isfinite(value):
            terms.append((name, value, math.nan))
    if case.parts is not None:
        terms += [
            ("form_part", case.parts.form.value, math.nan),
            ("content_part", case.parts.content.value, math.nan),
        ]
    terms.append(("lenient_content_part", case.lenient.value, math.nan))
    kept = tuple(term for term in terms if math.isfinite(term[1]))
    stated = with_lapse(probability) if label == "no gain" else probability
    obstacles = obstacles_of(case) if label == "cannot tell" else ()
    return Verdict(label, reason, stated, sentence, kept, obstacles, probability)


def _sentence(case: Case, label: Label) -> str:
    gain, held = _points(case.scores.gain), case.held
    if label == "mixed" and case.slices is not None and case.slices.mixed:
        return (
            f"The base already held the gain ({gain}) in one slice by {case.slices.field} and not in another: "
            f"{case.slices.said()}."
        )
    low = f"{whole(held.low.value)} % [{whole(held.low.low)}, {whole(held.low.high)}]"
    high = f"{whole(held.high.value)} % [{whole(held.high.low)}, {whole(held.high.high)}]"
    stated = " as stated" if case.chance.level.method == "stated" and not case.asked_models else ""
    chance = f"above a chance level of {100 * case.chance.upper:.1f} %{stated}"
    if label == "elicited" and held.low_by == LENIENT:
        return (
            f"The gain ({gain}) is a change of form: read leniently, the base's own plain answers hold {low} of it, "
            f"{chance}. {_narrower(case.scores)}"
        ).strip()
    if label == "elicited":
        return (
            f"The base already held the gain ({gain}): {_teller(case)} brought back {low} of it, {chance}. "
            f"{_narrower(case.scores)}"
        ).strip()
    if label == "mixed":
        bounds = (
            f"at least {low} by {held.low_by} and at most {high} by {held.high_by}"
            if held.low.value <= held.high.value
            else f"{low} by {held.low_by} and {high} by {held.high_by} (bounds that cross within their intervals)"
        )
        return f"The base already held part of the gain ({gain}): {bounds}, {chance}; the rest is new."
    return (
        f"The gain ({gain}) is new to the base: three arms that each found a planted skill in this base found at most "
        f"{high} of it ({held.high_by}), {chance}. Whether the skill or these very items were learned is not known "
        "without twins of the items (tellapart hidden TUNED asks some)."
    )


def _teller(case: Case) -> str:
    """Return what set the lower bound, and why it is no teaching."""
    held = case.held
    if TEACHING not in held.low_by or held.teaching is None:
        stated = any(name.removesuffix("~null") in case.elsewhere for name in held.low_by.split(" and "))
        return f"{held.low_by}, told no right answer{' (as stated)' if stated else ''},"
    base, ratio = held.teaching.prices.base, held.teaching.prices.ratio
    return (
        f"{held.low_by} (half of the gain costs the base {base.value:.3g} labels and the reference at least "
        f"{ratio.low:.3g} times as many),"
    )


def _narrower(scores: Scores) -> str:
    """Return what pass@k adds where the base covers as much as tuned at the largest k."""
    k = max(scores.coverage.k)
    base, tuned, difference = (
        scores.estimates[name] for name in (f"base_pass@{k}", f"tuned_pass@{k}", f"pass@{k}_difference")
    )
    if k < 2 or difference.high > SMALL or difference.value > 0:
        return ""
    return (
        f"The tuned model is sharper, hardly wider: in {k} samples it solves {100 * tuned.value:.1f} % of the items, "
        f"the base {100 * base.value:.1f} %."
    )
