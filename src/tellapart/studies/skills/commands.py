"""`tellapart skills train | mix | serve | export` as values. Nothing heavy is imported before one is run."""

from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

from tellapart.studies.options import Verb
from tellapart.studies.skills.texts import DISPATCH_TEMPLATE


@dataclass(frozen=True)
class MixSpec(Verb):
    """Mix experts on a task: by hand, by a first pass over each prompt, or by a few solved examples.

    by hand: --mix digits+0.5*letters; prompt: the base is asked what each prompt needs; classifier: an expert is asked
    (--judge); cem: weights are searched on --shots examples; learned: each prompt's weights are read off the base's
    state, by a line fitted on --shots examples of each --learn-on task. Prints the score on the task with its interval.
    """

    EXAMPLES = (
        "tellapart skills mix runs/skills --task both.jsonl --mix a+0.5*b",
        "tellapart skills mix runs/skills --task both.jsonl --how prompt  # the base is asked what a prompt needs",
        "tellapart skills mix runs/skills --task both.jsonl --how cem --shots 10 --save both",
    )

    folder: Annotated[Positional[str], arg(metavar="DIR")] = ""
    """The folder of `tellapart skills train`."""
    task: Annotated[str, arg(metavar="TASK")] = ""
    """The task."""
    how: Literal["hand", "prompt", "classifier", "cem", "learned"] = "hand"
    """How the mix is had."""
    mix: Annotated[str, arg(metavar="MIX")] = ""
    """The mix by hand: experts with + and -, weights with *."""
    judge: Annotated[str, arg(metavar="NAME")] = ""
    """The expert that classifies prompts (how: classifier)."""
    template: str = DISPATCH_TEMPLATE
    """The first pass's text; {prompt} and {labels} are filled in."""
    label: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="LABEL=MIX")] = ()
    """LABEL=MIX: what the first pass may answer, and what it means (default: the experts' names, and base)."""
    shots: int = 10
    """Examples that cem sees; of each task, with learned."""
    learn_on: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="TASK")] = ()
    """A task whose examples the weighting learns from (how: learned; default: the task itself)."""
    rounds: int = 8
    """Rounds of 32 candidates in cem."""
    by_layer: bool = False
    """One weight for each expert and layer in cem."""
    most: float = 1.0
    """Largest weight that cem tries."""
    save: Annotated[str, arg(metavar="NAME")] = ""
    """Keep the mix that cem found under this name: serve lists it."""
    limit: int | None = None
    """Items that are scored (default: all that were not learned from)."""
    temperature: float = 0.0
    """Temperature of the answers (0: greedy)."""
    seed: int = 0
    """Seed of everything that is drawn."""
    device: Annotated[str, arg(metavar="DEVICE")] = "cpu"
    """Device of the model."""
    allow_code: bool = False
    """Run `python:` code that a task file names, also from outside the task's folder and the current one."""
    max_rows: int | None = None
    """Most answers written at once (default: what memory holds)."""
    json: bool = False
    """Print the result as JSON and nothing else."""

    def run(self) -> int:
        """Mix, ask, score."""
        from tellapart.studies.skills.mixing import run_mix
        from tellapart.tasks.python_code import code_allowed

        with code_allowed("all" if self.allow_code else "own"):
            run_mix(self)
        return 0


@dataclass(frozen=True)
class ExportSpec(Verb):
    """Write a mix for other programs: merged weights, a low-rank adapter for PEFT, or control vectors as GGUF."""

    EXAMPLES = (
        "tellapart skills export runs/skills --mix a --out merged",
        "tellapart skills export runs/skills --mix a+0.5*b --form lora --rank 32 --out adapter",
    )

    folder: Annotated[Positional[str], arg(metavar="DIR")] = ""
    """The folder of `tellapart skills train`."""
    out: Annotated[str, arg(metavar="PATH")] = ""
    """Folder (merged, lora) or file (gguf) to write."""
    mix: Annotated[str, arg(metavar="MIX")] = ""
    """The mix: an expert, or as in digits+0.5*letters."""
    form: Literal["merged", "lora", "gguf"] = "merged"
    """merged: a folder that transformers and vLLM load; lora: a truncated adapter; gguf: control vectors."""
    rank: int = 16
    """Rank of the adapter (0: all that z moved)."""
    task: Annotated[str, arg(metavar="TASK")] = ""
    """The task whose prompts the control vectors are read on (gguf)."""
    device: Annotated[str, arg(metavar="DEVICE")] = "cpu"
    """Device of the model."""
    allow_code: bool = False
    """Run `python:` code that a task file names, also from outside the task's folder and the current one."""

    def run(self) -> int:
        """Write it and say where."""
        from tellapart.studies.skills.export import run_export
        from tellapart.tasks.python_code import code_allowed

        with code_allowed("all" if self.allow_code else "own"):
            run_export(self)
        return 0
