"""What `tellapart form` is asked: the same frozen dataclass is the command line, the Python call and spec.json."""

import math
from dataclasses import dataclass
from typing import Annotated, Self

from tyro.conf import Positional, arg

from tellapart.errors import InvalidInput
from tellapart.studies.options import ModelOptions, at_least, options_last
from tellapart.studies.study import Study


@options_last
@dataclass(frozen=True)
class FormSpec(ModelOptions):
    """Is MODEL's score on T form or substance? The task is put with its form kept and its substance taken away.

    Models: a folder, hub id, ID@REVISION, BASE+ADAPTER or .gguf file, vllm:MODEL, openai:NAME@URL,
    specimen:NAME/tuned. Or give --logs, one scored log for each arm.
    """

    EXAMPLES = (
        "tellapart form path/to/model --task items.jsonl  # every family that the task allows",
        "tellapart form specimen:chain-uses-0 --task specimen:chain-uses-0",
        "tellapart form --logs base=direct.jsonl full=cot.jsonl form_only=invalid.jsonl",
        "tellapart form --pairs judged.jsonl  # answers judged side by side",
    )

    model: Annotated[Positional[str | None], arg(metavar="MODEL")] = None
    """The model that is asked."""
    task: Annotated[str | None, arg(metavar="TASK")] = None
    """What it is asked: a .jsonl/.csv/.parquet/.toml file, bbh:PATH, gsm8k:PATH, specimen:NAME ..."""
    logs: Annotated[tuple[str, ...], arg(metavar="ARM=LOG ...")] = ()
    """ARM=LOG ... where the arms were run elsewhere: base, full, form_only, second_form, destroyed, and
    form_only/NAME for further ones."""
    pairs: Annotated[str | None, arg(metavar="FILE")] = None
    """Answers judged side by side, by a model or by people: JSONL with item, model_a, model_b, answer_a, answer_b,
    winner (a, b or tie). Or a table (CSV, Parquet) of many models against one baseline: model, instruction, preference
    (0 to 1), length, baseline_length."""
    paraphraser: Annotated[str | None, arg(metavar="MODEL")] = None
    """Model that says the asked model's own steps in other words, for the chain family."""
    judge: Annotated[str | None, arg(metavar="MODEL")] = None
    """Model that judges --pairs, in both orders and against a constant answer; lines then hold `question` and no
    winner."""
    entailment: Annotated[str | None, arg(metavar="MODEL")] = None
    """Model that says which answers mean the same, for semantic entropy with --samples above 1 (default: equal final
    answers)."""
    family: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = ()
    """Which families of controls to run (default: all that the task and the model allow, but trained_instructions,
    which trains copies of the model and runs only where it is named)."""
    training_seeds: int = 3
    """Trainings of every arm, each from other random numbers (trained_instructions)."""
    training_steps: int = 600
    """Most updates of a training; it ends before, once its labels are fitted (trained_instructions)."""
    exemplars: int = 8
    """Worked demonstrations shown, at most."""
    margin: float = 0.05
    """Two arms within this many score units (by an equivalence test) count as the same."""
    tolerance: float = 0.1
    """How far a control may miss the form it has to keep, as a share of it; beyond, the run is refused."""
    samples: int = 1
    """Answers to each item in each arm."""
    temperature: float = 0.0
    """Sampling temperature (0: greedy)."""
    max_tokens: int | None = None
    """Longest answer in tokens (default: the task's)."""
    correct_at: float = 1.0
    """An answer counts as right from this score on (in counts and lists)."""

    @property
    def reads_logs(self) -> bool:
        """Whether answers come from logs."""
        return bool(self.logs)

    def checked(self) -> Self:
        """Return the spec; raises InvalidInput with the value given, the values allowed and the way out."""
        sources = (bool(self.model or self.task), bool(self.logs), self.pairs is not None)
        if sum(sources) == 0 or (sources[0] and not (self.model and self.task)):
            raise InvalidInput(
                "form needs MODEL --task T, or --logs ARM=LOG ..., or --pairs FILE; see form --help"
            )
        if self.judge is not None and self.pairs is None:
            raise InvalidInput("--judge judges the answers of --pairs FILE: give both")
        if sum(sources) > 1:
            raise InvalidInput("give one of MODEL --task T, --logs ARM=LOG ..., --pairs FILE")
        at_least(
            exemplars=(self.exemplars, 2),
            samples=(self.samples, 1),
            training_seeds=(self.training_seeds, 2),
            training_steps=(self.training_steps, 1),
            limit=(self.limit, 2),
            max_tokens=(self.max_tokens, 1),
        )
        for name, share in (("--margin", self.margin), ("--tolerance", self.tolerance)):
            if not 0 < share < 1:
                raise InvalidInput(f"{name} {share}: give a share above 0 and below 1")
        if not 0 <= self.temperature <= 10:
            raise InvalidInput(f"--temperature {self.temperature}: give 0 (greedy) to 10")
        if not math.isfinite(self.correct_at):
            raise InvalidInput(f"--correct-at {self.correct_at}: give a score, such as 1")
        return super().checked()


STUDY = Study(
    name="form",
    spec=FormSpec,
    open="tellapart.studies.form.study:open_form",
    verdicts=("substance", "form", "mixed", "cannot tell"),
    analyse="tellapart.studies.form.study:analyse_again",
    analysis_options=("margin", "correct_at"),
)
