"""What `tellapart gain` is asked: the same frozen dataclass is the command line, the Python call and spec.json."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self

from tyro.conf import Positional, arg

from tellapart.errors import InvalidInput
from tellapart.studies.options import ModelOptions, at_least, options_last
from tellapart.studies.study import Study

Plan = Literal["quick", "adaptive", "exhaustive"]


@options_last
@dataclass(frozen=True)
class GainSpec(ModelOptions):
    """Was the gain from BASE to TUNED already in the base (elicited), or is it new (acquired)?

    Models: a folder, hub id, ID@REVISION, BASE+ADAPTER or .gguf file, vllm:MODEL, openai:NAME@URL,
    log:PATH, specimen:NAME/base. Or give --logs alone.
    """

    EXAMPLES = (
        "tellapart gain path/to/base path/to/tuned --task items.jsonl --out runs/sums",
        "tellapart gain path/to/base path/to/tuned --task items.jsonl --dry-run  # what it asks, how long it takes",
        "tellapart gain --logs base_log tuned_log  # from scored logs alone",
        "tellapart gain specimen:latent-register-0/base specimen:latent-register-0/tuned "
        "--task specimen:latent-register-0",
    )

    base: Annotated[Positional[str | None], arg(metavar="BASE")] = None
    """The model before training."""
    tuned: Annotated[Positional[str | None], arg(metavar="TUNED")] = None
    """The model after training, or a folder of its checkpoints (checkpoint-100 ...): the last is judged."""
    task: Annotated[str | None, arg(metavar="TASK")] = None
    """What both are asked: a .jsonl/.csv/.parquet/.toml file, bbh:PATH, gsm8k:PATH, specimen:NAME ..."""
    logs: Annotated[tuple[str, str] | None, arg(metavar="LOG LOG")] = None
    """Scored logs of BASE and TUNED instead of models: lm-eval, Inspect, HELM, TRL, verl, plain counts ..."""
    way: Annotated[tuple[str, ...], arg(metavar="NAME=LOG ...")] = ()
    """With --logs: NAME=LOG, the base elicited elsewhere (steered, prompted, routed), judged as a method beside its
    control and its bits."""
    null: Annotated[tuple[str, ...], arg(metavar="NAME=LOG ...")] = ()
    """NAME=LOG: the null control of that --way (a random vector, a shuffled prompt: as strong, and empty)."""
    bits: Annotated[tuple[str, ...], arg(metavar="NAME=N ...")] = ()
    """NAME=N: the bits of right answers that a --way was told, 0 where none (of its control: NAME~null=N). A way that
    states none raises no bound."""
    map: Annotated[str | None, arg(metavar="FIELD=KEY,...")] = None
    """With --logs of a format that is not known: which keys are what, item=task_id,correct=passed (tellapart read)."""
    samples: int | None = None
    """Answers to each item from each of the two models (k; default: 8, all that the verdict reads, or 32 where every
    method is asked, for pass@k)."""
    elicited_samples: int = 4
    """Answers to each item from the base under each elicitor, and under its null control."""
    elicitors: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = ()
    """Which elicitors to try, with settings where given: best_of_k:draws=32 steering_rl:steps=100,group=8 (default: all
    that can run on these models). In Python also the elicitors themselves."""
    reference: Annotated[str | None, arg(metavar="MODEL")] = None
    """A model of the base's shape that never met the skill, to price teaching it by the same ways: a folder or hub
    id, or `fresh` (the base's shape with new random weights)."""
    plan: Plan | None = None
    """quick: plain answers and the two cheapest methods, nothing trained, never "acquired"; adaptive: ask cheap ways
    first and stop when the verdict is settled (default); exhaustive: ask all ways, with all their settings (default
    where --elicitors names some)."""
    plant: bool = False
    """Where the verdict hinges on it, hide a known skill in copies of the base and look for it: without that "acquired"
    is never said. Minutes at half a million parameters, an hour at 135 million; done once for a base (cached)."""
    slice: Annotated[str | None, arg(metavar="FIELD")] = None
    """A field of the items (or `cluster`) by whose values the gain may differ: 2 to 12 slices, declared beforehand.
    With --logs only `cluster`."""
    description_length: bool = False
    """Also measure how many bits the base must be told to give the tuned model's answers (trains the base a little,
    in memory)."""
    directions: bool = False
    """Also ask whether the direction was there before tuning: steering vectors of both models, each applied to both."""
    temperature: float = 1.0
    """Sampling temperature of base and tuned; log-probability evidence needs 1."""
    max_tokens: int | None = None
    """Longest answer in tokens (default: the task's)."""
    correct_at: float = 1.0
    """An answer counts as right from this score on (for pass@k and the lists of items)."""
    guess_floor: float | None = None
    """Chance level: the score of a random guesser that answers in the right form (default: the task's). It is measured
    too, and a lower value given does not win. An analysis option: `tellapart analyse RUN` changes it later."""
    margin: float | None = None
    """Scores within so much of each other are the same (default: a tenth of the larger one, .005 to .05)."""

    @property
    def reads_logs(self) -> bool:
        """Whether answers come from logs."""
        return bool(self.logs)

    def checked(self) -> Self:
        """Return the spec; raises InvalidInput with the value given, the values allowed and the way out."""
        if self.logs is None and not (self.base and self.tuned and self.task):
            raise InvalidInput("gain needs BASE TUNED --task T, or --logs A B; see tellapart gain --help")
        if self.logs is not None and (self.base or self.tuned):
            raise InvalidInput("--logs replaces BASE and TUNED: give either the models or their logs")
        self._check_ways()
        if self.logs is not None and not (isinstance(self.logs, tuple | list) and len(self.logs) == 2):
            raise InvalidInput(f"logs {str(self.logs)[:80]!r}: give two, that of BASE and that of TUNED")
        if self.logs is not None and self.slice not in (None, "cluster"):
            raise InvalidInput(f"--slice {self.slice}: logs hold no fields of their items; give `cluster`")
        if self.plan == "quick" and (self.elicitors or self.reference or self.plant):
            raise InvalidInput(
                "--plan quick asks its own methods and trains nothing: leave out --elicitors, --reference and "
                "--plant, or take --plan adaptive"
            )
        if self.map is not None and (self.logs is None or not _is_map(self.map)):
            raise InvalidInput(
                f"--map {self.map!r}: give it with --logs, as FIELD=KEY: item=task_id,correct=passed"
            )
        at_least(
            elicited_samples=(self.elicited_samples, 1),
            samples=(self.samples, 1),
            max_tokens=(self.max_tokens, 1),
        )
        if not 0 <= self.temperature <= 10:
            raise InvalidInput(f"--temperature {self.temperature}: give 0 (greedy) to 10")
        if self.guess_floor is not None and not 0 <= self.guess_floor < 1:
            raise InvalidInput(f"--guess-floor {self.guess_floor}: give a share, 0 up to but not including 1")
        if self.margin is not None and not 0 < self.margin < 1:
            raise InvalidInput(f"--margin {self.margin}: give a difference of scores, above 0 and below 1")
        if isinstance(self.elicitors, str):
            raise InvalidInput(f"elicitors {self.elicitors!r}: give a tuple")
        spec = replace(super().checked(), elicitors=tuple(str(elicitor) for elicitor in self.elicitors))
        if spec.map is None or spec.logs is None:
            return spec
        base, tuned, *others = (
            f"{reference}#{spec.map}" for reference in (*spec.logs, *spec.way, *spec.null)
        )
        way, null = tuple(others[: len(spec.way)]), tuple(others[len(spec.way) :])
        return replace(spec, logs=(base, tuned), way=way, null=null, map=None)

    def _check_ways(self) -> None:
        """Raise InvalidInput where --way, --null and --bits do not fit together, or stand without --logs."""
        for option, given in (("way", self.way), ("null", self.null), ("bits", self.bits)):
            if isinstance(given, str):
                raise InvalidInput(f"{option} {given!r}: give a tuple of NAME=VALUE")
            if given and self.logs is None:
                raise InvalidInput(
                    f"--{option} {given[0]}: goes with --logs BASE TUNED, whose base the way elicits"
                )
        if self.way or self.null or self.bits:
            from tellapart.studies.gain.elsewhere import given_ways  # not at the top: help imports no pandas

            given_ways(self.way, self.null, self.bits)


def _is_map(given: str) -> bool:
    from tellapart.logs.mapped import mapping_of  # not at the top: help imports no pandas

    return mapping_of(given) is not None


STUDY = Study(
    name="gain",
    spec=GainSpec,
    open="tellapart.studies.gain.study:open_gain",
    verdicts=("elicited", "mixed", "acquired", "no gain", "cannot tell"),
    analyse="tellapart.studies.gain.again:analyse_again",
    analysis_options=("guess_floor", "margin", "correct_at"),
)
