"""Ask what is owed of one condition and append each answer as a row the moment it is there."""

import contextlib
import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tellapart.models.budget import BudgetSpent
from tellapart.models.model import Completion
from tellapart.runs.asking import Ask, Elicitation, row_seed
from tellapart.runs.folder import RunFolder, digest
from tellapart.runs.progress import ticking
from tellapart.runs.row import Row, Status
from tellapart.tasks.item import Item, Task
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
    identity: dict[str, Any]


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
    known = {(row.item, row.sample): row for row in folder.read_rows(condition.name)}
    have = {at for at, row in known.items() if row.status != "failed"}
    owed = [item for item in ask.items if any((item.id, s) not in have for s in range(ask.samples))]
    if not owed:
        return list(known.values())
    key = digest(condition.identity)
    missing = sum((item.id, s) not in have for item in owed for s in range(ask.samples))
    with (
        folder.appending(condition.name) as writer,
        ticking(condition.name, missing, quiet) as ticker,
        contextlib.suppress(BudgetSpent),
    ):
        for elicitation in answer(ask._replace(items=owed, held=frozenset(have))):
            item = owed[elicitation.item]
            if (item.id, elicitation.sample) in have:
                continue
            row = scored_row(condition, key, ask, item, elicitation)
            writer.write(row)
            have.add((item.id, row.sample))
            known[item.id, row.sample] = row
            ticker.tick()
    return list(known.values())


def latest(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of a shard with, of those of one item and sample, the last alone: it was asked again."""
    return list({(row.item, row.sample): row for row in rows}.values())


def scored_row(condition: Condition, key: str, ask: Ask, item: Item, elicitation: Elicitation) -> Row:
    """Return the row of one answer, scored; a failed answer has no score."""
    completion = elicitation.completion
    failed = completion.finish == "failed"
    measures = dict(elicitation.measures)
    lenient = math.nan
    if condition.name.endswith("/plain") and elicitation.sample < READ_LENIENTLY and not failed:
        lenient = lenient_score(ask.task, item, completion.text)
        measures["lenient_chance"] = lenient_chance(ask.task, item, completion.text)
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
        score=float("nan") if failed else ask.task.score(item, completion.text),
        status=_STATUS[completion.finish],
        steps=_steps(ask.task, item, completion),
        logprob=sum(completion.logprobs) if completion.logprobs is not None else float("nan"),
        tokens=len(completion.tokens) if completion.generated is None else completion.generated,
        prompt_tokens=completion.prompt_tokens,
        seconds=completion.seconds,
        token_ids=completion.tokens,
        token_texts=completion.token_texts,
        token_logprobs=completion.logprobs,
        bits=float(elicitation.bits),
        measures=measures or None,
        error=completion.error,
        answer=None if failed else ask.task.scorer.answer(item, completion.text) or "",
        lenient=lenient,
        question=question_key(ask.task.prompt(item), item.target),
    )


def _steps(task: Task, item: Item, completion: Completion) -> str:
    if task.steps is None or completion.finish == "failed":
        return ""
    return task.steps(item, completion.text)


def text_hash(text: str) -> str:
    """Return the hash (16 hex digits) by which a prompt is known in rows."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def counts(rows: Sequence[Row]) -> dict[str, int]:
    """Return asked = correct + wrong + cut off + failed; a cut-off answer counts as correct if it scored."""
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
