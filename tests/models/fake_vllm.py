"""As much of vllm's public surface as tellapart uses, on transformers: for tests where vllm is not installed."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


class Fake:
    """What was asked of it, and how it is to misbehave."""

    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []
        self.asked: list[tuple[list[int], dict[str, Any], Any]] = []
        self.batches: list[int] = []
        self.ignores_adapters = False
        self.gives_logprobs = True
        self.finish: str | None = None
        self.floor: float | None = None
        self.interrupts = False
        self.says = ""
        self.refuses = ""


def logprobs_at(row: torch.Tensor, token: int, count: int, floor: float | None) -> dict[int, Any]:
    values = row.log_softmax(-1)
    wanted = [token, *(one for one in values.topk(count).indices.tolist() if one != token)]
    return {
        one: SimpleNamespace(
            logprob=float(values[one]) if floor is None else floor, rank=1, decoded_token=None
        )
        for one in wanted
    }


def install(monkeypatch: Any) -> Fake:
    """Put a fake vllm among the modules; return what it keeps."""
    fake = Fake()

    class SamplingParams:
        def __init__(self, **fields: Any) -> None:
            self.__dict__ |= {
                "logprobs": None,
                "prompt_logprobs": None,
                "stop": [],
                "stop_token_ids": [],
                "ignore_eos": False,
                "detokenize": True,
            } | fields
            self.fields = fields

    class LLM:
        def __init__(self, **arguments: Any) -> None:
            fake.started.append(arguments)
            if fake.refuses:
                raise ValueError(fake.refuses)
            print(fake.says, end="")
            self.module = AutoModelForCausalLM.from_pretrained(arguments["model"]).eval()
            self.tokenizer = AutoTokenizer.from_pretrained(arguments["model"])
            self.left: list[Any] = []  # what an interrupted call left comes out of the next one
            self.lora = bool(arguments.get("enable_lora"))
            limit = self.module.config.max_position_embeddings
            self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=limit))

        def generate(
            self, prompts: list[Any], params: list[Any], *, use_tqdm: bool, lora_request: Any
        ) -> list[Any]:
            print(fake.says, end="")
            assert not use_tqdm
            fake.batches.append(len(prompts))
            limit = self.llm_engine.model_config.max_model_len
            for prompt, setting in zip(prompts, params, strict=True):
                if len(prompt["prompt_token_ids"]) + 1 > limit:
                    raise ValueError("the prompt is longer than the maximum model length")
                self.left.append((list(prompt["prompt_token_ids"]), setting))
            if fake.interrupts:
                fake.interrupts = False
                raise KeyboardInterrupt
            module = self.module
            if lora_request is not None:
                assert self.lora
                if not fake.ignores_adapters:
                    from peft import PeftModel

                    fresh = AutoModelForCausalLM.from_pretrained(fake.started[-1]["model"])
                    module = PeftModel.from_pretrained(fresh, lora_request.path).merge_and_unload().eval()
            asked, self.left = self.left, []
            return [self.one(module, ids, setting, lora_request) for ids, setting in asked]

        @torch.inference_mode()
        def one(self, module: Any, ids: list[int], setting: Any, lora: Any) -> Any:
            fake.asked.append((ids, setting.fields, lora))
            tokens: list[int] = []
            given: list[Any] = []
            finish = "length"
            noise = torch.Generator().manual_seed(setting.fields.get("seed", 0))
            logits = module(torch.tensor([ids])).logits[0]
            before = None
            if setting.prompt_logprobs is not None and fake.gives_logprobs:
                before = [None] + [
                    logprobs_at(logits[at], token, 0, fake.floor) for at, token in enumerate(ids[1:])
                ]
            while len(tokens) < setting.max_tokens:
                row = module(torch.tensor([ids + tokens])).logits[0, -1]
                if setting.temperature == 0:
                    token = int(row.argmax())
                else:
                    token = int(
                        torch.multinomial((row / setting.temperature).softmax(-1), 1, generator=noise)
                    )
                tokens.append(token)
                if setting.logprobs is not None and fake.gives_logprobs:
                    given.append(logprobs_at(row, token, setting.logprobs, fake.floor))
                said = self.tokenizer.decode(tokens, skip_special_tokens=True)
                ends = {
                    *setting.stop_token_ids,
                    *([] if setting.ignore_eos else [self.tokenizer.eos_token_id]),
                }
                if token in ends or (setting.detokenize and any(stop in said for stop in setting.stop)):
                    finish = "stop"
                    break
            written = SimpleNamespace(
                token_ids=tokens, logprobs=given or None, finish_reason=fake.finish or finish, text=""
            )
            return SimpleNamespace(outputs=[written], prompt_logprobs=before)

    class LoRARequest:
        def __init__(self, name: str, number: int, path: str) -> None:
            self.name, self.number, self.path = name, number, path

    parts = {
        "vllm": {"LLM": LLM, "SamplingParams": SamplingParams, "__version__": "0.0.fake"},
        "vllm.lora": {},
        "vllm.lora.request": {"LoRARequest": LoRARequest},
        "vllm.platforms": {"current_platform": SimpleNamespace(device_type="cpu")},
    }
    for name, content in parts.items():
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    return fake
