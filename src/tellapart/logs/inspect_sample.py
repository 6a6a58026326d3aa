"""One sample of an Inspect log as one row."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tellapart.errors import UserMistake
from tellapart.logs.metric import Metric, also
from tellapart.logs.recorded import NAN, Logged, Status
from tellapart.logs.value import field as required
from tellapart.logs.value import identity, listed, listing, mapping, number, short, text, whole

LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0, "yes": 1.0, "no": 0.0}
ATTACHMENT = "attachment://"
CUT = ("max_tokens", "model_length")


@dataclass
class Reading:
    """How samples are read (`choice` of scorer, whether the model's stop reasons are `trusted`) and what was
    met on the way, for the notes."""

    choice: str
    trusted: bool
    scores: dict[str, None] = field(default_factory=dict)
    unattached: int = 0
    used: str = ""

    def notes(self) -> list[str]:
        """Return the one-line warnings that the samples gave rise to."""
        notes = []
        if len(self.scores) > 1:
            notes.append(also(self.used, (name for name in self.scores if name != self.used)))
        if self.unattached:
            notes.append(f"{self.unattached} texts are attachments that the log lacks; left as references")
        return notes


def logged(sample: Mapping[str, Any], reading: Reading, where: str) -> Logged:
    """Return the row of one sample; raises UserMistake naming the sample where it cannot be read."""
    attachments = mapping(sample.get("attachments") or {}, where)
    output = mapping(sample.get("output") or {}, f"{where}: output")
    choices = listing(output.get("choices") or [], f"{where}: choices")
    choice = mapping(choices[0], where) if choices else {}
    usage = mapping(output.get("usage") or {}, f"{where}: usage")
    logprobs = _logprobs(choice, where) if reading.trusted else None
    status = _status(sample, choice, reading)
    return Logged(
        item=identity(required(sample, "id", where), where),
        score=NAN if status == "failed" else _score(sample.get("scores"), reading, where),
        question=_question(sample, attachments, reading, where),
        completion=_completion(output, choice, attachments, reading, where),
        sample=whole(sample.get("epoch", 1), f"{where}: epoch") - 1,
        status=status,
        logprob=math.fsum(logprobs) if logprobs else NAN,
        tokens=number(usage.get("output_tokens"), f"{where}: output_tokens"),
        cluster=text(mapping(sample.get("metadata") or {}, f"{where}: metadata").get("cluster")),
        target=_target(sample.get("target"), attachments, reading),
        token_logprobs=logprobs,
    )


def _status(sample: Mapping[str, Any], choice: Mapping[str, Any], reading: Reading) -> Status:
    if sample.get("error") or not (choice or sample.get("scores")):
        return "failed"
    if sample.get("limit") or (reading.trusted and choice.get("stop_reason") in CUT):
        return "cut off"
    return "ok"


def _score(scores: Any, reading: Reading, where: str) -> float:
    values: dict[str, Any] = {}
    for scorer, score in mapping(scores or {}, f"{where}: scores").items():
        value = score.get("value") if isinstance(score, dict) else score
        if isinstance(value, dict):
            values |= {f"{scorer}/{key}": part for key, part in value.items()}
        else:
            values[scorer] = value
    reading.scores.update(dict.fromkeys(values))
    if not values:
        return NAN
    used = reading.used or next((name for name in values if not Metric(name).is_error), next(iter(values)))
    if reading.choice:
        used = next((name for name in values if reading.choice in (name, name.split("/")[0])), "")
        if not used:
            raise UserMistake(f"{where}: no scorer {short(reading.choice)}; it has {listed(values)}")
    reading.used = used
    value = values.get(used)
    if isinstance(value, str) and (value in LETTERS or value.lower() in LETTERS):
        return LETTERS.get(value, LETTERS.get(value.lower(), NAN))
    return number(value, f"{where}: score of {short(used)}")


def _question(sample: Mapping[str, Any], attachments: Mapping[str, Any], reading: Reading, where: str) -> str:
    given = sample.get("input")
    if isinstance(given, list):
        parts = [_content(mapping(m, where).get("content"), attachments, reading, where) for m in given]
    else:
        parts = [_resolved(text(given), attachments, reading)]
    parts += [text(choice) for choice in listing(sample.get("choices") or [], f"{where}: choices")]
    return "\n".join(part for part in parts if part)


def _completion(
    output: Mapping[str, Any],
    choice: Mapping[str, Any],
    attachments: Mapping[str, Any],
    reading: Reading,
    where: str,
) -> str:
    message = mapping(choice.get("message") or {}, f"{where}: message")
    written = _content(message.get("content"), attachments, reading, where)
    return written or _resolved(text(output.get("completion")), attachments, reading)


def _content(content: Any, attachments: Mapping[str, Any], reading: Reading, where: str) -> str:
    """Return a message's text: a string, or a list of parts of which those of type text and image count."""
    if not isinstance(content, list):
        return _resolved(text(content), attachments, reading)
    parts = []
    for part in content:
        if isinstance(part, str):
            parts.append(_resolved(part, attachments, reading))
        elif mapping(part, where).get("type") == "text":
            parts.append(_resolved(text(part.get("text")), attachments, reading))
        elif part.get("type") == "image":
            parts.append(_resolved(text(part.get("image")), attachments, reading))
    return "\n".join(parts)


def _resolved(written: str, attachments: Mapping[str, Any], reading: Reading) -> str:
    if not written.startswith(ATTACHMENT):
        return written
    found = attachments.get(written.removeprefix(ATTACHMENT))
    if found is None:
        reading.unattached += 1
        return written
    return text(found)


def _target(target: Any, attachments: Mapping[str, Any], reading: Reading) -> str:
    parts = target if isinstance(target, list) else [target]
    return " | ".join(_resolved(text(part), attachments, reading) for part in parts)


def _logprobs(choice: Mapping[str, Any], where: str) -> tuple[float, ...] | None:
    held = mapping(choice.get("logprobs") or {}, f"{where}: logprobs").get("content")
    if not held:
        return None
    listed = listing(held, f"{where}: logprobs")
    return tuple(number(mapping(token, where).get("logprob"), f"{where}: logprob") for token in listed)
