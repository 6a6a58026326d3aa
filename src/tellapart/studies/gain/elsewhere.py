"""`gain --logs BASE TUNED --way NAME=LOG`: the base elicited elsewhere (steered, prompted, routed), judged as a method.

A log shows what the base answered and not what it was told. So each way states the bits of the right answers that it
was told (0: none); one that states nothing, or whose scores may be another scorer's, is shown and raises no bound.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from tellapart.elicit.elicitor import null_name
from tellapart.errors import InvalidInput, UserMistake, closest, one_line
from tellapart.logs import content_of
from tellapart.logs.answers import FEWEST_RIGHT, Believed, accepting
from tellapart.logs.recorded import LONG_ANSWER
from tellapart.logs.run import TOOL as OWN
from tellapart.logs.sides import Beside, Sides, read_beside
from tellapart.logs.source import split
from tellapart.runs.folder import read_object
from tellapart.studies.gain.recorded import ElicitorRecord, WayPairing

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,59}")
TAKEN = ("plain",)
SPOKEN = 200
"""Characters of an answer (median) from which on two models do not write the same, word for word, in a whole log."""

MISTAKES = 20
"""Different wrong answers that two models do not share."""
RESCORED = 0.5
"""Below this share of what is recognised of BASE's and TUNED's right answers a log was scored in another way."""


class Given(NamedTuple):
    """A way as it was given: its log, its null control's ("" where there is none), and the bits of right answers that
    each was told (None: not stated)."""

    log: str
    null: str
    bits: float | None
    null_bits: float | None


class Way(NamedTuple):
    """A way that was read: its answers and its control's under the base's item ids, and what is told of it."""

    name: str
    own: Beside
    null: Beside | None
    about: ElicitorRecord

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return the answers by condition."""
        null = {} if self.null is None else {null_name(self.name): self.null.paired.b}
        return {self.name: self.own.paired.b, **null}

    @property
    def pairing(self) -> WayPairing:
        """Return by which key the way's log was paired with the base's, and how many items."""
        paired = self.own.paired
        return {
            "by": paired.by,
            "items": paired.items,
            "only_base": paired.a_unmatched,
            "only_way": paired.b_unmatched,
        }


def given_ways(way: Sequence[str], null: Sequence[str], bits: Sequence[str]) -> dict[str, Given]:
    """Return the ways by name. Raises InvalidInput for a text that is no NAME=VALUE, a name that cannot be one or was
    given twice, a control or bits of no way, and bits that are no number from 0 up."""
    logs, nulls = _by_name("way", way), _by_name("null", null)
    stated = {name: _bits(name, value) for name, value in _by_name("bits", bits).items()}
    for name in logs:
        if not NAME.fullmatch(name) or name in TAKEN:
            raise InvalidInput(
                f"--way {name}=...: a name is up to 60 letters, digits and _.@+-, and not `plain`"
            )
    for option, names, allowed in (
        ("null", nulls, list(logs)),
        ("bits", stated, [*logs, *map(null_name, nulls)]),
    ):
        for name in names:
            if name not in allowed:
                there = ", ".join(allowed) or "none"
                raise InvalidInput(
                    f"--{option} {name}=...: no --way of that name{closest(name, allowed)}: there are {there}"
                )
    return {
        name: Given(log, nulls.get(name, ""), stated.get(name), stated.get(null_name(name)))
        for name, log in logs.items()
    }


def _by_name(option: str, values: Sequence[str]) -> dict[str, str]:
    result: dict[str, str] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise InvalidInput(f"--{option} {text!r}: give NAME={'N' if option == 'bits' else 'LOG'}")
        if name in result:
            raise InvalidInput(f"--{option} {name}=...: given twice; give each way its own name")
        result[name] = value
    return result


def _bits(name: str, value: str) -> float:
    try:
        bits = float(value)
    except ValueError:
        bits = math.nan
    if not 0 <= bits < math.inf:
        raise InvalidInput(
            f"--bits {name}={value}: give the bits of right answers that it was told, a number from 0 (told nothing) up"
        )
    return bits


def read_ways(given: Mapping[str, Given], sides: Sides, by: Believed | None = None) -> list[Way]:
    """Return the ways read and paired with the base's log; `by` reads answers as the logs of both models score them.
    Raises UserMistake, one line, where a log cannot be read or paired, is scored by another metric, or holds what can
    be no elicited base."""
    return [_read(name, way, sides, by) for name, way in given.items()]


def _read(name: str, given: Given, sides: Sides, by: Believed | None) -> Way:
    own = _beside(f"way {name}", given.log, sides)
    null = _beside(f"null control of {name}", given.null, sides) if given.null else None
    own, null = _unless_tuned(own, sides), null and _unless_tuned(null, sides)
    own, null = _unless_rescored(own, by), null and _unless_rescored(null, by)
    _refuse_same_file(name, given, sides)
    _refuse_another_model(name, own, sides)
    _refuse_contradiction(name, given, own)
    if null is not None:
        _refuse_another_model(null_name(name), null, sides)
    return Way(name, own, null, _about(name, given, own, null))


def _beside(what: str, log: str, sides: Sides) -> Beside:
    try:
        return read_beside(sides, log)
    except UserMistake as mistake:
        raise UserMistake(f"{what}: {mistake}") from None


def _about(name: str, given: Given, own: Beside, null: Beside | None) -> ElicitorRecord:
    """Return what analysis must know of a way (Facts.elicitors)."""
    about: ElicitorRecord = {
        "elicitor": name,
        "source": "run elsewhere",
        "oracle": False,
        "outside": True,
        "elsewhere": True,
        "tells": _tells(given.bits, own),
        "null_tells": "unknown",
        "setting": {"label": _label(given, own)},
    }
    if given.bits is not None:
        about["bits_once"] = given.bits
    if null is None:
        about["null_missing"] = f"no null control was given (--null {name}=LOG)"
    else:
        free = 0.0 if given.bits == 0 else None  # the control of what told nothing told nothing either
        about["null_tells"] = _tells(free if given.null_bits is None else given.null_bits, null)
    return about


def _tells(bits: float | None, log: Beside) -> str:
    """Return what a way tells of right answers: nothing only where that was stated and its scores can be compared."""
    if bits is None or log.strange:
        return "unknown"
    return "nothing" if bits == 0 else "labels"


def _label(given: Given, own: Beside) -> str:
    if own.strange:
        return f"raises no bound: {own.strange}"
    if given.bits is None:
        return "raises no bound: what it was told is not stated"
    if given.bits > 0:
        return "told right answers, as stated: raises no bound by itself"
    return "told nothing of the answers, as stated"


def _refuse_same_file(name: str, given: Given, sides: Sides) -> None:
    """Refuse a way, or its control, that is BASE's or TUNED's log over again, and one log given as both."""
    for what, log in ((name, given.log), (null_name(name), given.null)):
        for side, there in (("BASE", sides.a.source), ("TUNED", sides.b.source)):
            if log and split(log)[1] == split(there)[1] and content_of(log) == content_of(there):
                raise UserMistake(f"way {what}: {log} holds what the log of {side} holds: give its own log")
    if given.null == given.log:
        raise UserMistake(f"--null {name}={given.null}: is the way's own log: give its control's")


def _same_answers(left: pd.DataFrame, right: pd.DataFrame) -> bool:
    """Return whether every answer is there in the other log, under its item and sample; short ones may be by chance."""
    if left["completion"].str.len().median() < LONG_ANSWER:
        return False
    both = left.merge(right[["item", "sample", "completion"]], on=["item", "sample"], suffixes=("", "_other"))
    return len(both) == len(left) and bool((both["completion"] == both["completion_other"]).all())


def _unless_tuned(log: Beside, sides: Sides) -> Beside:
    """Return a log that raises no bound where its long answers are, word for word, TUNED's: it is hardly the base's."""
    frame = log.paired.b
    short = frame["completion"].str.len().median() < SPOKEN
    if (_same_mistakes if short else _same_answers)(frame, sides.paired.b):
        return log._replace(strange=log.strange or "its answers are, word for word, those of TUNED")
    return log


def _same_mistakes(left: pd.DataFrame, right: pd.DataFrame) -> bool:
    """Return whether every answer is the other log's, MISTAKES different wrong ones among them: the right answers of
    two able models are alike, and their mistakes are not."""
    columns = ["item", "sample", "completion", "score"]
    both = left[columns].merge(right[columns], on=["item", "sample"], suffixes=("", "_other"))
    if len(both) < len(left) or not (both["completion"] == both["completion_other"]).all():
        return False
    return both.loc[both["score"] <= 0, "completion"].nunique() >= MISTAKES


def _unless_rescored(log: Beside, by: Believed | None) -> Beside:
    """Return a log that raises no bound where few of its right answers are what BASE's and TUNED's scorer calls so."""
    if by is None:
        return log
    frame = log.paired.b
    right = frame[(frame["score"] == 1.0) & (frame["completion"] != "") & (frame["target"] != "")]
    if len(right) < FEWEST_RIGHT:
        return log
    recognised = accepting(by.reader, right)
    if recognised >= RESCORED * by.recognised:
        return log
    unlike = (
        f"{100 * recognised:.0f} % of its right answers are the target as BASE's and TUNED's right answers are "
        f"({100 * by.recognised:.0f} %): another scorer"
    )
    return log._replace(strange=log.strange or unlike)


def _refuse_another_model(name: str, log: Beside, sides: Sides) -> None:
    """Refuse a log that names the tuned model, where base and tuned have names of their own."""
    base, tuned, own = sides.a.model, sides.b.model, log.log.model
    if tuned and base != tuned and own == tuned:
        raise UserMistake(
            f"way {name}: {log.log.source} is of {one_line(tuned, 80)}, the model of TUNED: give a log of the base"
        )


def _refuse_contradiction(name: str, given: Given, own: Beside) -> None:
    """Refuse bits that a run of our own contradicts: its facts say what each condition told."""
    if own.log.tool != OWN or given.bits != 0:
        return
    path, _ = split(given.log)
    folder = path if path.is_dir() else path.parent
    records = read_object(folder / "artifacts" / "facts.json").get("elicitors", {})
    record = records.get(own.log.model.partition("/")[2], {})
    tells = record.get("tells", "nothing") if isinstance(record, dict) else "nothing"
    if tells != "nothing":
        raise UserMistake(
            f"--bits {name}=0: the run {folder} says that this method told something of right answers ({tells}); state "
            "its bits as that run's report has them"
        )


def notes_of(ways: Sequence[Way], given: Mapping[str, Given], sides: Sides) -> tuple[str, ...]:
    """Return in lines all that a reader must know of the ways: first what they were told, as stated, then each way."""
    bits = {way.name: given[way.name].bits for way in ways}
    free = [name for name, count in bits.items() if count == 0]
    stated = [f"{name} ({count:g})" for name, count in bits.items() if count]
    unstated = [name for name, count in bits.items() if count is None]
    alone = [way.name for way in ways if way.null is None]
    said = []
    if free:
        said.append(
            f"Run elsewhere and told nothing of the answers, as stated (--bits): {', '.join(free)}. tellapart did not "
            "see how."
        )
    if stated:
        said.append(
            f"Run elsewhere and told bits of the answers: {', '.join(stated)}. What they recover may have been taught, "
            "so they raise no bound."
        )
    if unstated:
        said.append(
            f"Run elsewhere, and what it was told of the answers is not stated, so it raises no bound: "
            f"{', '.join(unstated)} (--bits {unstated[0]}=0 where it was told nothing)."
        )
    if alone:
        said.append(
            f"Without a null control: {', '.join(alone)}. --null {alone[0]}=LOG shows how much of it is the method's."
        )
    return (*said, *(line for way in ways for line in _lines(way, sides)))


def _lines(way: Way, sides: Sides) -> list[str]:
    """Return what is odd about one way."""
    said = _copies(way, sides)
    for what, log in ((way.name, way.own), (null_name(way.name), way.null)):
        if log is None:
            continue
        said += [f"way {what}: {note}" for note in log.log.notes]
        if log.paired.by != sides.paired.by or len(log.paired.notes) > 1:
            said += [f"way {what}: {note}" for note in log.paired.notes]
        if log.strange:
            said.append(f"way {what} raises no bound: {log.strange}.")
        said += _gaps(what, log)
    return said


def _copies(way: Way, sides: Sides) -> list[str]:
    """Return a line for each log whose answers are the way's, word for word: a method without effect, or a wrong log. A
    small model asked at temperature 0 may come to that honestly, so it is no mistake."""
    others = [
        ("BASE: nothing was changed by it", sides.paired.a),
        ("TUNED: is it a log of the base?", sides.paired.b),
    ]
    if way.null is not None:
        others.append(("its null control", way.null.paired.b))
    same = [whose for whose, frame in others if _same_answers(way.own.paired.b, frame)]
    return [f"way {way.name}: its answers are, word for word, those of {whose}" for whose in same]


def _gaps(what: str, log: Beside) -> list[str]:
    """Return in a line which of the base's items a way did not answer."""
    if not log.paired.a_unmatched:
        return []
    every = log.paired.items + log.paired.a_unmatched
    return [
        f"way {what} answers {log.paired.items} of the base's {every} items: from 90 % on it has a figure over these, "
        "and the others count as not raised."
    ]


def sources_of(ways: Sequence[Way], given: Mapping[str, Given]) -> dict[str, dict[str, str]]:
    """Return where the logs came from, with a hash of what each holds."""
    sources = {}
    for way in ways:
        for name, log, reference in (
            (way.name, way.own, given[way.name].log),
            (null_name(way.name), way.null, given[way.name].null),
        ):
            if log is not None:
                sources[f"way {name}"] = {
                    "source": log.log.source,
                    "tool": log.log.tool,
                    "model": log.log.model,
                    "content": content_of(reference),
                }
    return sources
