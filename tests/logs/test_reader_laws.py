"""Laws that hold for every reader: rows in another order, shards put together again and ids renamed give the
same numbers or a refusal, never another number."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pandas as pd
import pytest

from tellapart.errors import UserMistake
from tellapart.logs import READERS, pair, read_log

ITEMS, SAMPLES = 24, 2


class Answer(NamedTuple):
    item: int
    sample: int
    score: float

    @property
    def id(self) -> str:
        return f"task/{self.item}"

    @property
    def question(self) -> str:
        return f"What is {self.item} + {self.item}?"

    @property
    def completion(self) -> str:
        return f"I add them up and get {2 * self.item}, attempt {self.sample}, {'right' if self.score else 'wrong'}"


def answers(side: int, samples: int = SAMPLES) -> list[Answer]:
    draw = Random(side)
    return [
        Answer(i, s, float(draw.random() < 0.3 + 0.3 * side)) for i in range(ITEMS) for s in range(samples)
    ]


def jsonl(rows: list[Any], path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def as_list(rows: list[Any], path: Path) -> None:
    path.write_text(json.dumps(rows))


def parquet(rows: list[Any], path: Path) -> None:
    pd.DataFrame(rows).to_parquet(path)


def csv(rows: list[Any], path: Path) -> None:
    pd.DataFrame(rows).to_csv(path, index=False, sep=";")


def inspect(rows: list[Any], path: Path) -> None:
    path.write_text(
        json.dumps({"version": 2, "status": "success", "eval": {"model": "m", "task": "t"}, "samples": rows})
    )


def under(key: str, **more: Any) -> Callable[[list[Any], Path], None]:
    def write(rows: list[Any], path: Path) -> None:
        path.write_text(json.dumps({key: rows, **more}))

    return write


def promptfoo(rows: list[Any], path: Path) -> None:
    path.write_text(json.dumps({"results": {"version": 3, "results": rows}}))


def compass(rows: list[Any], path: Path) -> None:
    path.write_text(json.dumps({"details": {row.pop("id"): row for row in json.loads(json.dumps(rows))}}))


def plus(rows: list[Any], path: Path) -> None:
    held: dict[str, list[Any]] = {}
    for row in rows:
        held.setdefault(row["task_id"], []).append(row)
    path.write_text(json.dumps({"eval": held}))


class Format(NamedTuple):
    """How answers are written: one object an answer, the writer, the file's name, samples an item, and where
    the id lies (None: it has none that could be renamed)."""

    row: Callable[[Answer], dict[str, Any]]
    write: Callable[[list[Any], Path], None]
    name: str
    samples: int = SAMPLES
    id: str | None = None


FORMATS: dict[str, Format] = {
    "counts": Format(
        lambda a: {"item": a.id, "correct": a.score, "question": a.question, "completion": a.completion},
        jsonl,
        "a.jsonl",
        id="item",
    ),
    "counts csv": Format(
        lambda a: {"item": a.id, "correct": a.score, "question": a.question}, csv, "a.csv", 1, "item"
    ),
    "counts parquet": Format(
        lambda a: {"item": a.id, "correct": a.score, "question": a.question, "completion": a.completion},
        parquet,
        "a.parquet",
        id="item",
    ),
    "counts list": Format(
        lambda a: {"item": a.id, "correct": a.score, "question": a.question, "completion": a.completion},
        as_list,
        "a.json",
        id="item",
    ),
    "lm_eval": Format(
        lambda a: {
            "doc_id": a.item,
            "doc": {"question": a.question},
            "target": str(2 * a.item),
            "resps": [[a.completion]],
            "arguments": {"gen_args_0": {"arg_0": a.question}},
            "filter": "none",
            "metrics": ["exact_match"],
            "exact_match": a.score,
        },
        jsonl,
        "samples_t_2026-03-01T10-00-00.000000.jsonl",
        1,
        "doc_id",
    ),
    "inspect": Format(
        lambda a: {
            "id": a.id,
            "epoch": a.sample + 1,
            "input": a.question,
            "target": str(2 * a.item),
            "output": {"choices": [{"message": {"content": a.completion}, "stop_reason": "stop"}]},
            "scores": {"match": {"value": "C" if a.score else "I"}},
        },
        inspect,
        "a.json",
        id="id",
    ),
    "verl": Format(
        lambda a: {"input": a.question, "output": a.completion, "score": a.score, "step": 5, "gts": "1"},
        jsonl,
        "5.jsonl",
    ),
    "trl": Format(
        lambda a: {"prompt": a.question, "completion": a.completion, "step": 5, "reward": a.score},
        parquet,
        "c.parquet",
    ),
    "open_instruct": Format(
        lambda a: {
            "step": 1,
            "prompt_idx": a.item,
            "prompt_tokens": [a.item, 7],
            "response_tokens": [a.sample],
            "reward": a.score,
        },
        jsonl,
        "r_rollouts_1.jsonl",
    ),
    "live_code_bench": Format(
        lambda a: {
            "question_id": a.id,
            "question_content": a.question,
            "code_list": [a.completion],
            "graded_list": [bool(a.score)],
        },
        as_list,
        "m_eval_all.json",
        1,
        "question_id",
    ),
    "math_eval": Format(
        lambda a: {
            "idx": a.item,
            "question": a.question,
            "gt": "1",
            "code": [a.completion],
            "pred": ["1"],
            "score": [bool(a.score)],
        },
        jsonl,
        "a.jsonl",
        1,
        "idx",
    ),
    "every_eval_ever": Format(
        lambda a: {
            "schema_version": "instance_level_eval_0.2.2",
            "evaluation_id": "e",
            "model_id": "m",
            "evaluation_name": "t",
            "sample_id": a.id,
            "interaction_type": "single_turn",
            "input": {"raw": a.question, "reference": ["1"]},
            "output": {"raw": [a.completion]},
            "evaluation": {"score": a.score, "is_correct": bool(a.score)},
        },
        jsonl,
        "a_samples.jsonl",
        id="sample_id",
    ),
    "verifiers": Format(
        lambda a: {
            "example_id": a.item,
            "prompt": [{"role": "user", "content": a.question}],
            "answer": "1",
            "task": "t",
            "completion": [{"role": "assistant", "content": a.completion}],
            "reward": a.score,
            "exact": a.score,
        },
        jsonl,
        "results.jsonl",
        id="example_id",
    ),
    "verifiers traces": Format(
        lambda a: {
            "version": 1,
            "task": {"type": "T", "key": a.id, "data": {"prompt": a.question}},
            "rewards": {"exact": {"score": a.score, "weight": 1.0}},
            "nodes": [
                {"message": {"role": "user", "content": a.question}},
                {"message": {"role": "assistant", "content": a.completion}},
            ],
        },
        jsonl,
        "traces.jsonl",
    ),
    "tinker_cookbook": Format(
        lambda a: {
            "idx": a.item,
            "benchmark": "t",
            "example_id": a.id,
            "reward": a.score,
            "metrics": {"correct": a.score},
            "logs": {},
            "turns": [
                {"role": "user", "content": a.question},
                {"role": "assistant", "content": a.completion, "token_count": 3},
            ],
        },
        jsonl,
        "trajectories.jsonl",
        id="example_id",
    ),
    "tinker summaries": Format(
        lambda a: {
            "split": "train",
            "iteration": 1,
            "group_idx": a.item,
            "traj_idx": a.sample,
            "total_reward": a.score,
            "steps": [],
        },
        jsonl,
        "train_rollout_summaries.jsonl",
    ),
    "lighteval": Format(
        lambda a: {
            "doc": {"query": a.question, "choices": ["1"], "gold_index": 0},
            "model_response": {"text": [a.completion]},
            "metric": {"acc": a.score},
        },
        parquet,
        "details_t_2026-03-01T10-00-00.parquet",
        1,
    ),
    "evalscope": Format(
        lambda a: {
            "index": a.item,
            "input": a.question,
            "target": "1",
            "sample_score": {
                "sample_id": a.item,
                "group_id": a.item,
                "score": {"value": {"acc": a.score}, "prediction": a.completion},
            },
        },
        jsonl,
        "t_default.jsonl",
        id="index",
    ),
    "evalscope old": Format(
        lambda a: {
            "index": a.item,
            "model": "m",
            "raw_input": {"question": a.question},
            "choices": [
                {
                    "message": {"content": a.completion},
                    "review": {"gold": "1", "pred": "1", "result": a.score},
                }
            ],
        },
        jsonl,
        "t.jsonl",
        id="index",
    ),
    "open_compass": Format(
        lambda a: {
            "id": str(a.item),
            "prompt": a.question,
            "origin_prediction": a.completion,
            "predictions": "1",
            "references": "1",
            "correct": bool(a.score),
        },
        compass,
        "gsm8k.json",
        1,
        "id",
    ),
    "human_eval": Format(
        lambda a: {"task_id": a.id, "completion": a.completion, "result": "passed", "passed": bool(a.score)},
        jsonl,
        "samples.jsonl_results.jsonl",
    ),
    "evalplus": Format(
        lambda a: {
            "task_id": a.id,
            "solution": a.completion,
            "base_status": "pass",
            "plus_status": "pass" if a.score else "fail",
        },
        plus,
        "m_eval_results.json",
    ),
    "alpaca_eval": Format(
        lambda a: {
            "instruction": a.question,
            "output_1": "x",
            "generator_1": "ref",
            "output_2": a.completion,
            "generator_2": "m",
            "preference": 1 + a.score,
            "dataset": "",
        },
        as_list,
        "annotations.json",
        1,
    ),
    "judge_bench": Format(
        lambda a: {
            "pair_id": a.id,
            "question": a.question,
            "label": "A>B",
            "response_A": f"{a.item}",
            "response_B": "y",
            "judgments": [
                {"decision": "A>B" if a.score else "B>A"},
                {"decision": "B>A" if a.score else "A>B"},
            ],
        },
        jsonl,
        "judge_model=m.jsonl",
        1,
        "pair_id",
    ),
    "mt_bench": Format(
        lambda a: {
            "question_id": a.item,
            "model": "m",
            "judge": ["j", "single"],
            "score": a.score,
            "turn": 1,
        },
        jsonl,
        "j_single.jsonl",
        1,
    ),
    "promptfoo": Format(
        lambda a: {
            "testIdx": a.item,
            "promptIdx": 0,
            "success": bool(a.score),
            "score": a.score,
            "prompt": {"raw": a.question},
            "response": {"output": a.completion},
            "vars": {"n": a.item},
            "provider": {"id": "m"},
        },
        promptfoo,
        "results.json",
        id="testIdx",
    ),
    "a list under a key": Format(
        lambda a: {"item": a.id, "correct": a.score, "question": a.question, "completion": a.completion},
        under("rows", seed=1),
        "a.json",
        id="item",
    ),
}
"""CRUXEval, GSM8K's solutions, BIG-Bench files, HELM and SWE-bench reports hold one document or number their
rows by place; they are read whole or not at all."""


def made(name: str, rows: list[dict[str, Any]], folder: Path) -> str:
    kind = FORMATS[name]
    folder.mkdir(parents=True, exist_ok=True)
    kind.write(rows, folder / kind.name)
    return str(folder / kind.name)


def written(name: str, side: int) -> list[dict[str, Any]]:
    kind = FORMATS[name]
    return [kind.row(one) for one in answers(side, kind.samples)]


def numbers(path: str) -> tuple[int, int, float, list[float]] | None:
    """Return answers, items, the mean over items and the sorted means of items; None where the log is refused."""
    try:
        frame = read_log(path).frame
    except UserMistake:
        return None
    by_item = frame.groupby("item")["score"].mean()
    return len(frame), len(by_item), round(float(by_item.mean()), 9), sorted(by_item.round(9))


def changes(first: str, second: str) -> tuple[int, int, int] | None:
    try:
        paired = pair(read_log(first), read_log(second))
    except UserMistake:
        return None
    a, b = (frame.groupby("item")["score"].mean() for frame in (paired.a, paired.b))
    b = b.reindex(a.index)
    return len(a), int((b > a).sum()), int((b < a).sum())


@pytest.mark.parametrize("name", FORMATS)
def test_what_was_written_is_read(name: str, tmp_path: Path) -> None:
    kind = FORMATS[name]
    truth = pd.DataFrame(answers(0, kind.samples)).groupby("item")["score"].mean()
    told = numbers(made(name, written(name, 0), tmp_path))
    assert told is not None
    assert told[:3] == (ITEMS * kind.samples, ITEMS, round(float(truth.mean()), 9))
    pairs = [made(name, written(name, side), tmp_path / str(side)) for side in range(2)]
    both = [pd.DataFrame(answers(side, kind.samples)).groupby("item")["score"].mean() for side in range(2)]
    gained, lost = int((both[1] > both[0]).sum()), int((both[1] < both[0]).sum())
    assert changes(*pairs) == (ITEMS, gained, lost)


@pytest.mark.parametrize("name", FORMATS)
def test_order_shards_and_names_change_no_number(name: str, tmp_path: Path) -> None:
    kind, draw = FORMATS[name], Random(7)
    rows = [written(name, side) for side in range(2)]
    whole = [made(name, side, tmp_path / f"whole{i}") for i, side in enumerate(rows)]
    truth, paired = numbers(whole[1]), changes(*whole)
    for turn in range(3):
        shuffled = list(rows[1])
        draw.shuffle(shuffled)
        cut = draw.randrange(1, len(shuffled))
        shards = shuffled[cut:] + shuffled[:cut]
        for what, one in (("shuffled", shuffled), ("shards", shards)):
            path = made(name, one, tmp_path / f"{what}{turn}")
            assert numbers(path) in (truth, None)
            assert changes(whole[0], path) in (paired, None)
    if kind.id is not None:
        names = {row[kind.id]: f"renamed-{i}" for i, row in enumerate(rows[1])}
        renamed = [{**row, kind.id: names[row[kind.id]]} for row in rows[1]]
        path = made(name, renamed, tmp_path / "renamed")
        assert numbers(path) in (truth, None)
        assert changes(whole[0], path) in (paired, None)


@pytest.mark.parametrize(
    "name", [name for name, kind in FORMATS.items() if kind.write in (jsonl, as_list, parquet)]
)
def test_a_log_put_together_with_itself_is_no_larger_log(name: str, tmp_path: Path) -> None:
    rows = written(name, 1)
    whole, twice = numbers(made(name, rows, tmp_path / "a")), numbers(made(name, rows + rows, tmp_path / "b"))
    assert whole is not None
    if FORMATS[name].samples == 1 or twice is None:
        return  # one answer an item: the copies are taken out where two logs are compared (without_copies)
    assert twice in ((whole[0], *whole[1:]), None) or name in ("open_instruct", "tinker summaries")


def test_every_reader_of_rows_is_among_these() -> None:
    told = {name.split()[0] for name in FORMATS} | {"a"}
    by_document = {
        "helm",
        "cruxeval",
        "gsm8k_solutions",
        "bbh_outputs",
        "big_bench_mistake",
        "swe_bench",
        "tellapart",
    }
    assert set(READERS) - told - by_document == {"reasoning_gym", "arena"}
