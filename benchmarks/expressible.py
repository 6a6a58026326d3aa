"""Programs against shapes: everything that docs/validation/expressible.md states, computed again.

    python benchmarks/expressible.py programs           # the twelve on every input up to length 8, saved and loaded
    python benchmarks/expressible.py shapes             # forty shapes around each program's least one
    python benchmarks/expressible.py real smollm2       # certificates for real shapes (or llama3), weights run
    python benchmarks/expressible.py learning --kept FILE   # trained from random, noised and compiled weights
    python benchmarks/expressible.py gap --kept FILE    # the table of those trainings

Each prints one line a result; `learning` goes on where FILE ends. Times on two cores: 15 minutes, 10 minutes,
5 (llama3: 40), and an hour.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from tellapart.rasp.certificate import certify
from tellapart.rasp.learning import Start, Training, learn, program_bits
from tellapart.rasp.network import check, compile_program, inputs_up_to, save
from tellapart.rasp.programs import PROGRAMS, Program
from tellapart.stats.intervals import mean_score

LENGTH = 8
LEARNED = ("most_frequent", "parity", "sort", "copy")
STARTS: tuple[tuple[Start, float, float], ...] = (
    ("random", 0.0, 0.0), ("noised", 1e-4, 0.0), ("noised", 1e-3, 0.0), ("noised", 0.01, 0.0), ("noised", 0.1, 0.0),
    ("compiled", 0.0, 0.0), ("compiled", 0.0, 0.1),
)  # fmt: skip
"""Start, noise, and weight decay, which alone moves compiled weights."""
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


def run_learning(names: list[str], length: int, seeds: int, steps: tuple[int, int], kept: Path) -> None:
    """Train each program in the least shape that holds twice the length, for `steps` from random weights and from near;
    append each training to `kept` as a line of JSON. Trainings that stand there are not made again."""
    there = {_key(row) for row in read_kept(kept)}
    compiled = {name: compile_program(PROGRAMS[name], 2 * length) for name in names}
    for seed in range(seeds):
        for name in names:
            for start, noise, decay in STARTS:
                row: dict[str, Any] = {
                    "program": name, "start": start, "noise": noise, "decay": decay, "seed": seed, "length": length,
                    "steps": steps[start != "random"], "shape": str(compiled[name].shape),
                    "program_bits": program_bits(compiled[name]),
                }  # fmt: skip
                if _key(row) in there:
                    continue
                began = time.process_time()
                training = Training(length, row["steps"], decay=decay)
                row |= learn(compiled[name], training, start, noise, seed)._asdict()
                row["cpu_seconds"] = round(time.process_time() - began, 1)
                with kept.open("a") as file:
                    file.write(json.dumps(row) + "\n")


def read_kept(kept: Path) -> list[dict[str, Any]]:
    """Return the trainings of a file."""
    return [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(
        row[name] for name in ("program", "start", "noise", "decay", "seed", "length", "steps", "shape")
    )


def became(row: Mapping[str, Any]) -> str:
    """Return what training made of a start, on inputs of both lengths: learned (exact, from random weights), stays
    (exact before and after), drifts (exact before only), returns (exact after only), nearer, worse, or as it was."""
    before, after = row["before"] + row["longer_before"], row["score"] + row["longer"]
    if row["start"] == "random":
        return "learned" if after == 2 else "not learned"
    if before == 2:
        return "stays" if after == 2 else "drifts"
    return (
        "returns"
        if after == 2
        else "nearer"
        if after > before
        else "worse"
        if after < before
        else "as it was"
    )


def print_gap(kept: Path) -> None:
    """Print the trainings of a file as a table: means over seeds with 95 % intervals, and what became of each."""
    rows: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in read_kept(kept):
        rows.setdefault((row["program"], row["start"], row["noise"], row["decay"]), []).append(row)
    print("| program | start | before | after | before, longer | after, longer | what becomes of it | inputs needed | "
          "bits | bits needed |\n" + "|---" * 10 + "|")  # fmt: skip
    for (name, start, noise, decay), some in rows.items():
        told = (
            start + (f", noise {noise:g}" if noise else "") + (f", weight decay {decay:g}" if decay else "")
        )
        scores = [_mean([row[key] for row in some]) for key in ("before", "score", "longer_before", "longer")]
        words = ", ".join(f"{count} {word}" for word, count in Counter(map(became, some)).most_common())
        print(
            f"| `{name}` ({some[0]['program_bits']} bits) | {told} | {' | '.join(scores)} | {words} | "
            f"{_range([row['inputs_needed'] for row in some])} | {_range([row['bits'] for row in some])} | "
            f"{_range([row['bits_needed'] for row in some])} |"
        )


def _mean(values: list[float]) -> str:
    found = mean_score(values)
    if found.low == found.high or len(set(values)) == 1:
        return f"{found.value:.3g}"
    return f"{found.value:.3f} [{found.low:.2f}, {found.high:.2f}]"


def _range(values: list[float | None]) -> str:
    """Return the least and the largest value, and in how many trainings there was none."""
    there = sorted(one for one in values if one is not None)
    never = f"never in {len(values) - len(there)}" if len(there) < len(values) else ""
    if not there:
        return "never"
    spread = f"{there[0]:,.0f}" + (f" to {there[-1]:,.0f}" if there[-1] > there[0] else "")
    return f"{spread}, {never}" if never else spread


def main() -> None:
    """Run one of the parts."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["programs", "shapes", "real", "learning", "gap"])
    parser.add_argument("which", nargs="?", default="smollm2", choices=list(REAL))
    parser.add_argument("--programs", nargs="*", default=list(PROGRAMS))
    parser.add_argument("--length", type=int, default=LENGTH)
    parser.add_argument("--inputs", type=int)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--steps", type=int, nargs=2, default=(1500, 400), help="from random weights, from near"
    )
    parser.add_argument("--kept", type=Path, default=Path("learning.jsonl"))
    given = parser.parse_args()
    if given.part == "programs":
        run_programs(given.programs, given.length)
    elif given.part == "shapes":
        run_shapes(given.programs, given.length)
    elif given.part == "learning":
        names = given.programs if len(given.programs) < len(PROGRAMS) else list(LEARNED)
        run_learning(names, given.length, given.seeds, tuple(given.steps), given.kept)
    elif given.part == "gap":
        print_gap(given.kept)
    else:
        run_real(given.programs, given.length, given.which, given.inputs)


if __name__ == "__main__":
    main()
