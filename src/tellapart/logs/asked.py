"""Which items of a log ask the same: keys of their questions.

keys = question_keys(frame.drop_duplicates("item"))
"""

from collections import defaultdict

import pandas as pd

from tellapart.tasks.questions import question_key


def question_keys(items: pd.DataFrame) -> list[str]:
    """Return the key of each item's question, "" of one without a text; `asked` has a row an item.

    One text in several clusters (the tasks of a benchmark: "Which of these is true?") is one question only where the
    whole document is one: its options, which the text may lack, differ otherwise.
    """
    columns = [items[name].tolist() for name in ("question", "target", "cluster")]
    columns.append(items["document"].tolist() if "document" in items else [""] * len(items))
    rows = list(zip(*columns, strict=True))
    keys = [question_key(question, [target]) if question.strip() else "" for question, target, _, _ in rows]
    clusters, places = defaultdict(set), defaultdict(set)
    for key, (_, _, cluster, document) in zip(keys, rows, strict=True):
        clusters[key].add(cluster)
        places[key, document].add(cluster)

    def told_apart(key: str, cluster: str, document: str) -> str:
        if not key or not document or len(clusters[key]) == 1:
            return key
        return question_key(key, [cluster if len(places[key, document]) == 1 else document])

    return [
        told_apart(key, cluster, document) for key, (_, _, cluster, document) in zip(keys, rows, strict=True)
    ]
