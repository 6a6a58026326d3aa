"""Methods that elicit what is there, one file each, and the one dict that holds them.

Outsiders add theirs under the entry point group `tellapart.elicitors` (docs/adding-an-elicitor.md).
"""

import json
from collections.abc import Mapping
from typing import Any

from tellapart.elicit.access import applicable
from tellapart.elicit.answer_rank import AnswerRank
from tellapart.elicit.cot_decoding import CotDecoding
from tellapart.elicit.critique import Critique
from tellapart.elicit.elicitor import Elicited, Elicitor, elicitor_name
from tellapart.elicit.few_labels import FewLabels, FewLabelsTuned
from tellapart.elicit.few_shot import FewShot, FewShotSteps
from tellapart.elicit.form_demonstrations import FormDemonstrations
from tellapart.elicit.learned_router import LearnedRouting
from tellapart.elicit.lora import LowRank
from tellapart.elicit.masked_adapter import MaskedAdapter
from tellapart.elicit.power_sampling import PowerSampling
from tellapart.elicit.prefill import Prefill
from tellapart.elicit.rlvr import Rlvr
from tellapart.elicit.routing import EntropyRouting, FirstTokensRouting, TeacherRouting
from tellapart.elicit.sae_feature import SaeFeature
from tellapart.elicit.sampling import DecodingSetting
from tellapart.elicit.steering import Steering
from tellapart.elicit.steering_rl import SteeringRl
from tellapart.elicit.steering_sft import SteeringSft
from tellapart.elicit.step_by_step import StepByStep
from tellapart.elicit.svf import SingularValues
from tellapart.elicit.tiny_lora import TinyAdapter
from tellapart.elicit.voting import BestOfK, SelfConsistency
from tellapart.elicit.weight_noise import WeightNoise
from tellapart.errors import UserMistake
from tellapart.extras import Registry, offered_by_others
from tellapart.interventions.weights import Weights
from tellapart.jsonvalue import Json

__all__ = ["ELICITORS", "applicable", "load", "save"]

GROUP = "tellapart.elicitors"

OURS: tuple[Elicitor, ...] = (
    # The order in which they are asked: first the most telling way of each mechanism, cheap ones before dear ones.
    FormDemonstrations(),
    AnswerRank(),
    FewShotSteps(),
    CotDecoding(),
    FirstTokensRouting(),
    Steering(),
    WeightNoise(),
    FewLabels(),
    FewLabelsTuned(),
    FewShot(),
    StepByStep(),
    Prefill(),
    DecodingSetting(),
    SelfConsistency(),
    BestOfK(),
    PowerSampling(),
    TeacherRouting(),
    EntropyRouting(),
    LearnedRouting(),
    SaeFeature(),
    SteeringSft(),
    SteeringRl(),
    SingularValues(),
    LowRank(),
    MaskedAdapter(),
    TinyAdapter(),
    Rlvr(),
    Critique(),
)


def by_name(elicitors: tuple[Elicitor, ...]) -> dict[str, Elicitor]:
    """Return the elicitors by name. Raises UserMistake where two have the same one."""
    named: dict[str, Elicitor] = {}
    for elicitor in elicitors:
        if elicitor.name in named or set(elicitor.name) & set("@~"):
            raise UserMistake(
                f"elicitor name {elicitor.name!r}: taken, or it holds @ or ~; give it another one"
            )
        named[elicitor.name] = elicitor
    return named


ELICITORS = Registry[Elicitor](lambda: by_name((*OURS, *offered_by_others(GROUP, Elicitor))).items())

FIELDS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "setting": dict,
    "bits_once": (int, float),
    "strength": (int, float),
}


def save(elicited: Elicited) -> dict[str, Json]:
    """Return a JSON object from which `load` makes the same value again, given its weights; they stand in it by
    their hash. Raises TypeError where JSON cannot."""
    saved = {
        "name": elicited.name,
        "setting": dict(elicited.setting),
        "bits_once": float(elicited.bits_once),
        "strength": float(elicited.strength),
        "weights": elicited.weights.digest,
    }
    return json.loads(json.dumps(saved, allow_nan=False))


def load(saved: Mapping[str, Any], weights: Weights | None = None) -> Elicited:
    """Return the value that `save` gave this object for. Raises UserMistake where it is not one, or where the
    `weights` are not its own."""
    for field, kind in FIELDS.items():
        if not isinstance(saved.get(field), kind) or isinstance(saved.get(field), bool):
            raise UserMistake(f"saved elicitor: field {field!r} is {saved.get(field)!r}, it must be {kind}")
    method = elicitor_name(saved["name"])
    if method not in ELICITORS:
        raise UserMistake(f"saved elicitor {saved['name']!r}: unknown, known are {', '.join(ELICITORS)}")
    held = weights or Weights()
    if saved.get("weights", "") != held.digest:
        raise UserMistake(
            f"saved elicitor {saved['name']!r}: weights {saved['weights']!r} wanted, {held!r} given"
        )
    value = ELICITORS[method].value
    return value(saved["name"], saved["setting"], float(saved["bits_once"]), float(saved["strength"]), held)
