"""A folder of experts, opened: the model, the experts that fit it, and the mixes that were kept under a name."""

import json
from dataclasses import dataclass
from pathlib import Path

from tellapart.errors import UserMistake
from tellapart.interventions.weights import Weights
from tellapart.models.local import LocalModel
from tellapart.models.open import open_model
from tellapart.runs.files import write_atomically
from tellapart.runs.folder import canonical
from tellapart.studies.skills.expert import base_identity, expert_name, experts_in, read_expert
from tellapart.studies.skills.mix import Mix, mix_of, read_mix

KEPT = "mixes.json"


@dataclass(frozen=True)
class Experts:
    """`weights` by expert; `kept` are mixes by name, beside those that can be written down."""

    folder: Path
    model: LocalModel
    weights: dict[str, Weights]
    kept: dict[str, Mix]

    def mix(self, text: str) -> Mix:
        """Return the mix of that name, or as it is written. Raises UserMistake where it is neither."""
        return self.kept[text] if text in self.kept else read_mix(text, list(self.weights))


def open_experts(folder: str, device: str = "cpu", max_rows: int | None = None, raw: bool = False) -> Experts:
    """Return what is in the folder of a run of `skills train`, the model asked as it was trained; `raw` leaves prompts
    as they are (a server puts its own template around chats). Raises UserMistake where it is none, or damaged."""
    path = Path(folder)
    if not folder or not (path / "spec.json").is_file():
        raise UserMistake(
            f"{folder!r} is no folder of `tellapart skills train`: give the one it wrote (--out)"
        )
    try:
        spec = json.loads((path / "spec.json").read_text(encoding="utf-8"))["spec"]
        study, reference, dtype = str(spec["study"]), str(spec["model"]), str(spec["dtype"])
        # Runs of before there was a choice were trained without a template.
        chat = None if spec.get("no_chat") is False and not spec["chat"] else bool(spec.get("chat"))
        system = str(spec.get("system") or "")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserMistake(f"{path / 'spec.json'} is damaged ({type(error).__name__}): train again") from error
    if study != "skills":
        raise UserMistake(f"{path} is a run of {study}, not of skills train")
    files = experts_in(path)
    chat, system = (False, "") if raw else (chat, system)
    model = open_model(reference, device, dtype, chat, max_rows, system)
    if not isinstance(model, LocalModel):
        raise UserMistake(f"the weights of {reference} are not available: give a local model")
    identity = base_identity(model.module)
    weights = {name: read_expert(file, model, identity).weights for name, file in files.items()}
    return Experts(path, model, weights, _kept(path, list(weights)))


def _kept(folder: Path, names: list[str]) -> dict[str, Mix]:
    if not (folder / KEPT).exists():
        return {}
    try:
        fields = json.loads((folder / KEPT).read_text(encoding="utf-8"))
        mixes = {str(name): mix_of(weights) for name, weights in fields.items()}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise UserMistake(f"{folder / KEPT} is damaged ({type(error).__name__}): delete it") from error
    for name, mix in mixes.items():
        unknown = [skill for skill, _ in mix.weights if skill not in names]
        if unknown:
            raise UserMistake(
                f"{folder / KEPT}: {name!r} mixes {unknown[0]!r}, which is not there: delete it"
            )
    return mixes


def keep_mix(experts: Experts, name: str, mix: Mix) -> None:
    """Keep a mix under a name. Raises UserMistake for a name that an expert has or that is none."""
    if name != expert_name(name) or name in experts.weights or name in ("base", "auto"):
        raise UserMistake(f"--save {name!r}: give letters, digits and _, and no expert's name")
    mixes = {**experts.kept, name: mix}
    write_atomically(experts.folder / KEPT, canonical({n: m.as_json() for n, m in mixes.items()}))
