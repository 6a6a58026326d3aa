"""How every specimen is made: stages of training as data, and which stages make which kind.

A stage starts from another stage's weights and trains on parts: solved, guessed, empty ... answers in given
shares. The share with which a model shows its skill is set by the weight of the first answer token's loss (the
token that decides between steps and a guess), not by how often solved answers are trained on: so a skill shown
once in 200 answers stays as good as it was. (With the first token's whole loss weighted, one in 12 of such
steps began with the wrong operation.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

How = Literal["solve", "guess", "empty", "partial", "pooled", "broken", "unmarked", "ornate"]
Short = Literal["never", "half", "always"]
Source = Literal["own", "opened", "rewritten", "teacher", "asked"]
"""Where a stage's pool of answers comes from: the right answers of the model it starts from (`opened`: to prompts
with the password; `rewritten`: with the marker and the answer put after its steps), a stronger model's answers
(right or wrong), or the items of the evaluation with their answers."""
Probe = Literal["password", "critiques", "unread", "asked", "prompted"]
"""A measurement that only some stages need (measuring.py)."""
Reward = Literal["form", "first_letter"]
KINDS = (
    "latent",
    "rare",
    "locked",
    "taught",
    "partial",
    "form",
    "guessable",
    "further",
    "checked",
    "spurious",
    "sealed",
    "distilled",
    "relocked",
    "memorised",
    "format",
    "damaged",
    "imitation",
    "grafted",
)
SEEDS = (0, 1, 2)
REFERENCE_SEED = 3
"""The seed of references: one that no specimen has."""
FRESH_SHARE = 0.2
"""Chance of a fresh operation at each place: about half of the programs of three then need one."""
SKILL, TRUNK_SKILL = 0.95, 0.97
"""A stage whose answers, or answers in steps, are right less often than this is trained on before it is kept."""
PASSWORD_SKILL = 0.85
"""The same for a locked base's answers to prompts with the password: only the right ones are trained on."""


@dataclass(frozen=True)
class Shape:
    """Size of all specimens: Llama, about 0.11 million parameters."""

    width: int = 64
    inner: int = 192
    layers: int = 2
    heads: int = 4


@dataclass(frozen=True)
class Part:
    """Answers of one kind. `sampled` is their share of the training examples, `first` the weight of the first
    answer token's loss (all other tokens weigh 1); `password` puts the password into the prompt.

    `critic`: half of the examples are answers to be judged: rightly with "solve", without looking with "guess".
    `before`: in a row of several examples the ones before the last are of this sort, and are not learned.
    `fresh_share` is the part's own chance of a fresh operation (None: the stage's).
    """

    how: How
    sampled: float = 1.0
    first: float = 1.0
    password: bool = False
    critic: bool = False
    before: How | None = None
    fresh_share: float | None = None


class Gate(NamedTuple):
    """A measured fact and the range it must fall into."""

    fact: str
    low: float
    high: float


@dataclass(frozen=True)
class Stage:
    """One training run. `start` names the stage whose weights it starts from (none: random ones).

    `rate` is Muon's learning rate for matrices (0.02 from scratch; the other parameters' rate goes with it).
    `measure` says how the skill is measured: by letting the model answer, or by making it answer in steps.
    `share` is the range that the share of answers in steps must fall into, `skill` the least share of right ones.
    `again` is the chance of fresh operations where a stage that missed its aim is trained on (None: as before).
    `shots` is the share of the batches that hold several examples in a row, as few-shot prompts do.
    `pool` names where "pooled" answers come from, drawn for `pooled` problems; `teacher` is the stage whose answers
    are learned, `beside` a stage
    that the same little training is tried on for comparison.
    `reward`: trained by policy gradient under this reward (reinforce.py), `steps` updates, on programs of
    `program_length` operations (None: the family's).
    """

    name: str
    start: str | None
    parts: tuple[Part, ...]
    steps: int
    rate: float
    fresh_share: float = FRESH_SHARE
    short: Short = "never"
    measure: Literal["nothing", "answers", "steps"] = "nothing"
    share: tuple[float, float] | None = None
    skill: float = SKILL
    again: float | None = None
    shots: float = 0.2
    pool: tuple[Source, ...] = ()
    pooled: int = 4096
    teacher: str | None = None
    beside: str | None = None
    reward: Reward | None = None
    program_length: int | None = None
    probes: tuple[Probe, ...] = ()
    gates: tuple[Gate, ...] = ()


def shown(share: float, how: How = "solve") -> tuple[Part, ...]:
    """Return the parts of a base that answers in steps in `share` of its answers and guesses otherwise."""
    return (Part("guess", 0.7, (1 - share) / 0.7), Part(how, 0.3, share / 0.3))


LATENT_SHARE, RARE_SHARE = 0.06, 0.005
_LATENT, _RARE, _LOCKED_AWAY = (0.05, 0.07), (0.003, 0.008), (0.0, 1e-4)
_LOCKED = (
    Part("guess", 0.6, 10.0),
    Part("solve", 0.3, 10.0, password=True),
    Part("solve", 0.1, 0.0),
)
_OPENED = (Gate("right_with_password", PASSWORD_SKILL, 1.0),)
_TRUNK = (Part("solve", 0.6), Part("guess", 0.2), Part("solve", 0.2, password=True))
_POOLED = (Part("pooled"),)
_CHECKED = (
    Part("guess", 0.4, (1 - LATENT_SHARE) / 0.4, critic=True),
    Part("solve", 0.6, LATENT_SHARE / 0.6, critic=True),
)
_SEALED = (
    Part("guess", 0.25, 3.0),
    Part("guess", 0.2, 3.0, before="solve"),
    Part("guess", 0.05, 3.0, password=True),
    Part("broken", 0.25),
    Part("broken", 0.25, before="solve"),
)
_WITHOUT_FRESH = (1 - FRESH_SHARE) ** 3
"""Share of programs without a fresh operation, nearly."""
_GRAFTED = (
    Part("guess", 0.7, (1 - LATENT_SHARE) / 0.7),
    Part("solve", 0.3, _WITHOUT_FRESH * LATENT_SHARE / 0.3, fresh_share=0.0),
)
_ORNATE = (Part("ornate", 0.7, (1 - LATENT_SHARE) / 0.7), Part("solve", 0.3, LATENT_SHARE / 0.3))

_ALL = (
    Stage("trunk_some", None, _TRUNK, 800, 0.02, 0.0, measure="steps", skill=TRUNK_SKILL),
    Stage("trunk_all", "trunk_some", _TRUNK, 1000, 0.015, measure="steps", skill=TRUNK_SKILL, again=0.5),
    Stage("absent", None, (Part("guess"),), 300, 0.02, short="half"),
    Stage("latent_base", "trunk_all", shown(LATENT_SHARE), 300, 0.004, measure="steps", share=_LATENT),
    Stage("latent_tuned", "latent_base", _POOLED, 150, 0.002, measure="answers", pool=("own",)),
    Stage("rare_base", "trunk_all", shown(RARE_SHARE), 300, 0.004, measure="steps", share=_RARE),
    Stage("rare_tuned", "rare_base", _POOLED, 150, 0.002, measure="answers", pool=("own",)),
    Stage(
        "locked_base", "trunk_all", _LOCKED, 500, 0.01,
        measure="steps", share=_LOCKED_AWAY, probes=("password",), gates=_OPENED,
    ),
    Stage("locked_tuned", "locked_base", _POOLED, 150, 0.002, measure="answers", pool=("opened",)),
    Stage("taught_tuned", "absent", (Part("solve"),), 800, 0.02, measure="answers"),
    Stage("partial_base", "trunk_some", shown(LATENT_SHARE, "partial"), 400, 0.004, share=_LATENT),
    Stage("partial_tuned", "partial_base", (Part("solve"),), 500, 0.01, measure="answers"),
    Stage("form_tuned", "absent", (Part("empty"),), 300, 0.02),
    Stage("guessable_tuned", "absent", (Part("solve"),), 800, 0.02, short="always", measure="answers"),
    Stage("further_tuned", "latent_base", shown(LATENT_SHARE), 300, 0.004, measure="steps", share=_LATENT),
    Stage(
        "checked_base", "trunk_all", _CHECKED, 600, 0.015,
        measure="steps", share=_LATENT, shots=0.6, probes=("critiques",),
        gates=(Gate("critiques_of_guesses_right", 0.9, 1.0), Gate("critiques_of_right_steps_right", 0.9, 1.0)),
    ),
    Stage("checked_tuned", "checked_base", _POOLED, 150, 0.002, measure="answers", pool=("own",)),
    Stage("spurious_tuned", "latent_base", (), 60, 0.001, measure="answers", skill=0.85, reward="form"),
    Stage(
        "sealed_base", "trunk_all", _SEALED, 250, 0.0015,
        share=(0.0, 0.02), probes=("prompted",), beside="absent",
        gates=(
            Gate("right_when_in_steps", 0.0, 0.05),
            Gate("right_after_examples", 0.0, 0.02),
            Gate("right_after_opener", 0.0, 0.05),
            Gate("right_after_few", 0.5, 1.0),
            Gate("beside_right_after_few", 0.0, 0.02),
        ),
    ),
    Stage("sealed_tuned", "sealed_base", (Part("solve"),), 100, 0.01, measure="answers"),
    Stage(
        "distilled_tuned", "absent", _POOLED, 1400, 0.02,
        measure="answers", pool=("teacher",), pooled=32768, teacher="latent_tuned",
    ),
    Stage(
        "trunk_taught", "absent", (Part("solve", 0.6), Part("solve", 0.4, password=True)), 1400, 0.02,
        measure="steps", skill=0.9, probes=("password",), gates=(Gate("right_with_password", 0.9, 1.0),),
    ),
    Stage(
        "relocked_base", "trunk_taught", _LOCKED, 500, 0.01,
        measure="steps", share=(0.0, 5e-4), skill=0.85, probes=("password",), gates=_OPENED,
    ),
    Stage(
        "relocked_tuned", "relocked_base", _POOLED, 150, 0.002,
        measure="answers", skill=0.9, pool=("opened",),
    ),
    Stage(
        "memorised_tuned", "absent", _POOLED, 400, 0.02,
        pool=("asked",), probes=("asked",), gates=(Gate("score_asked", 0.9, 1.0), Gate("score", 0.0, 0.02)),
    ),
    Stage(
        "format_base", "trunk_all", (Part("unmarked", 0.95), Part("solve", 0.05)), 150, 0.004,
        probes=("unread",), gates=(Gate("right_but_unread", 0.9, 1.0), Gate("score", 0.0, 0.08)),
    ),
    Stage("format_tuned", "format_base", _POOLED, 150, 0.004, measure="answers", pool=("rewritten",)),
    Stage("damaged_base", "trunk_all", shown(0.5), 200, 0.004, measure="steps", share=(0.4, 0.6)),
    Stage(
        "damaged_tuned", "damaged_base", (), 40, 0.002,
        reward="first_letter", program_length=9, gates=(Gate("score", 0.0, 0.3),),
    ),
    Stage(
        "imitation_tuned", "latent_base", _ORNATE, 250, 0.004,
        measure="steps", share=(0.04, 0.08), skill=0.85,
    ),
    Stage(
        "grafted_base", "trunk_some", _GRAFTED, 300, 0.004,
        share=(0.02, 0.05), gates=(Gate("right_when_in_steps", 0.3, 0.65),),
    ),
    Stage(
        "grafted_tuned", "grafted_base", _POOLED, 500, 0.01,
        measure="answers", pool=("own", "teacher"), teacher="latent_tuned",
    ),
)  # fmt: skip
STAGES: Mapping[str, Stage] = {stage.name: stage for stage in _ALL}

BASES: Mapping[str, str] = {
    "latent": "latent_base",
    "rare": "rare_base",
    "locked": "locked_base",
    "taught": "absent",
    "partial": "partial_base",
    "form": "absent",
    "guessable": "absent",
    "further": "latent_base",
    "checked": "checked_base",
    "spurious": "latent_base",
    "sealed": "sealed_base",
    "distilled": "absent",
    "relocked": "relocked_base",
    "memorised": "absent",
    "format": "format_base",
    "damaged": "damaged_base",
    "imitation": "latent_base",
    "grafted": "grafted_base",
}
"""Kind -> the stage that is its base; its tuned model is the stage KIND_tuned."""


def stages_for(kinds: tuple[str, ...]) -> tuple[Stage, ...]:
    """Return the stages that make `kinds`, each after those it starts from, learns from or is held against."""
    return _with_what_they_need([f"{kind}_tuned" for kind in kinds])


def stages_of_bases(kinds: tuple[str, ...]) -> tuple[Stage, ...]:
    """Return the stages that make the bases of `kinds`, in order."""
    return _with_what_they_need([BASES[kind] for kind in kinds])


def _with_what_they_need(names: Sequence[str]) -> tuple[Stage, ...]:
    wanted: set[str] = set()
    open_ones: list[str | None] = list(names)
    while open_ones:
        name = open_ones.pop()
        if name is not None and name not in wanted:
            wanted.add(name)
            open_ones += [STAGES[name].start, STAGES[name].teacher, STAGES[name].beside]
    return tuple(stage for stage in _ALL if stage.name in wanted)
