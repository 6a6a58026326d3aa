"""Files of other kinds thrown at what reads logs: one line each, no traceback, and no number from a file that
holds none."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tellapart.errors import UserMistake
from tellapart.logs import read_log
from tellapart.logs.scale_read import read_points
from tellapart.logs.source import open_source, split
from tellapart.studies.gain.logs import rows_from_logs
from tellapart.studies.guard.problems import from_source
from tellapart.studies.guard.training_log import find_log, read_training

Files = Iterator[tuple[str, bytes]]


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def lines(*rows: Any) -> bytes:
    return b"".join(dumped(row) + b"\n" for row in rows)


DOCUMENTS: dict[str, Any] = {
    "package": {
        "name": "x",
        "version": "1.0",
        "dependencies": {"a": "1", "b": "2"},
        "scripts": {"test": "true"},
    },
    "config": {"hidden_size": 64, "num_layers": 5, "rope_theta": 10000.0, "architectures": ["Llama"]},
    "training": {"lr": 0.1, "dropout": 0.1, "warmup": 0.03},
    "settings": {"alpha": 0.5, "beta": 0.9, "gamma": 1.0, "name": "x"},
    "curves": {"loss": [0.9, 0.8, 0.7], "accuracy": [0.1, 0.2, 0.3]},
    "grid": {"train": [0.1, 0.2], "test": [0.3, 0.4], "valid": [0.5, 0.6]},
    "weights": {"layer": [0.1, 0.2, 0.3], "bias": [0.0, 0.0, 0.0]},
    "aggregate": {
        "results": {"mmlu": {"acc,none": 0.5, "acc_stderr,none": 0.01}},
        "versions": {"mmlu": 1},
        "config": {},
    },
    "leaderboard": [{"model": "a", "average": 55.1}, {"model": "b", "average": 60.2}],
    "wandb": {"_runtime": 10.5, "_step": 100, "train/loss": 0.5, "eval/acc": 0.7},
    "notebook": {
        "cells": [{"cell_type": "code", "source": ["1"], "outputs": []}],
        "metadata": {},
        "nbformat": 4,
    },
    "tokenizer": {"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0}}, "added_tokens": []},
    "generation": {"temperature": 0.7, "top_p": 0.9, "eos_token_id": 2},
    "geo": {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "geometry": None, "properties": {}}],
    },
    "schema": {"openapi": "3.0", "paths": {"/a": {"get": {}}}, "info": {"title": "x"}},
    "alpaca": [
        {"instruction": "a", "input": "", "output": "b"},
        {"instruction": "c", "input": "", "output": "d"},
    ],
    "sharegpt": [{"id": "1", "conversations": [{"from": "human", "value": "x"}]}],
    "squad": {"version": "1.1", "data": [{"title": "t", "paragraphs": []}]},
    "numbers": [1, 2, 3],
    "strings": ["a", "b"],
    "mixed": [1, "a", None, {}],
    "nested": [[[]]],
    "empty list": [],
    "empty": {},
    "text": "hello",
    "number": 3.5,
    "null": None,
    "true": True,
    "trainer_state": {
        "epoch": 1.0,
        "global_step": 10,
        "log_history": [{"loss": 1.0, "step": 1}, {"loss": 0.5, "step": 2}],
    },
    "index": {"metadata": {"total_size": 1}, "weight_map": {"a": "model-1.safetensors"}},
    "dataset_info": {"features": {"a": {"dtype": "string"}}, "splits": {"train": {"num_examples": 3}}},
    "predictions": [{"id": 1, "prediction": "a"}, {"id": 2, "prediction": "b"}],
    "labels": {"0": "cat", "1": "dog"},
    "chat": {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]},
    "error": {"error": {"message": "no", "code": 500}},
    "trace": {"traceEvents": [{"name": "a", "ph": "X", "ts": 1, "dur": 2}]},
    "coverage": {"meta": {"version": "7"}, "files": {"a.py": {"summary": {"covered_lines": 3}}}},
    "embedding": [{"id": "a", "embedding": [0.1, 0.2]}, {"id": "b", "embedding": [0.3, 0.4]}],
    "inspect header": {
        "version": 2,
        "status": "success",
        "eval": {"model": "m", "task": "t"},
        "results": {"total_samples": 3},
    },
    "helm stats": [{"name": {"name": "exact_match", "split": "test"}, "count": 1, "mean": 0.5}],
    "bench": {"benchmarks": [{"name": "a", "stats": {"mean": 0.5}}], "machine_info": {}},
    "optuna": [
        {"number": 0, "value": 0.3, "params": {"lr": 0.1}},
        {"number": 1, "value": 0.4, "params": {"lr": 0.2}},
    ],
}
ROWS: dict[str, list[Any]] = {
    "sft": [{"prompt": "a", "completion": "b"}, {"prompt": "c", "completion": "d"}],
    "dpo": [{"prompt": "a", "chosen": "b", "rejected": "c"}] * 2,
    "messages": [{"messages": [{"role": "user", "content": "x"}]}] * 2,
    "text": [{"text": "a"}, {"text": "b"}],
    "metrics": [{"step": 1, "loss": 2.0, "lr": 0.1}, {"step": 2, "loss": 1.0, "lr": 0.1}],
    "gsm8k": [{"question": "q", "answer": "a #### 3"}, {"question": "r", "answer": "b #### 4"}],
    "mmlu": [{"question": "q", "choices": ["a", "b"], "answer": 1}] * 2,
    "batch": [{"custom_id": "1", "response": {"status_code": 200, "body": {"choices": []}}, "error": None}]
    * 2,
    "events": [
        {"time": 1.0, "level": "info", "message": "x"},
        {"time": 2.0, "level": "warn", "message": "y"},
    ],
    "people": [{"name": "Ann", "age": 30}, {"name": "Bob", "age": 40}],
    "scalars": [1, 2, 3],
    "lists": [[1, 2], [3, 4]],
    "empties": [{}, {}],
    "predictions": [
        {"task_id": "HumanEval/0", "completion": "x"},
        {"task_id": "HumanEval/1", "completion": "y"},
    ],
    "items": [{"id": "a", "prompt": "x", "target": "y"}, {"id": "b", "prompt": "z", "target": "w"}],
    "evalscope predictions": [{"index": 0, "model": "m", "model_output": {"choices": []}, "messages": []}]
    * 2,
    "verifiers data": [
        {"example_id": 0, "prompt": [], "answer": "1"},
        {"example_id": 1, "prompt": [], "answer": "2"},
    ],
    "judge": [{"item": "1", "model_a": "a", "model_b": "b", "answer_a": "x", "answer_b": "y", "winner": "a"}]
    * 2,
}
TABLES: dict[str, str] = {
    "prices": "product,price,stock\napple,1.5,3\npear,2.5,4\n",
    "people": "name,age,height\nAnn,30,1.7\nBob,40,1.8\n",
    "points": "x,y\n1,2\n3,4\n",
    "genes": "gene,chromosome,start\na,1,5\nb,2,6\n",
    "items": "item,price\na,1\nb,2\n",
    "questions": "id,question,answer\n1,q,a\n2,r,b\n",
    "iris": "sepal_length,sepal_width,species\n5.1,3.5,setosa\n4.9,3.0,setosa\n",
    "weather": "date,temperature,rain\n2026-01-01,3.5,0\n2026-01-02,4.5,1\n",
    "log": "time,level,message\n1,info,x\n2,warn,y\n",
    "head only": "item,correct\n",
    "one column": "item\na\nb\n",
    "blank names": ",,\n1,2,3\n",
    "ragged": "a,b\n1\n2,3,4\n",
}
TEXTS: dict[str, bytes] = {
    "readme": b"# Title\n\nSome text, with commas, in it.\n",
    "python": b"import os\nprint(os.getcwd())\n",
    "yaml": b"a: 1\nb:\n  - c\n  - d\n",
    "toml": b"[a]\nb = 1\n",
    "html": b"<html><body>x</body></html>",
    "xml": b"<?xml version='1.0'?><a/>",
    "ini": b"[x]\ny=1\n",
    "log": b"2026-01-01 INFO start\n2026-01-01 INFO end\n",
    "latex": b"\\documentclass{article}\n",
    "diff": b"--- a\n+++ b\n@@ -1 +1 @@\n",
    "sql": b"SELECT * FROM t;\n",
    "empty": b"",
    "blank": b" \n\n",
    "bom": b"\xef\xbb\xbf",
    "utf16": "item,correct\na,1\n".encode("utf-16"),
    "latin": "item,correct\n\u00fc,1\n".encode("latin-1"),
    "zeros": bytes(100),
    "ones": b"\xff" * 100,
    "broken": b'{"item": 1, "correct": ',
    "brackets": b"[" * 5000,
    "braces": b"{" * 500,
    "comma": b",\n,\n",
    "quote": b'"\n',
    "png": b"\x89PNG\r\n\x1a\n" + bytes(50),
    "pdf": b"%PDF-1.7\n%\xe2\xe3\n",
    "gguf": b"GGUF\x03\x00\x00\x00" + bytes(50),
    "elf": b"\x7fELF" + bytes(60),
    "pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94.",
    "sqlite": b"SQLite format 3\x00" + bytes(90),
    "parquet magic": b"PAR1",
    "parquet torn": b"PAR1" + bytes(30),
    "zip magic": b"PK\x03\x04",
    "gzip torn": b"\x1f\x8b\x08\x00\x00",
    "xz torn": b"\xfd7zXZ\x00",
    "zstd torn": b"\x28\xb5\x2f\xfd\x04",
    "bzip torn": b"BZh9",
    "safetensors": b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ",
    "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n",
    "null json": b"null",
    "nan": b"NaN",
    "two": b'{"a": 1}\n{"b": 2}\n',
    "carriage": b"a,b\r1,2\r",
    "surrogate": b'{"a": "\\ud800"}\n{"a": "\\ud801"}\n',
    "deep": b'{"a":' * 200 + b"1" + b"}" * 200,
}


def odd_files() -> Files:
    for name, value in DOCUMENTS.items():
        yield f"document {name}.json", dumped(value)
        yield f"pretty {name}.json", json.dumps(value, indent=2).encode()
        yield f"packed {name}.json.gz", gzip.compress(dumped(value))
    for name, rows in ROWS.items():
        yield f"rows {name}.jsonl", lines(*rows)
        yield f"list {name}.json", dumped(rows)
        yield f"packed {name}.jsonl.bz2", bz2.compress(lines(*rows))
        yield f"wrapped {name}.json", dumped({"data": rows, "n": len(rows)})
        if all(isinstance(row, dict) and row for row in rows):
            held = io.BytesIO()
            pd.DataFrame(rows).to_parquet(held)
            yield f"table {name}.parquet", held.getvalue()
    for name, text in TABLES.items():
        for suffix, sign in (("csv", ","), ("semi.csv", ";"), ("tsv", "\t")):
            yield f"table {name}.{suffix}", text.replace(",", sign).encode()
        yield f"packed {name}.csv.xz", lzma.compress(text.encode())
    for name, data in TEXTS.items():
        for suffix in ("txt", "json", "jsonl"):
            yield f"text {name}.{suffix}", data
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("a.txt", "x")
    yield "archive.zip", archive.getvalue()
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w:gz") as made:
        made.addfile(tarfile.TarInfo("a"))
    yield "archive.tar.gz", tar.getvalue()
    array = io.BytesIO()
    np.savez(array, a=np.zeros(3))
    yield "array.npz", array.getvalue()
    draw = Random(3)
    for index in range(20):
        yield f"noise {index}.jsonl", draw.randbytes(draw.randrange(1, 200))


FILES = dict(odd_files())
SCORED = ("leaderboard", "judge")
"""Files that hold scores of a kind: a leaderboard (for `scale`), judgements of pairs (for `form`)."""


def told(made: Any) -> str:
    """Return the line of a refusal; "" where something was read. Anything but a refusal fails the test."""
    try:
        made()
    except UserMistake as mistake:
        line = str(mistake)
        assert "\n" not in line
        assert len(line) < 2000
        return line
    return ""


def test_there_are_three_hundred() -> None:
    assert len(FILES) >= 300


@pytest.mark.parametrize("part", range(8))
def test_no_traceback_and_no_number(part: int, tmp_path: Path) -> None:
    read = []
    for name in sorted(FILES)[part::8]:
        path = tmp_path / name.replace(" ", "_")
        path.write_bytes(FILES[name])
        reference = str(path)
        asked = {
            "read": lambda reference=reference: read_log(reference),
            "gain": lambda reference=reference: rows_from_logs(reference, reference),
            "guard": lambda reference=reference: (
                read_training(find_log(reference))
                if find_log(reference)
                else from_source(open_source(reference, *split(reference)), None, None)
            ),
            "scale": lambda reference=reference: read_points([reference]),
        }
        for verb, ask in asked.items():
            line = told(ask)
            if not line and not any(word in name for word in SCORED):
                read.append(f"{verb} {name}")
            assert not line or path.name in line or "files hold no score" in line, line
    assert read == [], read
