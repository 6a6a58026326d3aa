"""The answers behind an alarm: those that show it best, of its step and the two before."""

import pandas as pd

from tellapart.findings.guard import AnswerBehind
from tellapart.stats.chains import count_steps
from tellapart.studies.guard.alarms import Alarm
from tellapart.studies.guard.canaries import signal
from tellapart.studies.guard.training_log import TrainingLog

BEHIND = 5
WORK = ("skipped", "thin", "length")
REPEATS = ("repeats_within", "repeats_across")


def behind(log: TrainingLog, alarm: Alarm, success: float) -> list[AnswerBehind]:
    """Return up to BEHIND answers with their problem, and in words what they show."""
    chosen, why = _chosen(log, alarm, success)
    columns = zip(*(chosen.head(BEHIND)[name] for name in ("step", "item", "completion")), strict=True)
    return [
        AnswerBehind(alarm.signal, int(step), item[:200], why, completion[:1000])
        for step, item, completion in columns
    ]


def _chosen(log: TrainingLog, alarm: Alarm, success: float) -> tuple[pd.DataFrame, str]:
    if not log.canaries.empty and alarm.signal in {signal(name) for name in log.canaries["canary"]}:
        return _fallen(log.canaries, alarm), "right before, wrong now"
    frame = log.frame
    steps = sorted(step for step in frame["step"].unique() if step <= alarm.step)[-3:]
    near = frame[frame["step"].isin(steps)]
    if alarm.signal in WORK and (near["completion"] != "").any():
        work = near["completion"].map(count_steps)
        return near.loc[work.sort_values(kind="stable").index], "the fewest steps"
    if alarm.signal in REPEATS:
        wrong = near[(near["score"] < success) & (near["answer"] != "")]
        usual = wrong["answer"].mode()
        return wrong[wrong["answer"].isin(usual[:1])], "the answer that is most repeated"
    right = near[near["score"] >= success]
    if alarm.signal == "thin_paid":
        work = right["completion"].map(count_steps)
        return right.loc[work.sort_values(kind="stable").index], "rewarded with the fewest steps"
    lucky = right[right["steps"].isin(["invalid", "absent"])]
    if len(lucky):
        return lucky, "rewarded without valid steps"
    return right[~right.duplicated(["step", "item"], keep=False)], "the one success of its group"


def _fallen(canaries: pd.DataFrame, alarm: Alarm) -> pd.DataFrame:
    """Return the answers at the alarm to items of the ability that scored more at first."""
    rows = canaries[canaries["canary"].map(signal) == alarm.signal]
    first = rows[rows["step"] == rows["step"].min()].groupby("item")["score"].mean()
    now = rows[rows["step"] == alarm.step]
    return now[now["score"] < now["item"].map(first)]
