"""A small guarded training as a process of its own: python guarded_training.py FOLDER STEPS [ACT].

What the guard told ends up in FOLDER/told-RANK.json, what it saw in FOLDER/seen.
"""

import json
import os
import sys
from pathlib import Path

import torch

from tellapart.models.local import LocalModel
from tellapart.specimens.recipe import Shape
from tellapart.specimens.tokenizer import tokenizer
from tellapart.specimens.training import new_model
from tellapart.studies.guard.live import Watched, checker_of
from tellapart.studies.guard.watching import Guard, Watch
from tellapart.tasks.item import Item, Task
from tellapart.tasks.scorers import make_scorer
from tellapart.training.full import FullWeights
from tellapart.training.grpo import Practice, grpo
from tellapart.training.rewards import Reward
from tellapart.training.settings import GrpoSettings


def main() -> None:
    """Train, and write what the guard told."""
    folder, steps = Path(sys.argv[1]), int(sys.argv[2])
    act = sys.argv[3] if len(sys.argv) > 3 else "mask"
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = LocalModel(new_model(Shape(width=32, inner=32, layers=2, heads=2)), tokenizer(), "tiny")
    items = tuple(Item(f"i{n}", {"n": str(n)}, ("a",)) for n in range(8))
    task = Task(
        "letters", items, "{n}=", make_scorer("exact"), max_tokens=3, fingerprint="letters",
        steps=lambda item, text: "valid" if item.id in ("i0", "i1") else "absent",
    )  # fmt: skip
    held = Task("held", items, "{n}=", make_scorer("exact"), max_tokens=3, fingerprint="held")
    guard = Guard(Watch(act=act, check=checker_of(task), canaries=(held,), every=2, folder=folder / "seen"))
    reward = Reward("first half", lambda group: [float(text[:1] < "P") for text in group.texts])
    settings = GrpoSettings(steps=steps, prompts=4, group=4, rate=1e-3, save_every=3, patience=0, quiet=True)
    trained = grpo(
        model, FullWeights(), Practice(task, items, reward), settings, folder / "scratch", Watched(guard)
    )
    told = {
        "steps": guard.steps,
        "signals": guard.signals,
        "alarms": guard.alarms,
        "masked": guard.masked,
        "asked": guard.asked,
        "weights": trained.weights.digest,
    }
    (folder / f"told-{os.environ.get('RANK', '0')}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
