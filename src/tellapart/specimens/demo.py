"""The main job on bundled specimens: one skill elicited, one taught, one run that taught nothing."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from tellapart.extras import require
from tellapart.specimens import names
from tellapart.specimens.check import gain_on

SHOWN = ("latent-register-0", "taught-tracking-0", "further-register-0")
SMALL = ("--limit", "64", "--samples", "16", "--elicited-samples", "2")
WAYS = (
    "few_shot",
    "few_shot_steps",
    "step_by_step",
    "prefill",
    "self_consistency",
    "cot_decoding",
    "routing_first",
)


def run_demo(out: str, seed: int) -> None:
    """Run `gain` on SHOWN, two at a time, print each verdict and where its report is."""
    require("torch", "demo")
    console = Console()
    shown = [name for name in SHOWN if name in names()]
    more = (*SMALL, "--elicitors", *WAYS)
    for name in shown:
        pair = f"specimen:{name}/base specimen:{name}/tuned --task specimen:{name}"
        print(
            f"tellapart gain {pair} --seed {seed} {' '.join(more)} --out {Path(out) / name}", file=sys.stderr
        )
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda name: gain_on(name, Path(out) / name, seed, *more), shown))
    for name, complaint in zip(shown, said, strict=True):
        if complaint:
            raise RuntimeError(f"{name}: {complaint}")
    console.print()
    for name in shown:
        finding = json.loads((Path(out) / name / "findings.json").read_text())["findings"][0]
        probability = finding["probability"]
        sure = "" if probability is None else f" ({probability:.0%})"
        console.print(f"[bold]{name}[/bold]: {finding['verdict']}{sure}", highlight=False)
        console.print(f"  {finding['sentence']}", markup=False, highlight=False)
        console.print(f"  report: {Path(out) / name / 'report.html'}", markup=False, highlight=False)
