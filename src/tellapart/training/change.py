"""A Change is a set of trainable parameters that changes a model, and leaves it as it was at its start value.

    trained = sft(model, Lora(rank=8), examples, SftSettings(), scratch)      # or grpo(...)
    with changed(model, Lora(rank=8), trained.weights, strength=1.0):
        answers = list(model.generate(requests))

`Change` is the recipe (frozen, JSON-able), `Attached` the change in place on one module. To add one: a frozen
dataclass under `Change` whose `attach` returns an `Attached`; if its parameters are new and read by forward
hooks, return a `Hooked` (training/vectors.py is a short one).
"""

import abc
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights
from tellapart.jsonvalue import Json
from tellapart.models.executor import Altered
from tellapart.models.hooks import Proof, _watched
from tellapart.models.local import LocalModel

HOLDER = "tellapart_change"
"""The submodule under which new parameters are registered while a change is attached."""


@dataclass(frozen=True)
class Change(abc.ABC):
    """What is trained. `name` is its kind; the fields say how large it is and where it sits."""

    name: ClassVar[str]
    rate_factor: ClassVar[float] = 1.0
    """Its default learning rate in SFT over that of full weights (training/trainers.py, learning_rate)."""
    rl_rate_factor: ClassVar[float] = 1.0
    """The same in GRPO."""

    @abc.abstractmethod
    def attach(self, module: PreTrainedModel) -> "Attached":
        """Put the change on `module` at its start value (which changes nothing); everything else is frozen.

        Raises UserMistake where the module has no place for it, or where a change is attached already.
        """

    def as_json(self) -> dict[str, Json]:
        """Return the change as a JSON object: its kind and its fields."""
        return {"kind": self.name, **asdict(self)}


class Attached(abc.ABC):
    """A change in place on a module.

    `parameters` are trained, by name; every other parameter of the module is frozen until `detach`. `strength`
    scales the change: 1 is as trained, 0 the plain model exactly. `calls` counts how often the change took part in
    a forward pass (subclasses without hooks count the tensors changed): the proof that it took place.
    """

    probed: ClassVar[bool] = True
    """Whether the change shows in the logits of any text (false: only in some places, as at the first answer
    token; then its calls are the only proof)."""

    def __init__(self, module: PreTrainedModel, parameters: Mapping[str, nn.Parameter]) -> None:
        self.module = module
        self.parameters = dict(parameters)
        self.strength = 1.0
        self.calls = 0
        mine = {id(parameter) for parameter in self.parameters.values()}
        self._flags = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
        for parameter, _ in self._flags:
            parameter.requires_grad_(id(parameter) in mine)

    @property
    def count(self) -> int:
        """How many scalars are trained."""
        return sum(parameter.numel() for parameter in self.parameters.values())

    def weights(self) -> Weights:
        """Return a copy of the trained parameters as float32 arrays by name."""
        return Weights({name: as_array(value) for name, value in self.parameters.items()})

    @torch.no_grad()
    def load(self, weights: Weights) -> None:
        """Set the trained parameters. Raises UserMistake where names or shapes are others."""
        self.check(weights)
        for name, parameter in self.parameters.items():
            parameter.copy_(torch.from_numpy(weights[name].copy()))

    def check(self, weights: Weights) -> None:
        """Raise UserMistake where `weights` are not those of this change on this module."""
        wanted = {name: tuple(parameter.shape) for name, parameter in self.parameters.items()}
        given = {name: value.shape for name, value in weights.items()}
        for name in sorted(wanted.keys() | given.keys()):
            if wanted.get(name) != given.get(name):
                raise UserMistake(
                    f"weights {name!r}: shape {given.get(name)} given, {wanted.get(name)} wanted here: "
                    "they were trained on a model of another shape, or for another change"
                )

    def scale(self, strength: float) -> None:
        """Set the strength; hooks read it at each call. 0 gives the plain model's answers exactly."""
        self.strength = strength

    @contextmanager
    def without(self) -> Iterator[None]:
        """Make the module the plain model for a while, trained parameters kept (the reference of a KL term)."""
        strength = self.strength
        self.scale(0.0)
        try:
            yield
        finally:
            self.scale(strength)

    @abc.abstractmethod
    def detach(self) -> None:
        """Take the change away: weights, submodules and hooks are as before. End with `restore_flags`."""

    def restore_flags(self) -> None:
        """Give every parameter its `requires_grad` back."""
        for parameter, flag in self._flags:
            parameter.requires_grad_(flag)
            parameter.grad = None


class Hooked(Attached):
    """New parameters, registered on the module under HOLDER and read by forward hooks.

    `start` are their neutral values (float32 stays float32 whatever the model's dtype: cast in the hook).
    A hook has the form (attached, part, inputs, output) -> new output, or None where it changes nothing; it reads
    `attached.parameters[...]` and `attached.strength`. It is not called at strength 0.
    """

    def __init__(self, module: PreTrainedModel, start: Mapping[str, Tensor]) -> None:
        if HOLDER in dict(module.named_children()):
            raise UserMistake("a change is attached to this model already: detach it first")
        holder = nn.Module()
        parameters = {}
        for name, value in start.items():
            parameters[name] = nn.Parameter(value.detach().clone().to(module.device))
            holder.register_parameter(name.replace(".", "/"), parameters[name])
        super().__init__(module, {})
        module.add_module(HOLDER, holder)
        self.parameters = parameters
        self._handles: list[Any] = []

    def hook(self, part: nn.Module, function: Callable[["Hooked", nn.Module, Any, Any], Any]) -> None:
        """Let `function` change what `part` returns, from now until `detach`."""

        def called(module: nn.Module, inputs: Any, output: Any) -> Any:
            if self.strength == 0:
                return None
            self.calls += 1
            return function(self, module, inputs, output)

        self._handles.append(part.register_forward_hook(called))

    def detach(self) -> None:
        """Remove the hooks and the new parameters."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        delattr(self.module, HOLDER)
        self.restore_flags()


@contextmanager
def attached(model: LocalModel, change: Change, weights: Weights | None = None) -> Iterator[Attached]:
    """Yield the change in place on `model`, at `weights` (None: at its start value), for training.

    Leaving takes it away and restores the module exactly, the training mode included. The model's fingerprint is
    another one inside, since its answers change as it is trained.
    """
    plain, mode = model.fingerprint, model.module.training
    place = change.attach(model.module)
    try:
        if weights is not None:
            place.load(weights)
        model.fingerprint = hashlib.blake2b(f"{plain}|in training".encode(), digest_size=16).hexdigest()
        yield place
    finally:
        place.detach()
        model.module.train(mode)
        model.fingerprint = plain


@contextmanager
def changed(model: LocalModel, change: Change, weights: Weights, strength: float = 1.0) -> Iterator[Proof]:
    """Apply a trained change while answers are drawn; leaving restores the model exactly.

    Inside, the fingerprint tells of the weights and the strength. Strength 0 does nothing at all. Raises
    RuntimeError where the logits of a probe are those of the plain model, or where the model ran and the change had
    no part in it; UserMistake where the weights are those of another change or model.
    """
    proof = Proof()
    if strength == 0:
        yield proof
        return
    told = f"{change.as_json()!r} {weights.digest} {strength!r}"
    before, outer, plain = model.fingerprint, model.altered, probe_logits(model)
    place = change.attach(model.module)
    try:
        place.load(weights)
        place.scale(strength)
        if place.probed and torch.equal(plain, probe_logits(model)):
            raise RuntimeError(f"{change.name} (strength {strength:g}) left {model.reference} as it was")
        probes = place.calls
        with _watched(model, told, proof):
            kept = json.dumps(change.as_json()), weights.digest, strength, weights.as_bytes
            model.altered = Altered(before, model.fingerprint, change.name, *kept)
            try:
                yield proof
            finally:
                model.altered = outer
                proof.calls = place.calls - probes if isinstance(place, Hooked) else place.calls
    finally:
        place.detach()


@torch.inference_mode()
def probe_logits(model: LocalModel) -> Tensor:
    """Return the logits [vocab] after a short fixed text."""
    ids = model.vocabulary.encode_prompts([("1 + 1 =", "")])["1 + 1 =", ""]
    tokens = torch.tensor([ids], device=model.module.device)
    return model.module(input_ids=tokens, use_cache=False).logits[0, -1].float().cpu()


def as_array(tensor: Tensor) -> np.ndarray:
    """Return a float32 copy on the CPU."""
    return tensor.detach().float().cpu().numpy().copy()
