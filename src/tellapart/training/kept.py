"""What is trained is kept in the scratch folder, so that it is trained once: two files, the second written last."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from tellapart.interventions.weights import weights_from
from tellapart.jsonvalue import Json
from tellapart.models.local import LocalModel
from tellapart.training.change import Change
from tellapart.training.settings import Fitting, Trained

ARRAYS, FACTS = "trained.safetensors", "trained.json"
SHOWN_ONLY = ("report_to", "quiet", "title", "save_every")


def key_of(method: str, model: LocalModel, change: Change, settings: Fitting, told: Sequence[Json]) -> str:
    """Return the name of the folder of one training: a hash of everything that it depends on."""
    held = {name: value for name, value in vars(settings).items() if name not in SHOWN_ONLY}
    whole = json.dumps([method, model.fingerprint, change.as_json(), held, told], sort_keys=True, default=str)
    return f"{method}-{hashlib.blake2b(whole.encode(), digest_size=8).hexdigest()}"


def keep(folder: Path, trained: Trained) -> Trained:
    """Write what was trained, whole or not at all, and return it."""
    facts = {
        "digest": trained.weights.digest,
        "log": [dict(entry) for entry in trained.log],
        "steps": trained.steps,
        "supervision_bits": trained.supervision_bits,
        "parameters": trained.parameters,
    }
    for name, data in ((ARRAYS, trained.weights.as_bytes()), (FACTS, json.dumps(facts).encode())):
        part = folder / f"{name}.{os.getpid()}.tmp"
        part.write_bytes(data)
        part.replace(folder / name)
    return trained


def finished(folder: Path) -> Trained | None:
    """Return what was trained in `folder`, None where it is not finished. Raises UserMistake where it is damaged."""
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        data = (folder / ARRAYS).read_bytes()
    except FileNotFoundError:
        return None
    return Trained(
        weights_from(data, facts["digest"]),
        tuple(facts["log"]),
        int(facts["steps"]),
        float(facts["supervision_bits"]),
        int(facts["parameters"]),
    )
