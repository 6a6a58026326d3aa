"""What it costs to serve eight experts at once: against one expert in the whole batch, and against merging for each.

    python benchmarks/skills.py [--turns 7] [--threads 1] [--model specimen:skills-0]

First single layers up to 4096 x 14336 (random factors cost what those of a decomposition do): a batch in which rows
have eight different z, the same batch with one z, and eight merges, each before its own rows. Then whole answers of
a small model through the engine. Seconds are of work, not of waiting; a ratio is the median over turns in which all
forms take part. Exits with 1 where eight are slower than FLOOR of one, or not MERGING times as fast as merging.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import linear

from tellapart.training.svf import Factors, delta_form

SHAPES = ((1024, 1024), (4096, 4096), (4096, 14336))
ROWS, EXPERTS = 64, 8
FLOOR, MERGING = 0.9, 5.0
TOKENS, ANSWERS = 32, 64


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds of work of a call."""
    start = time.process_time()
    work()
    return time.process_time() - start


@torch.inference_mode()
def layer(shape: tuple[int, int], turns: int) -> tuple[float, float]:
    """Return (speed of eight z by that of one, by that of merging for each) of one layer at ROWS rows."""
    out, width = shape
    rank = min(shape)
    weight, x = torch.randn(out, width), torch.randn(ROWS, width)
    factors = Factors(torch.randn(out, rank), torch.randn(rank, width))
    one, eight = torch.randn(rank), torch.randn(EXPERTS, rank)
    rows = eight.repeat_interleave(ROWS // EXPERTS, 0)

    def served(z: Tensor) -> Tensor:
        return delta_form(x, linear(x, weight), z, factors)

    def merging() -> None:
        for z, part in zip(eight[:1], x.split(ROWS // EXPERTS)[:1], strict=True):
            linear(part, weight + (factors.u * (z - 1)) @ factors.sv)

    found = [(seconds(lambda: served(one)), seconds(lambda: served(rows))) for _ in range(turns + 1)][1:]
    merged = EXPERTS * seconds(merging)
    spread = statistics.median(many for _, many in found)
    return statistics.median(single / many for single, many in found), merged / spread


def answers(reference: str, turns: int) -> float:
    """Return tokens a second with eight experts in the batch by those with one."""
    from tellapart.interventions.weights import Weights
    from tellapart.models.local import LocalModel
    from tellapart.models.model import Request, Sampling
    from tellapart.models.open import open_model
    from tellapart.studies.skills.mix import Mix
    from tellapart.studies.skills.mixed_run import Lanes
    from tellapart.training.matrices import matrices_of, matrix

    model = open_model(reference)
    assert isinstance(model, LocalModel)
    generator = torch.Generator().manual_seed(0)
    parts = {name: min(matrix(part).shape) for name, part in matrices_of(model.module).items()}
    experts = {
        f"e{at}": Weights(
            {
                name: (1 + 0.05 * torch.randn(rank, generator=generator)).numpy()
                for name, rank in parts.items()
            }
        )
        for at in range(EXPERTS)
    }
    requests = [Request(f"{at:04d}=", at, Sampling(max_tokens=TOKENS)) for at in range(ANSWERS)]
    mixes = [Mix(((f"e{at % EXPERTS}", (1.0,)),)) for at in range(ANSWERS)]

    def speed(lanes: Lanes, chosen: list[Mix]) -> float:
        written: list[int] = []

        def work() -> None:
            written.extend(
                len(one.tokens) for _, one in lanes.generate(list(zip(requests, chosen, strict=True)))
            )

        spent = seconds(work)
        return sum(written) / spent

    with Lanes(model, experts) as lanes:
        ratios = [speed(lanes, mixes) / speed(lanes, mixes[:1] * ANSWERS) for _ in range(turns + 1)]
    return statistics.median(ratios[1:])


def main() -> int:
    """Print the table; return 1 where a floor is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--model", default="specimen:skills-0")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    good = True
    print(f"{ROWS} rows, {EXPERTS} experts      by one expert   by merging for each")
    for shape in SHAPES:
        by_one, by_merging = layer(shape, options.turns)
        kept = by_one >= FLOOR and by_merging >= MERGING
        good &= kept
        name = f"layer {shape[0]}x{shape[1]}"
        print(
            f"{name:25} {by_one:14.2f}x {by_merging:20.1f}x{'' if kept else '  BELOW ITS FLOOR'}", flush=True
        )
    whole = answers(options.model, options.turns)
    good &= whole >= FLOOR
    print(f"{'answers of ' + options.model:25} {whole:9.2f}x{'' if whole >= FLOOR else '  BELOW ITS FLOOR'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
