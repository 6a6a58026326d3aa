"""How fast the local engine is against transformers' `generate` and lm-eval's `hf` model, as ratios.

    python benchmarks/engine.py [--turns 3] [--threads 1] [--no-lm-eval]
    python benchmarks/engine.py --model FOLDER        # of a real model: a shared prompt, and short ones

Both sides of a comparison take turns, so that whatever else runs on the machine slows both; the median over
the turns is taken. Exits with 1 if a floor is missed or a greedy answer differs.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from tellapart.models.local import LocalModel, open_local
from tellapart.models.model import Request, Sampling

VOCAB = 8192
Ids = tuple[int, ...]


class Load(NamedTuple):
    """What is asked: prompts, samples of each, new tokens of each prompt's answers, and the batch's width."""

    prompts: list[Ids]
    samples: int
    lengths: list[int]
    width: int

    @property
    def tokens(self) -> int:
        return self.samples * sum(self.lengths)


class Line(NamedTuple):
    """One comparison: tokens a second of both sides, their ratio, and the least ratio that is good enough."""

    name: str
    ours: float
    theirs: float
    ratio: float
    floor: float


def medium() -> LocalModel:
    """Return a random Llama of 31 million parameters that never ends an answer by itself."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=512,
        intermediate_size=1376,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=0,
    )
    return LocalModel(LlamaForCausalLM(config), words(), "random Llama, 31 M parameters")


def words() -> PreTrainedTokenizerFast:
    """Return a tokenizer whose words are w0, w1, ..."""
    table = {"<pad>": 0, "<end>": 1, **{f"w{at}": at for at in range(2, VOCAB)}}
    made = Tokenizer(models.WordLevel(table, unk_token="<pad>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="<end>")


def prompt(size: int, seed: int, vocab: int) -> Ids:
    """Return `size` random token ids."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randint(3, vocab, (size,), generator=generator).tolist())


def loads(vocab: int, shared: int, few: int, least: float) -> dict[str, tuple[Load, float]]:
    """Return the loads by name, each with its floor; `few` scales their size, `shared` is the long prompt's, and
    `least` the floor of sharing it."""
    generator = torch.Generator().manual_seed(1)
    spread = (2 + 94 * torch.rand(8 * few, generator=generator) ** 4).int().tolist()
    short = [prompt(8 + at % 9, at, vocab) for at in range(8 * few)]
    return {
        f"(a) {shared}-token shared prompt, 16 samples": (
            Load([prompt(shared, 0, vocab)], 16, [64], 16),
            least,
        ),
        f"(b) {8 * few} short prompts, answers of 2-95 tokens": (Load(short, 1, spread, few), 1.5),
        f"(c) {few} equal prompts and answers": (
            Load([prompt(32, at, vocab) for at in range(few)], 1, [64] * few, few),
            0.95,
        ),
    }


def real_loads(vocab: int) -> dict[str, tuple[Load, float]]:
    """Return what a real model is asked, each with its floor."""
    short = [prompt(16, at, vocab) for at in range(32)]
    return {
        "300-token shared prompt, 8 samples": (Load([prompt(300, 0, vocab)], 8, [32], 8), 3.0),
        "32 short prompts": (Load(short, 1, [32] * 32, 32), 1.1),
    }


def ask_ours(model: LocalModel, load: Load, temperature: float) -> list[Ids]:
    """Answer a load with the engine; return the tokens of each answer."""
    model.max_rows = load.width
    requests = [
        Request(ids, seed=1000 * at + k, sampling=Sampling(temperature=temperature, max_tokens=length))
        for at, (ids, length) in enumerate(zip(load.prompts, load.lengths, strict=True))
        for k in range(load.samples)
    ]
    answers = dict(model.generate(requests))
    return [answers[at].tokens for at in range(len(requests))]


@torch.inference_mode()
def ask_transformers(module: PreTrainedModel, load: Load, temperature: float) -> list[Ids]:
    """Answer a load with static batches of the same width, each as long as its longest answer."""
    if temperature > 0:
        how = transformers.GenerationConfig(
            do_sample=True, temperature=temperature, top_k=0, num_return_sequences=load.samples
        )
    else:
        how = transformers.GenerationConfig(do_sample=False)
    how.pad_token_id = 0
    answers: list[Ids] = []
    step = max(1, load.width // load.samples)
    for begin in range(0, len(load.prompts), step):
        batch = load.prompts[begin : begin + step]
        lengths = load.lengths[begin : begin + step]
        widest = max(map(len, batch))
        ids = torch.tensor([(*[0] * (widest - len(p)), *p) for p in batch])
        mask = torch.tensor([(*[0] * (widest - len(p)), *[1] * len(p)) for p in batch])
        how.max_new_tokens = how.min_new_tokens = max(lengths)
        out = module.generate(ids, attention_mask=mask, generation_config=how)[:, widest:].tolist()
        answers += [tuple(row[: lengths[at * len(lengths) // len(out)]]) for at, row in enumerate(out)]
    return answers


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(name: str, tokens: int, floor: float, sides: Sequence[Callable[[], object]], turns: int) -> Line:
    """Time (ours, theirs) in turns and return their line."""
    seconds = [[timed(side) for side in sides] for _ in range(turns)]
    ours, theirs = (statistics.median(column) for column in zip(*seconds, strict=True))
    ratio = statistics.median(theirs / ours for ours, theirs in seconds)
    return Line(name, tokens / ours, tokens / theirs, ratio, floor)


def same_greedy(model: LocalModel, load: Load) -> tuple[int, int]:
    """Return (answers equal to transformers', answers) of a greedy run of one sample each."""
    few = min(len(load.prompts), load.width)
    once = load._replace(samples=1, prompts=load.prompts[:few], lengths=load.lengths[:few])
    pairs = list(zip(ask_ours(model, once, 0.0), ask_transformers(model.module, once, 0.0), strict=True))
    return sum(ours == theirs for ours, theirs in pairs), len(pairs)


def against_lm_eval(model: LocalModel, turns: int) -> Line:
    """Compare with lm-eval's `hf` model on 16 repeats of the same requests, as its evaluator sends them."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    peer = HFLM(pretrained=model.module, tokenizer=model.tokenizer, batch_size=32, max_length=2048)
    texts = [" ".join(f"w{i}" for i in prompt(200, at, VOCAB)) for at in range(4)]
    how = {"until": ["w1"], "max_gen_toks": 32, "do_sample": True, "temperature": 1.0, "top_k": 0}
    asked = [Instance("generate_until", {}, (text, how), at) for at, text in enumerate(texts)]
    repeated = [instance for instance in asked for _ in range(16)]
    requests = [
        Request(text, seed=100 * at + k, sampling=Sampling(max_tokens=32, stop=("w1 ",)))
        for at, text in enumerate(texts)
        for k in range(16)
    ]
    model.max_rows = 32

    def theirs() -> None:
        peer.generate_until(repeated, disable_tqdm=True)

    sides = (lambda: list(model.generate(requests)), theirs)
    return compare("(e) lm-eval hf, 16 repeats of 4 requests", 4 * 16 * 32, 3.0, sides, turns)


def small() -> LocalModel | None:
    """Return the small pretrained Llama that lies beside the checkout, if it is there."""
    beside = Path(os.environ.get("TELLAPART_SHARED", Path(__file__).parents[2] / "shared"))
    folder = beside / "models" / "stories260k"
    return endless(folder) if folder.is_dir() else None


def endless(folder: Path) -> LocalModel:
    """Open a model that never ends an answer by itself, and generates by no settings of its own."""
    model = open_local(str(folder))
    model.asked = model.asked._replace(ends=frozenset())
    model.module.generation_config = transformers.GenerationConfig()
    return model


def tiny_speed() -> str:
    """Return the tokens a second of a 3-layer model of width 64, on one thread: what specimens need."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=64, intermediate_size=172, num_hidden_layers=3, num_attention_heads=4,
        max_position_embeddings=256, tie_word_embeddings=True, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    model = LocalModel(LlamaForCausalLM(config), words(), "tiny")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    lines = []
    for width in (256, 1024):
        load = Load([prompt(16, at, 64) for at in range(width // 4)], 8, [32] * (width // 4), width)
        ask_ours(model, load._replace(samples=1), 1.0)
        lines.append(
            f"{load.tokens / timed(lambda load=load: ask_ours(model, load, 1.0)):.0f} at {width} rows"
        )
    torch.set_num_threads(threads)
    return "tokens a second, 3 layers of width 64, one thread: " + ", ".join(lines)


def main() -> int:
    """Print the table; return 1 if a floor is missed or a greedy answer differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--no-lm-eval", action="store_true")
    parser.add_argument(
        "--threads", type=int, default=1, help="1 measures work done, not waiting for other jobs"
    )
    parser.add_argument("--model", type=Path, help="a folder: only this model, and what a real one is asked")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    transformers.logging.set_verbosity_error()
    good = True
    print(f"{'':52} {'ours t/s':>9} {'theirs':>9} {'ratio':>6} {'floor':>6}")
    made = (
        ((medium(), 600, 3.0), (small(), 400, 1.0))
        if options.model is None
        else ((endless(options.model), 300, 3.0),)
    )
    for model, shared, least in made:
        if model is None:
            continue
        print(model.reference)
        exact = [0, 0]
        vocab = model.asked.size
        asked = real_loads(vocab) if options.model else loads(vocab, shared, 32, least)
        for name, (load, floor) in asked.items():
            sides = (
                lambda model=model, load=load: ask_ours(model, load, 1.0),
                lambda model=model, load=load: ask_transformers(model.module, load, 1.0),
            )
            warm = load._replace(prompts=load.prompts[:1], lengths=[2])
            ask_ours(model, warm, 1.0)
            ask_transformers(model.module, warm, 1.0)
            good &= show(compare(name, load.tokens, floor, sides, options.turns))
            exact = [a + b for a, b in zip(exact, same_greedy(model, load), strict=True)]
        print(f"(d) greedy answers equal to transformers': {exact[0]} of {exact[1]}")
        good &= exact[0] == exact[1]
        if shared == 600 and not options.no_lm_eval:
            good &= show(against_lm_eval(model, options.turns))
    if options.model is None:
        print(tiny_speed())
    return 0 if good else 1


def show(line: Line) -> bool:
    """Print a line; return whether it reaches its floor."""
    verdict = "" if line.ratio >= line.floor else "  BELOW ITS FLOOR"
    print(
        f"{line.name:52} {line.ours:9.0f} {line.theirs:9.0f} {line.ratio:6.2f} {line.floor:6.2f}{verdict}",
        flush=True,
    )
    return line.ratio >= line.floor


if __name__ == "__main__":
    sys.exit(main())
