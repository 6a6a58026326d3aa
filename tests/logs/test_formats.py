"""Each format from small files made as its tool makes them: what is read, what is warned of."""

import io
import json
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import zstandard

from tellapart.errors import UserMistake
from tellapart.logs import READERS, pair, read_log


def lines(path: Path, *objects: dict[str, Any]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(o) + "\n" for o in objects), encoding="utf-8")
    return str(path)


def document(path: Path, value: Any) -> str:
    path.write_text(json.dumps(value), encoding="utf-8")
    return str(path)


def zipped(path: Path, entries: dict[str, bytes], method: int = 93) -> str:
    """A ZIP whose entries are packed by `method` (93: zstd in two frames), as Inspect writes them."""
    body, directory = io.BytesIO(), io.BytesIO()
    for name, data in entries.items():
        half = len(data) // 2
        compress = zstandard.ZstdCompressor().compress
        packed = compress(data[:half]) + compress(data[half:]) if method == 93 else data
        raw = name.encode()
        common = struct.pack(
            "<HHHHHIIIHH", 63, 0, method, 0, 33, zlib.crc32(data), len(packed), len(data), len(raw), 0
        )
        offset = body.tell()
        body.write(b"PK\x03\x04" + common + raw + packed)
        directory.write(
            b"PK\x01\x02" + struct.pack("<H", 63) + common + struct.pack("<HHHII", 0, 0, 0, 0, offset) + raw
        )
    start = body.tell()
    body.write(directory.getvalue())
    end = struct.pack("<HHHHIIH", 0, 0, len(entries), len(entries), body.tell() - start, start, 0)
    path.write_bytes(body.getvalue() + b"PK\x05\x06" + end)
    return str(path)


def inspect_sample(item: Any, epoch: int, score: Any, **more: Any) -> dict[str, Any]:
    choice = {"message": {"role": "assistant", "content": f"answer {epoch}"}, "stop_reason": "stop"}
    return {
        "id": item, "epoch": epoch, "input": f"question {item}", "target": ["x", "y"],
        "output": {"model": "m", "choices": [choice], "usage": {"output_tokens": 4}},
        "scores": None if score is None else {"match": {"value": score}}, **more,
    }  # fmt: skip


def inspect_log(
    path: Path, samples: list[dict[str, Any]], model: str = "openai/m", status: str = "success"
) -> str:
    return document(path, {"version": 2, "status": status, "eval": {"model": model}, "samples": samples})


# --- Inspect ---


def test_inspect_values(tmp_path: Path) -> None:
    values = ["C", "I", "P", "N", True, 0.25, "0.75", None, math.nan]
    samples = [inspect_sample(i, 1, value) for i, value in enumerate(values)]
    log = read_log(inspect_log(tmp_path / "a.json", samples))
    scores = log.frame["score"].tolist()
    assert scores[:7] == [1, 0, 0.5, 0, 1, 0.25, 0.75]
    assert [math.isnan(s) for s in scores[7:9]] == [True, True]
    assert "2 of 9 answers have no score" in " ".join(log.notes)
    assert log.frame["target"].iloc[0] == "x | y"
    assert read_log(inspect_log(tmp_path / "b.json", [inspect_sample(1, 1, {"all": 1})])).frame[
        "score"
    ].tolist() == [1]


def test_inspect_several_scorers_and_dict_values(tmp_path: Path) -> None:
    scores = {"match": {"value": "I"}, "judge": {"value": {"style": 0.5, "truth": 1}}}
    path = inspect_log(tmp_path / "a.json", [inspect_sample("q", 1, None) | {"scores": scores}])
    log = read_log(path)
    assert log.frame["score"].tolist() == [0]
    assert log.notes == ("scored by 'match'; also in the log (choose with #NAME): judge/style, judge/truth",)
    assert read_log(f"{path}#judge").frame["score"].tolist() == [0.5]
    assert read_log(f"{path}#judge/truth").frame["score"].tolist() == [1]
    with pytest.raises(UserMistake, match="no scorer 'nope'; it has match, judge/style, judge/truth"):
        read_log(f"{path}#nope")


def test_inspect_status_and_logprobs(tmp_path: Path) -> None:
    logprobs = {"logprobs": {"content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -0.25}]}}
    cut = inspect_sample("cut", 1, "C")
    cut["output"]["choices"][0] |= {"stop_reason": "max_tokens", **logprobs}
    failed = inspect_sample("failed", 1, "C", error={"message": "boom"})
    limited = inspect_sample("limited", 1, "I", limit={"type": "time"})
    log = read_log(inspect_log(tmp_path / "a.json", [cut, failed, limited])).frame
    assert log["status"].tolist() == ["cut off", "failed", "cut off"]
    assert math.isnan(log["score"][1])
    assert (log["logprob"][0], log["token_logprobs"][0]) == (-0.75, (-0.5, -0.25))
    distrusted = read_log(inspect_log(tmp_path / "b.json", [cut], model="hf/m"))
    assert distrusted.frame["status"].tolist() == ["ok"]
    assert math.isnan(distrusted.frame["logprob"][0])
    assert "hf/" in distrusted.notes[0]


@pytest.mark.parametrize("method", [0, 93])
def test_inspect_zip_whole_and_chunked(tmp_path: Path, method: int) -> None:
    whole = inspect_sample("a/b", 1, "C", attachments={"h": "long question"}) | {"input": "attachment://h"}
    chunked = inspect_sample(2, 1, "I") | {"input": "attachment://1"}
    entries = {
        "header.json": {"version": 2, "status": "success", "eval": {"model": "m"}},
        "samples/a/b_epoch_1.json": whole,
        "samples/2_epoch_1/sample.json": chunked,
        "samples/2_epoch_1/attachments/0.json": ["zero", "one"],
        "samples/2_epoch_1/events/0.json": [],
        "../../escape.json": {},
    }
    path = zipped(tmp_path / "a.eval", {k: json.dumps(v).encode() for k, v in entries.items()}, method)
    log = read_log(path)
    assert log.frame["question"].tolist() == ["long question", "one"]
    assert log.frame["score"].tolist() == [1, 0]
    assert [p.name for p in tmp_path.iterdir()] == ["a.eval"]


def test_inspect_zip_of_a_killed_run(tmp_path: Path) -> None:
    start = json.dumps({"version": 2, "eval": {"model": "m"}}).encode()
    sample = json.dumps(inspect_sample(1, 1, "C")).encode()
    log = read_log(
        zipped(tmp_path / "a.eval", {"_journal/start.json": start, "samples/1_epoch_1.json": sample})
    )
    assert log.notes == ("the run's status is 'started': samples may be missing",)
    with pytest.raises(UserMistake, match=r"holds no samples \(the run had not finished a sample"):
        read_log(zipped(tmp_path / "b.eval", {"_journal/start.json": start}))


# --- lm-eval ---


def lm_sample(doc_id: int, **more: Any) -> dict[str, Any]:
    return {
        "doc_id": doc_id, "doc": {"question": f"What is {doc_id}+1?"}, "target": "1",
        "arguments": {"gen_args_0": {"arg_0": f"Q: What is {doc_id}+1?\nA:", "arg_1": {"until": ["\n"]}}},
        "resps": [["one", "two"]], "filtered_resps": ["one"], "filter": "none", "metrics": ["exact_match"],
        "exact_match": 1.0, **more,
    }  # fmt: skip


def test_lm_eval_generation_with_filters_repeats_and_cache(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "my__model"
    samples = [
        lm_sample(i, filter=f, exact_match=float(f == "flexible"))
        for f in ("strict", "flexible")
        for i in (0, 1)
    ]
    lines(folder / "samples_sums_2025-01-01T00-00-00.1.jsonl", *samples)
    document(
        folder / "results_2025-01-01T00-00-00.1.json",
        {
            "results": {"sums": {"alias": "sums", "exact_match,flexible": 1.0, "exact_match,strict": 0.0}},
            "config": {"model": "hf", "model_args": "pretrained=my/model,dtype=float", "use_cache": "x.db"},
        },
    )
    log = read_log(str(tmp_path / "out"))
    assert (log.tool, log.model, log.frame["score"].tolist()) == (
        "lm_eval",
        "my/model",
        [1, 1],
    )  # flexible: listed first
    assert log.frame["completion"].tolist() == ["one", "one"]
    assert log.frame["question"].tolist() == ["What is 0+1?", "What is 1+1?"]
    told = " | ".join(log.notes)
    for part in ("use_cache", "exact_match,strict", "2 items have several responses but one 'exact_match'"):
        assert part in told
    strict = read_log(f"{folder}/samples_sums_2025-01-01T00-00-00.1.jsonl#strict")
    assert strict.frame["score"].tolist() == [0, 0]
    with pytest.raises(UserMistake, match="aggregate results only"):
        read_log(str(folder / "results_2025-01-01T00-00-00.1.json"))


def test_lm_eval_scores_every_response_where_it_can(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "samples_x.jsonl", lm_sample(0, exact_match=[1.0, 0.0]), lm_sample(1, exact_match=[0, 0])
    )
    log = read_log(path)
    assert log.frame[["item", "sample", "score"]].values.tolist() == [
        ["0", 0, 1.0], ["0", 1, 0.0], ["1", 0, 0.0], ["1", 1, 0.0],
    ]  # fmt: skip
    assert log.notes == ()


def test_lm_eval_multiple_choice(tmp_path: Path) -> None:
    arguments = {
        f"gen_args_{i}": {"arg_0": "Q", "arg_1": f" {word}"} for i, word in enumerate(["no", "perhaps"])
    }
    sample = lm_sample(
        0, arguments=arguments, resps=[[["-2.0", "False"]], [["-3.0", "False"]]], metrics=["acc", "acc_norm"],
        acc=0.0, acc_norm=1.0,
    )  # fmt: skip
    path = lines(tmp_path / "samples_mc.jsonl", sample)
    log = read_log(path)
    assert log.frame[["completion", "score", "logprob"]].values.tolist() == [[" no", 0.0, -2.0]]
    normed = read_log(f"{path}#acc_norm").frame  # -2/2 = -1 against -3/7
    assert normed[["completion", "score", "logprob"]].values.tolist() == [[" perhaps", 1.0, -3.0]]


def test_lm_eval_old_list_and_equal_questions(tmp_path: Path) -> None:
    old = [
        {"doc_id": i, "doc": {"question": "Which?"}, "target": 0, "arguments": [[f"Which? {i}", {}]],
         "resps": [["x"]], "filtered_resps": ["x"], "exact_match": i}
        for i in (0, 1)
    ]  # fmt: skip
    log = read_log(document(tmp_path / "old.json", old))
    assert log.frame["question"].tolist() == ["Which? 0", "Which? 1"]  # the prompts: the questions are equal
    assert log.frame["score"].tolist() == [0, 1]


# --- HELM, TRL, verl, open-instruct, own runs ---


def helm_run(folder: Path, metric: str = "exact_match") -> str:
    folder.mkdir()
    stats = [
        {"instance_id": f"id{i}", "train_trial_index": t,
         "stats": [{"name": {"name": metric}, "count": 1, "mean": i % 2}]}
        for i in range(2) for t in range(2)
    ]  # fmt: skip
    stats.append({**stats[0], "perturbation": {"name": "typos"}})
    tokens = [{"text": "a", "logprob": -1.0}, {"text": "b", "logprob": -0.5}]
    states = [
        {
            "instance": {"id": f"id{i}", "input": {"text": f"q{i}"}, "split": "test",
                         "references": [{"output": {"text": "A"}, "tags": ["correct"]},
                                        {"output": {"text": "B"}, "tags": []}]},
            "train_trial_index": t,
            "result": {"success": True, "completions": [
                {"text": f"c{i}{t}", "tokens": tokens, "finish_reason": {"reason": "length" if t else "stop"}}]},
        }
        for i in range(2) for t in range(2)
    ]  # fmt: skip
    document(folder / "per_instance_stats.json", stats)
    document(folder / "scenario_state.json", {"adapter_spec": {"model": "org/m"}, "request_states": states})
    return str(folder)


def test_helm(tmp_path: Path) -> None:
    log = read_log(helm_run(tmp_path / "run"))
    assert (log.tool, log.model) == ("helm", "org/m")
    assert log.frame[["item", "sample", "score", "completion", "status"]].values.tolist() == [
        ["id0", 0, 0, "c00", "ok"], ["id0", 1, 0, "c01", "cut off"],
        ["id1", 0, 1, "c10", "ok"], ["id1", 1, 1, "c11", "cut off"],
    ]  # fmt: skip
    assert log.frame[["question", "target", "logprob", "tokens"]].values.tolist()[0] == ["q0", "A", -1.5, 2.0]
    assert "1 perturbed copies" in log.notes[0]
    assert read_log(str(tmp_path / "run/scenario_state.json")).frame.equals(log.frame)


def test_helm_options_are_read_as_the_letters_that_are_answered(tmp_path: Path) -> None:
    path = Path(helm_run(tmp_path / "run"))
    state = json.loads((path / "scenario_state.json").read_text())
    for entry in state["request_states"]:
        texts = ["the second", "the first"]
        entry["instance"]["references"] = [
            {"output": {"text": text}, "tags": ["correct"] * (text == "the first")} for text in texts
        ]
        entry["output_mapping"] = dict(zip("AB", texts, strict=True))
    document(path / "scenario_state.json", state)
    frame = read_log(str(path)).frame
    assert set(frame["target"]) == {"B"}
    assert frame["question"][0] == "q0\nA. the second\nB. the first"


def test_helm_asks_for_a_metric_it_does_not_know(tmp_path: Path) -> None:
    path = helm_run(tmp_path / "run", metric="num_bytes")
    with pytest.raises(UserMistake, match="choose with #NAME from num_bytes"):
        read_log(path)
    assert len(read_log(f"{path}#num_bytes").frame) == 4


def test_trl(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"step": [5, 5, 5], "prompt": ["p", "p", "q"], "completion": ["a", "b", "c"], "right": [1.0, 0.0, np.nan],
         "form": [0.5, 0.5, 0.5], "advantage": [1.0, -1.0, 0.0]}
    )  # fmt: skip
    frame.to_parquet(tmp_path / "completions_00005.parquet")
    log = read_log(str(tmp_path))
    assert (log.tool, log.model) == ("trl", "step 5")
    assert log.frame[["item", "sample", "completion"]].values.tolist() == [
        ["0", 0, "a"],
        ["0", 1, "b"],
        ["1", 0, "c"],
    ]
    assert log.frame["score"].tolist()[:2] == [1, 0]
    assert math.isnan(log.frame["score"][2])
    assert log.notes[0] == "scored by 'right'; also in the log (choose with #NAME): form"
    assert read_log(f"{tmp_path / 'completions_00005.parquet'}#form").frame["score"].tolist() == [0.5] * 3


def test_trl_conversations(tmp_path: Path) -> None:
    prompts = [[{"role": "user", "content": "hi"}]] * 2
    answers = [[{"role": "assistant", "content": "yo"}], [{"role": "assistant", "content": "no"}]]
    pd.DataFrame({"step": [1, 1], "prompt": prompts, "completion": answers, "r": [1.0, 0.0]}).to_parquet(
        tmp_path / "c.parquet"
    )
    assert read_log(str(tmp_path / "c.parquet")).frame[["question", "completion"]].values.tolist() == [
        ["hi", "yo"], ["hi", "no"],
    ]  # fmt: skip


def test_verl(tmp_path: Path) -> None:
    rows = [
        {"input": q, "output": f"{q}{i}", "gts": "7", "score": s, "step": 3, "acc": s > 0}
        for q in "ab" for i, s in enumerate((1.0, -1.0))
    ]  # fmt: skip
    log = read_log(lines(tmp_path / "3.jsonl", *rows))
    assert (log.tool, log.model, log.frame["score"].tolist()) == ("verl", "step 3", [1, -1, 1, -1])
    assert log.frame["item"].tolist() == ["0", "0", "1", "1"]
    assert any("between -1 and 1" in note for note in log.notes)
    assert read_log(str(tmp_path / "3.jsonl#acc")).frame["score"].tolist() == [1, 0, 1, 0]
    old = [{key: str(value) for key, value in row.items()} for row in rows]
    assert read_log(lines(tmp_path / "4.jsonl", *old) + "#acc").frame["score"].tolist() == [1, 0, 1, 0]


def test_open_instruct(tmp_path: Path) -> None:
    row = {"step": 1, "sample_idx": 0, "prompt_idx": 0, "prompt_tokens": [5, 6], "response_tokens": [7, 8, 9],
           "reward": 10.0, "advantage": 0.1, "finish_reason": "length", "dataset": "math", "ground_truth": ["3"],
           "logprobs": [-0.5, -0.5, -1.0]}  # fmt: skip
    other = {**row, "step": 2, "finish_reason": "stop", "reward": 0.0}
    log = read_log(lines(tmp_path / "myrun_rollouts_000000.jsonl", row, other))
    assert (log.tool, log.model) == ("open_instruct", "myrun")
    assert log.frame[["item", "question", "status", "logprob", "tokens", "cluster"]].values.tolist() == [
        ["1/0", "5 6", "cut off", -2.0, 3.0, "math"], ["2/0", "5 6", "ok", -2.0, 3.0, "math"],
    ]  # fmt: skip


def test_own_run(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"condition": ["base/plain", "tuned/plain"], "item": ["a", "a"], "sample": [0, 0], "completion": ["x", "y"],
         "score": [0.0, 1.0], "status": ["ok", "cut off"], "logprob": [-1.0, np.nan], "tokens": [2, 3],
         "cluster": ["", ""], "token_logprobs": [[-0.5, -0.5], None]}
    )  # fmt: skip
    (tmp_path / "spec.json").write_text("{}")
    with pytest.raises(UserMistake, match="not complete"):
        read_log(f"{tmp_path}#base/plain")
    frame.to_parquet(tmp_path / "rows.parquet")
    base, tuned = read_log(f"{tmp_path}#base/plain"), read_log(f"{tmp_path}#tuned/plain")
    assert (base.model, base.frame["score"].tolist(), tuned.frame["status"].tolist()) == (
        "base/plain",
        [0],
        ["cut off"],
    )
    assert pair(base, tuned).by == "item"
    with pytest.raises(UserMistake, match=r"several conditions \(base/plain, tuned/plain\)"):
        read_log(str(tmp_path))


def test_every_reader_is_named_once() -> None:
    assert len(READERS) == 29
    assert all(name == reader.tool for name, reader in READERS.items())
