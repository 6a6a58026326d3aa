"""One sample of an Inspect log as one row."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.logs.metric import Metric, also
from tellapart.logs.recorded import KEYED, NAN, Logged, Status
from tellapart.logs.value import field as required
from tellapart.logs.value import hashed, identity, listed, listing, mapping, number, short, text, whole

LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0, "yes": 1.0, "no": 0.0}
ATTACHMENT = "attachment://"
CUT = ("max_tokens", "model_length")


@dataclass
class Reading:
    """How samples are read: the score that is `used` of all `scores` (names of scorers, SCORER/KEY where a value is an
    object), whether the model's stop reasons are `trusted`; and what was met on the way, for the notes."""

    used: str
    scores: tuple[str, ...]
    trusted: bool
    unattached: int = 0

    def notes(self) -> list[str]:
        """Return the one-line warnings that the samples gave rise to."""
        notes = []
        if len(self.scores) > 1:
            notes.append(also(self.used, (name for name in self.scores if name != self.used)))
        if self.unattached:
            notes.append(f"{self.unattached} texts are attachments that the log lacks; left as references")
        return notes


def reading_of(
    samples: Sequence[tuple[str, JsonObject]], listed_first: Sequence[str], choice: str, trusted: bool
) -> Reading:
    """Return how samples are read: by the scorer that `choice` names, else the first one, in the order of
    `listed_first` (the header's), that is no error. A sample may lack a scorer that others have. Raises UserMistake
    where none has the one that was chosen."""
    names_seen: dict[str, None] = {}
    for where, sample in samples:
        names_seen |= dict.fromkeys(_values(sample, where))
    order = {name: place for place, name in reversed(list(enumerate(listed_first)))}
    names = sorted(names_seen, key=lambda name: order.get(name.split("/")[0], len(order)))
    if choice and names:
        used = next((name for name in names if choice in (name, name.split("/")[0])), "")
        if not used:
            raise UserMistake(f"{samples[0][0]}: no scorer {short(choice)}; it has {listed(names)}")
    else:
        used = next((name for name in names if not Metric(name).is_error), next(iter(names), ""))
    return Reading(used, tuple(names), trusted)


def logged(sample: JsonObject, reading: Reading, where: str) -> Logged:
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
        score=NAN if status == "failed" else _score(sample, reading, where),
        question=_question(sample, attachments, reading, where),
        completion=_completion(output, choice, attachments, reading, where),
        sample=whole(sample.get("epoch", 1), f"{where}: epoch") - 1,
        status=status,
        logprob=math.fsum(logprobs) if logprobs else NAN,
        tokens=number(usage.get("output_tokens"), f"{where}: output_tokens"),
        cluster=text(mapping(sample.get("metadata") or {}, f"{where}: metadata").get("cluster")),
        target=_target(sample.get("target"), attachments, reading),
        document=_keyed(sample, where),
        token_logprobs=logprobs,
    )


def _status(sample: JsonObject, choice: JsonObject, reading: Reading) -> Status:
    if sample.get("error") or not (choice or sample.get("scores")):
        return "failed"
    if sample.get("limit") or (reading.trusted and choice.get("stop_reason") in CUT):
        return "cut off"
    return "ok"


def _values(sample: JsonObject, where: str) -> dict[str, Json]:
    """Return a sample's scores by name, parts of an object by SCORER/KEY. Logs of before version 2 have one `score`."""
    values: dict[str, Json] = {}
    scores = sample.get("scores")
    if scores is None and isinstance(sample.get("score"), dict):
        scores = {"score": sample["score"]}
    for scorer, score in mapping(scores or {}, f"{where}: scores").items():
        value = score.get("value") if isinstance(score, dict) else score
        if isinstance(value, dict):
            values |= {f"{scorer}/{key}": part for key, part in value.items()}
        else:
            values[scorer] = value
    return values


def _score(sample: JsonObject, reading: Reading, where: str) -> float:
    value = _values(sample, where).get(reading.used)
    if isinstance(value, str) and (value in LETTERS or value.lower() in LETTERS):
        return LETTERS.get(value, LETTERS.get(value.lower(), NAN))
    return number(value, f"{where}: score of {short(reading.used)}")


def _question(sample: JsonObject, attachments: JsonObject, reading: Reading, where: str) -> str:
    given = sample.get("input")
    if isinstance(given, list):
        parts = [_content(mapping(m, where).get("content"), attachments, reading, where) for m in given]
    else:
        parts = [_resolved(text(given), attachments, reading)]
    # sorted, as options may be shuffled anew in each run
    parts += sorted(text(choice) for choice in listing(sample.get("choices") or [], f"{where}: choices"))
    return "\n".join(part for part in parts if part)


def _completion(
    output: JsonObject,
    choice: JsonObject,
    attachments: JsonObject,
    reading: Reading,
    where: str,
) -> str:
    message = mapping(choice.get("message") or {}, f"{where}: message")
    written = _content(message.get("content"), attachments, reading, where)
    return written or _resolved(text(output.get("completion")), attachments, reading)


def _content(content: Json, attachments: JsonObject, reading: Reading, where: str) -> str:
    """Return a message's text: a string, or a list of parts of which those of type text and image count."""
    if not isinstance(content, list):
        return _resolved(text(content), attachments, reading)
    parts = []
    for part in content:
        if isinstance(part, str):
            parts.append(_resolved(part, attachments, reading))
            continue
        part = mapping(part, where)
        for kind in ("text", "image"):
            if part.get("type") == kind:
                parts.append(_resolved(text(part.get(kind)), attachments, reading))
    return "\n".join(parts)


def _resolved(written: str, attachments: JsonObject, reading: Reading) -> str:
    if not written.startswith(ATTACHMENT):
        return written
    attachment = attachments.get(written.removeprefix(ATTACHMENT))
    if attachment is None:
        reading.unattached += 1
        return written
    return text(attachment)


def _target(target: Json, attachments: JsonObject, reading: Reading) -> str:
    parts = target if isinstance(target, list) else [target]
    return " | ".join(_resolved(text(part), attachments, reading) for part in parts)


def _keyed(sample: JsonObject, where: str) -> str:
    """Return a hash of a sample's input, options and the texts of its right options, whatever letters they have; ""
    where it has no options, or its target is no letter of one."""
    options = [text(choice) for choice in listing(sample.get("choices") or [], f"{where}: choices")]
    target = sample.get("target")
    letters = [text(letter).strip() for letter in (target if isinstance(target, list) else [target])]
    places = [ord(letter) - ord("A") if len(letter) == 1 else -1 for letter in letters]
    if not options or not all(0 <= place < len(options) for place in places):
        return ""
    right = sorted(options[place] for place in places)
    return KEYED + hashed([sample.get("input"), sorted(options), right])


def _logprobs(choice: JsonObject, where: str) -> tuple[float, ...] | None:
    held = mapping(choice.get("logprobs") or {}, f"{where}: logprobs").get("content")
    if not held:
        return None
    listed = listing(held, f"{where}: logprobs")
    return tuple(number(mapping(token, where).get("logprob"), f"{where}: logprob") for token in listed)
