"""vLLM in this process (https://docs.vllm.ai): one engine for a folder of weights and the LoRA adapters on it.

    engine = engine_for("path/to/model", "float32", max_rows=None)
    outputs = engine.ask(prompts, settings, adapter=None)       # starts it at the first call

vLLM is imported when a model of its kind is opened, never before. What its libraries write to stdout goes to stderr:
stdout is the result's.
"""

import contextlib
import gc
import json
import os
import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import torch

from tellapart.errors import UserMistake, one_line
from tellapart.extras import require
from tellapart.models.checkpoint import Named, files_of
from tellapart.models.width import CPU_BYTES, available_bytes, check_max_rows

FURTHER = "TELLAPART_VLLM"
"""An environment variable: a JSON object of further arguments of vllm.LLM, as {"tensor_parallel_size": 2}."""
OURS = frozenset(
    {
        "model", "tokenizer", "dtype", "revision", "enable_lora", "logprobs_mode", "max_logprobs", "runner",
        "generation_config", "load_format", "trust_remote_code", "skip_tokenizer_init", "hf_overrides", "max_num_seqs",
    }
)  # fmt: skip
"""Arguments that are not for others to set: answers are read as these say."""
MOST_LOGPROBS = 64
"""Likeliest tokens that may be asked for at a position."""
GPU_SHARE = 0.45
"""Of a GPU's memory, for one engine: a base and a tuned model of their own lie side by side."""
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks that an engine can be started for."""
QUIET = {
    "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_LOGGING_STREAM": "ext://sys.stderr", "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind",
}  # fmt: skip
"""Set before vLLM is imported, where the user has not: few words, nothing sent away, threads left where they are."""


class LoraFolder(NamedTuple):
    """A LoRA adapter as vLLM takes it: a number of its own and its folder; and its files as they were opened."""

    number: int
    folder: str
    files: tuple[object, ...]


class Engine:
    """One engine, started at the first question. An adapter that asks for more than it was started with starts it
    anew: the weights are in memory once."""

    def __init__(self, folder: str, dtype: str, max_rows: int | None) -> None:
        self.folder, self.dtype, self.max_rows = folder, dtype, max_rows
        self.further = further_arguments()
        self._files = files_of(Named(folder))
        self._rank = 0
        self._adapters: list[tuple[object, ...]] = []
        self._llm: Any = None

    def adapter(self, folder: Path, rank: int) -> LoraFolder:
        """Return an adapter that this engine will answer with. Raises UserMistake for a rank that vLLM lacks."""
        if rank > RANKS[-1]:
            raise UserMistake(f"{folder} has rank {rank}, vLLM takes {RANKS[-1]} at most: merge the adapter")
        files = files_of(Named(str(folder)))
        if files not in self._adapters:  # vLLM keeps what it read under a number
            self._adapters.append(files)
        if rank > self._rank:
            self.close()
            self._rank = min(size for size in RANKS if size >= rank)
        return LoraFolder(self._adapters.index(files) + 1, str(folder.resolve()), files)

    @property
    def context(self) -> int:
        """The most tokens of a prompt and its answer together."""
        return int(self._started().llm_engine.model_config.max_model_len)

    @property
    def one_at_a_time(self) -> bool:
        """Whether given text is scored one by one: on a CPU vLLM 0.32 fails on the log-probabilities of several prompts
        in one batch once an adapter may be on (einsum over sampled positions where all positions are needed)."""
        return self._rank > 0 and device_type() == "cpu"

    def ask(
        self,
        prompts: Sequence[tuple[int, ...]],
        settings: Sequence[Mapping[str, Any]],
        adapter: LoraFolder | None,
    ) -> list[Any]:
        """Return vLLM's RequestOutput of each prompt, `settings` being the fields of its SamplingParams."""
        vllm, llm = import_vllm(), self._started()
        if adapter is not None:
            check_unchanged(adapter.folder, adapter.files)
        try:
            with stdout_to_stderr():
                return llm.generate(
                    [{"prompt_token_ids": list(prompt)} for prompt in prompts],
                    [vllm.SamplingParams(**setting) for setting in settings],
                    use_tqdm=False,
                    lora_request=None if adapter is None else lora_request(adapter),
                )
        except BaseException:  # vLLM gives what an interrupted call left as the next call's answers
            self.close()
            raise

    def close(self) -> None:
        """Give back what the engine holds."""
        if self._llm is not None:
            self._llm = None
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _started(self) -> Any:
        if self._llm is None:
            check_unchanged(self.folder, self._files)
            vllm, threads = import_vllm(), torch.set_num_threads
            try:
                with stdout_to_stderr():
                    self._llm = vllm.LLM(**self.arguments())
            except Exception as error:  # whatever vLLM raises, and it raises much, is told in one line
                reason = one_line(str(error).strip() or type(error).__name__, 300)
                raise UserMistake(
                    f"vllm cannot run {self.folder}: {reason}; further arguments go into {FURTHER} (JSON)"
                ) from error
            finally:
                torch.set_num_threads = threads  # its CPU worker leaves one that does nothing
        return self._llm

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that vllm.LLM is started with."""
        given: dict[str, Any] = {
            "model": self.folder,
            "dtype": self.dtype,
            "max_model_len": -1,  # what memory holds, the model's context at most
            "generation_config": "vllm",  # no sampling defaults of the model's own
            "logprobs_mode": "raw_logprobs",  # of the plain model, before temperature and truncation
            "max_logprobs": MOST_LOGPROBS,
            "load_format": "safetensors",  # no other file of the folder
            "trust_remote_code": False,
        }
        if device_type() == "cpu":
            # Compiling takes minutes there and pays for none of our batches. A prompt cut in two rewinds its request's
            # random generator, which torch's generators of a CPU cannot ("does not use offset", vLLM 0.32).
            given |= {
                "enforce_eager": True,
                "enable_chunked_prefill": False,
                "kv_cache_memory_bytes": cache_bytes(self.folder),
            }
        else:
            given |= {"gpu_memory_utilization": GPU_SHARE}
        if self.max_rows is not None:
            given |= {"max_num_seqs": self.max_rows}
        if self._rank:
            given |= {"enable_lora": True, "max_lora_rank": self._rank, "max_loras": 1}
        return given | self.further


_ENGINES: "weakref.WeakValueDictionary[tuple[object, ...], Engine]" = weakref.WeakValueDictionary()
"""Engines in use: a base and the adapters on it share one."""


def engine_for(folder: str, dtype: str, max_rows: int | None) -> Engine:
    """Return the engine of a folder, a new one where there is none yet; it is started at the first question."""
    check_max_rows(max_rows)
    key = (*files_of(Named(folder)), dtype, max_rows, os.environ.get(FURTHER, ""))
    engine = _ENGINES.get(key)
    if engine is None:
        engine = _ENGINES[key] = Engine(folder, dtype, max_rows)
    return engine


def check_unchanged(folder: str, files: tuple[object, ...]) -> None:
    """Raise UserMistake where a folder's files are others than those whose hash is the model's identity."""
    if files_of(Named(folder)) != files:
        raise UserMistake(f"{folder} was changed since it was opened: open it again")


def import_vllm() -> Any:
    """Return the vllm package. Raises UserMistake where it is not installed or cannot be imported."""
    require("vllm", "a vllm: model")
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if "vllm" not in sys.modules and not torch.cuda.is_available():
        # On a CPU three processes that wait for each other by spinning take longer than one that works.
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    try:
        with stdout_to_stderr():
            return import_module("vllm")
    except Exception as error:
        reason = one_line(str(error).strip() or type(error).__name__, 200)
        raise UserMistake(f"vllm is installed and cannot be imported: {reason}") from error


def lora_request(adapter: LoraFolder) -> Any:
    """Return the adapter as vLLM's requests name it."""
    kind = import_module("vllm.lora.request").LoRARequest
    return kind(f"adapter-{adapter.number}", adapter.number, adapter.folder)


def device_type() -> str:
    """Return what this vLLM was built to run on: "cpu", "cuda", ..."""
    import_vllm()
    return str(import_module("vllm.platforms").current_platform.device_type)


def vllm_version() -> str:
    """Return vLLM's version; its builds for other devices are other distributions of the same package."""
    for name in ("vllm", "vllm-cpu"):
        with contextlib.suppress(PackageNotFoundError):
            return version(name)
    return str(import_vllm().__version__)


def further_arguments() -> dict[str, Any]:
    """Return the further arguments of vllm.LLM that the user set. Raises UserMistake where they cannot be used."""
    text = os.environ.get(FURTHER, "").strip()
    if not text:
        return {}
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise UserMistake(
            f"{FURTHER} is no JSON object: give one of arguments of vllm.LLM, as "  # its text may hold a token
            '{"tensor_parallel_size": 2}'
        )
    if taken := sorted(OURS & given.keys()):
        raise UserMistake(f"{FURTHER} sets {taken[0]}, which the reference or an option says: leave it out")
    return given


def cache_bytes(folder: str) -> int:
    """Return the bytes for keys and values on a CPU: a gigabyte, or as much as the weights take where that is more; a
    quarter of what is available at most. VLLM_CPU_KVCACHE_SPACE, where it is set, is vLLM's own word for it."""
    weights = sum(path.stat().st_size for path in Path(folder).glob("*.safetensors"))
    return int(min(0.25 * available_bytes(), max(CPU_BYTES, weights)))


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Let whatever is written to standard output inside, by native code and child processes too, go to standard
    error."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
