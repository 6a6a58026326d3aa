"""Singular value fine-tuning (Sun, Cetin & Tang 2025, arXiv 2501.06252): W' = U diag(sigma * z) V^T.

One number for each singular value of a frozen weight is trained; z = 1 is the plain model. Three forms give the
same answers at different prices (times against the plain matrix; benchmarks/svf.py prints them):

    delta      y = W x + U((z - 1) * sigma V^T x)    3.0x on a square; z = 1 is the plain model bit for bit
    factored   y = U(z * sigma V^T x)                2.0x; W itself need not be kept
    merged     y = W' x                              1.0x; one z for the whole batch

Here the paper's formula stands. The code released with the paper does another thing: it rescales W' by
sum(sigma) / sum(sigma * z) and tunes the MLP only. In all three z may differ from row to row of a batch (z [batch,
rank]), but for the merged form.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple, final

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear
from transformers import PreTrainedModel

from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights
from tellapart.runs.progress import ticking
from tellapart.training.change import Attached, Change, Hooked
from tellapart.training.decomposition import Decomposition, decompose, default_folder
from tellapart.training.matrices import Shape, matrices_of, matrix, scalars


class Factors(NamedTuple):
    """What the forward pass needs of a weight W [out, in]: u [out, rank] and sv = diag(sigma) V^T [rank, in]."""

    u: Tensor
    sv: Tensor


def factors_of(parts: Decomposition, dtype: torch.dtype | None = None) -> Factors:
    """Return the factors of a decomposition, sigma multiplied into V^T once, in `dtype` (None: as they are)."""
    sv = parts.sigma[:, None] * parts.vt
    return Factors(parts.u.to(dtype).contiguous(), sv.to(dtype).contiguous())


class _Scale(torch.autograd.Function):
    """y = U(z * S x), S = diag(sigma) V^T, with dL/dz_i = sigma_i sum_t (u_i . g_t)(v_i . x_t).

    Only x, which the layer's other weights keep anyway, is kept for the way back (V^T x is computed again), and
    no dL/dW [out, in] is formed.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, z: Tensor, u: Tensor, sv: Tensor) -> Tensor:
        ctx.save_for_backward(x, z, u, sv)
        return linear(linear(x, sv) * z, u)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, z, u, sv = ctx.saved_tensors
        by_direction = grads[0] @ u
        wants_x, wants_z = ctx.needs_input_grad[:2]
        grad_x = (by_direction * z) @ sv if wants_x else None
        grad_z = _summed(by_direction * linear(x, sv), z) if wants_z else None
        return grad_x, grad_z, None, None


def scaled(x: Tensor, z: Tensor, factors: Factors) -> Tensor:
    """Return U(z * sigma V^T x) [..., out] of x [..., in]; z is [rank], or [batch, rank] with x [batch, ..., in].

    Raises UserMistake where z fits neither. Gradients reach x and z only.
    """
    y: Any = _Scale.apply(x, along(z, x, factors.u.shape[1]).to(x.dtype), factors.u, factors.sv)
    return y


def delta_form(x: Tensor, y: Tensor, z: Tensor, factors: Factors) -> Tensor:
    """Return y + U((z - 1) * sigma V^T x), where y = W x + b is what the plain layer gave; y itself where z = 1."""
    return y + scaled(x, z - 1, factors)


def factored_form(x: Tensor, z: Tensor, factors: Factors, bias: Tensor | None = None) -> Tensor:
    """Return U(z * sigma V^T x) + b: the layer without its W, equal to W' x + b up to rounding."""
    y = scaled(x, z, factors)
    return y if bias is None else y + bias


def merged_weight(weight: Tensor, z: Tensor, parts: Decomposition) -> Tensor:
    """Return W + U diag((z - 1) sigma) V^T in W's type, added up in the decomposition's: W itself where z = 1.

    Raises UserMistake where z is not [rank]: a weight cannot differ from row to row of a batch.
    """
    if z.shape != parts.sigma.shape:
        raise UserMistake(
            f"z of shape {tuple(z.shape)} given to merge: the weight has {len(parts.sigma)} singular values"
        )
    change = (parts.u * ((z.detach().to(parts.u) - 1) * parts.sigma)) @ parts.vt
    return (weight.detach().to(change.dtype) + change).to(weight.dtype)


def along(z: Tensor, x: Tensor, rank: int) -> Tensor:
    """Return z so shaped that it multiplies V^T x [..., rank], row by row where it is [batch, rank].

    Raises UserMistake where it does not fit.
    """
    if z.shape == (rank,):
        return z
    if z.ndim == 2 and x.ndim >= 2 and z.shape == (x.shape[0], rank):
        return z.reshape(z.shape[0], *(1,) * (x.ndim - 2), rank)
    raise UserMistake(
        f"z of shape {tuple(z.shape)} given for x {tuple(x.shape)}: it must be ({rank},) or (rows, {rank})"
    )


def _summed(values: Tensor, like: Tensor) -> Tensor:
    """Return `values` summed over the dimensions along which `like` was stretched."""
    return values.sum_to_size(like.shape).to(like.dtype)


@final
@dataclass(frozen=True)
class Svf(Change):
    """A z for every chosen weight, 1 at the start. `targets` are the layers' last names (empty: every attention and
    MLP matrix). In the delta form it can be trained; merged, it answers as fast as the plain model.
    """

    name: ClassVar[str] = "svf"
    targets: tuple[str, ...] = ()
    form: Literal["delta", "merged"] = "delta"

    def attach(self, module: PreTrainedModel) -> "Attached":
        """Put z = 1 in place; weights are decomposed one after another, or read from the cache."""
        if self.form not in ("delta", "merged"):
            raise UserMistake(f"SVF form {self.form!r} asked: choose delta or merged")
        places = matrices_of(module, self.targets)
        return AttachedSvf(module, places) if self.form == "delta" else MergedSvf(module, places)


def start_of(places: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Return z = 1 for each matrix, by name."""
    return {name: torch.ones(min(matrix(part).shape)) for name, part in places.items()}


@final
class AttachedSvf(Hooked):
    """z of each weight [rank], in the delta form. `serve` gives one z for each row of a batch instead."""

    def __init__(self, module: PreTrainedModel, places: dict[str, nn.Module]) -> None:
        super().__init__(module, start_of(places))
        self.rows: Mapping[str, Tensor] = {}
        try:
            with ticking("singular value decompositions", len(places)) as ticker:
                for name, part in places.items():
                    weight = matrix(part)
                    factors = factors_of(decompose(weight, default_folder()), weight.dtype)
                    self.hook(part, partial(_add_change, name, factors))
                    ticker.tick()
        except BaseException:
            self.detach()
            raise

    def serve(self, rows: Mapping[str, Tensor]) -> None:
        """Use z [batch, rank] by name from now on, a row for each row of the batch; {}: the trained z again."""
        unknown = sorted(rows.keys() - self.parameters.keys())
        if unknown:
            raise UserMistake(f"z for {unknown[0]!r} given; there are {', '.join(self.parameters)}")
        self.rows = dict(rows)


def _add_change(
    name: str, factors: Factors, attached: Hooked, _part: nn.Module, inputs: Any, output: Any
) -> Any:
    assert isinstance(attached, AttachedSvf)
    z = attached.rows.get(name, attached.parameters[name])
    return output + scaled(inputs[0], attached.strength * (z - 1), factors)


@final
class MergedSvf(Attached):
    """The weights themselves, scaled in place and given back bit for bit. It answers; it cannot be trained."""

    def __init__(self, module: PreTrainedModel, places: dict[str, nn.Module]) -> None:
        super().__init__(module, {})
        self.parameters = {
            name: nn.Parameter(z.to(module.device), requires_grad=False)
            for name, z in start_of(places).items()
        }
        self._places = places
        self._plain = {name: part.get_parameter("weight").detach().clone() for name, part in places.items()}

    def load(self, weights: Weights) -> None:
        """Set z, and with it the weights."""
        super().load(weights)
        self._apply()

    def scale(self, strength: float) -> None:
        """Set the weights for 1 + strength * (z - 1)."""
        if strength != self.strength:
            super().scale(strength)
            self._apply()

    @torch.no_grad()
    def _apply(self) -> None:
        self.calls = 0
        with ticking("merging singular values", len(self._places)) as ticker:
            for name, part in self._places.items():
                own, z = part.get_parameter("weight"), 1 + self.strength * (self.parameters[name] - 1)
                own.copy_(self._plain[name])
                weight = matrix(part)
                weight.copy_(merged_weight(weight, z, decompose(weight, default_folder())))
                self.calls += not torch.equal(own, self._plain[name])
                ticker.tick()

    @torch.no_grad()
    def detach(self) -> None:
        """Give every weight its value back, bit for bit."""
        for name, part in self._places.items():
            part.get_parameter("weight").copy_(self._plain[name])
        self.restore_flags()


@scalars.register
def _(change: Svf, shapes: Mapping[str, Shape]) -> int:
    """One for each singular value."""
    return sum(min(shape) for shape in shapes.values())
