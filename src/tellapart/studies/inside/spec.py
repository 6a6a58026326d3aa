"""What `tellapart inside` is asked: the same frozen dataclass is the command line, the Python call and spec.json."""

from dataclasses import dataclass
from typing import Annotated, Self

from tyro.conf import Positional, arg

from tellapart.errors import InvalidInput
from tellapart.studies.expressible.spec import VERDICTS as EXPRESSIBLE
from tellapart.studies.options import ModelOptions, at_least, options_last
from tellapart.studies.study import Study


@options_last
@dataclass(frozen=True)
class InsideSpec(ModelOptions):
    """Is the inside of a model organised or fractured, where the scores of two models cannot tell?

    MODEL [MODEL]: language models, with --concepts or --expressible; or image networks, .npz files of weights
    (layer_0 ...) with an .arch file beside each. A second one is compared with the first; one alone gets its figures
    and no verdict.
    """

    EXAMPLES = (
        "tellapart inside specimen:shared-sums-0 specimen:split-sums-0 --concepts specimen:sums",
        "tellapart inside path/to/base path/to/tuned --concepts pairs.jsonl",
        "tellapart inside path/to/model --expressible sort  # can its shape hold the program?",
    )

    networks: Annotated[Positional[tuple[str, ...]], arg(metavar="MODEL [MODEL]")] = ()
    """One model, or two that do the same."""
    concepts: Annotated[str | None, arg(metavar="FILE")] = None
    """Language models: JSONL of contrastive prompts (docs/inside.md), or specimen:register, specimen:tracking."""
    expressible: Annotated[str | None, arg(metavar="PROGRAM")] = None
    """A program (docs/expressible.md): can MODEL's shape hold it, beside what MODEL itself answers?"""
    layer: int | None = None
    """Language models: the layer after which concepts are read and steered (default: chosen on half of the pairs)."""
    tuning: int = 20
    """Language models: steps of fine-tuning one concept away, to see what becomes of the others (0: none)."""

    def checked(self) -> Self:
        """Return the spec; raises InvalidInput with the value given, the values allowed and the way out."""
        if isinstance(self.networks, str):
            raise InvalidInput(f"networks {self.networks!r}: give a tuple of one or two paths")
        if self.limit is not None:
            raise InvalidInput(
                f"--limit {self.limit}: inside asks all of its pairs and pictures: leave it out"
            )
        if not 1 <= len(self.networks) <= 2:
            raise InvalidInput(
                f"inside was given {len(self.networks)} models: give one, or two; see tellapart inside --help"
            )
        if self.expressible is not None and (self.concepts is not None or len(self.networks) != 1):
            raise InvalidInput("--expressible is asked of one MODEL, without --concepts")
        at_least(tuning=(self.tuning, 0))
        if self.concepts is not None and any(name.endswith(".npz") for name in self.networks):
            raise InvalidInput("--concepts is for language models: leave it out for .npz networks")
        return super().checked()


STUDY = Study(
    name="inside",
    spec=InsideSpec,
    open="tellapart.studies.inside.study:open_inside",
    verdicts=("organised", "fractured", "no difference", "cannot tell", *EXPRESSIBLE),
    analyse="tellapart.studies.inside.study:analyse_again",
)
