"""Logs as tools write them that were once read wrongly or refused without need; figures are recounted by hand."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tellapart.errors import UserMistake
from tellapart.logs import read_log
from tellapart.logs.answers import read_answers
from tellapart.logs.scale_read import read_points
from tellapart.logs.sides import Sides, read_sides
from tellapart.studies.form.judged import read_pairs

N = 12
BASE = [0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1]
TUNED = [1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 0, 0]
GAINED, LOST = 4, 2
TIME = "2026-10-01T10-00-00.123456"


def question(i: int) -> str:
    return f"What is {7 * i + 3} plus {i * i}?"


def write(path: Path, value: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(path)


def lines(path: Path, rows: list[dict[str, Any]]) -> str:
    return write(path, "".join(json.dumps(row) + "\n" for row in rows))


def means(log: Any) -> list[float]:
    frame = log.frame if hasattr(log, "frame") else log
    return frame.groupby("item", sort=False)["score"].mean().tolist()


def sides_of(paths: list[str]) -> Sides:
    first, second = paths
    return read_sides(first, second)


def figures(sides: Sides) -> tuple[int, int, int]:
    """Return the paired items, those gained and those lost."""
    before = sides.paired.a.groupby("item")["score"].mean()
    after = sides.paired.b.groupby("item")["score"].mean().reindex(before.index)
    gained, lost = (before < 0.5) & (after >= 0.5), (before >= 0.5) & (after < 0.5)
    return sides.paired.items, int(gained.sum()), int(lost.sum())


# --- lm-eval ---


def sample(i: int, **values: Any) -> dict[str, Any]:
    made = {
        "doc_id": i,
        "doc": {"question": question(i)},
        "target": str(i),
        "arguments": {"gen_args_0": {"arg_0": f"Q: {question(i)}\nA:", "arg_1": {"until": ["\n"]}}},
        "resps": [["an answer"]],
        "filtered_resps": ["an answer"],
        "filter": "none",
    }
    return made | values


def option(i: int, score: float, likelihoods: list[Any]) -> dict[str, Any]:
    arguments = {f"gen_args_{k}": {"arg_0": "Q", "arg_1": f" o{k}"} for k in range(len(likelihoods))}
    held = [[[one, "False"]] for one in likelihoods]
    return sample(i, arguments=arguments, resps=held, metrics=["acc"], acc=score)


def test_a_few_equal_prompts_do_not_hide_the_other_documents(tmp_path: Path) -> None:
    """The full log asks some questions twice, so it gives whole prompts; the limited one gives the questions."""

    def made(scores: list[int]) -> list[dict[str, Any]]:
        rows = []
        for i, score in enumerate(scores):
            asked = question(i % 10)
            prompt = asked if i % 5 == 0 else f"passage {i}\n{asked}"
            rows.append(
                sample(
                    i, doc={"question": asked, "passage": str(i)}, arguments={"gen_args_0": {"arg_0": prompt}}
                )
                | {"metrics": ["exact_match"], "exact_match": score}
            )
        return rows

    full = lines(tmp_path / "full.jsonl", made(BASE))
    limited = lines(tmp_path / "limited.jsonl", made(TUNED[:8]))
    sides = read_sides(full, limited)
    assert figures(sides) == (8, 3, 1)
    assert any("one document with another text" in note for note in sides.notes)


def test_a_likelihood_of_minus_infinity_refuses_no_log(tmp_path: Path) -> None:
    rows = [option(i, score, [-1.0, "-inf"]) for i, score in enumerate(BASE)]
    log = read_log(lines(tmp_path / "a.jsonl", rows))
    assert means(log) == BASE
    assert set(log.frame["completion"]) == {" o0"}


def test_a_metric_of_parts_is_not_taken_for_one_a_sample(tmp_path: Path) -> None:
    """ifeval logs a list of as many numbers as the sample has instructions: one of them here and there."""
    rows = [
        sample(i, metrics=["inst_acc", "prompt_acc"], inst_acc=[True] * (1 + i % 2), prompt_acc=bool(score))
        for i, score in enumerate(BASE)
    ]
    log = read_log(lines(tmp_path / "a.jsonl", rows))
    assert (log.metric.name, means(log)) == ("prompt_acc", BASE)


def test_answers_that_were_not_scored_have_no_metric(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", [sample(i, metrics=["bypass"], bypass=999) for i in range(N)])
    with pytest.raises(UserMistake, match="predict_only"):
        read_log(path)
    results = {"t": {"bypass,none": 999, "acc,none": 0.5}}
    config = {"model_args": "pretrained=plum-1b"}
    write(tmp_path / "r" / "results_1.json", {"results": results, "config": config})
    assert read_points([str(tmp_path / "r")]).frame["metric"].tolist() == ["acc"]


def test_samples_of_the_hub_as_parquet(tmp_path: Path) -> None:
    rows = [sample(i, metrics=["acc"], acc=float(score)) for i, score in enumerate(BASE)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert means(read_log(str(tmp_path / "a.parquet"))) == BASE


# --- Inspect ---


def inspect(path: Path, samples: list[dict[str, Any]], scorers: tuple[str, ...] = ("match",)) -> str:
    told = {"scores": [{"name": name, "scorer": name} for name in scorers]}
    header = {"version": 2, "status": "success", "eval": {"task": "t", "model": "openai/m"}, "results": told}
    return write(path, header | {"samples": samples})


def asked(i: int, **values: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "an answer"}
    made = {
        "id": i,
        "epoch": 1,
        "input": question(i),
        "target": "A",
        "output": {"choices": [{"message": message}]},
    }
    return made | values


def test_options_shuffled_anew_in_each_run(tmp_path: Path) -> None:
    paths = []
    for turn, scores in enumerate((BASE, TUNED)):
        samples = []
        for i, score in enumerate(scores):
            options = [f"{letter}{i}" for letter in "abcd"]
            options = options[(i + turn) % 4 :] + options[: (i + turn) % 4]
            letter = "ABCD"[options.index(f"a{i}")]
            value = "C" if score else "I"
            samples.append(asked(i, choices=options, target=letter, scores={"match": {"value": value}}))
        paths.append(inspect(tmp_path / f"{turn}.json", samples))
    sides = sides_of(paths)
    assert figures(sides) == (N, GAINED, LOST)
    assert not any("another target" in note for note in sides.notes)


ENDINGS = (
    "ANSWER: {}",
    "Some thought.\n\nAnswer: {}",
    "**Answer:** {}",
    "So the best answer is **{}**.",
    "({}) because",
    "{}. yes",
)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_letter_is_read_as_prompts_of_options_ask_for_it(tmp_path: Path, ending: str) -> None:
    letters = ["ABCD"[(i * 7 + i // 5) % 4] for i in range(40)]
    said = [letter if i % 2 else "ABCD"["ABCD".index(letter) - 1] for i, letter in enumerate(letters)]
    samples = [
        asked(i, target=letters[i], choices=["red", "blue", "green", "gray"],
              output={"choices": [{"message": {"role": "assistant", "content": ending.format(said[i])}}]},
              scores={"choice": {"value": "C" if said[i] == letters[i] else "I", "answer": said[i]}})
        for i in range(40)
    ]  # fmt: skip
    log = read_log(inspect(tmp_path / "a.json", samples, ("choice",)))
    answers = read_answers(log.frame)
    assert answers.by is not None
    assert [found for found in answers.texts if found] == said


def test_a_text_behind_answer_is_read(tmp_path: Path) -> None:
    rows = [
        {
            "id": i,
            "input": question(i),
            "target": f"city {i}",
            "completion": f"I think.\nAnswer: The city {i}.",
            "correct": 1,
        }
        if i % 2
        else {
            "id": i,
            "input": question(i),
            "target": f"city {i}",
            "completion": "Answer: no idea",
            "correct": 0,
        }
        for i in range(40)
    ]
    chosen = (
        lines(tmp_path / "a.jsonl", rows)
        + "#item=id,question=input,target=target,completion=completion,correct=correct"
    )
    answers = read_answers(read_log(chosen).frame)
    assert answers.by is not None
    assert answers.by.recognised == 1
    assert answers.texts[1] == "city 1"


def test_another_right_option_is_another_target(tmp_path: Path) -> None:
    held = {"choices": ["x", "y"], "scores": {"match": {"value": "C"}}}
    paths = [
        inspect(tmp_path / f"{letter}.json", [asked(i, target=letter, **held) for i in range(N)])
        for letter in "AB"
    ]
    assert any(f"{N} of {N} items have another target" in note for note in sides_of(paths).notes)


def test_a_sample_that_lacks_a_scorer_has_no_score(tmp_path: Path) -> None:
    """The first sample's scorers do not say which scorer comes first; the header does."""
    samples = [
        asked(
            i, scores={"judge": {"value": "C"}} | ({"match": {"value": "C" if score else "I"}} if i else {})
        )
        for i, score in enumerate(BASE)
    ]
    path = inspect(tmp_path / "a.json", samples, ("match", "judge"))
    for reference in (path, f"{path}#match"):
        log = read_log(reference)
        assert log.metric.name == "match"
        assert log.frame["score"].isna().tolist() == [True] + [False] * (N - 1)
        assert log.frame["score"].tolist()[1:] == BASE[1:]


def test_an_inspect_log_of_before_version_2(tmp_path: Path) -> None:
    samples = [asked(i, score={"value": "C" if score else "I"}) for i, score in enumerate(BASE)]
    assert means(read_log(inspect(tmp_path / "a.json", samples))) == BASE


def test_a_workbook_is_named_as_one(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as book:
        book.writestr("xl/workbook.xml", "<x/>")
    with pytest.raises(UserMistake, match="Excel workbook; save it as CSV"):
        read_log(str(tmp_path / "a.xlsx"))


@pytest.mark.parametrize("text", ["\x1c\n", "\u00a0\n\u2003", "sep=,\n", "sep=,\r\n\r\n \n", "\x85" * 40])
def test_a_file_of_nothing_but_blanks_is_named(tmp_path: Path, text: str) -> None:
    """`bytes.strip` and `str.strip` take different signs for blank."""
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8", newline="")
    for read in (read_log, lambda reference: read_points([reference])):
        with pytest.raises(UserMistake, match=r"a\.csv: "):
            read(str(path))


# --- Other harnesses ---


def test_open_compass_with_several_answers(tmp_path: Path) -> None:
    details = [
        {"prompt": question(i), "pred": ["1", "2"], "answer": "7", "correct": [bool(score), True]}
        for i, score in enumerate(BASE)
    ]
    log = read_log(write(tmp_path / "a.json", {"accuracy (2 runs average)": 66.7, "details": details}))
    assert means(log) == [(score + 1) / 2 for score in BASE]
    assert log.frame["completion"].tolist()[:2] == ["1", "2"]
    details[1]["correct"] = None
    frame = read_log(write(tmp_path / "n.json", {"details": details})).frame
    assert frame.loc[frame["item"] == "1", "score"].isna().tolist() == [True]
    del details[0]["correct"]
    with pytest.raises(UserMistake, match="several predictions"):
        read_log(write(tmp_path / "b.json", {"details": details}))


def test_rows_with_ids_of_their_own_are_not_verls(tmp_path: Path) -> None:
    """One instruction for all: as rollouts of verl these would be 12 samples of one item."""
    rows = [
        {"id": i, "input": "Answer.", "context": str(i), "output": "o", "score": s}
        for i, s in enumerate(BASE)
    ]
    path = lines(tmp_path / "a.jsonl", rows)
    with pytest.raises(UserMistake, match="--map item=id,correct=score"):
        read_log(path)
    assert means(read_log(f"{path}#item=id,correct=score")) == BASE
    dumped = lines(tmp_path / "v.jsonl", [row | {"step": 1} for row in rows])
    assert read_log(dumped).tool == "verl"


def test_a_constant_prompt_is_not_one_item(tmp_path: Path) -> None:
    """Beside the prompt stands what was asked: rows with ids, written by no trainer."""
    rows = [
        {"id": i, "prompt": "Solve.", "problem": question(i), "completion": "c", "score": float(s)}
        for i, s in enumerate(BASE)
    ]
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    with pytest.raises(UserMistake, match="12 rows have ids of their own and 1 different prompts"):
        read_log(str(path))
    assert means(read_log(f"{path}#item=id,correct=score,question=problem")) == BASE
    sampled = [{**row, "id": row["id"] // 2} for row in rows]
    pq.write_table(pa.Table.from_pylist(sampled), path)
    assert means(read_log(str(path))) == [(a + b) / 2 for a, b in zip(BASE[::2], BASE[1::2], strict=True)]
    pq.write_table(pa.Table.from_pylist([{**row, "step": 1} for row in rows]), path)
    assert read_log(str(path)).frame["item"].nunique() == 1
    plain = [
        {"uid": f"u{i}", "input": "Answer:", "output": "o", "gt": str(i), "score": s}
        for i, s in enumerate(BASE)
    ]
    with pytest.raises(UserMistake, match="--map item=uid,correct=score"):
        read_log(lines(tmp_path / "a.jsonl", plain))


def test_promptfoo_a_result_a_line(tmp_path: Path) -> None:
    rows = [
        {"id": f"uuid{i}", "testIdx": i, "promptIdx": 0, "vars": {"n": i}, "provider": {"id": "m"},
         "prompt": {"raw": question(i)}, "response": {"output": "o"}, "success": bool(score), "score": 0.5}
        for i, score in enumerate(BASE)
    ]  # fmt: skip
    log = read_log(lines(tmp_path / "a.jsonl", rows))
    assert (log.tool, means(log)) == ("promptfoo", BASE)


def test_big_code_bench(tmp_path: Path) -> None:
    held = {
        f"BigCodeBench/{i}": [
            {"task_id": f"BigCodeBench/{i}", "solution": "s", "status": "pass" if score else status}
        ]
        for i, (score, status) in enumerate(zip(BASE, ["fail", "timeout"] * 6, strict=True))
    }
    assert means(read_log(write(tmp_path / "m_eval_results.json", {"date": "x", "eval": held}))) == BASE


def test_live_code_bench(tmp_path: Path) -> None:
    held = [
        {"question_id": f"q{i}", "question_content": question(i), "code_list": ["a", "b"],
         "graded_list": [bool(score), False], "pass@1": score / 2}
        for i, score in enumerate(BASE)
    ]  # fmt: skip
    log = read_log(write(tmp_path / "m_eval_all.json", held))
    assert (log.tool, means(log)) == ("live_code_bench", [score / 2 for score in BASE])
    held[0]["graded_list"] = [True]
    with pytest.raises(UserMistake, match="2 codes but 1 grades"):
        read_log(write(tmp_path / "b.json", held))


@pytest.mark.parametrize("key", ["simulations", "testCases"])
def test_rows_beside_other_lists_can_be_mapped(tmp_path: Path, key: str) -> None:
    rows = [{"task_id": str(i), "trial": 0, "reward_info": {"reward": s}} for i, s in enumerate(BASE)]
    path = write(tmp_path / "a.json", {"info": {}, "tasks": [{"id": "0"}], key: rows})
    with pytest.raises(UserMistake, match=r"--map item=task_id,correct=reward_info\.reward"):
        read_log(path)
    assert means(read_log(f"{path}#item=task_id,correct=reward_info.reward")) == BASE


def test_a_summary_beside_the_rows_is_not_taken_for_them(tmp_path: Path) -> None:
    rows = [{"item": i, "correct": s} for i, s in enumerate(BASE)]
    log = read_log(
        write(tmp_path / "a.json", {"results": [{"metric": "acc", "value": 0.5}], "samples": rows})
    )
    assert means(log) == BASE
    with pytest.raises(UserMistake, match="holds several lists, train, test"):
        read_log(write(tmp_path / "b.json", {"train": rows, "test": rows}))


def test_a_request_of_helm_that_failed_has_no_score(tmp_path: Path) -> None:
    stats = [
        {
            "instance_id": f"id{i}",
            "train_trial_index": 0,
            "stats": [{"name": {"name": "exact_match"}, "mean": score}],
        }
        for i, score in enumerate(BASE)
    ]
    states = [
        {"instance": {"id": f"id{i}", "input": {"text": question(i)}, "references": []}, "train_trial_index": 0,
         "result": {"success": i != 1, "completions": [{"text": "a"}] if i != 1 else []}}
        for i in range(N)
    ]  # fmt: skip
    write(tmp_path / "per_instance_stats.json", stats)
    write(tmp_path / "scenario_state.json", {"adapter_spec": {"model": "m"}, "request_states": states})
    scores = read_log(str(tmp_path)).frame["score"]
    assert scores.isna().tolist() == [i == 1 for i in range(N)]
    assert scores.dropna().tolist() == [s for i, s in enumerate(BASE) if i != 1]


# --- Tables ---


def test_a_failed_answer_has_no_score(tmp_path: Path) -> None:
    rows = [{"item": i, "correct": s, "status": "ok" if i else "failed"} for i, s in enumerate(BASE)]
    log = read_log(lines(tmp_path / "a.jsonl", rows))
    assert log.frame["score"].isna().tolist() == [True] + [False] * (N - 1)


def test_scores_of_rows_with_an_error_are_told(tmp_path: Path) -> None:
    rows = [{"item": i, "correct": s, "error": "time-out" if i < 3 else None} for i, s in enumerate(BASE)]
    log = read_log(lines(tmp_path / "a.jsonl", rows))
    assert means(log) == BASE
    assert any(note.startswith("3 rows name an error") for note in log.notes)
    clean = read_log(lines(tmp_path / "b.jsonl", [{**row, "error": None} for row in rows]))
    assert not any("error" in note for note in clean.notes)


@pytest.mark.parametrize("name", ["category", "subject", "task"])
def test_ids_that_start_again_in_each_category(tmp_path: Path, name: str) -> None:
    paths = []
    for turn, scores in enumerate((BASE, TUNED)):
        rows = pd.DataFrame(
            [{"item": i % 4, name: f"part {i // 4}", "correct": s} for i, s in enumerate(scores)]
        )
        rows.sample(frac=1, random_state=turn).to_csv(tmp_path / f"{turn}.csv", index=False)
        paths.append(str(tmp_path / f"{turn}.csv"))
    assert figures(sides_of(paths)) == (N, GAINED, LOST)
    numbered = [pd.read_csv(path).assign(sample=0) for path in paths]
    for frame, path in zip(numbered, paths, strict=True):
        frame.to_csv(path, index=False)
    assert figures(sides_of(paths)) == (N, GAINED, LOST)


def test_samples_of_one_category_stay_samples(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        [{"item": i % 4, "category": f"part {i % 2}", "correct": s} for i, s in enumerate(BASE)]
    )
    rows.to_csv(tmp_path / "a.csv", index=False)
    assert len(means(read_log(str(tmp_path / "a.csv")))) == 4
    rows.assign(category=[f"try {i // 4}" for i in range(N)], sample=[i // 4 for i in range(N)]).to_csv(
        tmp_path / "b.csv", index=False
    )
    assert len(means(read_log(str(tmp_path / "b.csv")))) == 4


@pytest.mark.parametrize(
    "text", ["sep=;\r\nitem;score\r\na;1,0\r\nb;0,0\r\n", "item,score\r\na,1\r\nb,0\r\n,\r\n,\r\n"]
)
def test_what_spreadsheets_add(tmp_path: Path, text: str) -> None:
    log = read_log(write(tmp_path / "a.csv", text))
    assert dict(zip(log.frame["item"], log.frame["score"], strict=True)) == {"a": 1, "b": 0}


@pytest.mark.parametrize(
    "text",
    [
        "item, correct\na, 1\nb, 0\n",
        "item,correct\ra,1\rb,0\r",
        'item,correct,"note; of; many; parts"\na,1,x\nb,0,y\n',
        "item;correct;note\na;1;x, y, z, w, v\nb;0;x, y, z, w, v\n",
    ],
)
def test_tables_as_people_write_them(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode())
    log = read_log(str(tmp_path / "a.csv"))
    assert dict(zip(log.frame["item"], log.frame["score"], strict=True)) == {"a": 1, "b": 0}


def test_a_key_that_names_no_model(tmp_path: Path) -> None:
    rows = [{"item": i, "model": None, "correct": s} for i, s in enumerate(BASE)]
    assert means(read_log(lines(tmp_path / "a.jsonl", rows))) == BASE
    with pytest.raises(UserMistake, match="the column 'model' is empty"):
        read_log(lines(tmp_path / "b.jsonl", [*rows, {"item": "x", "model": "m", "correct": 1}]))


def test_encodings_and_binaries_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("item,question,correct\n1,é,1\n".encode("cp1252"))
    with pytest.raises(UserMistake, match="save it as UTF-8"):
        read_log(str(tmp_path / "a.csv"))
    (tmp_path / "a.pkl").write_bytes(b"\x80\x04\x95\x00\x00item,correct")
    with pytest.raises(UserMistake, match="binary file of no known kind"):
        read_log(str(tmp_path / "a.pkl"))
    table = pa.table({"item": ["a"], "correct": [1]})
    with (
        pa.OSFile(str(tmp_path / "data.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema) as stream,
    ):
        stream.write_table(table)
    with pytest.raises(UserMistake, match="to_parquet"):
        read_log(str(tmp_path / "data.arrow"))
    write(tmp_path / "saved" / "state.json", {})
    (tmp_path / "data.arrow").rename(tmp_path / "saved" / "data.arrow")
    with pytest.raises(UserMistake, match="to_parquet"):
        read_log(str(tmp_path / "saved"))


def test_texts_in_a_dictionary_are_numbers(tmp_path: Path) -> None:
    words = pa.array([str(bool(score)) for score in BASE]).dictionary_encode()
    pq.write_table(pa.table({"item": [f"i{i}" for i in range(N)], "correct": words}), tmp_path / "a.parquet")
    assert means(read_log(str(tmp_path / "a.parquet"))) == BASE


def test_mapped_numbers_are_compared_as_numbers(tmp_path: Path) -> None:
    """A column of whole numbers with a gap is written as 7.0 by pandas."""
    given = [float(i) if score else i + 0.5 for i, score in enumerate(BASE)]
    pd.DataFrame({"id": range(N), "pred": given, "answer": range(N)}).to_csv(tmp_path / "a.csv", index=False)
    assert means(read_log(f"{tmp_path / 'a.csv'}#item=id,correct=pred==answer")) == BASE
    lines(
        tmp_path / "b.jsonl", [{"id": 1, "pred": "007", "answer": "7"}, {"id": 2, "pred": "b", "answer": "b"}]
    )
    assert means(read_log(f"{tmp_path / 'b.jsonl'}#item=id,correct=pred==answer")) == [0, 1]


def test_a_map_and_one_of_several_models(tmp_path: Path) -> None:
    rows = [
        {"qid": i, "name": m, "ok": s} for m, all_ in (("a", BASE), ("b", TUNED)) for i, s in enumerate(all_)
    ]
    path = lines(tmp_path / "all.jsonl", rows) + "#item=qid,correct=ok,model=name"
    with pytest.raises(UserMistake) as mistake:
        read_log(path)
    way = str(mistake.value).rpartition("choose one: ")[2]
    assert means(read_log(way)) == BASE
    assert figures(read_sides(f"{path}#a", f"{path}#b")) == (N, GAINED, LOST)


# --- Folders ---


def shards(folder: Path, scores: list[int], missing: int = -1) -> str:
    for number in range(3):
        held = [{"item": f"i{i}", "correct": s} for i, s in enumerate(scores) if i % 3 == number]
        path = folder / "data" / f"train-{number:05d}-of-00003.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number != missing:
            pq.write_table(pa.Table.from_pylist(held), path)
    (folder / "README.md").write_text("# Rows")
    return str(folder)


def test_the_shards_of_one_table_are_one_log(tmp_path: Path) -> None:
    paths = [shards(tmp_path / name, scores) for name, scores in (("a", BASE), ("b", TUNED))]
    assert figures(sides_of(paths)) == (N, GAINED, LOST)
    with pytest.raises(UserMistake, match="1 of the 3 shards of one table are missing"):
        read_log(shards(tmp_path / "c", BASE, missing=1))
    one = read_log(f"{tmp_path}/a/data/train-00001-of-00003.parquet")
    assert any("one of 3 shards" in note for note in one.notes)


def test_settings_beside_the_one_log_of_a_folder(tmp_path: Path) -> None:
    lines(tmp_path / "rows.jsonl", [{"item": i, "correct": s} for i, s in enumerate(BASE)])
    write(tmp_path / "args.json", {"lr": 0.1, "seed": 1})
    log = read_log(str(tmp_path))
    assert means(log) == BASE
    assert any("without args.json" in note for note in log.notes)
    write(tmp_path / "more.jsonl", '{"what": 1}\n{"what": 2}\n')
    with pytest.raises(UserMistake, match="holds 3 logs"):
        read_log(str(tmp_path))


def test_rollouts_of_a_prompt_in_several_shards_are_its_samples(tmp_path: Path) -> None:
    for number in range(2):
        rows = [
            {"prompt": question(i), "completion": f"c{i}", "reward": 1.0 * (i == number)} for i in (3, number)
        ]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"train-{number:05d}-of-00002.parquet")
    frame = read_log(str(tmp_path)).frame
    shared = frame[frame["question"] == question(3)]
    assert (shared["item"].nunique(), len(shared)) == (1, 2)
    assert frame["item"].nunique() == 3


def test_a_metric_that_is_part_of_a_tasks_name_chooses_no_task(tmp_path: Path) -> None:
    """folder#acc is the metric, although one task is called accounting; so too where a shared one is read."""
    names = ("anatomy", "accounting", "virology")
    for side, scores, first in (("a", BASE, "acc"), ("b", TUNED, "other")):
        for part, name in enumerate(names):
            rows = []
            for i in range(4):
                score = scores[4 * part + i]
                values = {"metrics": [first, "acc"], first: 1 - score} | {"acc": score}
                rows.append(sample(i, doc={"question": question(4 * part + i)}, **values))
            lines(tmp_path / side / f"samples_{name}_{TIME}.jsonl", rows)
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    assert figures(read_sides(a, b)) == (N, GAINED, LOST)
    assert figures(read_sides(f"{a}#acc", f"{b}#acc")) == (N, GAINED, LOST)
    assert means(read_log(f"{a}#accounting")) == BASE[4:8]
    assert means(read_log(f"{b}#accounting#acc")) == TUNED[4:8]


def test_a_changed_text_leaves_the_ids_of_the_others(tmp_path: Path) -> None:
    """Two repeated questions are told apart by their ids, although another question was corrected between the runs."""
    paths = []
    for turn, scores in enumerate((BASE, TUNED)):
        rows = [
            {
                "item": f"i{i}",
                "question": "Which one?"
                if i < 2
                else question(i).replace("What", "Wath" if turn and i == 11 else "What"),
                "correct": s,
            }
            for i, s in enumerate(scores)
        ]
        paths.append(lines(tmp_path / f"{turn}.jsonl", rows if turn else rows[::-1]))
    sides = sides_of(paths)
    assert (sides.paired.by, *figures(sides)) == ("question and id", N - 1, GAINED, LOST - 1)


def test_long_questions_that_one_log_cuts(tmp_path: Path) -> None:
    def made(scores: list[int], longest: int, other: str = "") -> list[dict[str, Any]]:
        return [
            {
                "item": f"i{i}",
                "question": (f"Q{i} " + "word " * i)[:longest] + other * (i == 11),
                "correct": s,
            }
            for i, s in enumerate(scores)
        ]

    whole, cut = lines(tmp_path / "a.jsonl", made(BASE, 999)), lines(tmp_path / "b.jsonl", made(TUNED, 30))
    sides = read_sides(whole, cut)
    assert (sides.paired.by, *figures(sides)) == ("item", N, GAINED, LOST)
    assert any("one id with another text" in note for note in sides.notes)
    changed = lines(tmp_path / "c.jsonl", made(TUNED, 30, "another"))
    assert read_sides(whole, changed).paired.items == 6  # those under 30 characters
    short = lines(tmp_path / "d.jsonl", made(TUNED, 12))
    assert read_sides(whole, short).paired.items == 3  # the rest of 12 characters lies anywhere


# --- Judged pairs ---


def test_battles_of_an_arena(tmp_path: Path) -> None:
    said = ["model_a", "model_b", "tie", "tie (bothbad)"]
    rows = [
        {"question_id": f"q{i}", "model_a": "x", "model_b": "y", "winner": winner,
         "conversation_a": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": f"A{i}"}],
         "conversation_b": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": f"B{i}"}]}
        for i, winner in enumerate(said)
    ]  # fmt: skip
    path = write(tmp_path / "a.json", rows)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    for reference in (path, str(tmp_path / "a.parquet")):
        judged, _ = read_pairs(reference)
        assert [one.won for one in judged] == [1, 0, 0.5, 0.5]
        assert judged[1].answers == ("A1", "B1")
    with pytest.raises(UserMistake, match="form --pairs"):
        read_log(path)
    with pytest.raises(UserMistake, match="winner is 'nobody'"):
        read_pairs(write(tmp_path / "b.json", [rows[0], {**rows[1], "winner": "nobody"}]))


def test_battles_as_a_table(tmp_path: Path) -> None:
    rows = [
        {"id": i, "model_a": "x", "model_b": "x" if i == 3 else "y", "prompt": json.dumps([question(i)]),
         "response_a": json.dumps(["one", "two"]), "response_b": "plain", "winner_model_a": int(i == 0),
         "winner_model_b": int(i == 1), "winner_tie": int(i > 1)}
        for i in range(4)
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "a.csv", index=False)
    judged, notes = read_pairs(str(tmp_path / "a.csv"))
    assert [one.won for one in judged] == [1, 0, 0.5]
    assert judged[0].answers == ("one\ntwo", "plain")
    assert notes == ("1 battles of a model with itself were left out",)
