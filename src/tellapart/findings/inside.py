"""The tables of a finding of `inside` (docs/run-folder.md)."""

from dataclasses import dataclass

from tellapart.findings.table import Single


@dataclass(frozen=True)
class VoteLine:
    """What a measure says of a model beside another, whether it says so after a rotation of the hidden basis, and
    whether the verdict rests on it."""

    measure: str
    says: str
    survives: bool
    decides: bool


@dataclass(frozen=True)
class Sweep:
    """A weight's name, and the picture at five of its values as an embedded PNG."""

    weight: str
    strip: str


@dataclass(frozen=True)
class NetworkTable:
    """An image network: its picture and feature maps as embedded PNGs, and its spectrum in shares of variance."""

    name: str
    votes: tuple[VoteLine, ...]
    picture: str
    features: tuple[str, ...]
    strips: tuple[Sweep, ...]
    spectrum: tuple[float, ...]


Grid = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class ConceptLine:
    """A concept over its contexts: cosines of its directions, as how many equal ones they are spread (`effective`),
    the cosine of two halves of one context and of shuffled sides, and what each direction moves in the others."""

    concept: str
    contexts: tuple[str, ...]
    cosines: Grid
    effective: float
    reliability: float
    chance: float
    transfer: Grid
    spectrum: tuple[float, ...]


@dataclass(frozen=True)
class ConceptsTable:
    """The concepts of a language model after `layer` of `layers`; `matrix` is how far steering one of those `shown`
    moves each, in shares of its gap, `null_matrix` the same of random directions."""

    name: str
    votes: tuple[VoteLine, ...]
    concepts: tuple[ConceptLine, ...]
    shown: tuple[str, ...]
    matrix: Grid
    null_matrix: Grid
    layer: int
    layers: int


NETWORK = Single("inside", NetworkTable)
CONCEPTS = Single("concepts", ConceptsTable)
