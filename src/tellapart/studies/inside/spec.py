"""What `tellapart inside` is asked: the same frozen dataclass is the command line, the Python call and spec.json."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from tellapart.errors import UserMistake


@dataclass(frozen=True)
class InsideSpec:
    """Is the inside of a model organised or fractured, where the scores of two models cannot tell?

    MODEL [MODEL]: language models, with --concepts; or image networks, .npz files of weights (layer_0 ...) with an
    .arch file beside each. A second one is compared with the first; one alone gets its figures and no verdict.
    """

    networks: Annotated[Positional[tuple[str, ...]], arg(metavar="MODEL")] = ()
    """One model, or two that do the same."""
    concepts: str | None = None
    """Language models: JSONL of contrastive prompts (docs/inside.md), or specimen:register, specimen:tracking."""
    layer: int | None = None
    """Language models: the layer after which concepts are read and steered (default: chosen on half of the pairs)."""
    tuning: int = 20
    """Language models: steps of fine-tuning one concept away, to see what becomes of the others (0: none)."""
    device: str = "cpu"
    """Language models: cpu, cuda, cuda:1 ..."""
    dtype: str = "float32"
    """Language models: float32, bfloat16 or float16."""
    chat: bool = False
    """Insist on chat templates: a model without one is refused (default: each model is asked as its own template
    says)."""
    no_chat: bool = False
    """Ask without chat templates."""
    system: str | None = None
    """A system prompt, put before every question that goes through a chat template."""
    max_rows: int | None = None
    """Language models: most answers written at once (default: what memory holds)."""
    out: str | None = None
    """Run folder (default: runs/inside-TIME-RANDOM). The same command on the same folder makes the same run again."""
    seed: int = 0
    """Seed of everything that is drawn: weight noise and the rotation of the hidden basis."""
    json: bool = False
    """Print findings.json on stdout and nothing else."""

    def checked(self) -> "InsideSpec":
        """Return the spec; raises UserMistake with the value given, the values allowed and the way out."""
        if isinstance(self.networks, str):
            raise UserMistake(f"networks {self.networks!r}: give a tuple of one or two paths")
        if not 1 <= len(self.networks) <= 2:
            raise UserMistake(
                f"inside was given {len(self.networks)} models: give one, or two; see tellapart inside --help"
            )
        if self.seed < 0:
            raise UserMistake(f"--seed {self.seed}: give 0 or more")
        if self.max_rows is not None and self.max_rows < 1:
            raise UserMistake(f"--max-rows {self.max_rows}: give 1 or more")
        if self.tuning < 0:
            raise UserMistake(f"--tuning {self.tuning}: give 0 steps (none) or more")
        if self.concepts is not None and any(name.endswith(".npz") for name in self.networks):
            raise UserMistake("--concepts is for language models: leave it out for .npz networks")
        return self
