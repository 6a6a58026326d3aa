"""Each item's answer key: which answers it accepts, of what kind they are, and among how many candidates they stand."""

from collections.abc import Iterable

from tellapart.errors import UserMistake
from tellapart.studies.gain.recorded import ItemKey
from tellapart.tasks.answer_space import candidates, copied, stands_in_prompt, target_class
from tellapart.tasks.item import Item, Task
from tellapart.tasks.match import Matched


def answer_keys(task: Task, items: Iterable[Item]) -> dict[str, ItemKey]:
    """Return the answer key of each item, by id, as JSON values (facts.py says what they mean)."""
    all_items = list(items)
    keys = {item.id: answer_key(task, item) for item in all_items}
    prompts = [_prompt(task, item) for item in all_items]
    shares = copied(prompts, [item.target for item in all_items])
    for item, share in zip(all_items, shares or (), strict=False):
        keys[item.id]["copied"] = share
    return keys


def _prompt(task: Task, item: Item) -> str:
    try:
        return task.prompt(item)
    except UserMistake:
        return "\n".join(str(value) for value in item.fields.values())


def answer_key(task: Task, item: Item) -> ItemKey:
    """Return one item's answer key. `accepted` is empty where the scorer reads no answer out of a target."""
    answers = candidates(task, item)
    accepted = dict.fromkeys(text for target in item.target if (text := _canonical(task, item, target)))
    return {
        "accepted": list(accepted),
        "kind": f"{task.scorer.name} {target_class(item, task.scorer)}",
        "candidates": None if answers is None else len(answers),
        "in_prompt": stands_in_prompt(task, item),
    }


def _canonical(task: Task, item: Item, target: str) -> str | None:
    scorer = task.scorer
    return scorer.canonical(item, target) if isinstance(scorer, Matched) else scorer.answer(item, target)
