"""Certificates: a yes was run, a no rests on a bound that is true of real networks, and the rest is not known."""

from collections import Counter
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tellapart.errors import UserMistake
from tellapart.rasp.certificate import certify
from tellapart.rasp.language import BOS, SEP
from tellapart.rasp.network import compile_program
from tellapart.rasp.programs import PROGRAMS
from tellapart.rasp.shape import shape_of

SMOLLM2 = {
    "model_type": "llama", "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
    "num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5,
    "rope_theta": 100_000, "tie_word_embeddings": True, "vocab_size": 49_152,
}  # fmt: skip


def least(name: str, **change: Any) -> dict[str, Any]:
    return compile_program(PROGRAMS[name], 8).config | change


@pytest.mark.parametrize("name", ["addition", "most_frequent", "lookup"])
def test_a_real_shape_holds_programs(name: str) -> None:
    found = certify(PROGRAMS[name], 8, SMOLLM2, inputs=6)
    assert found.answer == "yes"
    assert found.exactness is not None
    assert found.exactness.right == found.exactness.run == 6


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_least_shape_holds_it_and_a_context_less_does_not(name: str) -> None:
    config = least(name)
    assert certify(PROGRAMS[name], 8, config, inputs=50).answer == "yes"
    shorter = certify(
        PROGRAMS[name], 8, config | {"max_position_embeddings": config["max_position_embeddings"] - 1}
    )
    assert shorter.answer == "no"
    assert "context" in shorter.by or "reads" in shorter.by


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_token_that_stands_in_a_text_can_be_spared(name: str) -> None:
    program = PROGRAMS[name]
    texts = (
        (BOS, *tokens, SEP, *program.target(tokens))
        for n in program.lengths(5)
        for tokens in program.every(n)
    )
    symbols = len({token for text in texts for token in text})
    config = compile_program(program, 5).config
    fewer = certify(program, 5, config | {"vocab_size": symbols - 1})
    assert (fewer.answer, fewer.compiled) == ("no", None)
    assert certify(program, 5, config | {"vocab_size": symbols}, inputs=50).answer != "no"


def test_without_layers_every_input_has_the_same_first_answer() -> None:
    config = least("sort", num_hidden_layers=0)
    found = certify(PROGRAMS["sort"], 8, config)
    assert (found.answer, "first answer is the same" in found.by) == ("no", True)
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**config)).eval()
    ids = torch.tensor([[0, 3, 4, 2], [0, 6, 6, 2]])
    said = model(ids).logits[:, -1]
    assert torch.equal(said[0], said[1])


def test_in_one_coordinate_three_tokens_at_most_are_ever_likeliest() -> None:
    one = {"hidden_size": 1, "num_attention_heads": 1, "num_key_value_heads": 1}
    config = least("copy", **one, head_dim=4, intermediate_size=8)
    assert certify(PROGRAMS["copy"], 8, config).answer == "no"
    assert certify(PROGRAMS["parity"], 8, least("parity", **one)).answer == "not known"  # it has two answers
    likeliest: list[int] = []
    for seed in range(20):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(LlamaConfig(**{**config, "initializer_range": 1.0})).eval()
        with torch.no_grad():
            said = model(torch.randint(7, (40, 6))).logits.argmax(-1)
        likeliest.append(len(said.unique()))
    assert max(likeliest) == 2  # and the first token where the coordinate is 0 exactly:
    with torch.no_grad():
        model.model.embed_tokens.weight[3] = 0.0
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        said = model(torch.arange(7)[:, None]).logits
    assert said[3].eq(0.0).all()
    assert len(said.argmax(-1).unique()) <= 3


def test_what_does_not_fit_is_not_known_and_says_what_is_lacking() -> None:
    for change, lacking in (
        ({"num_hidden_layers": 1}, "layers 2"),
        ({"hidden_size": 6}, "least width is 8"),
        ({"intermediate_size": 10}, "neurons"),
        ({"rms_norm_eps": 1.0}, "rms_norm_eps"),
        ({"head_dim": 2}, "find no place"),
    ):
        found = certify(PROGRAMS["copy"], 8, least("copy", **change))
        assert found.answer == "not known"
        assert lacking in found.by


def test_forty_shapes_are_mostly_decided() -> None:
    import runpy
    from pathlib import Path

    forty = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "expressible.py"))["forty_shapes"]
    configs = forty(PROGRAMS["parity"], 8)
    assert len(configs) == 40
    found = Counter(certify(PROGRAMS["parity"], 8, config, inputs=30).answer for config in configs)
    assert found["not known"] < 20
    assert min(found["yes"], found["no"]) > 4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "gpt2"}, "model_type 'gpt2'"),
        ({"attention_bias": True}, "without biases"),
        ({"hidden_act": "gelu"}, "with SiLU"),
        ({"hidden_size": 9}, "multiple of the number of attention heads"),
    ],
)
def test_other_configs_are_refused_in_one_line(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UserMistake, match=said) as mistake:
        shape_of(least("copy") | change)
    assert "\n" not in str(mistake.value)
