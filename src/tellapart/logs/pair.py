"""Two logs side by side: the items that both models answered, found by the strongest key that both logs hold.

Texts, not indices: two runs of one benchmark may have drawn different questions (in reasoning-gym's
polynomial multiplication 99 of 100 rows differ between two runs with the same seed). Ids and whole documents tell
questions apart that repeat, and find the item again where the texts differ by a chat template.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from tellapart.errors import UserMistake
from tellapart.logs.recorded import KEYED, Recorded
from tellapart.logs.value import short

By = Literal["question", "question and id", "question and document", "question and place", "document", "item"]


@dataclass(frozen=True)
class Paired:
    """The rows of two logs on their shared items, under one `item` key (the first log's ids).

    `a_rest` and `b_rest` are the rows on items that the other log lacks, under keys of their own that occur
    nowhere else: a log's own score is over `a` and `a_rest` together, a paired difference over `a` and `b`.
    `by` says what paired them, the weakest key that any pair needed; counts are of items.
    """

    a: pd.DataFrame
    b: pd.DataFrame
    a_rest: pd.DataFrame
    b_rest: pd.DataFrame
    by: By
    items: int
    a_unmatched: int
    b_unmatched: int
    notes: tuple[str, ...] = ()


def pair(a: Recorded, b: Recorded) -> Paired:
    """Return both logs restricted to the items they share; raises UserMistake where they share none.

    Pairs on the question's text (white space normalised, nothing else) where every item of both logs has one;
    questions that repeat are told apart by id or by the whole document. Where no text is shared (a chat template),
    or some are missing, it pairs on the document or the id. Keys that contradict each other are refused or not used.
    """
    first, second = _items(a), _items(b)
    matched = _matched(first, second)
    if not len(matched.pairs):
        raise UserMistake(_nothing_shared(first, second, matched))
    place_a, place_b = (np.array(places, dtype=np.int64) for places in zip(*matched.pairs, strict=True))
    in_a, in_b = np.zeros(len(first.ids), bool), np.zeros(len(second.ids), bool)
    in_a[place_a], in_b[place_b] = True, True
    partner = dict(zip(place_b.tolist(), place_a.tolist(), strict=True))
    taken = set(first.ids)
    renamed = [
        first.ids[partner[place]] if place in partner else _fresh(id_, taken)
        for place, id_ in enumerate(second.ids)
    ]
    frame_b = b.frame.assign(item=pd.Series(renamed, dtype="str").take(second.codes).to_numpy())
    only_a, only_b = int((~in_a).sum()), int((~in_b).sum())
    rest = f"; {only_a} only in {a.source}, {only_b} only in {b.source}" if only_a or only_b else ""
    return Paired(
        a=_rows(a.frame, in_a[first.codes]),
        b=_rows(frame_b, in_b[second.codes]),
        a_rest=_rows(a.frame, ~in_a[first.codes]),
        b_rest=_rows(frame_b, ~in_b[second.codes]),
        by=matched.by,
        items=len(place_a),
        a_unmatched=only_a,
        b_unmatched=only_b,
        notes=(
            f"paired {len(place_a)} items by {matched.by}{rest}",
            *matched.notes,
            *_regraded(first, second, matched.pairs),
        ),
    )


def _regraded(first: "_Items", second: "_Items", pairs: Sequence[tuple[int, int]]) -> list[str]:
    """Return a note where paired items have other targets: a score may then differ by the answer key alone."""
    apart = [
        (i, " ".join(first.targets[i].split()), " ".join(second.targets[j].split()))
        for i, j in pairs
        if not (first.documents[i].startswith(KEYED) and first.documents[i] == second.documents[j])
    ]
    apart = [(i, here, there) for i, here, there in apart if here and there and here != there]
    if not apart:
        return []
    i, here, there = apart[0]
    return [
        f"{len(apart)} of {len(pairs)} items have another target in each log (item {short(first.ids[i])}: "
        f"{short(here)} and {short(there)}): where that changes a score, the difference is the answer key's"
    ]


class _Items(NamedTuple):
    """The items of a log in order: ids, questions (white space normalised), documents, contents (the document, else the
    target), targets, clusters, and each row's item number."""

    source: str
    ids: list[str]
    questions: list[str]
    documents: list[str]
    contents: list[str]
    targets: list[str]
    clusters: list[str]
    codes: np.ndarray


class _Matched(NamedTuple):
    """Pairs of places in the two logs' items, and what found them. `apart`: questions whose repeats nothing told apart,
    with their counts in both logs."""

    by: By
    pairs: list[tuple[int, int]]
    notes: list[str]
    apart: dict[str, tuple[int, int]]


def _items(log: Recorded) -> _Items:
    codes, _ = log.frame["item"].factorize()
    rows = np.unique(codes, return_index=True)[1]
    ids, question_texts, documents, targets, clusters = (
        log.frame[name].take(rows).tolist() for name in ("item", "question", "document", "target", "cluster")
    )
    questions = [" ".join(question.split()) for question in question_texts]
    texts = log.frame["question"].factorize()[0]
    for row in np.flatnonzero(texts != texts[rows][codes]):
        item, question = codes[row], " ".join(log.frame["question"].iloc[row].split())
        if question and questions[item] and question != questions[item]:
            raise UserMistake(
                f"{log.source}: item {short(ids[item])} asks {short(questions[item])} and {short(question)}: one id "
                "names several questions (ids that start again in each part?); give each its own"
            )
    contents = [document or target for document, target in zip(documents, targets, strict=True)]
    return _Items(log.source, ids, questions, documents, contents, targets, clusters, codes)


def _matched(first: _Items, second: _Items) -> _Matched:
    if not all(first.questions) or not all(second.questions):
        return _by_id(first, second)
    if set(first.questions).isdisjoint(second.questions):
        return _under_a_template(first, second)
    return _by_question(first, second)


def _by_id(first: _Items, second: _Items) -> _Matched:
    """Pair on the id alone; where both logs hold an item's question, it must be the same."""
    pairs = _same(first.ids, second.ids)
    for i, j in pairs:
        if (
            first.questions[i]
            and second.questions[j]
            and not _nested(first.questions[i], second.questions[j])
        ):
            raise UserMistake(
                f"{first.source} and {second.source} can be paired by id only, as some items have no question, but "
                f"item {short(first.ids[i])} is {short(first.questions[i])} in the first and "
                f"{short(second.questions[j])} in the second"
            )
    _check_order(first, second, pairs)
    return _Matched("item", pairs, [], {})


MOST_MOVED = 0.1
"""Share of shared ids with another answer in each log, from which on ids cannot name the same items."""


def _check_order(first: _Items, second: _Items, pairs: Sequence[tuple[int, int]]) -> None:
    """Raise UserMistake where many ids have, in the second log, the target of another id in the first: the ids then
    count places, in another order."""
    targets = {target for target in first.targets if target}
    apart = [
        (i, j)
        for i, j in pairs
        if first.targets[i] and second.targets[j] in targets and first.targets[i] != second.targets[j]
    ]
    if len(apart) > MOST_MOVED * len(pairs):
        i, j = apart[0]
        raise UserMistake(
            f"{first.source} and {second.source} can be paired by id only, and {len(apart)} of {len(pairs)} ids have "
            f"another target in each log (item {short(first.ids[i])}: {short(first.targets[i])} and "
            f"{short(second.targets[j])}): the ids name other items in each; give the questions, or the same ids"
        )


def _under_a_template(first: _Items, second: _Items) -> _Matched:
    """Pair logs that share no text on the whole document, else on ids under which each text lies within the other."""
    by: By = "document"
    pairs = _same(_once(first.documents), _once(second.documents))
    if not pairs:
        by, pairs = "item", _same(first.ids, second.ids)
        if not all(_nested(first.questions[i], second.questions[j]) for i, j in pairs):
            return _Matched(by, [], [], {})
    if not pairs:
        return _Matched(by, [], [], {})
    i, j = pairs[0]
    said = (
        f"no question is the same text in both logs (a chat template, or other examples): the first pair is "
        f"{short(first.questions[i])} and {short(second.questions[j])}"
    )
    return _Matched(by, pairs, [said], {})


def _by_question(first: _Items, second: _Items) -> _Matched:
    """Pair on the question; of those that repeat, the one with the same id, document, or, last, place."""
    trust = _Trust.of(first, second)
    there = defaultdict(list)
    for j, question in enumerate(second.questions):
        there[question].append(j)
    here = defaultdict(list)
    for i, question in enumerate(first.questions):
        if question in there:
            here[question].append(i)
    by_key: dict[By, list[tuple[int, int]]] = defaultdict(list)
    apart: dict[str, tuple[int, int]] = {}
    elsewhere = 0
    for question, left in here.items():
        right = there[question]
        by, pairs = _tell_apart(first, second, (left, right), trust)
        if by is None:
            apart[question] = len(left), len(right)
        else:
            by_key[by] += pairs
            elsewhere += not pairs
    for by, others in _with_other_texts(first, second, set(here), trust.bad).items():
        by_key[by] += others
    used = sorted(by_key, key=_WEAKEST_FIRST.index)
    weakest: By = used[0] if used else "question"
    pairs = sorted(pair for places in by_key.values() for pair in places)
    notes = [*_remarks(first, second, by_key, apart), *trust.notes]
    if elsewhere:
        notes.append(
            f"{elsewhere} questions are not paired: each has another id in each log, while other ids name one question "
            "in both, so that they are taken for repeats of which each log holds another"
        )
    return _Matched(weakest, pairs, notes, apart)


def _with_other_texts(
    first: _Items, second: _Items, shared: set[str], bad: frozenset[str]
) -> dict[By, list[tuple[int, int]]]:
    """Return the pairs among items whose text the other log lacks: one log may give some of its items by their prompt
    and the other by their question, or cut long ones. They pair on the whole document, else, outside the `bad`
    clusters, on ids under all of which each text lies within the other."""

    def alone(log: _Items, keys: Sequence[str]) -> list[str]:
        return ["" if question in shared else key for question, key in zip(log.questions, keys, strict=True)]

    documents = [_once(alone(log, log.documents)) for log in (first, second)]
    pairs_by: dict[By, list[tuple[int, int]]] = {"document": _same(*documents)}
    used, taken = {i for i, _ in pairs_by["document"]}, {j for _, j in pairs_by["document"]}
    by_id = _same(alone(first, first.ids), alone(second, second.ids))
    by_id = [(i, j) for i, j in by_id if i not in used and j not in taken and first.clusters[i] not in bad]
    both_texts = [(first.questions[i], second.questions[j]) for i, j in by_id]
    if all(_nested(here, there) and min(len(here), len(there)) >= LEAST_NESTED for here, there in both_texts):
        pairs_by["item"] = by_id
    return {by: pairs for by, pairs in pairs_by.items() if pairs}


LEAST_NESTED = 20
"""Characters of a text from which on it does not lie in another by accident, where other items share whole texts."""
_WEAKEST_FIRST: tuple[By, ...] = (
    "question and place",
    "item",
    "document",
    "question and document",
    "question and id",
    "question",
)


class _Trust(NamedTuple):
    """Clusters (tasks) in which ids name the same items in both logs, those in which they cannot."""

    good: frozenset[str]
    bad: frozenset[str]
    notes: list[str]

    @classmethod
    def of(cls, first: _Items, second: _Items) -> "_Trust":
        """Ids are good where every shared one asks the same in both logs, and bad where one does not; a few whose text
        was changed (neither is in the other log) say nothing."""
        whole = set(zip(second.questions, second.contents, strict=True))
        here, there = set(first.questions), set(second.questions)
        good, bad, example = Counter[str](), set(), None
        changed: dict[str, list[str]] = defaultdict(list)
        for i, j in _same(first.ids, second.ids):
            cluster, question, content = first.clusters[i], first.questions[i], first.contents[i]
            moved = bool(content) and content != second.contents[j] and (question, content) in whole
            if question == second.questions[j] and not moved:
                good[cluster] += 1
            elif question not in there and second.questions[j] not in here:
                if _nested(question, second.questions[j]):
                    continue
                changed[cluster].append(first.ids[i])
            else:
                bad.add(cluster)
                example = example or first.ids[i]
        for cluster, ids in changed.items():
            if len(ids) > MOST_MOVED * (len(ids) + good[cluster]):
                bad.add(cluster)
                example = example or ids[0]
        notes = []
        if example is not None:
            notes.append(
                f"the logs' ids disagree (item {short(example)} is another one in each): ids not used there"
            )
        return cls(frozenset(set(good) - bad), frozenset(bad), notes)


def _tell_apart(
    first: _Items, second: _Items, places: tuple[list[int], list[int]], trust: _Trust
) -> tuple[By | None, list[tuple[int, int]]]:
    """Return what told the items of one question apart and the pairs; None where nothing does."""
    left, right = places
    cluster = first.clusters[left[0]]
    if len(left) == len(right) == 1:
        i, j = left[0], right[0]
        if cluster in trust.good and first.ids[i] != second.ids[j]:
            return "question and id", []  # it repeats, and each log holds another occurrence
        return "question", [(i, j)]
    if cluster in trust.good:
        ids = _same([first.ids[i] for i in left], [second.ids[j] for j in right])
        return "question and id", [(left[i], right[j]) for i, j in ids]
    documents = _same(_once(first.contents[i] for i in left), _once(second.contents[j] for j in right))
    if documents:
        return "question and document", [(left[i], right[j]) for i, j in documents]
    if cluster not in trust.bad and len(left) == len(right):
        return "question and place", list(zip(left, right, strict=True))
    return None, []


OTHER_TEXTS: Mapping[By, str] = {"document": "one document", "item": "one id"}


def _remarks(
    first: _Items,
    second: _Items,
    pairs_by: Mapping[By, Sequence[tuple[int, int]]],
    apart: Mapping[str, tuple[int, int]],
) -> list[str]:
    remarks = []
    for log in (first, second):
        repeats = len(log.questions) - len(set(log.questions))
        if repeats:
            remarks.append(
                f"{log.source}: {repeats} of {len(log.questions)} questions repeat an earlier one word for word"
            )
    placed = pairs_by.get("question and place", ())
    if placed:
        remarks.append(
            f"{len(placed)} repeated questions have no id that both logs share: the n-th occurrence pairs with the "
            "n-th, right only if both logs are in one order"
        )
    for by, alike in OTHER_TEXTS.items():
        if others := pairs_by.get(by, ()):
            i, j = others[0]
            remarks.append(
                f"{len(others)} items are {alike} with another text in each log (as {short(first.questions[i])} and "
                f"{short(second.questions[j])})"
            )
    if apart:
        remarks.append(f"{len(apart)} repeated questions are left out of the pairs, as {_why(apart)}")
    return remarks


def _why(apart: Mapping[str, tuple[int, int]]) -> str:
    question, (here, there) = next(iter(apart.items()))
    return f"nothing tells their occurrences apart ({short(question)}: {here} in the first log, {there} in the second)"


def _nothing_shared(first: _Items, second: _Items, matched: _Matched) -> str:
    both = f"{first.source} and {second.source}"
    if matched.apart:
        return f"{both} share only questions that repeat, and {_why(matched.apart)}; give items the same ids in both"
    by_id = not all(first.questions) or not all(second.questions)
    keys = (first.ids, second.ids) if by_id else (first.questions, second.questions)
    return (
        f"{both} share no {'item id' if by_id else 'question'}: the first begins with {short(keys[0][0])}, "
        f"the second with {short(keys[1][0])}"
    )


def _same(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int]]:
    """Return the places of equal keys, "" left out; each occurs once on its side."""
    places = {key: j for j, key in enumerate(right) if key}
    return [(i, places[key]) for i, key in enumerate(left) if key in places]


def _once(keys: Iterable[str]) -> list[str]:
    """Return the keys with those that occur several times made ""."""
    keys = list(keys)
    times = Counter(keys)
    return [key if times[key] == 1 else "" for key in keys]


def _nested(left: str, right: str) -> bool:
    return left in right or right in left


def _rows(frame: pd.DataFrame, mask: np.ndarray) -> pd.DataFrame:
    return frame.take(np.flatnonzero(mask)).reset_index(drop=True)


def _fresh(item: str, taken: set[str]) -> str:
    while item in taken:
        item += " (second log)"
    taken.add(item)
    return item
