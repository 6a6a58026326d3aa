"""What the logs of RL trainers have in common: prompts asked several times, told apart by their text."""

from collections.abc import Sequence

from tellapart.errors import UserMistake
from tellapart.logs.metric import also
from tellapart.logs.value import listed, short

IDS = (
    "id", "item", "task_id", "question_id", "sample_id", "example_id", "problem_id", "prompt_id", "doc_id", "uid",
    "idx", "index", "name", "key",
)  # fmt: skip
"""Keys by which rows name their items; several items may share a prompt."""


def numbered(prompts: Sequence[str]) -> list[str]:
    """Return each row's item id: the number of its prompt in order of first appearance."""
    seen: dict[str, str] = {}
    return [seen.setdefault(prompt, str(len(seen))) for prompt in prompts]


def reward_name(names: Sequence[str], choice: str, where: str, notes: list[str]) -> str:
    """Return the reward that is the score: the one named by `choice`, else the first, with a note on others."""
    if not names:
        raise UserMistake(f"{where}: has no reward")
    if choice:
        if choice not in names:
            raise UserMistake(f"{where}: no reward {short(choice)}; it has {listed(names)}")
        return choice
    if len(names) > 1:
        notes.append(also(names[0], names[1:]))
    return names[0]
