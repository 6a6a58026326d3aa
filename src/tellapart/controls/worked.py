"""A worked answer taken apart: steps, what joins them, and the final answer; put together again to the letter."""

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

from tellapart.tasks.item import Task
from tellapart.tasks.text_match import AfterMarker

ANSWER = re.compile(
    r"(?:\b(?:so|thus|hence|therefore),? )?\bthe (?:final |correct )?answer is\b|####|^A:|^Answer:",
    re.IGNORECASE | re.MULTILINE,
)
_JOINT = re.compile(r"(\s*\n\s*|(?<=[.!?])\s+|;\s*)")


class Steps(NamedTuple):
    """Steps and the joints between them: text = steps[0] + joints[0] + steps[1] + ..."""

    steps: tuple[str, ...]
    joints: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return the text that was split."""
        joints = (*self.joints, "")
        return "".join(step + joint for step, joint in zip(self.steps, joints, strict=True))


@dataclass(frozen=True)
class Worked:
    """`prompt`, then `lead` + steps + `tail` (what stands before and after the steps) + `answer`."""

    prompt: str
    lead: str
    parts: Steps
    tail: str
    answer: str

    @property
    def text(self) -> str:
        """Return the whole worked answer."""
        return f"{self.rationale}{self.answer}"

    @property
    def rationale(self) -> str:
        """Return what stands before the final answer."""
        return f"{self.lead}{self.parts.text}{self.tail}"

    def with_steps(self, steps: tuple[str, ...]) -> "Worked":
        """Return the same with other steps, as many, joined as before."""
        return replace(self, parts=self.parts._replace(steps=steps))


def split_steps(text: str) -> Steps:
    """Return the steps of a text: lines, sentences, or what stands between semicolons.

    >>> split_steps("r7583;i8694;c1305").steps
    ('r7583', 'i8694', 'c1305')
    """
    pieces = _JOINT.split(text)
    steps, joints = pieces[::2], pieces[1::2]
    while len(steps) > 1 and not steps[-1]:
        steps.pop()
        joints.pop()
    return Steps(tuple(steps), tuple(joints))


def take_apart(task: Task, prompt: str, text: str) -> Worked:
    """Return a worked answer in its parts. Where no step stands before the final answer, `parts` has one empty step."""
    at = answer_place(task, text)
    before, answer = text[:at], text[at:]
    lead = before[: len(before) - len(before.lstrip())]
    body = before[len(lead) :]
    parts = split_steps(body)
    return Worked(prompt, lead, parts, body[len(parts.text) :], answer)


def answer_place(task: Task, text: str) -> int:
    """Return where the final answer begins: at the last marker of the scorer, "the answer is", "####" or "A:"; else
    at the last line; else, in one line, at the last sentence."""
    if isinstance(task.scorer, AfterMarker):
        at = text.rfind(task.scorer.marker)
        return len(text) if at < 0 else at
    matches = list(ANSWER.finditer(text))
    if matches:
        return matches[-1].start()
    stripped = text.rstrip()
    line = stripped.rfind("\n") + 1
    if line:
        return line
    ends = list(re.finditer(r"(?<=[.!?])\s+", stripped))
    return ends[-1].end() if ends else 0
