"""What `tellapart improve` is asked: the same frozen dataclass is the command line, the Python call and spec.json."""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from tyro.conf import Positional, arg

from tellapart.errors import InvalidInput
from tellapart.studies.options import ModelOptions, at_least, options_last
from tellapart.studies.study import Study

Method = Literal["star", "rest_em", "expert_iteration"]


@options_last
@dataclass(frozen=True)
class ImproveSpec(ModelOptions):
    """Can MODEL improve itself on a task: does it know its better answers, and how far do rounds of training raise it?

    Verifiers: logprob, critique, score, tournament, majority (the model's own); checker, steps, past, judge:MODEL,
    python:module:function (help from outside); chance, form, longest (controls); a+b accepts what both accept.
    """

    EXAMPLES = (
        "tellapart improve path/to/model --task items.jsonl --rounds 0  # the headroom alone: nothing is trained",
        "tellapart improve path/to/model --task items.jsonl --verifier majority --rounds 4",
        "tellapart improve path/to/model --task items.jsonl --verifier critique --anchor 0.1  # the truth on a tenth",
    )

    model: Annotated[Positional[str], arg(metavar="MODEL")] = ""
    """A folder or hub id, specimen:NAME/base; with --rounds 0 also openai:NAME@URL."""
    task: Annotated[str | None, arg(metavar="TASK")] = None
    """What it is asked: a .jsonl/.csv/.parquet/.toml file, bbh:PATH, gsm8k:PATH, specimen:NAME ..."""
    verifier: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = ()
    """Who says which answers are right. The first one named trains (default: all that can run are measured, and of the
    model's own the one with the largest gap on the training items trains)."""
    method: Method = "rest_em"
    """star: one accepted answer a prompt, from the start each round. rest_em: up to four, from the start each round.
    expert_iteration: up to four, going on from the last round."""
    rounds: int = 4
    """Most rounds; 0 measures the headroom alone and trains nothing."""
    anchor: float = 0.0
    """Share of the training prompts on which --anchor-by decides instead of the verifier, and which audit it."""
    anchor_by: Annotated[str, arg(metavar="NAME")] = "checker"
    """Who decides there: checker (ground truth), steps, past, judge:MODEL ... any verifier."""
    corrections: Annotated[str | None, arg(metavar="FILE")] = None
    """JSONL of right answers (item or prompt, answer) to be trained on in place of the model's own: an anchor too."""
    canary: Annotated[tuple[str, ...], arg(metavar="TASK ...")] = ()
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

    def checked(self) -> Self:
        """Return the spec; raises InvalidInput with the value given, the values allowed and the way out."""
        if not self.model or not self.task:
            raise InvalidInput("improve needs MODEL --task T; see tellapart improve --help")
        if isinstance(self.verifier, str) or isinstance(self.canary, str):
            raise InvalidInput("verifier and canary: give a tuple of names")
        at_least(
            samples=(self.samples, 2),
            steps=(self.steps, 1),
            rounds=(self.rounds, 0),
            limit=(self.limit, 4),
            max_tokens=(self.max_tokens, 1),
        )
        if not 0 <= self.anchor <= 1:
            raise InvalidInput(f"--anchor {self.anchor:g}: give a share from 0 to 1")
        if not 0 < self.temperature <= 10:
            raise InvalidInput(
                f"--temperature {self.temperature:g}: give more than 0, at most 10: answers must differ"
            )
        if self.rate is not None and not self.rate > 0:
            raise InvalidInput(f"--rate {self.rate:g}: give a rate above 0")
        if self.method not in ("star", "rest_em", "expert_iteration"):
            raise InvalidInput(f"--method {self.method}: star, rest_em or expert_iteration")
        return super().checked()


STUDY = Study(
    name="improve",
    spec=ImproveSpec,
    open="tellapart.studies.improve.study:open_improve",
    verdicts=(
        "improves", "no better than chance", "no rise", "falls", "hacked", "no headroom", "headroom",
        "headroom with outside help only", "cannot tell",
    ),
    analyse="tellapart.studies.improve.study:analyse_again",
)  # fmt: skip
