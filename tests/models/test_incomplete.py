"""A folder whose weights are not those of its model is refused, with their names; what is harmless is not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import model_of, module_of, tokenizer

from tellapart.errors import UserMistake
from tellapart.models.local import open_local
from tellapart.models.model import Request, Sampling

WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(tmp_path) -> Path:
    return saved(tmp_path)


def saved(path: Path, kind: str = "llama", tied: bool = False) -> Path:
    module = module_of(kind)
    if tied:
        module.config.tie_word_embeddings = True
        module.tie_weights()
    module.save_pretrained(path)
    tokenizer().save_pretrained(path)
    return path


def rewrite(folder: Path, change) -> None:
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def configure(folder: Path, **changes) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def refusal(folder: Path) -> str:
    with pytest.raises(UserMistake) as refused:
        open_local(str(folder))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_layer_that_is_not_in_the_file(folder):
    configure(folder, num_hidden_layers=4, layer_types=None)
    told = refusal(folder)
    assert "9 weights are not in the file: model.layers.3." in told
    assert "and 6 more" in told
    assert len(told) < 400


def test_more_layers_than_any_model_has(folder):
    configure(folder, num_hidden_layers=10**7, layer_types=None)
    assert "10000000 layers, at most 1,000" in refusal(folder)


@pytest.mark.parametrize("added", [False, True])
def test_a_token_id_that_would_abort_the_process(folder, added):
    path = folder / "tokenizer.json"
    table = json.loads(path.read_text())
    if added:
        table["added_tokens"].append({"id": 2**31 - 1, "content": "zzz", "special": False})
    else:
        table["model"]["vocab"]["zzz"] = 2**31 - 1
    path.write_text(json.dumps(table))
    assert "token id 2147483647, at most 16,777,216" in refusal(folder)


def test_one_weight_that_is_not_in_the_file(folder):
    rewrite(folder, lambda tensors: tensors.pop("model.norm.weight"))
    assert "1 weight is not in the file: model.norm.weight:" in refusal(folder)


def test_weights_that_are_not_in_the_model(folder):
    configure(folder, num_hidden_layers=2, layer_types=None)
    assert "9 weights are in the file and not in the model: model.layers.2." in refusal(folder)


def test_a_weight_of_another_shape(folder):
    configure(folder, intermediate_size=40)
    told = refusal(folder)
    assert "9 weights are of another shape than config.json says: " in told
    assert "32x48 for 32x40" in told


def test_an_untied_head_that_is_not_in_the_file(folder):
    rewrite(folder, lambda tensors: tensors.pop("lm_head.weight"))
    assert "1 weight is not in the file: lm_head.weight" in refusal(folder)


def test_harmless_differences_are_none(tmp_path):
    tied = saved(tmp_path / "tied", tied=True)
    assert "lm_head.weight" not in load_file(tied / WEIGHTS)
    assert open_local(str(tied)).module.get_output_embeddings().weight.shape == (44, 32)
    old = saved(tmp_path / "old")
    name = "model.layers.{}.self_attn.rotary_emb.inv_freq"
    rewrite(old, lambda tensors: tensors.update({name.format(at): torch.ones(4) for at in range(3)}))
    asked = [Request("the cat", sampling=Sampling(0, max_tokens=8))]
    plain = next(model_of("llama").generate(asked)).completion
    assert next(open_local(str(old)).generate(asked)).completion.tokens == plain.tokens
    gpt2 = saved(tmp_path / "gpt2", "gpt2")
    mask = torch.ones(1, 1, 128, 128)
    rewrite(gpt2, lambda tensors: tensors.update({"transformer.h.0.attn.bias": mask}))
    open_local(str(gpt2))


def test_the_command_ends_with_2_and_one_line(folder, tmp_path):
    configure(folder, num_hidden_layers=4, layer_types=None)
    items = tmp_path / "items.jsonl"
    items.write_text(
        "".join(json.dumps({"id": str(n), "prompt": f"a{n}", "target": "b"}) + "\n" for n in range(8))
    )
    code = "import sys; from tellapart.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "gain", str(folder), str(folder), "--task", str(items)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert "9 weights are not in the file" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
