"""The chances of elicited, mixed and acquired, from a model fitted on specimens of known truth.

What the model sees is where the recovered share lies, with its error, against two thresholds set beforehand (LOW,
HIGH): the log-odds that it is above HIGH, and that it is below LOW. Fitting sets how sure these make a verdict.
`calibration.json` beside this file holds the model and where it comes from (which specimens, how often it was right
about kinds it had not seen); `tellapart specimens check --calibrate` writes it.
"""

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.stats.calibration import Calibrated, calibrated_from
from tellapart.stats.share_band import band_of

STORED = Path(__file__).with_name("calibration.json")
USED = ("elicited_odds", "acquired_odds")
"""What the verdict is fitted on; docs/calibration.md tells what other features would have added."""


@cache
def stored() -> Calibrated | None:
    """Return the model that this version was calibrated with; None where it has none."""
    return calibrated_from(json.loads(STORED.read_text())["verdict"]) if STORED.exists() else None


def origin() -> str:
    """Return in words where the stored model comes from, and how it did on kinds of model left out of its fit."""
    if not STORED.exists():
        return "not calibrated: the chances are those of the share's interval"
    known = json.loads(STORED.read_text())["provenance"]
    held = known["leave_one_kind_out"]
    decided = f"{100 * held['accuracy_decided']:.1f} % of the decided verdicts right"
    return (
        f"{held['n']} specimens of {len(known['kinds'])} kinds; judged with its kind left out: {decided}, "
        f"{100 * held['cannot_tell_share']:.1f} % cannot tell"
    )


def rule_chances(share: float, error: float) -> dict[str, float]:
    """Return the chance of each label from the share and its standard error alone."""
    band = band_of(share, error)
    return {"elicited": band.above, "mixed": band.between, "acquired": band.below}


def seen_by_model(features: Mapping[str, float | None], names: tuple[str, ...] = USED) -> NDArray[np.float64]:
    """Return the features (f,) as the model sees them, NaN where missing."""
    share, error = _number(features, "share"), _number(features, "share_error")
    known = {name: _number(features, name) for name in features}
    chances = rule_chances(share, error)
    known |= {f"{label}_odds": math.log(chance / (1 - chance)) for label, chance in chances.items()}
    return np.array([known.get(name, math.nan) for name in names])


def chances(
    model: Calibrated, features: Mapping[str, float | None], names: tuple[str, ...] = USED
) -> dict[str, float]:
    """Return the chance of each label."""
    found = model.probabilities(seen_by_model(features, names)[None])[0]
    return dict(zip(model.model.classes, found.tolist(), strict=True))


def _number(features: Mapping[str, float | None], name: str) -> float:
    value = features.get(name)
    return math.nan if value is None else float(value)
