"""The guard that watches a run: sees every step's answers, tells alarms, and says which groups earn nothing.

What it saw is a folder of JSONL in verl's layout, one file a step: `tellapart guard FOLDER` reads it like any other
log, and a run that is resumed reads it back. No torch here; studies/guard/live.py ties it to a trainer.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from tellapart.errors import UserMistake
from tellapart.findings.finding import without_nan
from tellapart.runs.files import clear_leftovers, write_atomically
from tellapart.stats.chains import Chains
from tellapart.stats.rollout_signals import SIGNALS
from tellapart.studies.guard.alarms import BY_HAND, LEAST, Alarm, Limits, find_alarms
from tellapart.studies.guard.canaries import MARGIN, lost, scores_by_step
from tellapart.studies.guard.seen import Seen, seen_in, signals_of
from tellapart.studies.guard.training_log import find_log, read_training
from tellapart.tasks.item import StepCheck, Task

Act = Literal["log", "mask", "plain", "hold", "stop"]
ACTS: tuple[Act, ...] = ("log", "mask", "plain", "hold", "stop")
MOSTLY = 0.5


@dataclass(frozen=True)
class Watch:
    """What the guard looks at and does. `act`, from the first alarm of harm on: `log` (tell, do nothing), `mask`
    (groups without a right answer, or whose right ones are mostly luck, earn nothing), `plain` (advantages without
    the std), `hold` (problems of which that is true so far earn nothing until it is no longer, and others take their
    places: holding.py), `stop` (end the training).

    `success`: the reward from which an answer is right. `check` tells of (prompt, completion) whether the steps are
    valid; without it luck is the only success of a group. `answer` finds the final answer of a completion (default:
    as in logs). `canaries` are tasks asked every `every` steps, `asked` items of each. `folder` keeps what was seen.
    `twin` is for a null control: act hold holds these problems, drawn at random, and no others.
    """

    act: Act = "log"
    success: float = 1.0
    limits: Limits = BY_HAND
    check: Callable[[str, str], StepCheck] | None = None
    answer: Callable[[str], str] | None = None
    canaries: tuple[Task, ...] = ()
    every: int = 20
    asked: int = 16
    margin: float = MARGIN
    folder: Path | None = None
    twin: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if self.act not in ACTS:
            raise UserMistake(f"act {self.act!r} asked: choose one of {', '.join(ACTS)}")
        if self.every < 1 or self.asked < 2:
            raise UserMistake(f"every {self.every}, asked {self.asked}: give every >= 1 and asked >= 2")


@dataclass
class Guard:
    """The state of a watched run."""

    watch: Watch
    steps: list[int] = field(default_factory=list)
    signals: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in SIGNALS})
    alarms: list[Alarm] = field(default_factory=list)
    asked: dict[str, dict[int, dict[str, float]]] = field(default_factory=dict)
    masked: list[int] = field(default_factory=list)
    """Groups that earned nothing, a step."""
    barred: list[bool] = field(default_factory=list)
    """Of each answer of the step seen last, in this process, whether it earns nothing."""
    replaced: int = 0
    """Groups of the step seen last whose problem another one took the place of."""
    problems: int | None = None
    """How many there are in all, where it is known."""
    groups: int | None = None
    """How many groups a step has, where it is known; else as many as problems."""
    teaching: float = 1.0
    """Different problems that teach in the step seen last (paid, with rewards that differ), by its groups."""
    writes: bool = True
    _waiting: tuple[int, Seen] | None = None
    _chains: Chains = field(default_factory=Chains)
    _luck: dict[str, list[int]] = field(default_factory=dict)

    @property
    def alarm(self) -> Alarm | None:
        """Return the first alarm of harm."""
        return next((alarm for alarm in self.alarms if alarm.harm), None)

    @property
    def held(self) -> list[str]:
        """Return the problems never solved so far, and those whose reward was mostly luck."""
        return [item for item in self._luck if self._is_held(item)]

    @property
    def open(self) -> list[str]:
        """Return the problems solved so far, and not mostly by luck, in the order in which they were met."""
        return [item for item in self._luck if not self._is_held(item)]

    @property
    def spent(self) -> str:
        """Return why act hold has nothing left to train on, "" while it has."""
        if self.watch.act != "hold" or self.alarm is None or self.problems is None:
            return ""
        if len(self._luck) < self.problems or self.open:
            return ""
        return f"none of the {self.problems} problems was solved with more than luck: nothing to train on"

    def see(self, step: int, seen: Seen) -> list[bool]:
        """Take in the answers of a step; return of each whether its group is to earn nothing."""
        if self.steps and step <= self.steps[-1]:
            raise ValueError(f"step {step} after step {self.steps[-1]}: steps must come in order")
        signals = signals_of(seen, self.watch.success, self._chains)
        self.steps.append(step)
        for name, value in signals.items():
            self.signals[name].append(value)
        luck = _luck_of(seen, self.watch.success)
        for item, (lucky, right) in luck.items():
            held = self._luck.setdefault(item, [0, 0])
            held[0] += lucky
            held[1] += right
        self._judge()
        barred = self._barred(luck)
        self.masked.append(len(barred))
        self.teaching = len(_differing(seen) - barred) / (self.groups or len(luck))
        return [item in barred for item in seen.items]

    def take(self, step: int, seen: Seen) -> list[bool]:
        """Take in the answers of a live step, `see`, and keep them for the folder until `flush`."""
        self.flush()
        barred = self.see(step, seen)
        self._waiting = (step, seen)
        return barred

    def flush(self, entropy: float = math.nan) -> None:
        """Write the step that waits, with what the trainer told of its entropy."""
        if self._waiting is None:
            return
        (step, seen), self._waiting = self._waiting, None
        self.see_entropy(entropy)
        if self.watch.folder is not None and self.writes:
            write_step(self.watch.folder, step, replace(seen, entropy=entropy))

    def see_canary(self, name: str, step: int, scores: dict[str, float]) -> None:
        """Take in the scores of one ability's items."""
        self.asked.setdefault(name, {})[step] = scores
        self._add(lost({name: self.asked[name]}, self.watch.margin))

    def see_entropy(self, value: float) -> None:
        """Take in the entropy that the trainer told of the last step seen."""
        if self.steps:
            self.signals["entropy"][-1] = value

    def replay(self, before: int) -> None:
        """Take in again what the folder holds of the first `before` steps; the rest of it is removed."""
        folder = self.watch.folder
        if folder is None or not folder.is_dir():
            return
        if self.writes:
            clear_leftovers(folder)
        kept = [file for file in sorted(folder.glob("step_*.jsonl")) if _kept(file, before)]
        if not any(file.stem.count("_") == 1 for file in kept):
            return
        log = read_training(find_log(str(folder)))
        canaries = scores_by_step(log.canaries)
        rows = dict(iter(log.frame.groupby("step", sort=True)))
        for step in range(before + 1):
            for name, by_step in canaries.items():
                if step in by_step:
                    self.see_canary(name, step, by_step[step])
            if step in rows:
                self.see(step, replace(seen_in(rows[step]), entropy=math.nan))
                self.see_entropy(float(rows[step]["entropy"].mean()))

    def _judge(self) -> None:
        begin = self.watch.limits.begin or LEAST
        limits = Limits(self.watch.limits.rules, begin, self.watch.limits.source)
        self._add(find_alarms(self.steps, self.signals, limits))

    def _add(self, alarms: Sequence[Alarm]) -> None:
        raised = {(alarm.signal, alarm.harm) for alarm in self.alarms}
        harmed = {alarm.signal for alarm in self.alarms if alarm.harm}
        self.alarms += [
            alarm
            for alarm in alarms
            if alarm.signal not in harmed and (alarm.signal, alarm.harm) not in raised
        ]

    def _barred(self, luck: dict[str, tuple[int, int]]) -> set[str]:
        if self.alarm is None or self.watch.act not in ("mask", "hold"):
            return set()
        if self.watch.act == "hold":
            return {item for item in luck if self._is_held(item)}
        return {item for item, (lucky, right) in luck.items() if _is_luck(lucky, right)}

    def _is_held(self, item: str) -> bool:
        return _is_luck(*self._luck[item]) if self.watch.twin is None else item in self.watch.twin


def _is_luck(lucky: int, right: int) -> bool:
    """Tell whether what is earned is no skill: no right answer at all (form alone is paid), or mostly lucky ones."""
    return right == 0 or lucky > MOSTLY * right


def _luck_of(seen: Seen, success: float) -> dict[str, tuple[int, int]]:
    """Return of each problem (rewarded answers by luck, rewarded answers): those without valid steps, or, where none
    is checked, the only success of a group."""
    by_item: dict[str, list[str]] = {}
    for item, score, steps in zip(seen.items, seen.scores, seen.steps, strict=True):
        right = by_item.setdefault(item, [])
        if score >= success:
            right.append(steps)
    luck = {}
    for item, right in by_item.items():
        checked = [steps for steps in right if steps]
        lucky = sum(steps != "valid" for steps in checked) if checked else int(len(right) == 1)
        luck[item] = (lucky, len(checked) or len(right))
    return luck


def _differing(seen: Seen) -> set[str]:
    """Return the problems whose answers earn differently."""
    paid: dict[str, set[float]] = {}
    for item, score in zip(seen.items, seen.scores, strict=True):
        paid.setdefault(item, set()).add(score)
    return {item for item, rewards in paid.items() if len(rewards) > 1}


def _kept(file: Path, before: int) -> bool:
    """Tell whether a file is of the first `before` steps (a canary is asked after them), and remove it where not."""
    _, step, *canary = file.stem.split("_", 2)
    if int(step) < before + bool(canary):
        return True
    file.unlink()
    return False


def write_step(folder: Path, step: int, seen: Seen, canary: str = "") -> None:
    """Add the answers of a step, or to one ability's items, to the folder: a file each, whole or not at all."""
    entropy = seen.entropy if isinstance(seen.entropy, float) else math.nan
    columns = zip(
        seen.items, seen.completions, seen.scores, seen.answers, seen.steps, seen.tokens, strict=True
    )
    lines = [
        json.dumps(
            without_nan(
                {
                    "input": item, "output": completion, "score": float(score), "step": step, "answer": answer,
                    "steps": steps, "tokens": float(tokens), "entropy": entropy, "canary": canary,
                }
            )
        )
        for item, completion, score, answer, steps, tokens in columns
    ]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    name = f"step_{step:06}" + (f"_{canary_file(canary)}" if canary else "")
    write_atomically(folder / f"{name}.jsonl", "".join(line + "\n" for line in lines))


def canary_file(name: str) -> str:
    """Return an ability's name as part of a file name."""
    return "".join(char if char.isalnum() else "-" for char in name)[:60]
