"""One reference string for each kind of model: a path or hub id, `openai:NAME@URL`, `log:PATH`, `specimen:NAME`."""

from tellapart.models import OPENERS
from tellapart.models.model import Model


def open_model(
    reference: str,
    device: str = "cpu",
    dtype: str = "float32",
    chat: bool = False,
    max_rows: int | None = None,
) -> Model:
    """Return the model that `reference` names; the other arguments are for models that run in this process.

    Raises UserMistake, in one line, where there is no such model.
    """
    kind, _, rest = reference.partition(":")
    if kind in ("openai", "openai-chat"):
        from tellapart.models.endpoint import open_endpoint

        return open_endpoint(reference)
    if kind == "log":
        from tellapart.models.recorded import open_recorded

        return open_recorded(rest)
    if kind in OPENERS:
        return OPENERS[kind](rest, device, dtype, max_rows)
    from tellapart.models.local import open_local

    return open_local(reference, device, dtype, chat, max_rows)
