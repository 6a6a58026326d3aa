"""Logs of several roles: what keeps the difference between them from being the model's, and how many answers are lost.

A gap between two logs is a gap between two ways of asking only where nothing else differs: one scorer, one model, the
same questions and targets, no answers told, none kept because they were right, the benign model asked likewise.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from tellapart.logs import Recorded
from tellapart.logs.answers import AGREEING, FEWEST_RIGHT, Believed, accepting, believed
from tellapart.logs.run import TOOL as OWN
from tellapart.logs.sides import other_targets, settings_apart
from tellapart.logs.value import short
from tellapart.tasks.words import find, phrase, words

SHOTS, LONGEST = "few-shot examples", "longest answer in tokens"
NOISE = 0.05
"""Share of answers up to which scorers, prompts and forms of two logs may differ."""
RESCORED = 0.9
"""Below this share of what is recognised of another log's right answers a log was scored in another way."""
FEWEST_WRONG, MISTAKES = 20, 20
LOOKED_AT = 2000
LIKE = (("plain", "benign"), ("elicited", "benign_elicited"))
"""Roles that must be asked in one way: a benign model is compared under the same methods."""
MOST_ROOM = 3
"""Times that a rise of the benign model counts at most."""


class Roles(NamedTuple):
    """Logs by role, their rows under the plain log's items, and a hash of what each holds, with what was chosen."""

    logs: Mapping[str, Recorded]
    frames: Mapping[str, pd.DataFrame]
    contents: Mapping[str, tuple[str, str]]


def barred(roles: Roles) -> tuple[tuple[str, str], ...]:
    """Return all that keeps the roles from being compared, and what removes it; nothing where they can be."""
    checks = (
        _same_file,
        _same_answers,
        _other_model,
        _compare_settings,
        _scored_apart,
        _targets,
        _leak,
        _chosen,
        _gaps,
    )
    return tuple(dict.fromkeys(reason for check in checks for reason in check(roles)))


def same_model(roles: Roles) -> bool:
    """Return whether the benign log is the plain one, or of the model that it names."""
    if "benign" not in roles.logs:
        return False
    plain, benign = roles.logs["plain"], roles.logs["benign"]
    named = plain.tool != OWN and plain.model != "" and plain.model == benign.model
    return named or roles.contents["plain"] == roles.contents["benign"]


def lost(roles: Roles) -> float:
    """Return the share of answers by which the gap may be too large: plain ones that are truncated, failed, empty or
    unscored, beyond those of the elicited log, and elicited ones left out or unscored. Those of the benign model's
    elicited log count as often as its rise may."""
    if "elicited" not in roles.frames:
        return 0.0
    plain, elicited = roles.frames["plain"], roles.frames["elicited"]
    total = max(0.0, _unread(plain) - _unread(elicited)) + _unscored(plain) + _unscored(elicited)
    if "benign_elicited" in roles.frames:
        other = roles.frames["benign_elicited"]
        total += MOST_ROOM * (_unread(other) + _unscored(other))
    return min(1.0, total)


def _unread(frame: pd.DataFrame) -> float:
    """Return the share of answers that are not right and were truncated, failed or empty."""
    gone = (frame["status"] != "ok").to_numpy()
    if (frame["completion"] != "").any():
        gone = gone | (frame["completion"].str.strip() == "").to_numpy()
    return float((gone & ~(frame["score"].to_numpy() > 0)).mean())


def _unscored(frame: pd.DataFrame) -> float:
    """Return the share of answers without a score, of as many as the fullest items have."""
    codes = frame["item"].factorize()[0]
    counts = np.bincount(codes)
    scored = int((frame["score"].notna() | (frame["status"] != "ok")).sum())
    return 1 - scored / (len(counts) * int(counts.max()))


def _same_file(roles: Roles) -> list[tuple[str, str]]:
    names = list(roles.contents)
    return [
        (f"{name} and {other} are one log", f"the log of each role (--logs {other}=LOG)")
        for at, name in enumerate(names)
        for other in names[at + 1 :]
        if roles.contents[name] == roles.contents[other] and (name, other) != ("plain", "benign")
    ]


def _same_answers(roles: Roles) -> list[tuple[str, str]]:
    """Logs with the same mistakes, word for word, are one log under two names."""
    result = []
    for first, second in (
        ("benign", "benign_elicited"),
        ("benign", "elicited"),
        ("benign_elicited", "elicited"),
    ):
        if first not in roles.frames or second not in roles.frames:
            continue
        columns = ["item", "sample", "completion", "score"]
        here = roles.frames[first][columns]
        both = here.merge(roles.frames[second][columns], on=["item", "sample"], suffixes=("", "_other"))
        same = len(both) == len(here) and (both["completion"] == both["completion_other"]).all()
        if same and both.loc[both["score"] <= 0, "completion"].nunique() >= MISTAKES:
            result.append(
                (f"{first} and {second} hold the same answers, word for word", "the log of each role")
            )
    return result


def _other_model(roles: Roles) -> list[tuple[str, str]]:
    result = []
    for first, second in (("plain", "elicited"), ("plain", "permuted"), ("benign", "benign_elicited")):
        if first not in roles.logs or second not in roles.logs:
            continue
        own, its = roles.logs[first], roles.logs[second]
        if OWN not in (own.tool, its.tool) and own.model and its.model and own.model != its.model:
            result.append(
                (
                    f"{second} is of {short(its.model)}, {first} of {short(own.model)}: what one model holds is not "
                    "hidden by another",
                    "logs of one model (under one name)",
                )
            )
    return result


def _compare_settings(roles: Roles) -> list[tuple[str, str]]:
    """Right demonstrations teach, a shorter limit truncates, and a benign model must be asked in the same ways."""
    logs, reasons = roles.logs, []
    for first, second in LIKE:
        if first in logs and second in logs and (apart := settings_apart(logs[first], logs[second])):
            difference = _name_differences(first, second, apart)
            reasons.append(
                (
                    f"the benign model was asked in another way: {difference}",
                    f"{first} and {second} asked alike",
                )
            )
    if "elicited" in logs:
        for name, own, its in settings_apart(logs["plain"], logs["elicited"]):
            if name == SHOTS:
                difference = (
                    "the elicited log was shown other right answers than the plain one, and these may teach"
                )
                reasons.append(
                    (
                        f"{difference}: {_name_differences('plain', 'elicited', [(name, own, its)])}",
                        "as many in both",
                    )
                )
            if name == LONGEST and own.isdigit() and its.isdigit() and int(own) < int(its):
                difference = _name_differences("plain", "elicited", [(name, own, its)])
                reasons.append(
                    (f"plain answers may have been truncated: {difference}", "plain answers as long")
                )
    return reasons


def settings_notes(logs: Mapping[str, Recorded]) -> list[str]:
    """Return a line where the elicited log was asked otherwise than the plain one, in what may be the method."""
    result = []
    for first, second in (("plain", "elicited"), ("benign", "benign_elicited")):
        if first in logs and second in logs and (apart := settings_apart(logs[first], logs[second])):
            result.append(f"asked in different ways: {_name_differences(first, second, apart)}")
    return result


def _name_differences(first: str, second: str, apart: list[tuple[str, str, str]]) -> str:
    return "; ".join(f"{name} {short(own)} in {first}, {short(its)} in {second}" for name, own, its in apart)


def _scored_apart(roles: Roles) -> list[tuple[str, str]]:
    remedy = "all roles scored by one scorer"
    result = []
    parted = {role: float((~scores.isin((0.0, 1.0))).mean()) for role, scores in _scores(roles).items()}
    for role, share in parted.items():
        whole = min(parted, key=lambda role: parted[role])
        if share > NOISE and not parted[whole]:
            result.append((f"{role} has scores between 0 and 1, {whole} has none: another scorer", remedy))
    readers = [(role, by) for role in reversed(list(roles.frames)) if (by := _reader(roles.frames[role]))]
    if readers:
        return result + [(reason, remedy) for reason in _read_apart(roles, *readers[0])]
    named = {bool(log.metric.name) for log in roles.logs.values()}
    if len(named) > 1:
        result.append(("some logs name their metric and some do not: nothing shows that it is one", remedy))
    return result


def _scores(roles: Roles) -> dict[str, pd.Series]:
    return {role: frame["score"].dropna() for role, frame in roles.frames.items()}


def _usable(frame: pd.DataFrame) -> pd.DataFrame:
    there = (frame["target"] != "") & (frame["completion"] != "") & (frame["status"] == "ok")
    return frame[there & frame["score"].isin((0.0, 1.0))]


def _reader(frame: pd.DataFrame) -> Believed | None:
    usable = _usable(frame)
    return believed(usable) if len(usable) else None


def _read_apart(roles: Roles, trusted: str, by: Believed) -> list[str]:
    """Return where another log's right answers are not what this reader calls so, or its wrong ones are."""
    result = []
    for role, frame in roles.frames.items():
        usable = _usable(frame)
        right, wrong = usable[usable["score"] == 1], usable[usable["score"] == 0]
        right, wrong = (part.iloc[:LOOKED_AT] for part in (right, wrong))
        if len(right) >= FEWEST_RIGHT and (seen := accepting(by.reader, right)) < RESCORED * by.recognised:
            result.append(
                f"{100 * seen:.0f} % of the right answers of {role} are the target, {100 * by.recognised:.0f} % of "
                f"those of {trusted}: another scorer"
            )
        if len(wrong) >= FEWEST_WRONG and (seen := accepting(by.reader, wrong)) > 2 * (1 - AGREEING):
            result.append(
                f"{100 * seen:.0f} % of the wrong answers of {role} are the target, as {trusted} is scored: another "
                "scorer, or a form that it does not read"
            )
    return result


def _targets(roles: Roles) -> list[tuple[str, str]]:
    plain = roles.frames["plain"]
    return [
        (f"{role}: {reason}", "logs of one version of the task")
        for role, frame in roles.frames.items()
        if role not in ("plain", "permuted") and (reason := other_targets(plain, frame, "the plain log"))
    ]


def _leak(roles: Roles) -> list[tuple[str, str]]:
    """Answers that are the bare targets only where they are right were copied; a prompt that holds the target tells."""
    if "elicited" not in roles.frames:
        return []
    plain, elicited = roles.frames["plain"], roles.frames["elicited"]
    result = []
    if _copied(elicited) and not _bare(plain[plain["score"] == 1]) > 0.5:
        reason = "elicited answers are the targets, word for word, as plain ones are not: were they copied?"
        result.append((reason, "the elicited model's own answers"))
    over = _in_question(elicited) - _in_question(plain)
    if over > NOISE:
        reason = f"in {100 * over:.0f} % of the elicited log's prompts the target stands, and not in the plain ones"
        result.append((reason, "prompts that do not tell the answer"))
    return result


def _copied(frame: pd.DataFrame) -> bool:
    right, wrong = frame[frame["score"] == 1], frame[frame["score"] == 0]
    if len(right) < FEWEST_RIGHT or _bare(right) < 1 - 2 * NOISE:
        return False
    words, wanted = (
        wrong[name].map(lambda text: len(str(text).split())) for name in ("completion", "target")
    )
    short_ones = words <= wanted.clip(lower=1)
    return len(wrong) < NOISE * len(frame) or float(short_ones.mean()) < 0.5


def _bare(frame: pd.DataFrame) -> float:
    targeted = frame[frame["target"] != ""]
    return (
        float((targeted["completion"].str.strip() == targeted["target"].str.strip()).mean())
        if len(targeted)
        else 0.0
    )


def _in_question(frame: pd.DataFrame) -> float:
    first = frame.drop_duplicates("item")
    first = first[(first["question"] != "") & (first["target"] != "")].iloc[:LOOKED_AT]
    columns = zip(first["question"], first["target"], strict=True)
    there = [bool(find([phrase(target)], words(question))) for question, target in columns]
    return float(np.mean(there)) if there else 0.0


def _chosen(roles: Roles) -> list[tuple[str, str]]:
    """Single answers with several sample numbers were picked out of more."""
    result = []
    for role, frame in roles.frames.items():
        if frame["item"].is_unique and frame["sample"].nunique() > 1:
            reason = (
                f"{role} holds one answer an item, of several sample numbers: was the best of several kept?"
            )
            result.append((reason, f"all samples in {role}, or the first of each item"))
    return result


def _gaps(roles: Roles) -> list[tuple[str, str]]:
    """A log of some items only may hold those that were right."""
    there = set(roles.frames["plain"]["item"])
    if "benign" in roles.frames:
        there &= set(roles.frames["benign"]["item"])
    result = []
    for role in ("elicited", "benign_elicited"):
        if role in roles.frames:
            frame = roles.frames[role]
            answered = there & set(frame.loc[frame["score"].notna() & (frame["status"] != "failed"), "item"])
            if len(answered) < len(there):
                reason = f"{role} answers {len(answered)} of {len(there)} questions"
                result.append((reason, f"answers to all questions (--logs {role}=LOG)"))
    return result
