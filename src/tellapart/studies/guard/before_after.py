"""`tellapart guard --before A --after B`: logs of both sides, or both models asked the same tasks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from tellapart.logs.sides import read_sides
from tellapart.runs.folder import read_json
from tellapart.runs.table import write_frame
from tellapart.studies.guard.abilities import Ability, lost_items

if TYPE_CHECKING:
    from tellapart.models.model import Model
    from tellapart.runs.asking import Ask, Elicitation
    from tellapart.runs.folder import RunFolder
    from tellapart.runs.row import Row
    from tellapart.studies.guard.spec import GuardSpec
    from tellapart.tasks.item import Item, Task

FROM_LOGS = (
    "from logs alone, skipped work is not told from work that can no longer be done: give models and --task"
)


def from_logs(before: Sequence[str], after: Sequence[str]) -> list[Ability]:
    """Return one ability a pair of logs, paired by question. Raises UserMistake where nothing pairs."""
    abilities = []
    for first, second in zip(before, after, strict=True):
        sides = read_sides(first, second)
        paired = sides.paired
        abilities.append(
            Ability(_name(first, abilities), paired.a, paired.b, notes=(*sides.notes, FROM_LOGS))
        )
    return abilities


def ask_models(
    folder: "RunFolder", spec: "GuardSpec", models: tuple["Model", "Model"], tasks: Sequence["Task"]
) -> list[Ability]:
    """Return one ability a task, asking both models what the folder does not hold yet.

    Lost items are asked once more with the first token of the answer before; the null control begins with that of the
    next lost item's. Only where the model after gives tokens.
    """
    abilities = []
    for task in tasks:
        sides = [
            _ask(folder, spec, (role, model), task)
            for role, model in zip(("before", "after"), models, strict=True)
        ]
        frames = [_frame(rows, task) for rows in sides]
        lost = lost_items(*frames)
        ability = Ability(task.name, frames[0], frames[1], notes=task.notes)
        openers = _openers(sides[0], lost) if models[1].can_score else {}
        if openers:
            turned = dict(
                zip(openers, [*list(openers.values())[1:], next(iter(openers.values()))], strict=True)
            )
            ability = replace(
                ability,
                again=_ask_again(folder, spec, ("after/opened", models[1]), (task, openers)),
                twin=_ask_again(folder, spec, ("after/opened~null", models[1]), (task, turned)),
            )
        abilities.append(ability)
    return abilities


ABILITIES = "abilities.parquet"


def keep_abilities(folder: "RunFolder", abilities: Sequence[Ability]) -> None:
    """Keep in the run folder what its abilities are judged by, so that they can be judged again without a model."""
    frames = [
        frame.assign(ability=at, side=side)
        for at, ability in enumerate(abilities)
        for side, frame in (("before", ability.before), ("after", ability.after))
    ]
    write_frame(folder.path / ABILITIES, pd.concat(frames, ignore_index=True))
    fields = [
        {
            "name": ability.name,
            "again": dict(ability.again),
            "twin": dict(ability.twin),
            "notes": list(ability.notes),
        }
        for ability in abilities
    ]
    folder.write_artifact("facts", {"abilities": fields})


def read_abilities(folder: Path) -> list[Ability]:
    """Return the abilities that a run keeps. Raises UserMistake where it keeps none."""
    facts = read_json(folder / "artifacts" / "facts.json", "the run is not finished, or of an older version")
    frame = pd.read_parquet(folder / ABILITIES)
    return [
        Ability(
            ability["name"],
            *(
                frame[(frame["ability"] == at) & (frame["side"] == side)]
                .drop(columns=["ability", "side"])
                .reset_index(drop=True)
                for side in ("before", "after")
            ),
            again=ability["again"],
            twin=ability["twin"],
            notes=tuple(ability["notes"]),
        )
        for at, ability in enumerate(facts["abilities"])
    ]


def _ask(folder: "RunFolder", spec: "GuardSpec", who: tuple[str, "Model"], task: "Task") -> list["Row"]:
    from tellapart.runs.asking import generate, plain_requests
    from tellapart.runs.collect import Condition, collect

    role, model = who
    ask = _ask_of(spec, task, task.items)
    identity = {**model.known_by(), "task": task.fingerprint, "seed": spec.seed}
    condition = Condition("guard", f"{role}/{task.name}", "report", identity)
    return collect(folder, condition, ask, lambda ask: generate(model, list(plain_requests(ask))), spec.json)


def _ask_again(
    folder: "RunFolder",
    spec: "GuardSpec",
    who: tuple[str, "Model"],
    what: tuple["Task", Mapping[str, str]],
) -> dict[str, float]:
    """Return the mean score of each item whose answer is made to begin with its opener."""
    from tellapart.runs.asking import generate, plain_requests
    from tellapart.runs.collect import Condition, collect

    (role, model), (task, openers) = who, what
    items = [item for item in task.items if item.id in openers]
    identity = {**model.known_by(), "task": task.fingerprint, "openers": dict(openers)}
    condition = Condition("guard", f"{role}/{task.name}", "report", identity)

    def answer(ask: "Ask") -> "Iterator[Elicitation]":
        requests = [
            (at, sample, replace(request, prefill=openers[ask.items[at].id]))
            for at, sample, request in plain_requests(ask)
        ]
        return generate(model, requests)

    rows = collect(folder, condition, _ask_of(spec, task, items), answer, spec.json)
    frame = _frame(rows, task)
    return {str(item): float(score) for item, score in frame.groupby("item")["score"].mean().items()}


def _ask_of(spec: "GuardSpec", task: "Task", items: Sequence["Item"]) -> "Ask":
    from tellapart.models.model import Sampling
    from tellapart.runs.asking import Ask

    sampling = Sampling(temperature=1.0, max_tokens=task.max_tokens, stop=task.stop)
    return Ask(task, items, 1 if task.mode == "choice_logprob" else spec.samples, spec.seed, sampling)


def _openers(rows: Sequence["Row"], lost: Sequence[str]) -> dict[str, str]:
    """Return the first token's text of a right answer to each lost item."""
    openers: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: (-row.score, row.sample)):
        if row.item in lost and row.token_texts and row.token_texts[0]:
            openers.setdefault(row.item, row.token_texts[0])
    return openers


def _frame(rows: Sequence["Row"], task: "Task") -> pd.DataFrame:
    items = {item.id: item for item in task.items}
    return pd.DataFrame(
        [
            {
                "item": row.item,
                "question": task.prompt(items[row.item]),
                "completion": row.completion,
                "score": row.score,
                "steps": row.steps,
                "target": " | ".join(items[row.item].target),
                "cluster": row.cluster,
            }
            for row in rows
        ]
    )


def _name(reference: str, taken: Sequence[Ability]) -> str:
    from pathlib import Path

    stem = Path(reference.partition("#")[0]).stem or reference
    names = {ability.name for ability in taken}
    return stem if stem not in names else f"{stem} {len(taken) + 1}"
