"""The value behind the elicitors that train the base a little: a change of its weights, on or off.

No torch here until answers are drawn. The null control is trained when the value is, since only then the fit items and
the model are available.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, final

from tellapart.elicit.elicitor import Elicited, Switched, null_name
from tellapart.errors import InvalidInput, NotApplicable
from tellapart.jsonvalue import JsonObject, nested
from tellapart.models.budget import until_spent
from tellapart.models.model import Model
from tellapart.runs.asking import Ask, Elicitation, Pair, generate, plain_requests

if TYPE_CHECKING:
    from tellapart.models.local import LocalModel
    from tellapart.training.change import Change
    from tellapart.training.settings import Trained

BLOCK = 256
"""Answers drawn before they are handed out: the model is changed only while it writes them."""


@final
@dataclass(frozen=True)
class ByTraining(Switched):
    """Answers of the base with a trained change in place.

    Setting: `change` (its kind and fields), `moved` (false where training found nothing to learn from: then the
    answers are the plain model's), `label`, and what was trained on. `twin` is the null control, made by the same fit;
    it is not saved with the value but beside it.
    """

    twin: "ByTraining | None" = field(default=None, compare=False, repr=False)

    def applied(self, model: Model) -> AbstractContextManager[Any]:
        """Return the context in which the base has the change."""
        if self.strength == 0 or not self.setting["moved"]:
            return nullcontext()
        from tellapart.training.change import changed
        from tellapart.training.kinds import change_from

        change = change_from(nested(self.setting, "change"))
        return changed(local(model, self.name), change, self.weights, self.strength)

    def bring_out(self, pair: Pair, ask: Ask) -> Iterator[Elicitation]:
        """Yield every answer, in blocks."""
        if not self.setting:
            raise NotApplicable(f"{self.name} changes nothing: it was not trained")
        rows = list(plain_requests(ask))
        for first in range(0, len(rows), BLOCK):
            with self.applied(pair.base):
                answers, spent = until_spent(generate(pair.base, rows[first : first + BLOCK]))
            yield from answers
            if spent:
                raise spent


def local(model: Model, name: str) -> "LocalModel":
    """Return `model` as a local one. Raises UserMistake where its weights are not available."""
    from tellapart.models.local import LocalModel

    if not isinstance(model, LocalModel):
        raise NotApplicable(f"{name}: the weights of {model.reference} are not available: give a local model")
    return model


def value_of(name: str, change: "Change", trained: "Trained", setting: JsonObject) -> ByTraining:
    """Return what was trained as a value: its bits are the smaller of what was told and what its weights can hold."""
    facts = {
        "change": change.as_json(),
        "moved": trained.moved,
        "steps": trained.steps,
        "parameters": trained.parameters,
        "supervision_bits": trained.supervision_bits,
    }
    return ByTraining(name, {**facts, **setting}, trained.bits, 1.0, trained.weights)


def with_twin(value: ByTraining, null: ByTraining) -> ByTraining:
    """Return `value` with its null control, named after it and charged the same."""
    return replace(value, twin=replace(null, name=null_name(value.name), bits_once=value.bits_once))


def twin_of(elicited: Elicited) -> Elicited:
    """Return the null control that was trained with a value. Raises UserMistake where the value was loaded alone."""
    if not isinstance(elicited, ByTraining) or elicited.twin is None:
        raise InvalidInput(f"{elicited.name}: its null control is trained with it; fit it anew to have both")
    return elicited.twin
