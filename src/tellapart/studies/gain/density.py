"""What log-probabilities say: where tuning moved the answers (divergence map), and how likely the base was to
be right all along (importance sampling)."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tellapart.findings.gain import Concentration, DivergentAnswer
from tellapart.stats.divergence import (
    bits_per_response,
    bits_per_token,
    concentration,
    first_tokens_share,
    position_profile,
    token_bits,
)
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.forms import BASE, SCORED, TUNED, Draws
from tellapart.stats.importance import ItemSuccess, base_success
from tellapart.stats.success import mean_success
from tellapart.studies.gain.content import content
from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.items import PerItem
from tellapart.studies.gain.scores import Scores

TOPS = (0.01, 0.05, 0.1)
SHOWN_ANSWERS = 40
PROFILE_POSITIONS = 200
MOSTLY_BLIND = 0.1


class Success(NamedTuple):
    """The base's success rate on an item by importance sampling, with its 95 % interval."""

    value: float
    low: float
    high: float


class Density(NamedTuple):
    """What log-probabilities say, `success` by item; empty but for missing estimates where there are none."""

    estimates: dict[str, Estimate]
    answers: tuple[DivergentAnswer, ...]
    concentration: Concentration | None
    success: Mapping[str, Success]
    caveats: tuple[str, ...]
    seen: bool


def density(rows: pd.DataFrame, scores: Scores, facts: Facts) -> Density:
    """Return the divergence map and the importance-sampled success of the base."""
    answers = _answers(rows, "tuned/plain", "base<tuned", scores.base)
    if answers.empty or not facts.same_tokens:
        reason = "no log-probabilities of both models over the same tokens"
        names = [
            "bits_per_response",
            "bits_per_token",
            "content_share",
            *(f"bits_concentration_{100 * top:.0f}%" for top in TOPS),
        ]
        return Density({name: missing("bits", reason) for name in names}, (), None, {}, (), False)
    bits = token_bits(answers["token_logprobs"].tolist(), answers["other_logprobs"].tolist())
    items = answers["item"].to_numpy(dtype=object)
    clusters = None
    if scores.clusters is not None:
        clusters = pd.Series(scores.clusters, index=scores.base.items).loc[items].to_numpy()
    estimates = {
        "bits_per_response": bits_per_response(bits, items, clusters),
        "bits_per_token": bits_per_token(bits, items),
    }
    estimates |= {f"bits_concentration_{100 * top:.0f}%": concentration(bits, items, top) for top in TOPS}
    estimates["bits_in_first_token"] = first_tokens_share(bits, items, 1)
    estimates["content_share"] = content(rows, scores, facts)
    mean, by_item, caveats = _success(rows, scores, facts)
    shown = _shown(answers, bits, facts)
    return Density({**estimates, **mean}, shown, _concentration(bits, items), by_item, caveats, True)


def _answers(rows: pd.DataFrame, written: str, scored: str, base: PerItem) -> pd.DataFrame:
    """Return answers that have both log-probabilities: columns of rows, and `other_logprobs`."""
    columns = [
        "item",
        "sample",
        "completion",
        "score",
        "token_ids",
        "token_texts",
        "token_logprobs",
        "logprob",
    ]
    own = rows.loc[(rows["condition"] == written) & (rows["status"] != "failed"), columns]
    other = rows.loc[rows["condition"] == scored, ["item", "sample", "token_logprobs", "logprob"]]
    if own.empty or other.empty:
        return own.head(0).assign(other_logprobs=None)
    other = other.rename(columns={"token_logprobs": "other_logprobs", "logprob": "other_logprob"})
    both = own.merge(other, on=["item", "sample"])
    both = both[
        both["item"].isin(base.items) & both["token_logprobs"].notna() & both["other_logprobs"].notna()
    ]
    same = [len(a) == len(b) for a, b in zip(both["token_logprobs"], both["other_logprobs"], strict=True)]
    return both[np.array(same, dtype=bool)].sort_values(["item", "sample"])


class Sampled(NamedTuple):
    """The base's success by importance sampling on `items`; None of it where the rows do not allow it."""

    items: np.ndarray
    success: ItemSuccess


def importance_sampled(
    rows: pd.DataFrame, scores: Scores, facts: Facts, confidence: float = 0.95
) -> Sampled | None:
    """Return the base's probability of success per item from both models' answers and log-probabilities."""
    of_base = _answers(rows, "base/plain", "tuned<base", scores.base)
    of_tuned = _answers(rows, "tuned/plain", "base<tuned", scores.base)
    shared = np.intersect1d(of_base["item"], of_tuned["item"])
    if facts.temperature != 1 or not facts.same_tokens or len(shared) == 0:
        return None
    written = _answers(rows, "base<guess", "tuned<guess", scores.base)
    draws = _draws((of_base, of_tuned, written), shared, facts)
    return Sampled(shared, base_success(draws, confidence=confidence, seed=facts.seed))


def _success(
    rows: pd.DataFrame, scores: Scores, facts: Facts
) -> tuple[dict[str, Estimate], dict[str, Success], tuple[str, ...]]:
    sampled = importance_sampled(rows, scores, facts)
    if sampled is None:
        reason = "needs both models' log-probabilities of both models' answers, drawn at temperature 1"
        return {"base_success": missing("share", reason)}, {}, ()
    items, success = sampled
    table = {
        str(item): Success(float(success.value[at]), float(success.low[at]), float(success.high[at]))
        for at, item in enumerate(items)
    }
    blind = float(success.cannot_tell.mean())
    said = f"Importance sampling saw too few of the base's right answers on {100 * blind:.0f} % of the items to tell."
    clusters = None
    if scores.clusters is not None:
        clusters = pd.Series(scores.clusters, index=scores.base.items).loc[items].to_numpy()
    size = float(np.median(success.ess))
    estimates = {
        "base_success": mean_success(success, clusters),
        "effective_sample_size": Estimate(
            size, math.nan, math.nan, len(items), "answers", "median over items"
        ),
    }
    return estimates, table, (said,) if blind > MOSTLY_BLIND else ()


def _draws(frames: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame], shared: Any, facts: Facts) -> Draws:
    """Return the answers drawn from the base, drawn from tuned, and written down as guesses, as draws."""
    marked = (
        frame.assign(source=source) for frame, source in zip(frames, (BASE, TUNED, SCORED), strict=True)
    )
    both = pd.concat([frame for frame in marked if len(frame)])
    both = both[both["item"].isin(shared)]
    by_tuned = both["source"].to_numpy() == TUNED
    own, other = both["logprob"].to_numpy(np.float64), both["other_logprob"].to_numpy(np.float64)
    return Draws(
        item=np.searchsorted(shared, both["item"].to_numpy()),
        source=both["source"].to_numpy(),
        logp_base=np.where(by_tuned, other, own),
        logp_tuned=np.where(by_tuned, own, other),
        right=(both["score"] >= facts.correct_at).to_numpy(),
        form=np.array([hash(tuple(ids)) for ids in both["token_ids"]]),
    )


def _shown(answers: pd.DataFrame, bits: list[Any], facts: Facts) -> tuple[DivergentAnswer, ...]:
    """Return up to SHOWN_ANSWERS answers with the bits of each token: one an item, right ones first."""
    shown, seen = [], set()
    order = np.argsort(-answers["score"].fillna(0).to_numpy(), kind="stable")
    for place in order:
        row = answers.iloc[place]
        if row["item"] in seen or row["token_texts"] is None:
            continue
        seen.add(row["item"])
        shown.append(
            DivergentAnswer(
                item=row["item"],
                sample=int(row["sample"]),
                prompt=facts.prompts.get(row["item"], ""),
                score=float(row["score"]),
                tokens=tuple(row["token_texts"]),
                bits=tuple(round(float(value), 4) for value in bits[place]),
            )
        )
        if len(shown) == SHOWN_ANSWERS:
            break
    return tuple(shown)


def _concentration(bits: list[Any], items: np.ndarray) -> Concentration:
    tops = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
    means, _ = position_profile(bits)
    return Concentration(
        top_share=tops,
        bits_share=tuple(concentration(bits, items, top).value for top in tops),
        profile=tuple(round(float(value), 4) for value in means[:PROFILE_POSITIONS]),
    )
