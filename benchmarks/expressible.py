"""Programs against shapes: everything that docs/validation/expressible.md states, computed again.

    python benchmarks/expressible.py programs           # the twelve on every input up to length 8, saved and loaded
    python benchmarks/expressible.py shapes             # forty shapes around each program's least one
    python benchmarks/expressible.py real smollm2       # certificates for real shapes (or llama3), weights run
    python benchmarks/expressible.py learning           # trained from random, noised and compiled weights

Each prints one line a result. Times on two cores: 15 minutes, 10 minutes, 5 (llama3: 40), and two hours at most.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from tellapart.rasp.certificate import certify
from tellapart.rasp.learning import Training, learn_all, program_bits
from tellapart.rasp.network import check, compile_program, inputs_up_to, save
from tellapart.rasp.programs import PROGRAMS, Program

LENGTH = 8
LEARNED = ("most_frequent", "parity", "sort", "copy")
NOISES = (0.01, 0.1)
SMOLLM2 = {
    "model_type": "llama", "hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "hidden_size": 576,
    "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
    "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 100_000, "tie_word_embeddings": True,
    "vocab_size": 49_152,
}  # fmt: skip
"""HuggingFaceTB/SmolLM2-135M."""
LLAMA3 = SMOLLM2 | {
    "hidden_size": 4096, "intermediate_size": 14_336, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "rope_theta": 500_000.0, "tie_word_embeddings": False, "vocab_size": 128_256,
}  # fmt: skip
"""meta-llama/Meta-Llama-3-8B."""
REAL = {"smollm2": SMOLLM2, "llama3": LLAMA3}


def run_programs(names: list[str], length: int) -> None:
    """Run each program in its least shape, as a folder loaded by plain transformers, on all inputs."""
    for name in names:
        program, began = PROGRAMS[name], time.process_time()
        compiled = compile_program(program, length)
        with tempfile.TemporaryDirectory() as folder:
            save(compiled, Path(folder))
            model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        some, every = inputs_up_to(program, length, seed=0)
        found = check(model, program, compiled.layout.symbols, some, every)
        print(
            f"{name}: {compiled.shape}: {found.right:,} of {found.run:,} right "
            f"({'all inputs' if every else 'drawn'}) {found.wrong} {time.process_time() - began:.0f} CPU s",
            flush=True,
        )


def forty_shapes(program: Program, length: int) -> list[dict[str, Any]]:
    """Return forty configs around the least one: layers x width, then heads, neurons, tokens, context, and others."""
    least = compile_program(program, length).config
    layers, width, heads = (least[key] for key in ("num_hidden_layers", "hidden_size", "num_attention_heads"))
    one = {"hidden_size": 1, "num_attention_heads": 1, "num_key_value_heads": 1}
    widths = [one, *({"hidden_size": max(heads, size)} for size in
                     (width - heads, width, width + heads, 4 * width))]  # fmt: skip
    made = [
        {"num_hidden_layers": number, **wide}
        for number in (0, layers - 1, layers, layers + 1, 2 * layers + 1)
        for wide in widths
        if number or layers > 1 or wide is widths[2]
    ]
    real = {"rope_parameters": {"rope_type": "default", "rope_theta": 1e5}, "head_dim": 64}
    made += [
        {"num_attention_heads": heads + 1, "num_key_value_heads": heads + 1, "hidden_size": 2 * width * (heads + 1)},
        {"num_attention_heads": 2 * heads, "hidden_size": 2 * width},
        {"head_dim": 2 * least["head_dim"]}, {"head_dim": 2}, {"head_dim": 128},
        {"intermediate_size": least["intermediate_size"] - 1} if least["intermediate_size"] > 1 else {"head_dim": 32},
        {"intermediate_size": 2 * least["intermediate_size"]},
        {"vocab_size": least["vocab_size"] - 1}, {"vocab_size": 1000},
        {"max_position_embeddings": least["max_position_embeddings"] - 1}, {"max_position_embeddings": 2048},
        {"max_position_embeddings": 4}, {"rms_norm_eps": 1e-5}, {"rms_norm_eps": 1e-3},
        {"tie_word_embeddings": True}, {"tie_word_embeddings": True, "hidden_size": 4 * width},
        real, {**real, "hidden_size": 24 * heads, "num_hidden_layers": 4},
        {**real, "hidden_size": 24 * heads, "tie_word_embeddings": True},
        {"head_dim": 16}, {"head_dim": 64, "hidden_size": 64 * heads},
        {"num_key_value_heads": 1, "head_dim": 32}, {"vocab_size": 2}, {"num_hidden_layers": 12},
    ]  # fmt: skip
    return [least | change for change in made][:40]


def run_shapes(names: list[str], length: int) -> None:
    """Print for each program how many of the forty shapes hold it, do not, or are not known; and why."""
    for name in names:
        program, began = PROGRAMS[name], time.process_time()
        configs = forty_shapes(program, length)
        found = [certify(program, length, config, inputs=300) for config in configs]
        counted = Counter(one.answer for one in found)
        why = Counter(one.by for one in found if one.answer != "yes")
        print(
            f"{name}: {len(found)} shapes: {dict(counted)} {time.process_time() - began:.0f} CPU s",
            flush=True,
        )
        for reason, count in why.most_common():
            print(f"    {count} x {reason}")


def run_real(names: list[str], length: int, which: str, inputs: int | None) -> None:
    """Print the certificate of each program for a real shape; the layers and tokens it uses are written and run."""
    for name in names:
        began = time.process_time()
        found = certify(PROGRAMS[name], length, REAL[which], inputs=inputs)
        print(f"{name}: {found.answer}: {found.by} {time.process_time() - began:.0f} CPU s", flush=True)


def run_learning(names: list[str], length: int, seeds: int, steps: int) -> None:
    """Print every training of each program as one JSON line, in the least shape that holds twice the length."""
    for name in names:
        compiled = compile_program(PROGRAMS[name], 2 * length)
        print(
            json.dumps(
                {"program": name, "shape": str(compiled.shape), "program_bits": program_bits(compiled)}
            ),
            flush=True,
        )
        training = Training(length, steps)
        for one in learn_all(compiled, training, NOISES, range(seeds)):
            print(json.dumps({"program": name, **one._asdict()}), flush=True)


def main() -> None:
    """Run one of the parts."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["programs", "shapes", "real", "learning"])
    parser.add_argument("which", nargs="?", default="smollm2", choices=list(REAL))
    parser.add_argument("--programs", nargs="*", default=list(PROGRAMS))
    parser.add_argument("--length", type=int, default=LENGTH)
    parser.add_argument("--inputs", type=int)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=400)
    given = parser.parse_args()
    if given.part == "programs":
        run_programs(given.programs, given.length)
    elif given.part == "shapes":
        run_shapes(given.programs, given.length)
    elif given.part == "learning":
        names = given.programs if len(given.programs) < len(PROGRAMS) else list(LEARNED)
        run_learning(names, given.length, given.seeds, given.steps)
    else:
        run_real(given.programs, given.length, given.which, given.inputs)


if __name__ == "__main__":
    main()
