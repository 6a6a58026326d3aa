"""vLLM in this process: what is asked of it and what is made of its answers, on a fake of its public surface, and on
the real one where it is installed."""

import json
import math
import subprocess
import sys
from importlib.util import find_spec

import pytest

pytest.importorskip("torch")

import fake_vllm
import transformers
from safetensors.torch import load_file, save_file
from tiny import END, SHAPE, adapter_on, module_of, whole

from tellapart.elicit.access import MISSING, offers, tokens_of
from tellapart.errors import NotApplicable, UserMistake
from tellapart.models.budget import BudgetSpent, TokenBudget, metered
from tellapart.models.executor import Extra
from tellapart.models.local import open_local
from tellapart.models.model import Request, Sampling, share_tokens
from tellapart.models.open import open_model

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")

TEXTS = ("the cat", "a dog is", "12")
GREEDY = [Request(text, 0, Sampling(0.0, max_tokens=24)) for text in TEXTS]
MARGINS: frozenset[Extra] = frozenset({"margins"})


@pytest.fixture
def fake(monkeypatch) -> fake_vllm.Fake:
    monkeypatch.delenv("TELLAPART_VLLM", raising=False)
    return fake_vllm.install(monkeypatch)


def answers(model, requests=GREEDY):
    return [one.completion for one in sorted(model.generate(requests))]


def refusal(reference: str, **options) -> str:
    with pytest.raises(UserMistake) as refused:
        open_model(reference, **options)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_it_answers_and_scores_as_a_local_model(fake, base, adapter) -> None:
    plain, tuned = open_model(f"vllm:{base}"), open_model(f"vllm:{base}+{adapter}")
    for mine, theirs in ((plain, open_local(str(base))), (tuned, open_local(f"{base}+{adapter}"))):
        for one, other in zip(answers(mine), answers(theirs), strict=True):
            assert (one.text, one.tokens, one.token_texts) == (other.text, other.tokens, other.token_texts)
            assert (one.finish, one.prompt_tokens) == (other.finish, other.prompt_tokens)
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
            assert one.sampled_logprobs == (0.0,) * len(one.tokens)
        pairs = [("the cat", " sat."), ("a dog", ""), ((1, 2), (3, 4)), ("", "a"), ("a" * 100, "b" * 100)]
        for one, other in zip(mine.score(pairs), theirs.score(pairs), strict=True):
            assert (one.tokens, one.token_texts) == (other.tokens, other.token_texts)
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4, nan_ok=True)
        assert share_tokens(mine, theirs)
    assert answers(plain)[0].text != answers(tuned)[0].text
    assert len({plain.fingerprint, tuned.fingerprint}) == 2
    assert plain.engine == "vllm 0.0.fake on cpu"


def test_a_base_and_its_adapter_share_one_engine(fake, base, adapter) -> None:
    plain, tuned = open_model(f"vllm:{base}"), open_model(f"vllm:{base}+{adapter}")
    answers(plain), answers(tuned)
    (started,) = fake.started
    assert (started["enable_lora"], started["max_lora_rank"]) == (True, 8)
    assert started["enable_chunked_prefill"] is False
    assert (started["logprobs_mode"], started["generation_config"]) == ("raw_logprobs", "vllm")
    named = {lora and lora.path for _, _, lora in fake.asked}
    assert named == {None, str(adapter)}


def test_an_engine_that_has_no_adapters_is_started_anew_for_one(fake, base, adapter) -> None:
    plain = open_model(f"vllm:{base}")
    before = answers(plain)
    open_model(f"vllm:{base}+{adapter}")
    assert ["enable_lora" in one for one in fake.started] == [False, True]
    assert [one.text for one in answers(plain)] == [one.text for one in before]


def test_what_is_asked_of_it(fake, base) -> None:
    model = open_model(f"vllm:{base}", max_rows=7)
    sampling = Sampling(0.7, 0.9, 5, 0.05, 6, ("z",))
    answers(model, [Request("the cat", 2**63 + 5, sampling), Request("the cat", 3, sampling)])
    ids, fields, lora = fake.asked[0]
    assert ids == list(model.vocabulary.encode("the cat"))
    assert lora is None
    assert fields == {
        "temperature": 0.7, "top_p": 0.9, "top_k": 5, "min_p": 0.05, "seed": 5, "max_tokens": 6, "stop": ["z"],
        "stop_token_ids": [END], "ignore_eos": True, "logprobs": 0, "detokenize": True,
    }  # fmt: skip
    assert fake.asked[1][1]["seed"] == 3
    assert fake.started[0]["max_num_seqs"] == 7


def test_log_probabilities_of_a_shaped_distribution_are_not_given(fake, base) -> None:
    model = open_model(f"vllm:{base}")
    plain, warm = answers(
        model, [Request("a", 1, Sampling(max_tokens=5)), Request("a", 1, Sampling(2.0, max_tokens=5))]
    )
    assert plain.sampled_logprobs == plain.logprobs
    assert warm.logprobs is not None
    assert warm.sampled_logprobs is None


def test_stop_strings_end_the_text(fake, base) -> None:
    model = open_model(f"vllm:{base}")
    whole_text = answers(model)[0].text
    stop = whole_text[3]
    asked = [Request("the cat", 0, Sampling(0.0, max_tokens=24, stop=(stop,)), begun) for begun in ("", "a ")]
    for one, other in zip(answers(model, asked), answers(open_local(str(base)), asked), strict=True):
        assert (one.text, one.tokens, one.finish) == (other.text, other.tokens, other.finish)
    cut = answers(model, asked)[0]
    assert (cut.text, cut.finish) == (whole_text.split(stop)[0], "stop")
    fake.finish = "length"  # one that vLLM does not see in its own reading of the tokens
    assert answers(model, asked)[0].finish == "stop"


def test_answers_end_where_the_model_says(fake, base) -> None:
    """Not at what the tokenizer that vLLM reads calls the end, where an adapter brings another."""
    model = open_model(f"vllm:{base}")
    seen = answers(model)[0].tokens
    assert fake.asked[-1][1]["ignore_eos"] is True
    model.ends = frozenset({seen[2]})
    assert answers(model)[0].tokens == seen[: seen.index(seen[2]) + 1]


def test_missing_and_infinite_log_probabilities(fake, base) -> None:
    model = open_model(f"vllm:{base}")
    fake.floor = -9999.0
    assert set(answers(model)[0].logprobs) == {-math.inf}
    assert set(model.score([("the cat", " sat")])[0].logprobs) == {-math.inf}
    fake.floor = math.nan
    assert (answers(model)[0].finish, "not finite" in answers(model)[0].error) == ("failed", True)
    fake.floor, fake.gives_logprobs = None, False
    assert answers(model)[0].logprobs is None
    assert all(map(math.isnan, model.score([("the cat", " sat")])[0].logprobs))


def test_other_ends_of_an_answer_are_failures(fake, base) -> None:
    model = open_model(f"vllm:{base}")
    for reason in ("abort", "error", "repetition"):
        fake.finish = reason
        made = answers(model)[0]
        assert (made.finish, made.text, made.logprobs) == ("failed", "", None)
        assert reason in made.error


def test_an_adapter_without_effect_is_refused(fake, base, adapter, tmp_path) -> None:
    fake.ignores_adapters = True
    assert "changes no log-probability" in refusal(f"vllm:{base}+{adapter}")
    fake.ignores_adapters = False
    weights = load_file(adapter / "adapter_model.safetensors")
    save_file({name: value * 0 for name, value in weights.items()}, adapter / "adapter_model.safetensors")
    assert "changes no log-probability" in refusal(f"vllm:{base}+{adapter}")


def test_what_it_does_not_open(fake, base, adapter, monkeypatch) -> None:
    assert "a vLLM server is openai:NAME@URL" in refusal("vllm:a@http://127.0.0.1:1/v1")
    assert "check the path" in refusal(f"vllm:{base}/nothing")
    assert "this vllm runs on cpu" in refusal(f"vllm:{base}", device="cuda")
    assert "dtype float8" in refusal(f"vllm:{base}", dtype="float8")
    told = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(told | {"peft_type": "IA3"}))
    assert "vLLM takes LoRA" in refusal(f"vllm:{base}+{adapter}")
    monkeypatch.setenv("TELLAPART_VLLM", '["hf_secret"]')
    assert "is no JSON object" in refusal(f"vllm:{base}")
    assert "secret" not in refusal(f"vllm:{base}")
    monkeypatch.setenv("TELLAPART_VLLM", '{"dtype": "float16"}')
    assert "sets dtype" in refusal(f"vllm:{base}")
    monkeypatch.setenv("TELLAPART_VLLM", '{"tensor_parallel_size": 2, "hf_token": "hf_secret"}')
    model = open_model(f"vllm:{base}")
    answers(model)
    assert "secret" not in json.dumps(dict(model.identity))
    assert fake.started[-1]["tensor_parallel_size"] == 2
    monkeypatch.delenv("TELLAPART_VLLM")
    assert open_model(f"vllm:{base}").fingerprint != model.fingerprint


def test_an_engine_that_does_not_start_is_one_line(fake, base) -> None:
    fake.refuses = "no memory\nfor it"
    with pytest.raises(UserMistake, match=r"vllm cannot run .*: no memory for it; further arguments"):
        answers(open_model(f"vllm:{base}"))


def test_identity_is_of_the_files(fake, base, adapter) -> None:
    before = open_model(f"vllm:{base}")
    assert open_model(f"vllm:{base}").fingerprint == before.fingerprint
    assert open_model(f"vllm:{base}", dtype="bfloat16").fingerprint != before.fingerprint
    whole(base, module_of("llama", seed=1))
    after = open_model(f"vllm:{base}")
    assert {key for key in after.identity if after.identity[key] != before.identity[key]} == {"weights"}


def test_changed_files_are_another_engine(fake, base) -> None:
    before = open_model(f"vllm:{base}")
    old = [one.text for one in answers(before)]
    whole(base, module_of("llama", seed=1))
    after = open_model(f"vllm:{base}")
    assert [one.text for one in answers(after)] == [one.text for one in answers(open_local(str(base)))] != old
    assert [one.text for one in answers(before)] == old


def test_files_that_change_before_they_are_read_are_refused(fake, base) -> None:
    model = open_model(f"vllm:{base}")
    whole(base, module_of("llama", seed=1))
    with pytest.raises(UserMistake, match="was changed since it was opened"):
        answers(model)


def test_a_changed_adapter_is_another_one(fake, base, adapter) -> None:
    before = open_model(f"vllm:{base}+{adapter}")
    answers(before)
    weights = load_file(adapter / "adapter_model.safetensors")
    save_file({name: value * 2 for name, value in weights.items()}, adapter / "adapter_model.safetensors")
    after = open_model(f"vllm:{base}+{adapter}")
    answers(after)
    assert before.fingerprint != after.fingerprint
    assert len({lora.number for _, _, lora in fake.asked if lora}) == 2
    with pytest.raises(UserMistake, match="was changed since it was opened"):
        answers(before)


def test_weights_that_are_not_hashed_are_not_read(fake, base) -> None:
    model = open_model(f"vllm:{base}")
    answers(model)
    assert fake.started[0]["load_format"] == "safetensors"
    (base / "model.safetensors").rename(base / "weights.safetensors")
    first = open_model(f"vllm:{base}").fingerprint
    whole(base, module_of("llama", seed=1))
    (base / "model.safetensors").rename(base / "weights.safetensors")
    assert open_model(f"vllm:{base}").fingerprint != first


def test_a_hub_model_without_safetensors_is_refused(fake, base, monkeypatch) -> None:
    (base / "model.safetensors").unlink()
    (base / "pytorch_model.bin").touch()
    monkeypatch.setattr("tellapart.models.vllm_model.hub_folder", lambda *_: base)
    assert "no *.safetensors" in refusal("vllm:someone/model")


def test_what_an_interrupted_call_left_is_no_answer(fake, base) -> None:
    model = open_model(f"vllm:{base}")
    expected = [one.text for one in answers(model)]
    fake.interrupts = True
    with pytest.raises(KeyboardInterrupt):
        answers(model, [Request("zebra", 0, Sampling(0.0, max_tokens=24))])
    assert [one.text for one in answers(model)] == expected


def test_a_prompt_too_long_for_it(fake, base) -> None:
    model = open_model(f"vllm:{base}")
    tokens = tokens_of(model)
    with pytest.raises(NotApplicable, match="128 tokens, the model's context holds 127"):
        tokens.next_tokens([(1,), (1,) * 128], 3)
    made = answers(model, [Request("a" * 128, 0), Request("a" * 127, 0, Sampling(0.0))])
    assert [(one.finish, len(one.tokens)) for one in made] == [("failed", 0), ("length", 1)]


def test_what_it_offers(fake, base) -> None:
    model, local = open_model(f"vllm:{base}"), open_local(str(base))
    assert offers(model) == offers(local) - {"weights"}
    assert MISSING["weights"].format(model=model.reference) == f"the weights of vllm:{base} are not available"
    mine, theirs = tokens_of(model), tokens_of(local)
    prompts = [mine.encode(text) for text in TEXTS]
    for one, other in zip(mine.next_tokens(prompts, 5), theirs.next_tokens(prompts, 5), strict=True):
        assert [branch.token for branch in one] == [branch.token for branch in other]
        assert [branch.logprob for branch in one] == pytest.approx(
            [branch.logprob for branch in other], abs=1e-4
        )
    for one, other in zip(
        sorted(mine.generate(GREEDY, MARGINS)), sorted(theirs.generate(GREEDY, MARGINS)), strict=True
    ):
        assert one.completion.margins == pytest.approx(other.completion.margins, abs=1e-4)
    with pytest.raises(NotApplicable, match="entropy"):
        list(mine.generate(GREEDY, frozenset({"entropies"})))


def test_scoring_on_a_cpu_is_one_by_one_with_adapters(fake, base, adapter) -> None:
    plain = open_model(f"vllm:{base}")
    plain.score([("the cat", " sat"), ("a dog", " ran"), ("a dog", " ran")])
    assert fake.batches == [2]
    tuned = open_model(f"vllm:{base}+{adapter}")
    fake.batches.clear()
    tuned.score([("the cat", " sat"), ("a dog", " ran")])
    assert fake.batches == [1, 1]


def test_the_budget_is_charged(fake, base) -> None:
    model, made = open_model(f"vllm:{base}"), []
    with metered(TokenBudget(limit=5)) as budget, pytest.raises(BudgetSpent):
        made.extend(model.generate(GREEDY))
    assert len(made) == 1
    assert budget.counts["generated"] == sum(len(one.completion.tokens) for one in made)


def test_stdout_stays_the_results(fake, base, capfd) -> None:
    fake.says = "INFO 11-30 vllm speaks\n"
    answers(open_model(f"vllm:{base}"))
    out, error = capfd.readouterr()
    assert out == ""
    assert "vllm speaks" in error


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vllm is installed")
def test_without_vllm_it_is_one_line(base) -> None:
    asked = [
        sys.executable,
        "-m",
        "tellapart",
        "gain",
        f"vllm:{base}",
        f"vllm:{base}",
        "--task",
        "specimen:latent-register-0",
    ]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install 'tellapart[vllm]'" in done.stderr


REAL = """
import sys
from tellapart.models.local import open_local
from tellapart.models.model import Request, Sampling
from tellapart.models.open import open_model

def main(base, adapter):
    requests = [Request(text, 0, Sampling(0.0, max_tokens=24)) for text in ("the cat", "a dog is", "12")]
    for reference in (base, f"{base}+{adapter}"):
        mine, theirs = open_model(f"vllm:{reference}"), open_local(reference)
        made = [sorted(one.generate(requests)) for one in (mine, theirs)]
        for one, other in zip(*made, strict=True):
            assert one.completion.tokens == other.completion.tokens
            gaps = [abs(a - b) for a, b in zip(one.completion.logprobs, other.completion.logprobs)]
            assert max(gaps) < 1e-3, gaps
        pairs = [("the cat", " sat on a mat."), ("12", " 13")]
        for one, other in zip(mine.score(pairs), theirs.score(pairs), strict=True):
            assert max(abs(a - b) for a, b in zip(one.logprobs, other.logprobs)) < 1e-3
        seeds = [Request("the cat", seed, Sampling(max_tokens=12)) for seed in (1, 2, 3, 1)]
        texts = [one.completion.text for one in sorted(mine.generate(seeds))]
        assert texts[0] == texts[3] and len(set(texts)) == 3, texts
    print("same")

if __name__ == "__main__":
    main(*sys.argv[1:])
"""


@pytest.mark.skipif(find_spec("vllm") is None, reason="vllm is not installed")
def test_the_real_vllm_agrees(tmp_path) -> None:
    """On a model with heads of 32: vLLM runs no narrower ones on a CPU."""
    config = transformers.LlamaConfig(**SHAPE | {"hidden_size": 128})
    base = whole(tmp_path / "base", module_of("llama", config=config))
    adapter = adapter_on(base, module_of("llama", config=config), tmp_path / "adapter")
    script = tmp_path / "real.py"
    script.write_text(REAL)
    done = subprocess.run(
        [sys.executable, str(script), str(base), str(adapter)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "same\n", done.stderr[-3000:]
