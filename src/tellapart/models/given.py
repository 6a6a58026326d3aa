"""A model that Python hands over: a loaded (module, tokenizer), or a Model as it is.

Its reference is `given:NAME-HASH`, HASH being of what is in memory: weights as they are now, config, tokenizer.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from tellapart import inputs
from tellapart.errors import InvalidInput
from tellapart.models.model import Model

HELD: dict[str, Any] = {}
"""What was handed over, by reference, for as long as the call lasts."""
TUNERS = "peft.tuners.tuners_utils"
"""Where PEFT defines the layers that hold an adapter."""
MODES: list[tuple[Any, bool]] = []
"""The parts of modules that were handed over, and whether each was in training."""


def is_model(value: object) -> bool:
    """Return whether a value is a Model or a pair (module, tokenizer); nothing heavy is imported to see that."""
    if isinstance(value, Model):
        return True
    if not isinstance(value, tuple) or len(value) != 2 or isinstance(value[0], str | Path):
        return False
    return any(kind.__module__.startswith("torch.nn") for kind in type(value[0]).__mro__)


def give_model(value: Any, what: str) -> str:
    """Hand a model over and return its reference. Raises InvalidInput, with `what` it was given as, for a pair of
    anything but a causal model and a tokenizer of transformers."""
    if isinstance(value, Model):
        reference = inputs.reference_of(Path(value.reference).name, _hash(value.fingerprint))
    else:
        module, tokenizer = value
        if type(module).__module__.startswith("peft"):
            module = _with_adapter(module, what)
            value = module, tokenizer
        else:
            _check_no_adapter(module, what)
        _check(module, tokenizer, what)
        from tellapart.models.identity import fingerprint_of, identity_of

        name = Path(str(module.config.name_or_path or what)).name
        content = fingerprint_of(identity_of(module, tokenizer, chat=bool(tokenizer.chat_template)))
        reference = inputs.reference_of(name, content)
        MODES.extend((part, part.training) for part in module.modules())
    HELD[reference] = value
    return reference


def open_given_model(reference: str, chat: bool | None, max_rows: int | None, system: str) -> Model:
    """Return a model that was handed over, on the device and in the dtype that it has. Raises UserMistake where it is
    gone."""
    value = HELD.get(reference)
    if value is None:
        raise inputs.gone(reference)
    if isinstance(value, Model):
        return value
    from tellapart.models.local import LocalModel

    module, tokenizer = value
    model = LocalModel(module, tokenizer, reference, chat=chat, max_rows=max_rows, system=system)
    model.vocabulary.check_template()
    return model


def forget() -> None:
    """Forget what was handed over, and put each module back into the mode it was in: a training loop goes on after it
    has asked."""
    for part, mode in MODES:
        part.training = mode
    MODES.clear()
    HELD.clear()


def _check(module: Any, tokenizer: Any, what: str) -> None:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    if not isinstance(module, PreTrainedModel) or not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise InvalidInput(
            f"{what}: is ({type(module).__name__}, {type(tokenizer).__name__}); give a loaded causal model and its "
            "tokenizer, both of transformers"
        )


def _check_no_adapter(module: Any, what: str) -> None:
    if any(kind.__module__ == TUNERS for part in module.modules() for kind in type(part).__mro__):
        raise InvalidInput(
            f"{what}: PEFT has put an adapter into this model where it lies; give the PEFT model as the adapted one, "
            "and a path as the plain one"
        )


def _with_adapter(module: Any, what: str) -> Any:
    """Return the model in a PEFT model, its adapter on: a copy of the modules that shares every tensor, so that what
    PEFT does to its own leaves this one alone."""
    from tellapart.models.adapters import sharing

    if any(config.is_prompt_learning for config in module.peft_config.values()):
        raise InvalidInput(f"{what}: only adapters that change weights are asked, not learned prompts")
    return sharing(module.get_base_model())


def _hash(text: str) -> str:
    return hashlib.blake2b(json.dumps(text).encode(), digest_size=16).hexdigest()
