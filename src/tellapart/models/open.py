"""One reference string for each kind of model: a folder, hub id, ID@REVISION, BASE+ADAPTER or GGUF file
(models/checkpoint.py), the first three in vLLM (`vllm:...`), `openai:NAME@URL`, `log:PATH`, `specimen:NAME`."""

from tellapart.inputs import is_given
from tellapart.models import OPENERS
from tellapart.models.executor import Opening
from tellapart.models.model import Model


def open_model(
    reference: str,
    device: str = "cpu",
    dtype: str = "float32",
    chat: bool | None = None,
    max_rows: int | None = None,
    system: str = "",
) -> Model:
    """Return the model that `reference` names; the other arguments are for models that run in this process.

    `chat` None puts prompts through the model's chat template where it has one, `system` stands before them there.
    Raises UserMistake, in one line, where there is no such model.
    """
    kind, _, rest = reference.partition(":")
    if kind in ("openai", "openai-chat"):
        from tellapart.models.endpoint import open_endpoint

        return open_endpoint(reference, system=system)
    if kind == "vllm":
        from tellapart.models.vllm_model import open_vllm

        return open_vllm(rest, device, dtype, chat, max_rows, system)
    if kind == "log":
        from tellapart.models.recorded import open_recorded

        return open_recorded(rest)
    if is_given(reference):
        from tellapart.models.given import open_given_model

        return open_given_model(reference, chat, max_rows, system)
    if kind in OPENERS:
        model = OPENERS[kind](rest, device, dtype, max_rows)
    else:
        from tellapart.models.local import open_local

        model = open_local(reference, device, dtype, chat, max_rows, system)
    model.opening = Opening(reference, device, dtype, chat, max_rows, system, model.fingerprint, model.engine)
    return model
