"""Answers read from another tool's log: `open_recorded("path#choice")`, the model that `log:PATH` names.

It answers a prompt only with what was recorded for that very question (white space aside), each sample once.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence

from tellapart.errors import UserMistake
from tellapart.logs import Recorded, read_log
from tellapart.models.model import Answer, Completion, Finish, Model, Request, Sampling

_FINISH: dict[str, Finish] = {"ok": "stop", "cut off": "length", "failed": "failed"}
_HASHED = ("question", "sample", "completion", "status")


class RecordedModel(Model):
    """A log that answers prompts. Requests of one prompt get its samples in the log's order: a new seed gets
    the next one, a seed seen before the same one again. What was not recorded fails with the reason: another
    prompt, more samples, a prefill, a second sampling setting. Tokens and their log-probabilities are not given
    (logs hold no ids)."""

    can_score = False

    def __init__(self, log: Recorded) -> None:
        self.reference = f"log:{log.source}"
        self.notes = log.notes
        self._samples: dict[str, list[tuple[str, str]]] = {}
        self._given: dict[str, dict[tuple[int, int], int]] = {}
        self._sampling: Sampling | None = None
        digest = hashlib.blake2b(digest_size=16)
        frame = log.frame.sort_values(["item", "sample"], kind="stable")
        for question, sample, completion, status in zip(*(frame[c].tolist() for c in _HASHED), strict=True):
            self._samples.setdefault(_normalised(question), []).append((completion, status))
            digest.update(repr((question, sample, completion, status)).encode())
        self.fingerprint = f"log-{digest.hexdigest()}"

    def generate(self, requests: Sequence[Request]) -> Iterator[Answer]:
        """Yield the recorded answer of each request, in order; one that the log lacks fails with the reason."""
        occurrences: Counter[tuple[str, int]] = Counter()
        for index, request in enumerate(requests):
            prompt = request.prompt if isinstance(request.prompt, str) else ""
            occurrence = occurrences[prompt, request.seed]
            occurrences[prompt, request.seed] += 1
            yield Answer(index, self._answer(request, occurrence))

    def _answer(self, request: Request, occurrence: int) -> Completion:
        if not isinstance(request.prompt, str):
            return _failed("a log answers text, not token ids or turns")
        if request.prefill:
            return _failed("a log has no answers to a prefill")
        setting = Sampling(request.sampling.temperature, request.sampling.top_p, request.sampling.top_k,
                           request.sampling.min_p)  # fmt: skip
        if self._sampling not in (None, setting):
            return _failed("a log was recorded under one sampling setting; a second one was asked for")
        question = _normalised(request.prompt)
        samples = self._samples.get(question)
        if samples is None:
            return _failed("this prompt is not in the log")
        self._sampling = setting
        given = self._given.setdefault(question, {})
        number = given.setdefault((request.seed, occurrence), len(given))
        if number >= len(samples):
            return _failed(f"the log has {len(samples)} answers to this prompt, one more was asked for")
        text, status = samples[number]
        error = "recorded as failed" if status == "failed" else ""
        return Completion(text, (), (), None, None, _FINISH[status], 0, 0.0, error)


def open_recorded(reference: str) -> RecordedModel:
    """Return the model of a log (`PATH`, `PATH#choice` or `log:PATH`); raises UserMistake where the log has no
    question texts or no completions to answer with."""
    log = read_log(reference.removeprefix("log:"))
    for name, what in (("question", "question texts"), ("completion", "completions")):
        if not any(log.frame[name].tolist()):
            raise UserMistake(f"{log.source}: the log has no {what}, so it cannot answer; use gain --logs")
    return RecordedModel(log)


def _normalised(text: str) -> str:
    return " ".join(text.split())


def _failed(reason: str) -> Completion:
    return Completion("", (), (), None, None, "failed", 0, 0.0, reason)
