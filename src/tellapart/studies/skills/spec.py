"""What `tellapart skills train` is asked: one frozen dataclass is the command line, the Python call and spec.json."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from tyro.conf import Positional, UseAppendAction, arg

from tellapart.errors import InvalidInput
from tellapart.studies.options import ModelOptions, at_least, options_last
from tellapart.studies.skills.texts import DISPATCH_TEMPLATE
from tellapart.studies.study import Study

Objective = Literal["reinforce", "grpo", "ce"]
OBJECTIVES: tuple[Objective, ...] = ("reinforce", "grpo", "ce")


@options_last
@dataclass(frozen=True)
class SkillsSpec(ModelOptions):
    """Train an expert for each skill (one factor for each singular value), and say what it brings and what it costs.

    MODEL: a local model. Each --task is a skill. Beside each expert stands LoRA with the same examples and steps; every
    expert and every sum of two is put to every task. Writes DIR/experts/NAME.safetensors for mix, serve and export.
    """

    EXAMPLES = (
        "tellapart skills train path/to/model --task a.jsonl --task b.jsonl --out runs/skills",
        "tellapart skills train specimen:skills-0 --task specimen:skills-0/digits --task specimen:skills-0/letters",
    )

    model: Annotated[Positional[str], arg(metavar="MODEL")] = ""
    """A local model: a folder, a hub id, specimen:skills-0."""
    task: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="TASK")] = ()
    """A task to train an expert on; give it once for each skill."""
    joint: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="TASK")] = ()
    """A task that may need several skills: mixes are put to it, and an expert trained on it is the ceiling."""
    also: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="TASK")] = ()
    """A task that experts are put to only, to see what they forget; no expert is right for it."""
    watch: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="TASK")] = ()
    """The same, where it is not said which expert is right: the first pass is not judged by it."""
    dispatch: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="TASK=MIX")] = ()
    """TASK=MIX: a task by whose prompts the first pass is judged, and the mix that is right for them (default: every
    --task but the judge's and its expert, every --also and base)."""
    objective: Objective = "reinforce"
    """reinforce: +1 right, -1 wrong, KL to the base (the paper's); grpo: groups of answers; ce: the tasks' targets."""
    targets: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = ()
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
    judge: Annotated[str, arg(metavar="NAME")] = ""
    """The expert (a task's name) that is to tell prompts apart in a first pass, beside the base itself."""
    template: str = DISPATCH_TEMPLATE
    """The first pass's text; {prompt} and {labels} are filled in."""
    label: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="LABEL=MIX")] = ()
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

    def checked(self) -> Self:
        """Return the spec; raises InvalidInput with the value given, the values allowed and the way out."""
        if not self.model:
            raise InvalidInput("skills train needs a MODEL; see tellapart skills train --help")
        for name in ("task", "joint", "also", "watch", "targets"):
            if isinstance(getattr(self, name), str):
                raise InvalidInput(f"{name} {getattr(self, name)!r}: give a tuple of texts")
        if not self.task:
            raise InvalidInput("skills train was given no --task: give one for each skill")
        twice = _twice((*self.task, *self.joint, *self.also, *self.watch))
        if twice:
            raise InvalidInput(f"task {twice!r} is given twice: name each task once")
        if self.objective not in OBJECTIVES:
            raise InvalidInput(f"--objective {self.objective}: choose {', '.join(OBJECTIVES)}")
        at_least(
            steps=(self.steps, 1),
            lora_steps=(self.lora_steps, 1),
            batch=(self.batch, 1),
            samples=(self.samples, 1),
            lora_rank=(self.lora_rank, 0),
        )
        if self.objective == "grpo" and (self.group < 2 or self.batch % self.group):
            raise InvalidInput(
                f"--group {self.group} --batch {self.batch}: groups of 2 or more that fill a batch"
            )
        for name, value in (("kl", self.kl), ("keep", self.keep), ("temperature", self.temperature)):
            if not (math.isfinite(value) and value >= 0):
                raise InvalidInput(f"--{name} {value}: give 0 or more")
        for name, rate in (("rate", self.rate), ("lora-rate", self.lora_rate)):
            if rate is not None and not (math.isfinite(rate) and rate > 0):
                raise InvalidInput(f"--{name} {rate}: give a number above 0")
        return super().checked()


def _twice(names: Sequence[str]) -> str:
    return next((name for index, name in enumerate(names) if name in names[:index]), "")


STUDY = Study(
    name="skills",
    spec=SkillsSpec,
    open="tellapart.studies.skills.study:open_skills",
    verdicts=(
        "brought out", "not brought out", "solved by the mix", "better by the mix", "no better by the mix",
        "cannot tell",
    ),
    analyse="tellapart.studies.skills.study:analyse_again",
)  # fmt: skip
