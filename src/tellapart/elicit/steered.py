"""The value behind the steering elicitors: vectors added to the residual stream while answers are written."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast, final

import numpy as np

from tellapart.elicit.elicitor import Elicited, null_name
from tellapart.errors import NotApplicable
from tellapart.interventions.weights import Weights
from tellapart.models.model import Model, Request
from tellapart.runs.asking import Ask, Elicitation, Pair, generate, plain_requests, row_seed

if TYPE_CHECKING:
    import torch

    from tellapart.models.hooks_position import Where
    from tellapart.models.local import LocalModel

STORED_BITS = 16
NULL_DRAWS = 4


@final
@dataclass(frozen=True)
class Steered(Elicited):
    """Answers under a shift of the residual stream; `strength` scales it.

    Weights: `vectors` [draw, layer, width] (float16) in units of `norms` [layer], the residual stream's norm after each
    layer. The answers of an item go through the draws in turn (controls have several). Setting: `where` (everywhere,
    answer, first), `label`, `learned_nothing` (why the vectors are 0, where fitting had nothing to go by; answers
    are then the plain ones), and what the method tells.
    """

    @property
    def where(self) -> "Where":
        """Return at which positions the vectors are added."""
        return cast("Where", str(self.setting["where"]))

    def applied(self, model: Model) -> AbstractContextManager[Any]:
        """Return the context in which `model` is steered. Raises UserMistake where only some positions are, since
        those depend on a prompt's length (`answers` knows it)."""
        from tellapart.models.hooks_position import shifting

        if self.where != "everywhere":
            raise NotApplicable(f"{self.name} shifts {self.where!r} positions only: ask it through `answers`")
        return shifting(local_model(model, self.name), self.shifts()[0])

    def answers(self, pair: Pair, ask: Ask) -> Iterator[Elicitation]:
        """Yield every answer asked for; those of one draw together. Raises UserMistake where nothing is added."""
        rows = list(plain_requests(ask))
        if self.strength == 0 or self.setting.get("learned_nothing"):
            yield from generate(pair.base, rows)
            return
        shifts = self.shifts()
        if not bool(shifts.any()):
            raise NotApplicable(f"{self.name} changes nothing: its vectors are 0")
        first = [row_seed(0, item.id, 0) for item in ask.items]
        for turn, shift in enumerate(shifts):
            mine = [row for row in rows if (first[row[0]] + row[1]) % len(shifts) == turn]
            yield from self._steered(pair.base, mine, shift)

    def _steered(
        self, model: Model, rows: Sequence[tuple[int, int, Request]], shift: "torch.Tensor"
    ) -> Iterator[Elicitation]:
        from tellapart.models.hooks_position import generate_shifted

        requests = [request for _, _, request in rows]
        for index, completion in generate_shifted(local_model(model, self.name), requests, shift, self.where):
            item, sample, request = rows[index]
            yield Elicitation(item, sample, str(request.prompt), completion)

    def shifts(self) -> "torch.Tensor":
        """Return what is added [draw, layer, width], the strength included."""
        import torch

        if not {"vectors", "norms"} <= self.weights.keys():
            raise NotApplicable(f"{self.name} changes nothing: it holds no vectors")
        vectors = self.weights["vectors"].astype(np.float32) * self.weights["norms"][None, :, None]
        return torch.from_numpy(vectors * np.float32(self.strength))


def local_model(model: Model, name: str) -> "LocalModel":
    """Return `model` as a local one. Raises UserMistake where its weights are not available."""
    from tellapart.models.local import LocalModel

    if not isinstance(model, LocalModel):
        raise NotApplicable(f"{name}: the weights of {model.reference} are not available")
    return model


def vectors_of(vectors: np.ndarray, norms: np.ndarray) -> Weights:
    """Return the weights of a Steered from vectors [draw, layer, width] in units of `norms` [layer]."""
    return Weights({"vectors": vectors.astype(np.float16), "norms": norms.astype(np.float32)})


def stored_bits(vectors: np.ndarray) -> float:
    """Return the bits that one draw of vectors [draw, layer, width] is stored in, layers of 0 left out."""
    return float(STORED_BITS * vectors.shape[2] * np.any(vectors[0] != 0, axis=1).sum())


def random_control(value: Steered, seed: int) -> Steered:
    """Return the null control: random directions, each layer's as long as the fitted vector there."""
    fitted = value.weights["vectors"][0].astype(np.float64)
    lengths = np.linalg.norm(fitted, axis=1, keepdims=True)
    drawn = np.random.default_rng(seed).standard_normal((NULL_DRAWS, *fitted.shape))
    drawn *= lengths / np.linalg.norm(drawn, axis=2, keepdims=True)
    setting = {**value.setting, "null": f"{NULL_DRAWS} random directions, as long", "null_seed": seed}
    return replace(
        value, name=null_name(value.name), setting=setting, weights=vectors_of(drawn, value.weights["norms"])
    )
