"""The tables of a finding of `expressible` (docs/run-folder.md), beside the ladder (shown.py)."""

from dataclasses import dataclass, field

from tellapart.findings.table import Rows
from tellapart.findings.typed import key


@dataclass(frozen=True)
class CertificateLine:
    """Whether a shape holds the program (yes, no, not known), by what that is known, the least shape that the compiler
    needs, and what RASP-L foretells of learning it."""

    shape: str
    answer: str
    by: str
    least_shape: str = field(metadata=key("least shape"))
    predicted: str = field(metadata=key("predicted by RASP-L"))


@dataclass(frozen=True)
class TrainingLine:
    """One training of a network of the shape: where it started, and the shares of whole answers right before and after
    it, on inputs of up to the length of training and on longer ones (rasp/learning.py says the rest)."""

    start: str
    noise: float
    seed: int
    before: float
    score: float
    longer: float
    lost: float
    bits: float
    moved: float
    longer_before: float
    inputs_needed: int | None
    bits_needed: float | None


CERTIFICATE = Rows("certificate", CertificateLine)
TRAININGS = Rows("trainings", TrainingLine)
