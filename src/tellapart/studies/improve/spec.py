"""What `tellapart improve` is asked: the same frozen dataclass is the command line, the Python call and spec.json."""

from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from tellapart.errors import UserMistake

Method = Literal["star", "rest_em", "expert_iteration"]


@dataclass(frozen=True)
class ImproveSpec:
    """Can MODEL improve itself on a task: does it know its better answers, and how far do rounds of training raise it?

    Verifiers: logprob, critique, score, tournament, majority (the model's own); checker, steps, past, judge:MODEL,
    python:module:function (help from outside); chance, form, longest (controls); a+b accepts what both accept.
    """

    model: Annotated[Positional[str], arg(metavar="MODEL")] = ""
    """A folder or hub id, specimen:NAME/base; with --rounds 0 also openai:NAME@URL."""
    task: str | None = None
    """What it is asked: a .jsonl/.csv/.parquet/.toml file, bbh:PATH, gsm8k:PATH, specimen:NAME ..."""
    verifier: tuple[str, ...] = ()
    """Who says which answers are right. The first one named trains (default: all that can run are measured, and of the
    model's own the one with the largest gap on the training items trains)."""
    method: Method = "rest_em"
    """star: one accepted answer a prompt, from the start each round. rest_em: up to four, from the start each round.
    expert_iteration: up to four, going on from the last round."""
    rounds: int = 4
    """Most rounds; 0 measures the headroom alone and trains nothing."""
    anchor: float = 0.0
    """Share of the training prompts on which --anchor-by decides instead of the verifier, and which audit it."""
    anchor_by: str = "checker"
    """Who decides there: checker (ground truth), steps, past, judge:MODEL ... any verifier."""
    corrections: str | None = None
    """JSONL of right answers (item or prompt, answer) to be trained on in place of the model's own: an anchor too."""
    canary: tuple[str, ...] = ()
    """Tasks that were held before and must not be lost; asked after every round."""
    samples: int = 16
    """Answers to each item, for training and for measuring."""
    steps: int = 40
    """Updates of 16 examples a round."""
    rate: float | None = None
    """Learning rate (default: by the model's width)."""
    temperature: float = 1.0
    """Sampling temperature."""
    max_tokens: int | None = None
    """Longest answer in tokens (default: the task's)."""
    chat: bool = False
    """Insist on chat templates: a model without one is refused (default: each model is asked as its own template
    says)."""
    no_chat: bool = False
    """Ask without chat templates."""
    system: str | None = None
    """A system prompt, put before every question that goes through a chat template."""
    out: str | None = None
    """Run folder (default: runs/improve-TIME-RANDOM). The same command on the same folder goes on where it stopped."""
    limit: int | None = None
    """Use at most this many items, drawn by the seed."""
    seed: int = 0
    """Seed of everything that is drawn."""
    budget: int | None = None
    """Spend at most so many tokens (generated, scored and trained on, in all runs of the folder); a larger budget goes
    on from there."""
    json: bool = False
    """Print findings.json on stdout and nothing else."""
    device: str = "cpu"
    """cpu, cuda, cuda:1 ..."""
    allow_code: bool = False
    """Run `python:` code that a task file names, also from outside the task's folder and the current one."""
    dtype: str = "float32"
    """float32 or bfloat16."""
    max_rows: int | None = None
    """Most answers written at once by a model in this process (default: what memory holds)."""

    def checked(self) -> "ImproveSpec":
        """Return the spec; raises UserMistake with the value given, the values allowed and the way out."""
        if not self.model or not self.task:
            raise UserMistake("improve needs MODEL --task T; see tellapart improve --help")
        if isinstance(self.verifier, str) or isinstance(self.canary, str):
            raise UserMistake("verifier and canary: give a tuple of names")
        for name, value, least in (
            ("--samples", self.samples, 2),
            ("--steps", self.steps, 1),
            ("--rounds", self.rounds, 0),
            ("--seed", self.seed, 0),
            ("--limit", self.limit, 4),
            ("--budget", self.budget, 1),
            ("--max-tokens", self.max_tokens, 1),
            ("--max-rows", self.max_rows, 1),
        ):
            if value is not None and value < least:
                raise UserMistake(f"{name} {value}: give {least} or more")
        if not 0 <= self.anchor <= 1:
            raise UserMistake(f"--anchor {self.anchor:g}: give a share from 0 to 1")
        if not 0 < self.temperature <= 10:
            raise UserMistake(
                f"--temperature {self.temperature:g}: give more than 0, at most 10: answers must differ"
            )
        if self.rate is not None and not self.rate > 0:
            raise UserMistake(f"--rate {self.rate:g}: give a rate above 0")
        if self.method not in ("star", "rest_em", "expert_iteration"):
            raise UserMistake(f"--method {self.method}: star, rest_em or expert_iteration")
        if self.dtype not in ("float32", "bfloat16"):
            raise UserMistake(f"--dtype {self.dtype}: float32 or bfloat16")
        return self
