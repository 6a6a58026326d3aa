"""What the base knows of the tuned model's right answers beyond their form: read, not asked; no token is generated.

One right answer an item is scored by both models after its own prompt (that is known already) and after another
item's prompt; see stats/content.py.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tellapart.models.model import Completion, Model, Scored
from tellapart.runs.asking import Ask, Elicitation
from tellapart.runs.row import Row
from tellapart.stats.content import Costs, content_share
from tellapart.stats.estimate import Estimate, missing
from tellapart.studies.gain.facts import Facts
from tellapart.studies.gain.scores import Scores
from tellapart.tasks.item import Item
from tellapart.tasks.split import by_hash

if TYPE_CHECKING:
    from tellapart.studies.gain.ask import Plan

ROLES = ("base", "tuned")
FEWEST = 10
"""Fewer right answers of the tuned model say nothing."""


def right_answers(rows: Sequence[Row], correct_at: float) -> dict[str, Row]:
    """Return the first right answer of each item, by item."""
    result: dict[str, Row] = {}
    for row in rows:
        if row.status == "ok" and row.score >= correct_at and row.token_ids:
            result.setdefault(row.item, row)
    return result


def strangers(items: Sequence[Item], seed: int) -> dict[str, Item]:
    """Return for each item another one, of another cluster where there is one: whose prompt its answer is put after."""
    by_id = {item.id: item for item in items}
    order = [by_id[name] for name in by_hash(by_id, seed)]
    result = {}
    for place, item in enumerate(order):
        others = order[place + 1 :] + order[:place]
        result[item.id] = next(
            (other for other in others if other.cluster is None or other.cluster != item.cluster), others[0]
        )
    return result


def scored_after_others(model: Model, plan: "Plan", right: dict[str, Row], ask: Ask) -> Iterator[Elicitation]:
    """Yield each right answer's log-probabilities under `model` after another item's prompt."""
    others = strangers([item for item in plan.report if item.id in right], plan.spec.seed)
    indices = [index for index, item in enumerate(ask.items) if item.id in others]
    prompts = [plan.task.prompt(others[ask.items[index].id]) for index in indices]
    answers = [right[ask.items[index].id].token_ids or () for index in indices]
    pairs = list(zip(prompts, answers, strict=True))
    for index, prompt, scored in zip(indices, prompts, model.score(pairs), strict=True):
        yield Elicitation(index, 0, prompt, as_completion(right[ask.items[index].id], scored))


def as_completion(row: Row | None, scored: Scored) -> Completion:
    """Return scored tokens as a completion: the text of the row they came from, or of the tokens themselves."""
    text = "".join(scored.token_texts) if row is None else row.completion
    finish = "length" if row is not None and row.status == "cut off" else "stop"
    prompt_tokens = 0 if row is None else row.prompt_tokens
    return Completion(
        text, scored.tokens, scored.token_texts, scored.logprobs, None, finish, prompt_tokens, 0.0
    )


def content(rows: pd.DataFrame, scores: Scores, facts: Facts) -> Estimate:
    """Return the share of the tuned model's content that the base has, in the tuned model's right answers."""
    others = {
        role: rows[rows["condition"] == f"{role}<others"].set_index("item")["logprob"] for role in ROLES
    }
    if others["base"].empty or others["tuned"].empty:
        return missing("share", "no right answers of the tuned model that both models could read")
    own = rows[(rows["condition"] == "tuned/plain") & (rows["status"] == "ok")]
    own = own[(own["score"] >= facts.correct_at) & own["item"].isin(scores.base.items)]
    first = own.sort_values(["item", "sample"]).drop_duplicates("item")
    read = rows.loc[rows["condition"] == "base<tuned", ["item", "sample", "logprob"]]
    both = first.merge(read, on=["item", "sample"], suffixes=("", "_base"))
    both = both.assign(**{f"{role}_others": both["item"].map(others[role]) for role in ROLES})
    both = both.dropna(subset=["logprob", "logprob_base", "base_others", "tuned_others"])
    if len(both) < FEWEST:
        return missing(
            "share", f"the tuned model is right on {len(both)} items, {FEWEST} are needed", len(both)
        )
    clusters = None
    if scores.clusters is not None:
        clusters = pd.Series(scores.clusters, index=scores.base.items).loc[both["item"]].to_numpy()
    base = Costs(_bits(both["logprob_base"]), _bits(both["base_others"]))
    return content_share(base, Costs(_bits(both["logprob"]), _bits(both["tuned_others"])), clusters)


def _bits(nats: pd.Series) -> np.ndarray:
    return np.maximum(0.0, -nats.to_numpy(dtype=np.float64) / np.log(2.0))
