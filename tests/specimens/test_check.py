"""The summary of a check counts only the decided as right or wrong, and is JSON also without a probability."""

import json
import math

from tellapart.specimens.calibration import figures
from tellapart.specimens.check import Verdict, summary


def test_summary_counts_the_decided_and_is_json() -> None:
    result = summary(
        [
            Verdict("a", "latent", "elicited", "elicited", 0.9),
            Verdict("b", "taught", "acquired", "elicited", 0.8),
            Verdict("c", "form", "no gain", "cannot tell", math.nan),
            Verdict("d", "format", "elicited", "elicited", math.nan),
        ],
        figures([]),
    ).as_json()
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["accuracy_decided"] == 2 / 3
    assert result["cannot_tell_share"] == 1 / 4
    assert math.isclose(result["brier"], (0.1**2 + 0.8**2) / 2)
    assert result["confusion"]["acquired"] == {"elicited": 1}
    assert result["specimens"][2]["probability"] is None
