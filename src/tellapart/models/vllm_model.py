"""A model that vLLM runs in this process: `vllm:FOLDER`, `vllm:ID@REVISION`, `vllm:BASE+ADAPTER` (LoRA).

    model = open_vllm("path/to/model", dtype="bfloat16")
    for index, completion in model.generate([Request("Once upon a time", seed=1)]): ...

Prompts go in as token ids, made by the same tokenizer, template and seams as those of a local model; what comes out is
read by the same code. The weights are vLLM's: methods that need them are left out, as for a served model. A request's
answer depends on its seed, and on its batch by rounding only; it is another answer than our own engine's to that seed.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoConfig, AutoTokenizer, GenerationConfig, PreTrainedTokenizerBase

from tellapart.errors import NotApplicable, UserMistake, one_line
from tellapart.models.adapters import ADAPTER_WEIGHTS, Adapter, hub_folder, read_adapter
from tellapart.models.budget import current, paid_for
from tellapart.models.checkpoint import (
    DTYPES,
    Named,
    check_declared,
    in_one_line,
    longest_of,
    read_reference,
    tokenizer_with,
)
from tellapart.models.endpoint_answer import as_logprob
from tellapart.models.executor import Extra
from tellapart.models.identity import (
    fingerprint_of,
    hash_of,
    identity_beside,
    ids_of,
    tokenizer_identity,
)
from tellapart.models.model import Answer, Finish, Model, Prompt, Request, Scored
from tellapart.models.requests import InputLimits, completion_of, jobs_of, refusal
from tellapart.models.rows import Finished, Job
from tellapart.models.vllm_engine import (
    MOST_LOGPROBS,
    Engine,
    LoraFolder,
    device_type,
    engine_for,
    import_vllm,
    vllm_version,
)
from tellapart.models.vocabulary import Ids, Text, Vocabulary, chat_notes, cut_at

AT_ONCE = 256
"""Answers that are asked for in one call: they are handed on, and kept by the run, when the last of them is done."""
PROBE = "The quick brown fox jumps over the lazy dog. What is 12 + 3? The answer is"
ENDS: dict[str | None, Finish] = {"stop": "stop", "length": "length"}
"""vLLM's finish reasons that are ends of an answer; others (abort, error, repetition) make a failed one."""
WHOLE = ["*.safetensors", "*.json", "*.jinja", "tokenizer*", "vocab*", "merges.txt"]
"""What is taken of a whole model on the hub."""
HARMLESS = ("base_model_name_or_path", "inference_mode", "revision", "auto_mapping", "peft_version")
"""Entries of an adapter's config that change no answer."""


class VllmModel(Model):
    """A causal language model in vLLM, an adapter on it where one is given; `chat` as for a local model."""

    can_score = True

    def __init__(
        self, reference: str, engine: Engine, adapter: LoraFolder | None, vocabulary: Vocabulary, config: Any
    ) -> None:
        self.reference = reference
        self.tokenizer = vocabulary.tokenizer
        self.vocabulary = vocabulary
        self.chat = vocabulary.chat
        self.engine_of, self.adapter = engine, adapter
        self.config = config
        self.tokenizer_core, self.added_tokens = tokenizer_identity(vocabulary.tokenizer)
        self.tokenizer_id = f"{self.tokenizer_core} {sorted(self.added_tokens)}"
        self.notes = chat_notes(reference, vocabulary)
        self.engine = f"vllm {vllm_version()} on {device_type()}"

    @cached_property
    def ends(self) -> frozenset[int]:
        """The ids that end an answer."""
        return ends_of(self.engine_of.folder, self.config, self.tokenizer)

    @property
    def asked(self) -> InputLimits:
        """What requests are read with. vLLM counts prompt and answer, our engine all but the last token."""
        context = min(longest_of(self.config), self.engine_of.context) - 1
        return InputLimits(self.vocabulary, self.ends, context, self.config.get_text_config().vocab_size)

    def generate(
        self, requests: Sequence[Request], record: frozenset[Extra] = frozenset()
    ) -> Iterator[Answer]:
        """Yield the answers, some hundreds at a time; `record` adds margins. Raises NotApplicable for entropies, which
        take the whole distribution, and BudgetSpent after the last answer that the budget pays for."""
        if "entropies" in record:
            raise NotApplicable(
                f"{self.reference}: vLLM gives the likeliest tokens, not a distribution's entropy"
            )
        jobs, refused = jobs_of(self.asked, requests)
        yield from refused
        margins = "margins" in record

        def answer(part: Sequence[int]) -> Iterator[Answer]:
            for begin in range(0, len(part), AT_ONCE):
                some_jobs = [jobs[at] for at in part[begin : begin + AT_ONCE]]
                settings = [settings_of(job, self.ends, margins) for job in some_jobs]
                outputs = self.engine_of.ask([job.prompt for job in some_jobs], settings, self.adapter)
                for job, output in zip(some_jobs, outputs, strict=True):
                    finished = finished_of(job, output, self.vocabulary, margins)
                    yield Answer(job.index, completion_of(self.vocabulary, requests[job.index], finished))

        yield from paid_for([job.budget for job in jobs], answer)

    def score(self, pairs: Iterable[tuple[Prompt, Text]]) -> list[Scored]:
        """Return the log-probabilities (nats) of each completion after its prompt, in order, as a local model does:
        token ids as they are, text tokenised with its prompt, NaN for what the context does not hold."""
        encoded = self.vocabulary.encode_pairs(list(pairs))
        budget, cost = current(), sum(len(tokens) for _, tokens in encoded)
        budget.require(cost)
        budget.charge("scored", cost)
        facts = self.asked
        wholes = [(*prompt, *tokens) for prompt, tokens in encoded if prompt and tokens]
        held = [
            whole for whole in dict.fromkeys(wholes)
            if len(whole) <= facts.context and min(whole) >= 0 and max(whole) < facts.size
        ]  # fmt: skip
        logprobs_by = dict(zip(held, self._prompt_logprobs(held), strict=True))
        scored = []
        for prompt, tokens in encoded:
            values = logprobs_by.get((*prompt, *tokens)) if prompt else None
            logprobs = values[len(prompt) :] if values else [math.nan] * len(tokens)
            scored.append(Scored(tokens, self.vocabulary.token_texts(tokens), tuple(logprobs)))
        return scored

    def _prompt_logprobs(self, wholes: Sequence[Ids]) -> list[list[float]]:
        outputs = self._read(wholes, {"prompt_logprobs": 0}, 1 if self.engine_of.one_at_a_time else AT_ONCE)
        return [prompt_logprobs(whole, output) for whole, output in zip(wholes, outputs, strict=True)]

    def likeliest(self, prompts: Sequence[Ids], count: int) -> list[list[tuple[int, float]]]:
        """Return the likeliest next tokens of each prompt with their log-probabilities (nats), likeliest first;
        MOST_LOGPROBS at most. Raises NotApplicable for a prompt that the model does not hold."""
        if reason := next(filter(None, (refusal(self.asked, prompt) for prompt in prompts)), ""):
            raise NotApplicable(f"{self.reference}: {reason}")
        outputs = self._read(prompts, {"logprobs": min(count, MOST_LOGPROBS)}, AT_ONCE)
        return [ranked(output.outputs[0].logprobs[0]) for output in outputs]

    def _read(self, prompts: Sequence[Ids], wanted: Mapping[str, int], size: int) -> Iterator[Any]:
        setting = {"max_tokens": 1, "temperature": 0.0, "detokenize": False, **wanted}
        for begin in range(0, len(prompts), size):
            part = prompts[begin : begin + size]
            yield from self.engine_of.ask(part, [setting] * len(part), self.adapter)


def open_vllm(
    reference: str,
    device: str = "cpu",
    dtype: str = "auto",
    chat: bool | None = None,
    max_rows: int | None = None,
    system: str = "",
) -> VllmModel:
    """Open the model that `vllm:...` names, without its prefix. The engine starts with the first question, or
    here where an adapter is to show that it takes effect.

    Raises UserMistake, in one line, where vllm is not installed, there is no such model, or vLLM cannot run it.
    """
    if "@http://" in reference or "@https://" in reference:
        raise UserMistake(f"vllm:{reference}: a vLLM server is openai:NAME@URL or openai-chat:NAME@URL")
    import_vllm()
    check_device(device)
    if dtype not in DTYPES:
        raise UserMistake(f"dtype {dtype} asked: choose {', '.join(DTYPES)}")
    named = read_reference(reference)
    if named.gguf:
        raise UserMistake(f"vllm:{reference}: a GGUF file is opened without vllm:, or served")
    folder = Path(named.model)
    if not folder.is_dir():
        folder = hub_folder(named.model, named.revision, WHOLE, "a model")
    check_declared(folder)
    with in_one_line(f"{reference} cannot be read"):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    kind = str(config.dtype or "float32").removeprefix("torch.") if dtype == "auto" else dtype
    engine = engine_for(str(folder), kind, max_rows)
    adapter = read_adapter(named.adapter) if named.adapter else None
    with in_one_line(f"the tokenizer in {folder} cannot be loaded"):
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    if adapter:
        tokenizer = tokenizer_with(adapter, tokenizer, config, named.model)
    through = bool(tokenizer.chat_template) if chat is None else chat
    vocabulary = Vocabulary(tokenizer, through, system if through else "")
    lora = engine.adapter(adapter.folder, rank_of(adapter)) if adapter else None
    model = VllmModel(f"vllm:{reference}", engine, lora, vocabulary, config)
    model.vocabulary.check_template()
    model.identity = identity_of_files(model, folder, adapter, kind)
    model.fingerprint = fingerprint_of(model.identity)
    if adapter:
        prove_effect(model, named)
    return model


def check_device(device: str) -> None:
    """Raise UserMistake where another device is asked for than this vLLM was built for."""
    built = device_type()
    if device != built and not (device.partition(":")[0] == built and device.endswith(":0")):
        raise UserMistake(
            f"--device {device}: this vllm runs on {built}: give --device {built} (and which GPU by "
            "CUDA_VISIBLE_DEVICES)"
        )


def rank_of(adapter: Adapter) -> int:
    """Return the largest rank in an adapter. Raises UserMistake where it is no LoRA; what else vLLM lacks it says
    itself."""
    kind = str(adapter.config.get("peft_type"))
    ranks = [adapter.config.get("r"), *dict(adapter.config.get("rank_pattern") or {}).values()]
    if kind != "LORA" or not all(type(rank) is int and rank > 0 for rank in ranks):
        raise UserMistake(
            f"{adapter.folder} is an adapter of kind {kind}: vLLM takes LoRA; open it without vllm:"
        )
    return max(ranks)


def ends_of(folder: str, config: Any, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Return the ids that end an answer, from the generation config, the config and the tokenizer."""
    given = [config.get_text_config().eos_token_id, tokenizer.eos_token_id]
    if (Path(folder) / "generation_config.json").is_file():
        given.append(GenerationConfig.from_pretrained(folder).eos_token_id)
    return ids_of(*given)


def identity_of_files(model: VllmModel, folder: Path, adapter: Adapter | None, dtype: str) -> dict[str, str]:
    """Return, as hashes, all that changes the model's answers. The weights are hashed as the files hold them: what is
    in memory is vLLM's. Raises UserMistake where there are none that vLLM would read."""
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise UserMistake(f"{model.reference}: no *.safetensors in {folder}: convert its weights first")
    further = model.engine_of.further  # may hold a token
    return {
        "weights": hash_files(weights),
        "dtype": dtype,
        "adapter": hash_adapter(adapter) if adapter else "none",
        "vllm_arguments": hash_of(json.dumps(further, sort_keys=True)) if further else "none",
        **identity_beside(model.config, model.ends, model.tokenizer, model.chat, model.vocabulary.system),
    }


def hash_adapter(adapter: Adapter) -> str:
    """Return a hash of an adapter's weights and of what its config says of them."""
    fields = {name: value for name, value in adapter.config.items() if name not in HARMLESS}
    return hash_of(hash_files([adapter.folder / ADAPTER_WEIGHTS]) + json.dumps(fields, sort_keys=True))


def hash_files(paths: Sequence[Path]) -> str:
    """Return a hash of the contents of files, in order."""
    digest = hashlib.blake2b(digest_size=16)
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, hashlib.blake2b).digest())
    return digest.hexdigest()


def prove_effect(model: VllmModel, named: Named) -> None:
    """Raise UserMistake where the adapter changes no log-probability of a sentence: the base would answer."""
    plain = VllmModel(named.model, model.engine_of, None, model.vocabulary, model.config)
    prompt = (model.vocabulary.encode(PROBE)[:1], model.vocabulary.encode(PROBE)[1:])
    try:
        before, after = (probed.score([prompt])[0].logprobs for probed in (plain, model))
    except UserMistake:
        raise
    except Exception as error:  # what vLLM raises for an adapter that it cannot load
        reason = one_line(str(error).strip() or type(error).__name__, 300)
        raise UserMistake(f"vllm cannot put {named.adapter} on {named.model}: {reason}") from error
    if before == after:
        raise UserMistake(
            f"the adapter {named.adapter} changes no log-probability in vllm: it was not applied, or it changes "
            "nothing; merge it, or open it without vllm:"
        )


def settings_of(job: Job, ends: frozenset[int], margins: bool) -> dict[str, Any]:
    """Return the fields of vLLM's SamplingParams for a job."""
    sampling = job.sampling
    return {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "seed": job.seed % 2**63,
        "max_tokens": job.budget,
        "stop": list(sampling.stop),
        "stop_token_ids": sorted(ends),
        "ignore_eos": True,  # of what the folder's tokenizer calls the end: `ends` says
        "logprobs": 2 if margins else 0,
        "detokenize": bool(sampling.stop),
    }


def finished_of(job: Job, output: Any, vocabulary: Vocabulary, margins: bool) -> Finished:
    """Return what vLLM wrote for a job; a failed one where it ended for no reason of an answer's."""
    made = output.outputs[0]
    tokens = np.array(made.token_ids, dtype=np.int64)
    if made.finish_reason not in ENDS:
        reason = f"vLLM ended the answer with finish_reason {str(made.finish_reason)[:40]!r}"
        return Finished(job, tokens[:0], {}, "failed", 0.0, "", reason)
    given = made.logprobs
    columns: dict[str, np.ndarray] = {}
    if given is not None and len(given) == len(tokens):
        logs = [logprob_of(position, int(token)) for position, token in zip(given, tokens, strict=True)]
        if any(math.isnan(value) for value in logs):
            return Finished(job, tokens[:0], {}, "failed", 0.0, "", "the model's logits are not finite")
        columns["logprobs"] = np.array(logs)
        sampling = job.sampling
        if sampling.temperature == 0:
            columns["sampled_logprobs"] = np.zeros(len(tokens))
        elif (sampling.temperature, sampling.top_p, sampling.top_k, sampling.min_p) == (1, 1, 0, 0):
            columns["sampled_logprobs"] = columns["logprobs"]
        if margins:
            columns["margins"] = np.array([margin_of(position) for position in given])
    text = None
    if job.sampling.stop:
        text = cut_at(vocabulary.decode_after(job.prompt, tokens.tolist()), job.sampling.stop)
    finish = ENDS[made.finish_reason] if text is None else "stop"
    return Finished(job, tokens, columns, finish, 0.0, text)


def prompt_logprobs(whole: Ids, output: Any) -> list[float]:
    """Return the log-probability (nats) of each token of a prompt, NaN for the first and where vLLM gave none."""
    given = output.prompt_logprobs
    if given is None or len(given) != len(whole):
        return [math.nan] * len(whole)
    return [
        math.nan if position is None else logprob_of(position, token)
        for position, token in zip(given, whole, strict=True)
    ]


def logprob_of(position: Any, token: int) -> float:
    """Return a token's log-probability from what vLLM gives of a position, NaN where it is not there; -9999 stands for
    minus infinity."""
    return as_logprob(float(position[token].logprob)) if token in position else math.nan


def ranked(position: Any) -> list[tuple[int, float]]:
    """Return the tokens of a position with their log-probabilities, likeliest first."""
    pairs = [(int(token), as_logprob(float(entry.logprob))) for token, entry in position.items()]
    return sorted(pairs, key=lambda pair: -pair[1])


def margin_of(position: Any) -> float:
    """Return p(likeliest) - p(second) at a position."""
    best = [math.exp(value) for _, value in ranked(position)[:2]]
    return best[0] - best[1] if len(best) == 2 else math.nan
