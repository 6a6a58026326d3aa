"""What a model thinks aloud is no part of its answer: reasoning between <think> and </think> is left out
before scoring.

>>> answered("<think>12? No.</think>\nIt is 13."), answered("<think>12, then"), answered("It is 13.")
('\nIt is 13.', '', 'It is 13.')
"""

import re

CLOSED = re.compile(
    r"</(?:think|thinking|thought|reasoning|seed:think)>|<\|channel\|>final<\|message\|>|\[/THINK\]"
)
OPENED = re.compile(r"<(?:think|thinking|thought|reasoning|seed:think)>|\[THINK\]")


def answered(completion: str) -> str:
    """Return what stands behind the last end of reasoning (its beginning may lie in the prompt); nothing where
    reasoning began and was truncated."""
    if "<" not in completion and "[" not in completion:
        return completion
    ends = [match.end() for match in CLOSED.finditer(completion)]
    rest = completion[ends[-1] :] if ends else completion
    opened = OPENED.search(rest)
    return rest[: opened.start()] if opened else rest
