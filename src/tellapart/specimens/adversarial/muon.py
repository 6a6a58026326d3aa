"""Muon in float32 (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon).

torch's own orthogonalises in bfloat16, which a CPU does slowly: 43 of the 70 ms of a step of these models.
"""

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from tellapart.specimens.training import make_optimizers

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Momentum whose matrices are made nearly orthogonal; what torch.optim.Muon does, but for the dtype."""

    def __init__(self, matrices: list[Tensor], lr: float, momentum: float, weight_decay: float) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Update every matrix by its gradient."""
        for group in self.param_groups:
            for matrix in group["params"]:
                past = self.state[matrix].setdefault("momentum", torch.zeros_like(matrix))
                past.lerp_(matrix.grad, 1 - group["momentum"])
                update = orthogonal(matrix.grad.lerp(past, group["momentum"]))
                scale = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
                matrix.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-group["lr"] * scale)


def orthogonal(matrix: Tensor) -> Tensor:
    """Return a matrix with the same singular vectors and singular values near 1 (Newton-Schulz)."""
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    now = matrix.T if tall else matrix
    now = now / now.norm().clamp(min=1e-7)
    for _ in range(ITERATIONS):
        square = now @ now.T
        now = torch.addmm(now, torch.addmm(square, square, square, beta=b, alpha=c), now, beta=a)
    return now.T if tall else now


def optimizers(model: LlamaForCausalLM, rate: float) -> list[torch.optim.Optimizer]:
    """Return what the other specimens are trained with, in float32."""
    torchs, others = make_optimizers(model, rate)
    group = torchs.param_groups[0]
    return [Muon(group["params"], rate, group["momentum"], group["weight_decay"]), others]
