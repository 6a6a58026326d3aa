"""What `tellapart skills train` is asked: one frozen dataclass is the command line, the Python call and spec.json."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

from tellapart.errors import UserMistake
from tellapart.studies.skills.texts import DISPATCH_TEMPLATE

Objective = Literal["reinforce", "grpo", "ce"]
OBJECTIVES: tuple[Objective, ...] = ("reinforce", "grpo", "ce")


@dataclass(frozen=True)
class SkillsSpec:
    """Train an expert for each skill (one factor for each singular value), and say what it brings and what it costs.

    MODEL: a local model. Each --task is a skill. Beside each expert stands LoRA with the same examples and steps; every
    expert and every sum of two is put to every task. Writes DIR/experts/NAME.safetensors for mix, serve and export.
    """

    model: Annotated[Positional[str], arg(metavar="MODEL")] = ""
    """A local model: a folder, a hub id, specimen:skills-0."""
    task: UseAppendAction[tuple[str, ...]] = ()
    """A task to train an expert on; give it once for each skill."""
    joint: UseAppendAction[tuple[str, ...]] = ()
    """A task that may need several skills: mixes are put to it, and an expert trained on it is the ceiling."""
    also: UseAppendAction[tuple[str, ...]] = ()
    """A task that experts are put to only, to see what they forget; no expert is right for it."""
    watch: UseAppendAction[tuple[str, ...]] = ()
    """The same, where it is not said which expert is right: the first pass is not judged by it."""
    dispatch: UseAppendAction[tuple[str, ...]] = ()
    """TASK=MIX: a task by whose prompts the first pass is judged, and the mix that is right for them (default: every
    --task but the judge's and its expert, every --also and base)."""
    out: str | None = None
    """Run folder (default: runs/skills-TIME-RANDOM). The same command on the same folder goes on where it stopped."""
    objective: Objective = "reinforce"
    """reinforce: +1 right, -1 wrong, KL to the base (the paper's); grpo: groups of answers; ce: the tasks' targets."""
    targets: tuple[str, ...] = ()
    """Matrices by the last part of their name, such as q_proj v_proj (default: every attention and MLP matrix)."""
    steps: int = 300
    """Updates for each expert."""
    batch: int = 32
    """Answers a step."""
    no_baseline: bool = False
    """reinforce as in the paper: the batch's mean reward stays (diverges where the base is mostly wrong)."""
    group: int = 8
    """Answers to a question in grpo."""
    rate: float | None = None
    """AdamW's rate for z at its peak (default: 0.56 over the number of matrices)."""
    kl: float = 0.02
    """Weight of the KL divergence from the base on an expert's own answers."""
    keep: float = 0.3
    """Weight of the KL divergence from the base on the other tasks' prompts (0: the paper, which has none)."""
    apart: bool = False
    """Train each expert by itself, as the paper does, not beside the others (see docs/skills.md)."""
    judge: str = ""
    """The expert (a task's name) that is to tell prompts apart in a first pass, beside the base itself."""
    template: str = DISPATCH_TEMPLATE
    """The first pass's text; {prompt} and {labels} are filled in."""
    label: UseAppendAction[tuple[str, ...]] = ()
    """LABEL=MIX: what the first pass may answer, and what it means (default: the experts' names, and base)."""
    lora_rank: int = 16
    """Rank of the LoRA beside each expert (0: none)."""
    lora_steps: int | None = None
    """Updates for each LoRA (default: as many as for an expert)."""
    lora_rate: float | None = None
    """AdamW's rate for LoRA at its peak (default: 0.4 of the usual one)."""
    train_share: float = 0.5
    """Share of each task's items that is trained on; figures come from the others."""
    temperature: float = 1.0
    """Temperature of the answers that are scored (0: greedy)."""
    samples: int = 1
    """Answers to each item that are scored."""
    limit: int | None = None
    """Items of each task that are scored (default: all that are not trained on)."""
    seed: int = 0
    """Seed of everything that is drawn."""
    chat: bool = False
    """Insist on chat templates: a model without one is refused (default: each model is asked as its own template
    says)."""
    no_chat: bool = False
    """Ask without chat templates."""
    system: str | None = None
    """A system prompt, put before every question that goes through a chat template."""
    device: str = "cpu"
    """Device of the model."""
    allow_code: bool = False
    """Run `python:` code that a task file names, also from outside the task's folder and the current one."""
    dtype: str = "float32"
    """Type of the model's weights."""
    max_rows: int | None = None
    """Most answers written at once (default: what memory holds)."""
    json: bool = False
    """Print findings.json on stdout and nothing else."""

    def checked(self) -> "SkillsSpec":
        """Return the spec; raises UserMistake with the value given, the values allowed and the way out."""
        if not self.model:
            raise UserMistake("skills train needs a MODEL; see tellapart skills train --help")
        for name in ("task", "joint", "also", "watch", "targets"):
            if isinstance(getattr(self, name), str):
                raise UserMistake(f"{name} {getattr(self, name)!r}: give a tuple of texts")
        if not self.task:
            raise UserMistake("skills train was given no --task: give one for each skill")
        twice = _twice((*self.task, *self.joint, *self.also, *self.watch))
        if twice:
            raise UserMistake(f"task {twice!r} is given twice: name each task once")
        if self.objective not in OBJECTIVES:
            raise UserMistake(f"--objective {self.objective}: choose {', '.join(OBJECTIVES)}")
        steps = self.steps if self.lora_steps is None else self.lora_steps
        _at_least(1, steps=self.steps, lora_steps=steps, batch=self.batch, samples=self.samples)
        if self.max_rows is not None and self.max_rows < 1:
            raise UserMistake(f"--max-rows {self.max_rows}: give 1 or more")
        _at_least(0, lora_rank=self.lora_rank, seed=self.seed)
        if self.objective == "grpo" and (self.group < 2 or self.batch % self.group):
            raise UserMistake(
                f"--group {self.group} --batch {self.batch}: groups of 2 or more that fill a batch"
            )
        for name, value in (("kl", self.kl), ("keep", self.keep), ("temperature", self.temperature)):
            if not (math.isfinite(value) and value >= 0):
                raise UserMistake(f"--{name} {value}: give 0 or more")
        for name, rate in (("rate", self.rate), ("lora-rate", self.lora_rate)):
            if rate is not None and not (math.isfinite(rate) and rate > 0):
                raise UserMistake(f"--{name} {rate}: give a number above 0")
        return self


def _twice(names: Sequence[str]) -> str:
    return next((name for index, name in enumerate(names) if name in names[:index]), "")


def _at_least(least: int, **values: int) -> None:
    for name, value in values.items():
        if value < least:
            raise UserMistake(f"--{name.replace('_', '-')} {value}: give {least} or more")
