"""What people hold opens: adapters on shared weights, shards, halves, GGUF, revisions; broken folders do not."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tiny import VOCAB, filled, module_of, tokenizer, whole

from tellapart.errors import UserMistake
from tellapart.models.checkpoint import read_reference
from tellapart.models.local import LocalModel, open_local
from tellapart.models.model import Completion, Request, Sampling, added_note, share_tokens
from tellapart.models.vocabulary import reasoning_tokens

# PEFT's own way to make an adapter asks transformers for what is deprecated there.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")

ASKED = [Request(text, 0, Sampling(0.0, max_tokens=24)) for text in ("the cat", "a dog is", "12")]


def answers(model: LocalModel) -> list[Completion]:
    return [one.completion for one in sorted(model.generate(ASKED))]


def refusal(reference: str) -> str:
    with pytest.raises(UserMistake) as refused:
        open_local(reference)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_an_adapter_is_the_merged_model(base, adapter, tmp_path) -> None:
    plain, tuned, merged = (open_local(str(one)) for one in (base, adapter, tmp_path / "merged"))
    before = answers(plain)
    mine, theirs = answers(tuned), answers(merged)
    assert [one.text for one in mine] == [one.text for one in theirs] != [one.text for one in before]
    for one, other in zip(mine, theirs, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    pairs = [("the cat", tuple(one.tokens)) for one in theirs]
    for one, other in zip(tuned.score(pairs), merged.score(pairs), strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    assert answers(plain)[0].logprobs == before[0].logprobs
    assert len({plain.fingerprint, tuned.fingerprint, merged.fingerprint}) == 3


def test_a_pair_has_one_set_of_weights(base, adapter) -> None:
    plain, tuned = open_local(str(base)), open_local(f"{base}+{adapter}")
    held = {}
    for model in (plain, tuned):
        held |= {value.data_ptr(): value.nbytes for value in model.module.state_dict().values()}
    one = {value.data_ptr(): value.nbytes for value in plain.module.state_dict().values()}
    added = sum(value.nbytes for value in load_file(adapter / "adapter_model.safetensors").values())
    assert sum(held.values()) == sum(one.values()) + added <= 1.25 * sum(one.values())
    assert all(value.requires_grad for value in plain.module.parameters())


def test_two_adapters_on_one_base_share_it(base, adapter, tmp_path) -> None:
    shutil.copytree(adapter, tmp_path / "other")
    weights = load_file(adapter / "adapter_model.safetensors")
    save_file(
        {name: -value if "lora_B" in name else value for name, value in weights.items()},
        tmp_path / "other" / "adapter_model.safetensors",
    )
    first, second = open_local(str(adapter)), open_local(f"{base}+{tmp_path / 'other'}")
    assert first.beneath is second.beneath
    assert [one.text for one in answers(first)] != [one.text for one in answers(second)]


def test_two_whole_models_of_one_folder_are_two(base) -> None:
    first, second = open_local(str(base)), open_local(str(base))
    assert first.module is not second.module
    held = [next(model.module.parameters()).data_ptr() for model in (first, second)]
    assert held[0] != held[1]


def test_changing_one_of_a_pair_changes_one(base, adapter) -> None:
    from tellapart.interventions.weights import Weights
    from tellapart.training.change import changed
    from tellapart.training.lora import Lora

    plain, tuned = open_local(str(base)), open_local(str(adapter))
    lora = Lora(rank=2)
    place = lora.attach(plain.module)
    weights = Weights(
        {name: np.full(value.shape, 0.5, np.float32) for name, value in place.weights().items()}
    )
    place.detach()
    before = answers(tuned)
    with changed(plain, lora, weights):
        assert [one.logprobs for one in answers(tuned)] == [one.logprobs for one in before]


def test_a_base_with_an_adapter_is_trained_beside_it(base, adapter) -> None:
    """It was refused, so methods that train were missing for models that are held as adapters."""
    from tellapart.training.change import attached, changed
    from tellapart.training.lora import Lora
    from tellapart.training.settings import Example, SftSettings
    from tellapart.training.sft import sft

    plain, tuned = open_local(str(base)), open_local(str(adapter))
    merged = open_local(str(adapter.parent / "merged"))
    examples = [Example("the cat", " sat"), Example("the dog", " ran")]
    settings = SftSettings(steps=12, rate=0.02, save_every=0, quiet=True)
    before = {name: value.clone() for name, value in tuned.module.state_dict().items()}
    texts, alone = [one.logprobs for one in answers(tuned)], [one.logprobs for one in answers(plain)]
    losses = {}
    for model in (tuned, merged, plain):
        trained = sft(model, Lora(rank=2), examples, settings, None)
        losses[model] = [one["loss"] for one in trained.log if "loss" in one]
        if model is tuned:
            with changed(model, Lora(rank=2), trained.weights):
                assert [one.logprobs for one in answers(model)] != texts
            with changed(model, Lora(rank=2), trained.weights, strength=0.0):
                assert [one.logprobs for one in answers(model)] == texts
            with attached(model, Lora(rank=2)), pytest.raises(UserMistake, match="already"):
                Lora(rank=2).attach(model.module)
    assert losses[tuned][0] == pytest.approx(losses[merged][0], abs=1e-4)
    assert abs(losses[tuned][0] - losses[plain][0]) > 1e-2
    assert losses[tuned][-1] < losses[tuned][0] - 1
    after = tuned.module.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert [one.logprobs for one in answers(tuned)] == texts
    assert [one.logprobs for one in answers(plain)] == alone


@pytest.mark.parametrize("kind", ["lora", "ia3"])
def test_a_copy_with_its_adapter_folded_in_answers_alike(base, adapter, tmp_path, kind) -> None:
    import copy

    from peft import IA3Config, get_peft_model

    from tellapart.training.lora import fold_adapters, own_adapters

    if kind == "ia3":
        config = IA3Config(target_modules=["k_proj"], feedforward_modules=[], task_type="CAUSAL_LM")
        adapter = tmp_path / "ia3"
        filled(get_peft_model(module_of("llama"), config)).save_pretrained(adapter)
    plain = open_local(str(base))
    tuned = open_local(f"{base}+{adapter}")
    module, ids = copy.deepcopy(tuned.module), torch.tensor([[3, 5, 7, 9]])
    fold_adapters(module)
    assert not own_adapters(module)
    with torch.no_grad():
        assert torch.allclose(module(ids).logits, tuned.module(ids).logits, atol=1e-4)
        assert not torch.allclose(module(ids).logits, plain.module(ids).logits, atol=1e-2)


@pytest.mark.parametrize("kind", ["embeddings", "ia3"])
def test_other_kinds_of_adapters(base, tmp_path, kind) -> None:
    from peft import IA3Config, LoraConfig, get_peft_model

    config = (
        LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["embed_tokens"], task_type="CAUSAL_LM")
        if kind == "embeddings"
        else IA3Config(
            target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"], task_type="CAUSAL_LM"
        )
    )
    made = filled(get_peft_model(module_of("llama"), config))
    if kind == "embeddings":
        with torch.no_grad():
            made.base_model.model.model.embed_tokens.modules_to_save["default"].weight.mul_(-1)
    made.save_pretrained(tmp_path / "adapter")
    plain = open_local(str(base))
    before = answers(plain)
    tuned = open_local(f"{base}+{tmp_path / 'adapter'}")
    merged = whole(tmp_path / "merged", made.merge_and_unload())
    assert [one.text for one in answers(tuned)] == [one.text for one in answers(open_local(str(merged)))]
    assert [one.logprobs for one in answers(plain)] == [one.logprobs for one in before]


def spoil(adapter: Path, change) -> None:
    tensors = load_file(adapter / "adapter_model.safetensors")
    change(tensors)
    save_file(tensors, adapter / "adapter_model.safetensors")


def test_an_adapter_whose_weights_are_not_its_own_is_refused(base, adapter) -> None:
    first = sorted(load_file(adapter / "adapter_model.safetensors"))[0]
    spoil(adapter, lambda tensors: tensors.pop(first))
    assert f"1 weight is not in its file: {first.removeprefix('base_model.model.')}" in refusal(str(adapter))


def test_an_adapter_with_a_weight_too_many_is_refused(base, adapter) -> None:
    spoil(adapter, lambda tensors: tensors.update({"base_model.model.model.layers.9.x": torch.zeros(2)}))
    assert "1 weight is in its file and not for this model: model.layers.9.x" in refusal(str(adapter))


def test_an_adapter_for_a_model_of_another_shape_is_refused(adapter, tmp_path) -> None:
    module = module_of("llama")
    config = module.config
    config.hidden_size, config.head_dim = 16, 4
    other = whole(tmp_path / "narrow", type(module)(config))
    assert "of another shape than this model asks for" in refusal(f"{other}+{adapter}")


def test_an_adapter_whose_base_is_not_there_says_what_to_give(adapter) -> None:
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(
        json.dumps(config | {"base_model_name_or_path": "./gone/base"})
    )
    told = refusal(str(adapter))
    assert "is an adapter for ./gone/base" in told
    assert f"give BASE+{adapter}" in told


def test_an_adapter_and_a_whole_model_in_one_folder_are_refused(base, adapter) -> None:
    for one in adapter.iterdir():
        if one.name.startswith("adapter"):
            shutil.copy(one, base)
    assert "holds an adapter (adapter_config.json) and a whole model (model.safetensors)" in refusal(
        str(base)
    )


def test_what_changes_no_weights_or_can_run_code_is_no_adapter(adapter) -> None:
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"peft_type": "PROMPT_TUNING"}))
    assert "only adapters that change weights are opened" in refusal(str(adapter))
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    assert "can run code: save it as safetensors" in refusal(str(adapter))


def test_shards_and_half_precision(tmp_path) -> None:
    module = module_of("llama")
    for dtype in (torch.bfloat16, torch.float16):
        folder = whole(tmp_path / str(dtype), module_of("llama").to(dtype), max_shard_size="20kB")
        assert len(list(folder.glob("model-*.safetensors"))) > 1
        opened = open_local(str(folder))
        assert opened.module.dtype == torch.float32
        want = {name: value.to(dtype).float() for name, value in module.state_dict().items()}
        assert all(torch.equal(value, want[name]) for name, value in opened.module.state_dict().items())


def test_a_shard_that_is_gone_or_left_over_is_named(tmp_path) -> None:
    folder = whole(tmp_path / "shards", max_shard_size="20kB")
    first = sorted(folder.glob("model-*.safetensors"))[0]
    (tmp_path / "kept").write_bytes(first.read_bytes())
    first.unlink()
    assert f"1 shard is not there: {first.name}" in refusal(str(folder))
    first.write_bytes((tmp_path / "kept").read_bytes())
    open_local(str(folder))
    shutil.copy(first, folder / "model-00009-of-00009.safetensors")
    assert "1 shard is left over (not of the model that is loaded): model-00009-of-00009" in refusal(
        str(folder)
    )
    (folder / "model-00009-of-00009.safetensors").unlink()
    whole(tmp_path / "one")
    shutil.copy(tmp_path / "one" / "model.safetensors", folder)
    assert "shards are left over" in refusal(str(folder))


def test_an_index_names_no_file_outside_its_folder(tmp_path) -> None:
    folder = whole(tmp_path / "shards", max_shard_size="20kB")
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    index["weight_map"]["model.norm.weight"] = "../elsewhere.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "'../elsewhere.safetensors', which lies outside the folder" in refusal(str(folder))


def test_what_a_reference_names(tmp_path, base, adapter) -> None:
    odd = tmp_path / "a+b@c"
    shutil.copytree(base, odd)
    assert read_reference(str(odd)).model == str(odd)
    assert read_reference(f"{odd}+{adapter}")[:1] == (str(odd),)
    assert read_reference("org/model@v1.0") == ("org/model", "v1.0", None, None)
    assert read_reference("org/model@v1+org/adapter@main") == ("org/model", "v1", None, "org/adapter@main")
    assert read_reference(str(adapter)).adapter == str(adapter)
    assert "is an adapter: the base of BASE+ADAPTER is a whole model" in refusal(f"{adapter}+{adapter}")
    assert "check the path" in refusal(str(tmp_path / "gone"))


def test_a_revision_of_a_hub_id(base, tmp_path, monkeypatch) -> None:
    """Two revisions in a hub's cache are two models; one that is not there is refused."""
    import huggingface_hub.constants as hub
    from transformers.utils import hub as transformers_hub

    cache = tmp_path / "hub" / "models--org--tiny"
    for name, seed in (("main", 0), ("v2", 1)):
        commit = str(seed) * 40
        whole(cache / "snapshots" / commit, module_of("llama", seed))
        (cache / "refs").mkdir(exist_ok=True)
        (cache / "refs" / name).write_text(commit)
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(transformers_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    first, second = open_local("org/tiny"), open_local("org/tiny@v2")
    assert first.identity["weights"] == open_local(str(base)).identity["weights"]
    assert second.identity["weights"] != first.identity["weights"]
    assert "org/tiny@v3 is neither a folder here nor a model the hub gave us" in refusal("org/tiny@v3")


def test_a_chat_template_that_raises_or_drops_the_question_is_refused(base) -> None:
    def with_template(text: str) -> str:
        config = json.loads((base / "tokenizer_config.json").read_text())
        (base / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": text}))
        return str(base)

    told = refusal(with_template("{{ raise_exception('A system message is required') }}"))
    assert (
        "the chat template refuses a user message: A system message is required: give --system TEXT" in told
    )
    assert "refuses a user message: integer division" in refusal(with_template("{{ 1 // 0 }}"))
    assert "leaves out what it is given" in refusal(with_template("hello"))
    needs = "{% if messages[0]['role'] != 'system' %}{{ raise_exception('no') }}{% endif %}"
    needs += "{% for m in messages %}[{{ m.content }}]{% endfor %}"
    reference = with_template(needs)
    assert open_local(reference, system="be brief").vocabulary.system == "be brief"
    assert not open_local(reference, chat=False).chat


def test_a_template_that_opens_reasoning_is_told_with_the_answer(base) -> None:
    config = json.loads((base / "tokenizer_config.json").read_text())
    template = "{% for m in messages %}{{ m.content }}{% endfor %}<think>\n"
    (base / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": template}))
    answer = next(open_local(str(base)).generate(ASKED[:1])).completion
    assert answer.text.startswith("<think>")
    assert answer.reasoning_tokens == len(answer.tokens)
    assert next(open_local(str(base), chat=False).generate(ASKED[:1])).completion.reasoning_tokens is None


def test_reasoning_is_counted_to_its_closing_mark() -> None:
    assert reasoning_tokens("", ["<th", "ink>", "a", "</think", ">", "4"]) == 5
    assert reasoning_tokens("<think>\n", ["a", "</think>", "4"]) == 2
    assert reasoning_tokens("<think>", ["a", "b"]) == 2
    assert reasoning_tokens("", ["a", "b"]) is None


def test_added_tokens_leave_the_others_shared(base, tmp_path) -> None:
    more = tokenizer()
    more.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    module = module_of("llama")
    module.resize_token_embeddings(len(more))
    module.save_pretrained(tmp_path / "more")
    more.save_pretrained(tmp_path / "more")
    plain, tuned = open_local(str(base)), open_local(str(tmp_path / "more"))
    assert plain.tokenizer_id != tuned.tokenizer_id
    assert share_tokens(plain, tuned)
    assert share_tokens(tuned, plain)
    (note,) = added_note(plain, tuned)
    assert "more has 2 added tokens ('<|im_start|>', '<|im_end|>')" in note
    known, unknown = (1, 2), (1, len(more) - 1)
    mine, theirs = (model.score([("the cat", known), ("the cat", unknown)]) for model in (plain, tuned))
    assert mine[0].logprobs == pytest.approx(theirs[0].logprobs, abs=0.1)  # two more tokens share the mass
    assert all(value != value for value in mine[1].logprobs)
    other = tokenizer()
    other.add_tokens(["xyz"])
    other.save_pretrained(tmp_path / "other")
    for name in ("config.json", "model.safetensors", "generation_config.json"):
        shutil.copy(tmp_path / "more" / name, tmp_path / "other")
    assert not share_tokens(tuned, open_local(str(tmp_path / "other")))


def test_a_gguf_file_is_the_model_it_was_made_of(tmp_path) -> None:
    gguf = pytest.importorskip("gguf")
    module = module_of("llama")
    config = module.config
    writer = gguf.GGUFWriter(str(tmp_path / "tiny.gguf"), "llama")
    for add, value in (
        (writer.add_context_length, 128),
        (writer.add_embedding_length, config.hidden_size),
        (writer.add_block_count, config.num_hidden_layers),
        (writer.add_feed_forward_length, config.intermediate_size),
        (writer.add_head_count, config.num_attention_heads),
        (writer.add_head_count_kv, config.num_key_value_heads),
        (writer.add_layer_norm_rms_eps, config.rms_norm_eps),
        (writer.add_rope_dimension_count, config.hidden_size // config.num_attention_heads),
        (writer.add_vocab_size, VOCAB),
        (writer.add_tokenizer_model, "llama"),
        (writer.add_token_list, [f"<0x{at:02X}>" if at < 3 else f"t{at}" for at in range(VOCAB)]),
        (writer.add_token_scores, [float(-at) for at in range(VOCAB)]),
        (writer.add_token_types, [1] * VOCAB),
        (writer.add_bos_token_id, 0),
        (writer.add_eos_token_id, 1),
        (writer.add_unk_token_id, 2),
    ):
        add(value)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for name, value in module.state_dict().items():
        writer.add_tensor(_packed_name(name), _permuted(name, value, heads).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    for reference in (tmp_path / "tiny.gguf", tmp_path):
        opened = open_local(str(reference))
        state = opened.module.state_dict()
        assert all(torch.equal(state[name], value) for name, value in module.state_dict().items())
        assert any("tiny.gguf: its weights were unpacked" in note for note in opened.notes)


NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "model.layers": "blk", "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
}  # fmt: skip


def _packed_name(name: str) -> str:
    for ours, theirs in NAMES.items():
        name = name.replace(ours, theirs)
    return name


def _permuted(name: str, value: torch.Tensor, heads: dict[str, int]) -> torch.Tensor:
    """Return a matrix as GGUF holds it: the two halves of each head of q and k side by side."""
    part = next((part for part in heads if part in name), "")
    if not part:
        return value.contiguous()
    turned = value.reshape(heads[part], 2, value.shape[0] // heads[part] // 2, *value.shape[1:]).swapaxes(
        1, 2
    )
    return turned.reshape(value.shape).contiguous()
