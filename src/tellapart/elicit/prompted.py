"""The value behind the prompt elicitors: text before the question, text after it."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

from tellapart.elicit.choosing import Requested
from tellapart.errors import NotApplicable
from tellapart.jsonvalue import text_pairs, texts
from tellapart.models.model import Request, Turns
from tellapart.runs.asking import Ask, Pair, plain_requests

SEPARATOR = "\n\n"


@final
@dataclass(frozen=True)
class Prompted(Requested):
    """Answers under a changed prompt.

    Setting: `before` (text before the question), `turns` (for chat models: earlier exchanges instead of it), `after`
    (text after the question), `stop` (strings that end the answer, beside the task's), `label`, and what the null
    null control is made from.
    """

    def requests(self, pair: Pair, ask: Ask) -> Iterator[tuple[int, int, Request]]:
        """Yield (item index, sample, request). Raises UserMistake where the prompt is the plain one."""
        before, after = str(self.setting.get("before", "")), str(self.setting.get("after", ""))
        turns = tuple(text_pairs(self.setting, "turns")) if "turns" in self.setting else ()
        if not before and not after and not turns:
            raise NotApplicable(f"{self.name} changes nothing: it has no demonstration and no instruction")
        own = texts(self.setting, "stop") if "stop" in self.setting else []
        stop = tuple(dict.fromkeys([*ask.sampling.stop, *own]))
        sampling = replace(ask.sampling, stop=stop)
        for index, sample, request in plain_requests(ask):
            question = f"{before}{request.prompt}{after}"
            prompt = Turns(turns, question) if turns else question
            yield index, sample, replace(request, prompt=prompt, sampling=sampling)


def demonstrated(examples: Sequence[Sequence[str]]) -> str:
    """Return the text that shows `examples`, (prompt, answer) pairs, before a question."""
    return "".join(f"{prompt}{answer}{SEPARATOR}" for prompt, answer in examples)


def exchanged(examples: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    """Return `examples`, (prompt, answer) pairs, as exchanges of a chat: white space at an answer's ends joins it to
    a prompt in running text, and is no part of a turn."""
    return tuple((prompt, answer.strip()) for prompt, answer in examples)


def next_question(examples: Sequence[Sequence[str]]) -> list[str]:
    """Return the string that begins one more question: an answer ends there.

    It is the separator with what all demonstrated prompts begin with; where that is nothing, the separator
    alone, if no answer contains it.
    """
    common = common_beginning([prompt for prompt, _ in examples]) if len(examples) > 1 else ""
    if common.strip():
        return [SEPARATOR + common]
    return [] if any(SEPARATOR in answer for _, answer in examples) else [SEPARATOR]


def common_beginning(texts: Sequence[str]) -> str:
    """Return the longest text that all of `texts` begin with."""
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*texts, strict=False))
    return "".join(letters[0] for letters in alike)
