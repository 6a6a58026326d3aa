"""Tables of a gain finding that only show: the ladder, samples of the items listed first, and the counts."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from tellapart.findings.gain import Bound, Decision, ItemSamples
from tellapart.findings.shown import Counted, Rung, ShownAnswer
from tellapart.rasp.rung import ExpressibleRung
from tellapart.stats.estimate import Estimate
from tellapart.studies.gain.answers import Chance
from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.held import Held
from tellapart.studies.gain.scores import Scores, finite
from tellapart.studies.gain.verdict import Verdict

SHOWN_SAMPLES = 4
LONGEST_TEXT = 4000


def ladder(
    scores: Scores, share: Estimate, how: str, floor: float, expressible: ExpressibleRung
) -> list[Rung]:
    """Return the rungs of the skill on the same items: expressible, tuned, latent, demonstrated, guess floor."""
    base, tuned = scores.estimates["base_score"], scores.estimates["tuned_score"]
    rungs = [Rung("tuned", tuned.value, tuned.low, tuned.high, "the tuned model, asked plainly")]
    score = expressible.get("score")
    if score is not None:
        how_held = f"program {expressible.get('program')} in the base's shape: {expressible.get('by')}"
        rungs.insert(0, Rung("expressible", score, score, score, how_held))
    if not math.isnan(share.value):
        value, low, high = (
            base.value + scores.gain.value * at for at in (share.value, share.low, share.high)
        )
        rungs.append(Rung("latent", value, low, high, f"the base under {how}"))
    rungs.append(Rung("demonstrated", base.value, base.low, base.high, "the base, asked plainly"))
    if not math.isnan(floor):
        rungs.append(
            Rung("guess floor", floor, floor, floor, "a random guesser that answers in the right form")
        )
    return rungs


def samples(rows: pd.DataFrame, items: Sequence[str], facts: Facts) -> dict[str, ItemSamples]:
    """Return prompt, target and the first answers of both models to each of `items`."""
    base, tuned = (first_answers(rows, items, f"{role}/plain") for role in ("base", "tuned"))
    return {
        item: ItemSamples(
            facts.prompts.get(item, ""),
            facts.targets.get(item, ""),
            tuple(base.get(item, ())),
            tuple(tuned.get(item, ())),
        )
        for item in items
    }


def first_answers(rows: pd.DataFrame, items: Sequence[str], condition: str) -> dict[str, list[ShownAnswer]]:
    """Return by item the first SHOWN_SAMPLES answers of a condition."""
    chosen = rows[
        rows["item"].isin(items) & (rows["sample"] < SHOWN_SAMPLES) & (rows["condition"] == condition)
    ]
    columns = (chosen[name].tolist() for name in ("item", "completion", "score", "status"))
    by_item: dict[str, list[ShownAnswer]] = {}
    for item, text, score, status in zip(*columns, strict=True):
        by_item.setdefault(item, []).append(ShownAnswer(text[:LONGEST_TEXT], score, status))
    return by_item


def empty_in_logs(rows: pd.DataFrame) -> tuple[str, ...]:
    """Return a caveat for each log that holds texts and empty answers which are scored: often failed requests."""
    caveats = []
    for role in ("base", "tuned"):
        chosen = (rows["condition"] == f"{role}/plain") & (rows["status"] != "failed")
        answers = int(chosen.sum())
        empty = int(((rows["completion"].str.strip() == "") & rows["score"].notna() & chosen).sum())
        if MOST_EMPTY * answers < empty < answers:
            caveats.append(
                f"{role}/plain: {empty} of {answers} answers are empty and count with their score: where "
                "these are failed requests they are no wrong answers (status failed, or no score)."
            )
    return tuple(caveats)


MOST_EMPTY = 0.02
"""From this share of empty answers on (or one in so few answers) they are told."""


def empty_answers(
    rows: pd.DataFrame, chat: Mapping[str, bool], roles: Sequence[str] = ("base", "tuned")
) -> tuple[str, ...]:
    """Return a caveat for each role's plain answers of which some have no text: how many, how they ended, and what to
    try. `chat` tells by role whether it was asked through a chat template."""
    caveats = []
    for role in roles:
        answers = rows[(rows["condition"] == f"{role}/plain") & (rows["status"] != "failed")]
        empty = answers[answers["completion"].str.strip() == ""]
        if len(empty) <= MOST_EMPTY * len(answers):
            continue
        at_once = int((empty["tokens"] <= 1).sum())
        cut = int((empty["status"] == "cut off").sum())
        ends = (
            (at_once, "ended at their first token"),
            (cut, "were truncated before there was text (a longer --max-tokens)"),
            (len(empty) - at_once - cut, "held only what is no text, or began with a stop string"),
        )
        how = ", ".join(f"{count} {what}" for count, what in ends if count)
        asked_through = (
            "it was asked through its chat template (--no-chat leaves it out)"
            if chat.get(role)
            else "it was asked without a chat template, and a model tuned to chat may not answer so"
        )
        caveats.append(
            f"{role}/plain: {len(empty)} of {len(answers)} answers are empty, and count as wrong: {how}. The model may "
            f"not answer prompts of this form: {asked_through}."
        )
    return tuple(caveats)


def reasoning_caveats(rows: pd.DataFrame) -> tuple[str, ...]:
    """Return for each role's plain answers that held reasoning how many tokens it took, and how many never ended it."""
    caveats = []
    for role in ("base", "tuned"):
        answers = rows[(rows["condition"] == f"{role}/plain") & (rows["status"] != "failed")]
        columns = (answers[name].tolist() for name in ("measures", "tokens", "status"))
        spent = [
            (dict(measures).get("reasoning_tokens"), tokens, status)
            for measures, tokens, status in zip(*columns, strict=True)
            if measures is not None
        ]
        thought = [float(count) for count, _, _ in spent if count is not None]
        if not thought:
            continue
        unended = sum(count == tokens and status == "cut off" for count, tokens, status in spent)
        caveats.append(
            f"{role}/plain: {len(thought)} of {len(answers)} answers hold reasoning, {sum(thought) / len(thought):.0f} "
            f"tokens each, which is no part of what is scored; {unended} were truncated before it ended."
        )
    return tuple(caveats)


def counts_table(rows: pd.DataFrame, correct_at: float) -> list[Counted]:
    """Return per condition asked = correct + wrong + cut off + failed (+ unscored where a log has no score)."""
    table = []
    texts = bool((rows["completion"].str.len() > 0).any())
    for condition, group in rows.groupby("condition", sort=True):
        if "<" in str(condition):
            continue
        failed = group["status"] == "failed"
        right = ~failed & (group["score"] >= correct_at)
        cut = ~failed & ~right & (group["status"] == "cut off")
        unscored = ~failed & ~cut & group["score"].isna()
        rest = len(group) - int(failed.sum() + right.sum() + cut.sum() + unscored.sum())
        empty = ~failed & (group["completion"].str.strip() == "")
        table.append(
            Counted(
                condition=str(condition),
                asked=len(group),
                correct=int(right.sum()),
                wrong=rest,
                cut_off=int(cut.sum()),
                failed=int(failed.sum()),
                unscored=int(unscored.sum()),
                empty=int(empty.sum()) if texts else None,  # a log may hold scores and no texts
            )
        )
    return table


def bounds_table(held: Held) -> list[Bound]:
    """Return a line for each piece of evidence on the two bounds, those that decide first."""
    lines = []
    for name, share in held.claims:
        lines.append(_bound("held at least", name, share, "", name in held.low_by.split(" and ")))
    for arm in held.arms:
        lines.append(_bound("held at most", arm.name, arm.share, arm.obstacle, arm.name == held.high_by))
    return sorted(lines, key=lambda line: (not line.decides, line.bound, -(finite(line.share) or -9.0)))


def _bound(bound: str, name: str, share: Estimate, obstacle: str, decides: bool) -> Bound:
    return Bound(bound, name, share.value, share.low, share.high, obstacle, decides)


def decision_table(chance: Chance, verdict: Verdict, unbacked: str) -> Decision:
    """Return what the verdict was decided on, in one object."""
    return Decision(
        reason=verdict.reason,
        chance=chance.level.value,
        chance_upper=chance.upper,
        chance_by=chance.level.method,
        no_probability=unbacked,
        chance_of_bound=verdict.raw,
    )
