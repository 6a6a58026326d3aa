"""TUNED as a series of checkpoints: the last is judged, and each is asked plainly, for one curve over steps."""

from collections.abc import Callable, Sequence

import pandas as pd

from tellapart.findings.gain import SeriesStep
from tellapart.models.model import Model
from tellapart.models.series import Step
from tellapart.runs.asking import Ask
from tellapart.runs.folder import RunFolder
from tellapart.runs.row import Row
from tellapart.stats.intervals import mean_score
from tellapart.stats.paired import paired_difference
from tellapart.studies.gain.ask import Plan, ask_model
from tellapart.studies.gain.items import per_item, shared_items
from tellapart.studies.gain.scores import clusters_of


def role_of(step: int) -> str:
    """Return the role under which a checkpoint before the last is asked."""
    return f"tuned@{step}"


def ask_series(folder: RunFolder, plan: Plan, opened: Callable[[str], Model]) -> list[Row]:
    """Ask every checkpoint before the last plainly, one open at a time, as often as the verdict's models at first."""
    ask = Ask(plan.task, plan.report, plan.spec.samples or 1, plan.spec.seed, plan.sampling)
    rows: list[Row] = []
    for step in plan.series[:-1]:
        rows += ask_model(folder, plan, (role_of(step.number), opened(step.reference)), ask)
    return rows


def series_table(rows: pd.DataFrame, steps: tuple[int, ...], correct_at: float) -> list[SeriesStep]:
    """Return for the base (step 0) and each checkpoint its score and its gain over the base on the items that both
    answered, with 95 % intervals."""
    base = per_item(rows, "base/plain", correct_at)
    table = []
    for step in (0, *steps):
        role = "base" if step == 0 else "tuned" if step == steps[-1] else role_of(step)
        side = per_item(rows, f"{role}/plain", correct_at)
        if side is None or base is None:
            continue
        first, other = shared_items(base, side)
        labels, _ = clusters_of(other)
        clusters = None if labels is None else pd.factorize(labels)[0]
        score, gain = mean_score(other.mean, clusters), paired_difference(first.mean, other.mean, clusters)
        above = (0.0, 0.0, 0.0) if step == 0 else (gain.value, gain.low, gain.high)
        table.append(SeriesStep(step, len(other.items), score.value, score.low, score.high, *above))
    return table


def series_note(series: Sequence[Step]) -> tuple[str, ...]:
    """Return a note on which checkpoint the verdict is of; nothing where there is no series."""
    if not series:
        return ()
    steps = ", ".join(str(step.number) for step in series)
    return (f"TUNED is a series of {len(series)} checkpoints (steps {steps}): the verdict is of the last.",)
