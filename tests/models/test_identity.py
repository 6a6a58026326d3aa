"""Who answered is known by what is in memory: what changes an answer changes the identity, and nothing else does."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")

from importlib.metadata import version

import torch
from safetensors.torch import load_file, save_file
from tiny import LETTERS, module_of, tokenizer

from tellapart.models.identity import engine_versions
from tellapart.models.local import LocalModel, open_local


@pytest.fixture
def folder(tmp_path) -> Path:
    module_of("llama").save_pretrained(tmp_path / "model", max_shard_size="20kB")
    tokenizer().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def edit(path: Path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def differing(one: LocalModel, other: LocalModel) -> set[str]:
    """Return which parts of two identities differ; the fingerprints must agree with it."""
    parts = {name for name in one.identity if one.identity[name] != other.identity[name]}
    assert bool(parts) == (one.fingerprint != other.fingerprint)
    return parts


def weights_moved(folder: Path) -> None:
    """Put the shards into a folder of their own, as an index may name them, and change one weight."""
    index = folder / "model.safetensors.index.json"
    table = json.loads(index.read_text())
    (folder / "deep").mkdir()
    for shard in set(table["weight_map"].values()):
        (folder / shard).rename(folder / "deep" / shard)
    table["weight_map"] = {name: f"deep/{shard}" for name, shard in table["weight_map"].items()}
    index.write_text(json.dumps(table))


def test_where_the_weights_lie_is_no_part_of_it(folder: Path) -> None:
    before = open_local(str(folder))
    weights_moved(folder)
    assert not differing(before, open_local(str(folder)))
    shard = sorted((folder / "deep").iterdir())[0]
    tensors = load_file(shard)
    name = sorted(tensors)[0]
    tensors[name] = tensors[name] + 1e-3
    save_file(tensors, shard, metadata={"format": "pt"})
    assert differing(before, open_local(str(folder))) == {"weights"}


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("end_tokens", lambda folder: edit(folder / "generation_config.json", eos_token_id=3)),
        ("tokenizer", lambda folder: edit(folder / "tokenizer.json", decoder=None)),
        ("config", lambda folder: edit(folder / "config.json", rms_norm_eps=1e-3)),
    ],
)
def test_what_changes_answers_changes_it(folder: Path, part: str, change) -> None:
    before = open_local(str(folder))
    change(folder)
    assert differing(before, open_local(str(folder))) == {part}


def test_template_and_system_prompt_count_where_they_are_used(folder: Path) -> None:
    edit(folder / "tokenizer_config.json", chat_template="{% for m in messages %}{{ m.content }}{% endfor %}")
    chat = open_local(str(folder))
    assert differing(chat, open_local(str(folder), chat=False)) == {"template"}
    assert differing(chat, open_local(str(folder), system="be brief")) == {"system"}
    edit(
        folder / "tokenizer_config.json", chat_template="{% for m in messages %}<{{ m.content }}>{% endfor %}"
    )
    assert differing(chat, open_local(str(folder))) == {"template"}


def test_changed_in_memory_is_another_one() -> None:
    module = module_of("llama")
    before = LocalModel(module, tokenizer(), "a")
    with torch.no_grad():
        module.get_input_embeddings().weight[0, 0] += 1
    assert differing(before, LocalModel(module, tokenizer(), "a")) == {"weights"}
    used = tokenizer()
    used(["ab", "c"], padding=True, truncation=True, max_length=1)
    assert not differing(before, LocalModel(module_of("llama"), used, "b"))


def test_what_runs_it_is_in_the_key_of_a_row() -> None:
    model = LocalModel(module_of("llama"), tokenizer(), "a")
    assert model.known_by() == {"model": model.fingerprint, "engine": engine_versions()}
    assert f"torch {version('torch')}," in model.engine


def test_a_run_is_not_gone_on_with_by_another_model_or_version(
    tmp_path: Path, folder: Path, monkeypatch, capsys
) -> None:
    """cases/fire, faults 2 and 3: end tokens changed between two starts, and another version of what runs the model."""
    from tellapart.cli import run
    from tellapart.models import local

    items = [{"id": letter, "prompt": f"{letter} and", "target": letter} for letter in LETTERS[:8]]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    tuned = tmp_path / "tuned"
    shutil.copytree(folder, tuned)
    command = ["gain", str(folder), str(tuned), "--task", str(tmp_path / "items.jsonl"), "--samples", "2"]
    command += [
        "--elicited-samples",
        "1",
        "--max-tokens",
        "3",
        "--elicitors",
        "sampling",
        "--out",
        str(tmp_path / "run"),
    ]
    assert run(command) == 0
    before = sorted((path.name, path.read_bytes()) for path in (tmp_path / "run" / "rows").iterdir())
    with monkeypatch.context() as patched:
        patched.setattr(local, "engine_versions", lambda: "tellapart engine 1, torch 9.9, transformers 9.9")
        assert run(command) == 2
        told = capsys.readouterr().err
        assert "identity.base.engine: " in told
        assert "torch 9.9" in told
    edit(tuned / "generation_config.json", eos_token_id=3)
    assert run(command) == 2
    told = capsys.readouterr().err
    assert "identity.tuned.end_tokens: " in told
    assert "tuned.weights" not in told
    assert sorted((path.name, path.read_bytes()) for path in (tmp_path / "run" / "rows").iterdir()) == before
