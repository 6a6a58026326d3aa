"""What Inspect finds of tellapart by the entry point `inspect_ai`: a model provider, and a hook that compares.

    inspect eval task.py --model tellapart/path/to/model
    inspect eval task.py --model tellapart/runs/gain-... -M condition=base/prefill
    TELLAPART_BASELINE=logs/base.eval inspect eval task.py --model ...   # better, worse, or not shown: told at the end

Nothing heavy is imported before it is asked for: Inspect loads entry points whatever it does.
"""

import os
import sys

from inspect_ai.hooks import Hooks, RunEnd, hooks
from inspect_ai.model import ModelAPI, modelapi

BASELINE = "TELLAPART_BASELINE"
"""The variable that names the log to compare each finished one with."""


@modelapi(name="tellapart")
def tellapart() -> type[ModelAPI]:
    """Return the class behind `--model tellapart/REFERENCE`."""
    from tellapart.serving.inspect_model import InspectModel

    return InspectModel


@hooks(name="tellapart_baseline", description=f"compare each finished log with the one that {BASELINE} names")
class Baseline(Hooks):
    """Tells the paired difference on stderr when an evaluation has ended, or in a line why there is none."""

    def enabled(self) -> bool:
        """Return whether a baseline was named."""
        return bool(os.environ.get(BASELINE))

    async def on_run_end(self, data: RunEnd) -> None:
        """Compare what the run has logged."""
        from tellapart.errors import UserMistake
        from tellapart.logs.difference import difference_of, lines_of

        for log in data.logs:
            try:
                lines = lines_of(difference_of(os.environ[BASELINE], log.location))
            except UserMistake as reason:
                lines = [f"not compared: {reason}"]
            for line in lines:
                print(f"tellapart: {line}", file=sys.stderr, flush=True)
