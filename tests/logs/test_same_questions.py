"""Equal texts that are not equal questions: stems that the tasks of a benchmark share, options that a prompt lacks."""

import json
from pathlib import Path

import pytest

from tellapart.logs import read_log
from tellapart.logs.asked import question_keys
from tellapart.logs.difference import difference_of
from tellapart.studies import run_study
from tellapart.studies.gain.spec import GainSpec

TIME = "2026-01-01T00-00-00.000000"
STEM = "Which of these is true?"


def benchmark(folder: Path, shift: int, stems: int = 1, tasks: int = 12) -> str:
    """lm-eval samples of several tasks, asked by the options' likelihood: `stems` of each have one text."""
    folder.mkdir()
    for task in range(tasks):
        lines = []
        for i in range(10):
            question = STEM if i < stems else f"what is {i} of {task}?"
            doc = {"question": question, "choices": [f"{task} a{i}", f"{task} b{i}"], "answer": i % 2}
            options = {
                f"gen_args_{k}": {"arg_0": f"{question}\nAnswer:", "arg_1": f" {choice}"}
                for k, choice in enumerate(doc["choices"])
            }
            resps = [[["-1.0", "False"]], [["-2.0", "False"]]]
            lines.append(
                {
                    "doc_id": i, "doc": doc, "target": i % 2, "arguments": options, "resps": resps, "filter": "none",
                    "filtered_resps": [one[0] for one in resps], "metrics": ["acc"],
                    "acc": float((i * 7 + task * task) % 11 < shift),
                }
            )  # fmt: skip
        name = f"samples_mmlu_{task}_{TIME}.jsonl"
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(folder)


@pytest.mark.parametrize("stems", [1, 3])
def test_tasks_that_share_a_stem_stay_clusters(tmp_path: Path, stems: int) -> None:
    base, tuned = benchmark(tmp_path / "base", 3, stems), benchmark(tmp_path / "tuned", 6, stems)
    told = difference_of(base, tuned)
    assert (told.difference.n, told.clusters) == (120, 12)
    assert told.difference.low < told.difference.value < told.difference.high
    run = run_study(GainSpec(logs=(base, tuned), out=str(tmp_path / "out")), quiet=True)
    assert run.findings[0].estimates["gain"].low > 0
    assert run.findings[0].estimates["distinct_items"].value == 120


def test_options_tell_documents_of_one_prompt_apart(tmp_path: Path) -> None:
    log = read_log(benchmark(tmp_path / "log", 3, stems=4, tasks=1))
    assert log.frame["question"].nunique() == 10


def test_one_document_in_two_tasks_is_one_question(tmp_path: Path) -> None:
    asked = read_log(benchmark(tmp_path / "log", 3)).frame.drop_duplicates("item")
    stems = asked["question"] == STEM
    assert len(set(question_keys(asked))) == 120
    same = asked.assign(
        document=asked["document"].where(~stems, "one"), target=asked["target"].where(~stems, "0")
    )
    assert len(set(question_keys(same))) == 120 - 11
    assert len(set(question_keys(same.drop(columns="document")))) == 120 - 11
