"""TinyLoRA ("Learning to Reason in 13 Parameters", arXiv 2602.04118): u numbers change every matrix of a model.

W' = W + U_r diag(sigma_r) (sum_i v_i P_i) V_r^T, with U_r, sigma_r, V_r the r largest singular directions of the frozen
W and P_i [r, r] fixed and drawn at random for each matrix, entries of variance 1 / r. One v [u] is shared by all
matrices, the paper's smallest form, so u is all that is trained. PEFT has the method too; its tuner keeps v on a
wrapped model and cannot be put into a plain one and taken out again, as a Change is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple, final

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers import PreTrainedModel

from tellapart.errors import UserMistake
from tellapart.runs.progress import ticking
from tellapart.training.change import Change, Hooked
from tellapart.training.decomposition import decompose, default_folder
from tellapart.training.matrices import Shape, matrices_of, matrix, scalars


@final
@dataclass(frozen=True)
class TinyLora(Change):
    """`scalars` numbers shared by all attention and MLP matrices, over their `rank` largest singular directions.
    `seed` draws P."""

    name: ClassVar[str] = "tiny_lora"
    scalars: int = 13
    rank: int = 2
    seed: int = 0

    def attach(self, module: PreTrainedModel) -> "AttachedTinyLora":
        """Put v = 0 in place. Raises UserMistake for fewer than one number or direction."""
        if self.scalars < 1 or self.rank < 1:
            raise UserMistake(
                f"TinyLoRA of {self.scalars} numbers and rank {self.rank} asked: both must be 1 or more"
            )
        return AttachedTinyLora(module, self)


class Frozen(NamedTuple):
    """What is frozen of a matrix: U_r [out, r], diag(sigma_r) V_r^T [r, in], and P [u, r, r]."""

    u: Tensor
    sv: Tensor
    p: Tensor


@final
class AttachedTinyLora(Hooked):
    """v [u], as one parameter."""

    def __init__(self, module: PreTrainedModel, change: TinyLora) -> None:
        super().__init__(module, {"v": torch.zeros(change.scalars)})
        places = matrices_of(module)
        try:
            with ticking("singular value decompositions", len(places)) as ticker:
                for at, part in enumerate(places.values()):
                    self.hook(part, partial(_add, frozen_of(matrix(part), change, at)))
                    ticker.tick()
        except BaseException:
            self.detach()
            raise


def frozen_of(weight: Tensor, change: TinyLora, at: int) -> Frozen:
    """Return what is frozen of the matrix number `at`; its rank where that is less than the change's."""
    parts = decompose(weight, default_folder())
    rank = min(change.rank, len(parts.sigma))
    generator = torch.Generator().manual_seed((change.seed * 1_000_003 + at) % (1 << 63))
    p = torch.randn(change.scalars, rank, rank, generator=generator) / rank**0.5
    sv = parts.sigma[:rank, None] * parts.vt[:rank]
    return Frozen(*(value.to(weight).contiguous() for value in (parts.u[:, :rank], sv, p)))


def _add(frozen: Frozen, attached: Hooked, _part: nn.Module, inputs: Any, output: Any) -> Any:
    v = attached.strength * attached.parameters["v"]
    turned = torch.einsum("i,ijk->jk", v.to(frozen.p), frozen.p)
    return output + linear(linear(linear(inputs[0], frozen.sv), turned), frozen.u)


@scalars.register
def _(change: TinyLora, shapes: Mapping[str, Shape]) -> int:
    """As many as were asked for, whatever the matrices."""
    return change.scalars
