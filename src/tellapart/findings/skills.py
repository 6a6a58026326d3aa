"""The tables of a finding of `skills` (docs/run-folder.md)."""

from collections.abc import Mapping
from dataclasses import dataclass

from tellapart.findings.shown import Triple
from tellapart.findings.table import Named, Rows, Single


@dataclass(frozen=True)
class MatrixRow:
    """An expert, mix or null control on every task: score, ends of its interval, number of items."""

    who: str
    cells: Mapping[str, tuple[float, float, float, float]]


@dataclass(frozen=True)
class MatrixTable:
    """Everything on every task."""

    tasks: tuple[str, ...]
    rows: tuple[MatrixRow, ...]


@dataclass(frozen=True)
class SpectrumRow:
    """How far an expert's z is from 1 in one matrix: root mean square, least, largest, and z along the spectrum."""

    skill: str
    layer: int
    matrix: str
    rms: float
    least: float
    largest: float
    z: tuple[float, ...]


@dataclass(frozen=True)
class SkillMap:
    """The cosine of each two experts' z - 1 (NaN where one did not move)."""

    skills: tuple[str, ...]
    cosine: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class TrainingLog:
    """What was logged at each step of an expert's training."""

    step: tuple[float, ...]
    reward: tuple[float, ...]
    kl: tuple[float, ...]
    keep_kl: tuple[float, ...]


@dataclass(frozen=True)
class DispatchRow:
    """What the first pass chose for a task's prompts, and the seconds of both passes."""

    task: str
    wanted: str
    asked: int
    right: int
    chosen: Mapping[str, int]
    first_seconds: float
    second_seconds: float
    first_share: float
    tokens_read: int
    tokens_written: int


@dataclass(frozen=True)
class DispatchTable:
    """One judge's choices over all tasks; `share` is how often they are those wanted, of n."""

    judge: str
    share: Triple
    n: int
    rows: tuple[DispatchRow, ...]


MATRIX = Single("skills_matrix", MatrixTable)
SPECTRUM = Rows("skills_spectrum", SpectrumRow)
MAP = Single("skills_map", SkillMap)
TRAINING = Named("skills_training", TrainingLog)
DISPATCH = Rows("skills_dispatch", DispatchTable)
