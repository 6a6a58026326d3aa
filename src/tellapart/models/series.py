"""A series of checkpoints of one training run: a folder with a model or an adapter for each step.

runs/sft/checkpoint-100, runs/sft/checkpoint-200 ...      give runs/sft, or BASE+runs/sft where they are adapters
"""

import re
from pathlib import Path
from typing import NamedTuple

from tellapart.errors import InvalidInput

STEP = re.compile(r"(?:checkpoint|global_step|step|ckpt|iter|epoch)[-_]?(\d+)")
HOLDING = ("config.json", "adapter_config.json")


class Step(NamedTuple):
    """A checkpoint: its step, and the reference that opens it."""

    number: int
    reference: str


def read_series(reference: str) -> tuple[Step, ...]:
    """Return the checkpoints that a reference names, in order; nothing where it names one model (a folder that holds
    a whole model or an adapter is that one, whatever lies beside it). Raises InvalidInput where two have one step."""
    folder, before = Path(reference), ""
    if not folder.is_dir():
        before, plus, after = reference.rpartition("+")
        folder = Path(after)
        if not (plus and folder.is_dir()):
            return ()
        before += "+"
    if any((folder / name).is_file() for name in HOLDING):
        return ()
    steps: dict[int, str] = {}
    for path in sorted(folder.iterdir()):
        match = STEP.fullmatch(path.name)
        if match is None or not any((path / name).is_file() for name in HOLDING):
            continue
        number = int(match.group(1))
        if number in steps:
            raise InvalidInput(
                f"{folder} holds step {number} twice ({Path(steps[number]).name}, {path.name}): name one"
            )
        steps[number] = str(path)
    return tuple(Step(number, f"{before}{steps[number]}") for number in sorted(steps))
