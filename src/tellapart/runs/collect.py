"""Ask what is owed of one condition and append each answer as a row the moment it is there."""

import contextlib
import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from tellapart.errors import Unscorable
from tellapart.jsonvalue import Json
from tellapart.models.budget import BudgetSpent
from tellapart.runs.asking import Ask, Elicitation, row_seed
from tellapart.runs.folder import RunFolder, digest
from tellapart.runs.progress import ticking
from tellapart.runs.row import Row, Status
from tellapart.tasks.item import Item
from tellapart.tasks.lenient import lenient_chance, lenient_score
from tellapart.tasks.questions import question_key

READ_LENIENTLY = 8
"""So many of an item's plain answers are also read leniently (tasks/lenient.py)."""
_STATUS: dict[str, Status] = {"stop": "ok", "length": "cut off", "failed": "failed"}


@dataclass(frozen=True)
class Condition:
    """Who is asked, and how: `name` is `base/plain`, `base/few_shot~null` ...; `identity` holds everything
    that determines its answers (model fingerprint, elicitor setting, sampling)."""

    study: str
    name: str
    split: str
    identity: dict[str, Json]


def collect(
    folder: RunFolder,
    condition: Condition,
    ask: Ask,
    answer: Callable[[Ask], Iterable[Elicitation]],
    quiet: bool = False,
) -> list[Row]:
    """Return all rows of `condition`, asking only for those that the folder does not hold yet.

    An item of which any sample is missing is asked again whole (some elicitors choose among their samples);
    only the missing rows are written. Answers depend on seeds alone, so the rest would be the same; methods that draw
    every answer by itself leave out what `Ask.held` names. A row that failed is asked again when the run is started
    again; the later row counts. Where the token budget is spent, what is there is returned.
    """
    key = digest(condition.identity)
    rows = known_rows(folder, condition.name, ask, key)
    have = {at for at, row in rows.items() if row.status != "failed"}
    pending = [item for item in ask.items if any((item.id, s) not in have for s in range(ask.samples))]
    if not pending:
        return list(rows.values())
    missing = sum((item.id, s) not in have for item in pending for s in range(ask.samples))
    with (
        folder.appending(condition.name) as writer,
        ticking(condition.name, missing, quiet, folder.tell) as ticker,
        contextlib.suppress(BudgetSpent),
    ):
        for elicitation in answer(ask._replace(items=pending, held=frozenset(have))):
            item = pending[elicitation.item]
            if (item.id, elicitation.sample) in have:
                continue
            row = scored_row(condition, key, ask, item, elicitation)
            writer.write(row)
            have.add((item.id, row.sample))
            rows[item.id, row.sample] = row
            ticker.tick()
    return list(rows.values())


def known_rows(folder: RunFolder, name: str, ask: Ask, key: str | None) -> dict[tuple[str, int], Row]:
    """Return the rows of a condition that the folder holds, by item and sample; the later one counts after a failure.

    Raises UserMistake for a row that `ask` under the identity `key` cannot have written (None: under any).
    """
    items = {item.id for item in (*ask.task.items, *ask.items)}
    rows: dict[tuple[str, int], Row] = {}

    def check(row: Row) -> None:
        if key is not None and row.key != key:
            raise ValueError(f"answered under another identity, key {row.key!r:.40}, {key} asked")
        if row.item not in items:
            raise ValueError(f"item {row.item!r:.60} is not of the task")
        if row.seed != row_seed(ask.seed, row.item, row.sample):
            raise ValueError(f"seed {row.seed} is not that of sample {row.sample} of item {row.item!r:.60}")
        if (earlier := rows.get((row.item, row.sample))) is not None and earlier.status != "failed":
            raise ValueError(f"sample {row.sample} of item {row.item!r:.60} is there twice")
        rows[row.item, row.sample] = row

    folder.read_rows(name, check)
    return rows


def latest(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of a shard with, of those of one item and sample, the last alone: it was asked again."""
    return list({(row.item, row.sample): row for row in rows}.values())


def scored_row(condition: Condition, key: str, ask: Ask, item: Item, elicitation: Elicitation) -> Row:
    """Return the row of one answer, scored; a failed answer has no score, and one that cannot be scored has failed."""
    completion, reading = elicitation.completion, Reading(dict(elicitation.measures))
    if completion.finish != "failed":
        try:
            reading = _read(condition, ask, item, elicitation)
        except Unscorable as reason:
            completion = replace(completion, finish="failed", error=str(reason))
    return Row(
        study=condition.study,
        condition=condition.name,
        item=item.id,
        sample=elicitation.sample,
        seed=row_seed(ask.seed, item.id, elicitation.sample),
        key=key,
        split=condition.split,
        cluster=item.cluster or "",
        prompt_hash=text_hash(elicitation.prompt),
        completion=completion.text,
        score=reading.score,
        status=_STATUS[completion.finish],
        steps=reading.steps,
        logprob=sum(completion.logprobs) if completion.logprobs is not None else float("nan"),
        tokens=len(completion.tokens) if completion.generated is None else completion.generated,
        prompt_tokens=completion.prompt_tokens,
        seconds=completion.seconds,
        token_ids=completion.tokens,
        token_texts=completion.token_texts,
        token_logprobs=completion.logprobs,
        bits=float(elicitation.bits),
        measures=reading.measures or None,
        error=completion.error,
        answer=reading.answer,
        lenient=reading.lenient,
        question=question_key(ask.task.prompt(item), item.target),
    )


class Reading(NamedTuple):
    """What the task's scorer says of an answer; as it stands of one that failed. `answer` is "" where it found none."""

    measures: dict[str, float]
    score: float = math.nan
    answer: str | None = None
    lenient: float = math.nan
    steps: str = ""


def _read(condition: Condition, ask: Ask, item: Item, elicitation: Elicitation) -> Reading:
    task, text, measures = ask.task, elicitation.completion.text, dict(elicitation.measures)
    lenient = math.nan
    if condition.name.endswith("/plain") and elicitation.sample < READ_LENIENTLY:
        lenient = lenient_score(task, item, text)
        measures["lenient_chance"] = lenient_chance(task, item, text)
    return Reading(
        measures,
        task.score(item, text),
        task.scorer.answer(item, text) or "",
        lenient,
        "" if task.steps is None else task.steps(item, text),
    )


def text_hash(text: str) -> str:
    """Return the hash (16 hex digits) by which a prompt is known in rows."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """Return asked = correct + wrong + cut off + failed; a truncated answer counts as correct if it scored."""
    correct = sum(row.status != "failed" and row.score >= 1 for row in rows)
    failed = sum(row.status == "failed" for row in rows)
    cut = sum(row.status == "cut off" and row.score < 1 for row in rows)
    return {
        "asked": len(rows),
        "correct": correct,
        "wrong": len(rows) - correct - failed - cut,
        "cut off": cut,
        "failed": failed,
    }
