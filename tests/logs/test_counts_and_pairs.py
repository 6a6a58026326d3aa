"""Plain counts in three formats, and pairing by text, by id, with repeats."""

import json
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.errors import UserMistake
from tellapart.logs import Paired, Recorded, pair, read_log
from tellapart.logs.recorded import Logged, Origin, recorded


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def log(name: str, *rows: Logged) -> Recorded:
    return recorded(rows, Origin("test", name, name))


def test_counts_expand(tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", "item,model,n,c\n7,a,3,2\n8,a,1,0\n7,b,2,2\n")
    frame = read_log(f"{path}#a").frame
    assert frame[["item", "sample", "score"]].values.tolist() == [
        ["7", 0, 1],
        ["7", 1, 1],
        ["7", 2, 0],
        ["8", 0, 0],
    ]
    assert read_log(f"{path}#b").frame["score"].tolist() == [1, 1]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("numbered", [True, False])
def test_the_same_scores_from_three_formats(tmp_path: Path, kind: str, numbered: bool) -> None:
    table = pd.DataFrame(
        {
            "item": ["1", "1", "x,y"],
            "model": "m",
            "correct": [True, False, True],
            "completion": ["a\nb", 'c"', "ü"],
        }
    )
    if numbered:
        table["sample"] = [1, 0, 0]
    path = tmp_path / f"t.{kind}"
    if kind == "csv":
        table.to_csv(path, index=False)
    elif kind == "jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_parquet(path)
    frame = read_log(str(path)).frame
    assert frame["sample"].tolist() == ([1, 0, 0] if numbered else [0, 1, 0])
    for name in ("item", "completion"):
        assert frame[name].tolist() == table[name].tolist()
    assert frame["score"].tolist() == [1, 0, 1]


def test_the_fast_and_the_slow_way_through_jsonl_agree(tmp_path: Path) -> None:
    rows = [
        {"item": i // 4, "model": "m", "correct": i % 3 == 0, "question": f"q{i // 4}"} for i in range(400)
    ]
    fast = read_log(write(tmp_path / "fast.jsonl", "".join(json.dumps(r) + "\n" for r in rows)))
    rows[-1]["item"] = "99"  # a mixed column: read line by line
    slow = read_log(write(tmp_path / "slow.jsonl", "".join(json.dumps(r) + "\n" for r in rows)))
    assert fast.frame.equals(slow.frame)


def test_dates_in_ids_stay_text(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.jsonl", '{"item": "2024-01-01", "correct": 1}\n{"item": "2024-01-02", "correct": 0}\n'
    )
    assert read_log(path).frame["item"].tolist() == ["2024-01-01", "2024-01-02"]


MISTAKES = {
    "item,model,n,c\n1,m,3,4\n": "c = 4 of n = 3",
    "item,model,n,c\n1,m,0,0\n": "c = 0 of n = 0",
    "item,model,n,c\n1,m,3,-1\n": "c = -1 of n = 3",
    "item,model,n,c\n1,m,3.5,1\n": "row 1: n is '3.5', not a whole number",
    "item,model,n,c\n1,m,,1\n": "row 1: n is '', not a whole number",
    "item,model,n,c\n1,m,1e15,1\n": "at most 8,000,000",
    "item,model,n,c\n1,m,9,1\n1,m,9,2\n": "item '1' has two rows of counts",
    "item,model,correct\n1,m,yes\n": "row 1, correct: 'yes' is not a number",
    "item,model,correct\n1,m,1\n2,m,inf\n": "row 2, correct: 'inf' is not finite",
    "item,model,correct\n1,m,1_0\n": "'1_0' is not a number",
    "item,model,correct\n,m,1\n": "row 1: the column 'item' is empty",
    "item,model,correct\n1,m,1\n2,m\n": "cannot be read",
    "item,model,correct\n": "has no rows",
    "item,model,sample,correct\n1,m,0,1\n1,m,0,0\n": "item '1' sample 0 is there twice",
    "item,model,sample,correct\n1,m,-1,1\n": "sample number -1",
    "item,correct,correct\n1,1,0\n": "the column 'correct' is there twice",
    "item,model,correct,status\n1,m,1,fine\n": "status 'fine'; allowed are ok, cut off, failed",
    "item,model,accuracy\n1,m,1\n": "is no known log: it has the keys item, model, accuracy; if "
    "these are scored answers, say --map item=item,correct=accuracy,model=model (or "
    "t.csv#item=item,correct=accuracy,model=model)",
    "id,response,answer,score\na,so 2,2,1\n": "item=id,correct=score,completion=response,target=answer (or",
    "id,answer,score\na,2,1\n": "item=id,correct=score (or",
    "id,prompt,answer,target,score\na,1+1=,2,2,1\n": "--map item=id,correct=score,question=prompt,completion=answer,"
    "target=target",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_bad_counts_are_one_line(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "t.csv", text)
    with pytest.raises(UserMistake) as mistake:
        read_log(path)
    assert MISTAKES[text] in str(mistake.value)
    assert path in str(mistake.value)


def test_missing_scores_stay_missing(tmp_path: Path) -> None:
    frame = read_log(write(tmp_path / "t.csv", "item,correct\n1,true\n2,\n3,NaN\n4,False\n")).frame
    assert np.array_equal(frame["score"], [1, np.nan, np.nan, 0], equal_nan=True)


def test_pairs_by_text_whatever_the_ids(tmp_path: Path) -> None:
    a = log("a", Logged("0", 0, "What  is\nit?"), Logged("1", 1, "Who?"), Logged("2", 1, "Only a?"))
    b = log("b", Logged("1", 1, "What is it?"), Logged("2", 0, " Only b?"), Logged("0", 0, "Who?"))
    paired = pair(a, b)
    assert (paired.by, paired.items, paired.a_unmatched, paired.b_unmatched) == ("question", 2, 1, 1)
    assert dict(zip(paired.a["item"], paired.a["score"], strict=True)) == {"0": 0, "1": 1}
    assert dict(zip(paired.b["item"], paired.b["score"], strict=True)) == {"0": 1, "1": 0}
    assert paired.a_rest["item"].tolist() == ["2"]
    assert paired.b_rest["item"].tolist() == ["2 (second log)"]
    assert paired.notes == (
        "paired 2 items by question; 1 only in a, 1 only in b",
        "the logs' ids disagree (item '0' is another one in each): ids not used there",
    )


def test_pairs_by_id_where_a_text_is_missing() -> None:
    a = log("a", Logged("x", 0, "Q1"), Logged("y", 1, "Q2"))
    b = log("b", Logged("y", 0), Logged("x", 1, "Q1"))
    paired = pair(a, b)
    assert paired.by == "item"
    assert dict(zip(paired.b["item"], paired.b["score"], strict=True)) == {"y": 0, "x": 1}


def repeated(name: str, ids: str, *more: Logged, target: str = "") -> Recorded:
    return log(name, *(Logged(id_, i, "same", target=target) for i, id_ in enumerate(ids)), *more)


def test_repeated_questions_without_shared_ids_pair_in_order_where_both_have_as_many() -> None:
    paired = pair(repeated("a", "012"), repeated("b", "xyz"))
    assert paired.by == "question and place"
    assert dict(zip(paired.b["item"], paired.b["score"], strict=True)) == {"0": 0, "1": 1, "2": 2}
    assert "a: 2 of 3 questions repeat an earlier one word for word" in paired.notes
    assert any("right only if both logs are in one order" in note for note in paired.notes)


def test_repeated_questions_that_nothing_tells_apart_are_left_out() -> None:
    with pytest.raises(UserMistake, match="share only questions that repeat, and nothing tells their occ"):
        pair(repeated("a", "012"), repeated("b", "xy"))
    paired = pair(repeated("a", "012", Logged("3", 1, "once")), repeated("b", "xy", Logged("z", 0, "once")))
    assert (paired.by, paired.items, paired.a_unmatched, paired.b_unmatched) == ("question", 1, 3, 2)
    assert any("1 repeated questions are left out of the pairs" in note for note in paired.notes)


def test_repeated_questions_pair_by_id_in_any_order_and_part() -> None:
    paired = pair(repeated("a", "0123"), repeated("b", "301"))
    assert paired.by == "question and id"
    assert dict(zip(paired.b["item"], paired.b["score"], strict=True)) == {"3": 0, "0": 1, "1": 2}
    assert (paired.a_rest["item"].tolist(), len(paired.b_rest)) == (["2"], 0)


def test_ids_that_disagree_with_questions_tell_nothing_apart() -> None:
    a = repeated("a", "01", Logged("2", 1, "p"), Logged("3", 1, "q"))
    b = repeated("b", "12", Logged("3", 1, "p"), Logged("0", 1, "q"))
    paired = pair(a, b)
    assert (paired.by, paired.a["item"].tolist()) == ("question", ["2", "3"])
    assert any("ids disagree" in note for note in paired.notes)


def test_ids_that_disagree_with_documents_or_targets_give_way_to_them() -> None:
    for field in ("document", "target"):
        a = log("a", *(Logged(str(i), i, "same", **{field: f"d{i}"}) for i in range(4)))
        b = log("b", *(Logged(str(i), i, "same", **{field: f"d{3 - i}"}) for i in range(4)))
        paired = pair(a, b)
        assert paired.by == "question and document"
        assert dict(zip(paired.b["item"], paired.b["score"], strict=True)) == {"3": 0, "2": 1, "1": 2, "0": 3}


def test_each_log_holding_another_occurrence_of_a_question_does_not_pair_them() -> None:
    a = log("a", Logged("1", 1, "same"), Logged("2", 0, "q"))
    b = log("b", Logged("7", 0, "same"), Logged("2", 1, "q"))
    assert pair(a, b).a["item"].tolist() == ["2"]


def test_prompts_under_a_template_pair_by_document_else_by_id() -> None:
    asked = [f"What is {i} + {i}?" for i in range(12)]
    plain = log("a", *(Logged(f"i{i}", i, q, document=f"d{i}") for i, q in enumerate(asked)))
    for document in ("d{}", "", "other {}"):
        rows = [
            Logged(f"i{i}", i, f"<user>{q}<model>", document=document.format(i)) for i, q in enumerate(asked)
        ]
        paired = pair(plain, log("b", *reversed(rows)))
        assert paired.by == ("document" if document == "d{}" else "item")
        assert (
            paired.b.set_index("item")["score"].to_dict() == plain.frame.set_index("item")["score"].to_dict()
        )
        assert any("no question is the same text in both logs" in note for note in paired.notes)
    turned = [Logged(f"i{11 - i}", i, f"<user>{q}<model>") for i, q in enumerate(asked)]
    with pytest.raises(UserMistake, match="share no question"):
        pair(plain, log("b", *turned))


def test_an_id_with_other_questions_is_refused() -> None:
    a = log("a", Logged("x", 0, "Q1"), Logged("y", 1, "Q2"))
    with pytest.raises(UserMistake, match="item 'x' is 'Q1' in the first and 'Q2' in the second"):
        pair(a, log("b", Logged("y", 0), Logged("x", 1, "Q2")))


def test_an_id_of_several_questions_is_told_apart() -> None:
    rows = [Logged("x", 0, "Q1"), Logged("x", 1, "Q2"), Logged("x", 1, ""), Logged("y", 1, "Q3")]
    told = log("b", *rows)
    assert told.frame["item"].nunique() == 4
    assert set(told.frame["sample"]) == {0}
    assert "1 ids name 3 different items (as 'x': ids that start again in each part?)" in told.notes[0]
    paired = pair(log("a", Logged("x", 0, "Q1"), Logged("z", 0, "Q2")), log("b", *rows[:2], rows[3]))
    assert paired.b.groupby("item")["score"].mean().to_dict() == {"x": 0, "z": 1}
    names = {
        one: log("b", *order).frame["item"].tolist() for one, order in enumerate((rows[:2], rows[1::-1]))
    }
    assert names[0] == names[1][::-1]


def test_an_id_in_several_clusters_is_told_apart_by_them() -> None:
    told = log("b", *(Logged("0", i % 2, cluster=c) for i, c in enumerate("abab")))
    assert told.frame["item"].tolist() == ["a/0", "b/0", "a/0", "b/0"]
    assert told.frame["sample"].tolist() == [0, 0, 1, 1]


def test_a_question_that_some_rows_lack_tells_nothing_apart() -> None:
    told = log("b", Logged("x", 0), Logged("x", 1, "Q"), Logged("x", 1, "Q"))
    assert told.frame["item"].tolist() == ["x"] * 3


def changes(paired: Paired) -> dict[str, tuple[float, float]]:
    """Return the mean score of each paired item in both logs, by its id without the mark of a renaming."""
    means = [frame.groupby("item")["score"].mean() for frame in (paired.a, paired.b)]
    return {item.removeprefix("renamed "): (means[0][item], means[1][item]) for item in means[0].index}


@st.composite
def two_logs(draw: st.DrawFn) -> tuple[list[Logged], list[Logged]]:
    """Two logs of one benchmark: questions repeat, each log holds a part of the items, in any order."""
    n = draw(st.integers(1, 12))
    asked = draw(st.lists(st.sampled_from("pqr"), min_size=n, max_size=n))
    sides = []
    for side in range(2):
        held = draw(st.permutations(range(n)))[: draw(st.integers(1, n))]
        samples = draw(st.integers(1, 2))
        sides.append(
            [Logged(f"i{i}", float((3 * i + k + side) % 2), asked[i]) for i in held for k in range(samples)]
        )
    return sides[0], sides[1]


@settings(deadline=None, max_examples=60)
@given(two_logs(), st.randoms(use_true_random=False))
def test_pairs_are_the_same_in_any_order_under_any_names_and_in_shards(
    logs: tuple[list[Logged], list[Logged]], random: Random
) -> None:
    first, second = logs
    common = {row.item for row in first} & {row.item for row in second}
    if not common:  # nothing shows that the ids mean the same
        return
    whole = changes(pair(log("a", *first), log("b", *second)))
    assert set(whole) == common
    drawn = {row.item: random.random() for row in (*first, *second)}
    orders = [
        sorted(first, key=lambda row: drawn[row.item]),
        sorted(second, key=lambda row: -drawn[row.item]),
    ]
    assert changes(pair(log("a", *orders[0]), log("b", *orders[1]))) == whole
    names = [[row._replace(item=f"renamed {row.item}") for row in rows] for rows in orders]
    assert changes(pair(log("a", *names[0]), log("b", *names[1]))) == whole
    in_parts: dict[str, tuple[float, float]] = {}
    for item in dict.fromkeys(row.item for row in second):
        if item in common:
            part = [row for row in second if row.item == item]
            in_parts |= changes(pair(log("a", *first), log("b", *part)))
    assert in_parts == whole


@settings(deadline=None, max_examples=60)
@given(two_logs(), st.randoms(use_true_random=False))
def test_ids_renamed_in_one_log_never_change_a_pair_in_silence(
    logs: tuple[list[Logged], list[Logged]], random: Random
) -> None:
    """Ids of the second log moved among its own items: the true pairs, fewer, a note on place, or a refusal."""
    first, second = logs
    items = list(dict.fromkeys(row.item for row in second))
    moved = dict(zip(items, random.sample(items, len(items)), strict=True))
    asked = {row.item: row.question for row in second}
    try:
        paired = pair(log("a", *first), log("b", *(row._replace(item=moved[row.item]) for row in second)))
    except UserMistake:
        return
    if paired.by == "question":
        questions = [dict(zip(f["item"], f["question"], strict=True)) for f in (paired.a, paired.b)]
        assert questions[0] == questions[1]
    else:  # the ids still ask the same: no log can show that they were moved
        assert any("repeat an earlier one" in note or "taken for repeats" in note for note in paired.notes)
        assert paired.by == "question and place" or any(asked[i] == asked[moved[i]] for i in items)


def test_all_samples_of_an_item_follow_it() -> None:
    a = log("a", *(Logged(str(i % 2), i, f"q{i % 2}") for i in range(6)))
    b = log("b", *(Logged(str(i % 2), i, f"q{1 - i % 2}") for i in range(6)))
    paired = pair(a, b)
    assert paired.a.groupby("item")["score"].sum().to_dict() == {"0": 6, "1": 9}
    assert paired.b.groupby("item")["score"].sum().to_dict() == {"0": 9, "1": 6}
    assert paired.b.groupby("item")["sample"].apply(list).to_dict() == {"0": [0, 1, 2], "1": [0, 1, 2]}


def test_nothing_in_common_is_a_mistake() -> None:
    with pytest.raises(
        UserMistake, match="a and b share no question: the first begins with 'p', the second with 'q'"
    ):
        pair(log("a", Logged("0", 1, "p")), log("b", Logged("0", 1, "q")))


def test_a_log_paired_with_itself_is_itself() -> None:
    a = log("a", *(Logged(str(i), i % 2, f"q{i // 2}") for i in range(10)))
    paired = pair(a, a)
    assert paired.a.equals(a.frame)
    assert paired.b.equals(a.frame)
    assert len(paired.a_rest) == len(paired.b_rest) == 0


@pytest.mark.parametrize(
    ("text", "map_"),
    [
        ("id,result\n1,FAIL\n2,PASS\n", "item=id,correct=result=='PASS'"),
        ("id;outcome\n1;Passed\n2;Failed\n", "item=id,correct=outcome=='Passed'"),
        ("item,correct\n1,no\n2,yes\n", "item=item,correct=correct=='yes'"),
        ("id,is_ok_score\n1,0\n2,1\n", ""),
    ],
)
def test_words_for_right_and_wrong_are_told_with_the_map_that_reads_them(
    tmp_path: Path, text: str, map_: str
) -> None:
    path = write(tmp_path / "t.csv", text)
    with pytest.raises(UserMistake) as mistake:
        read_log(path)
    if map_:
        assert f'--map "{map_}"' in str(mistake.value)
        assert read_log(f"{path}#{map_}").frame["score"].sum() == 1
    else:
        assert "==" not in str(mistake.value)
