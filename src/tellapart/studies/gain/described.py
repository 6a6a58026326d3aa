"""How much the base must be told to give the tuned model's right answers: its description length (opt-in)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tellapart.errors import UserMistake
from tellapart.findings.gain import DescriptionLine
from tellapart.findings.typed import from_json
from tellapart.runs.folder import RunFolder
from tellapart.runs.row import Row
from tellapart.stats.estimate import Estimate
from tellapart.studies.gain.facts import Facts
from tellapart.tasks.split import by_hash
from tellapart.training.description import DescriptionLength, PassSettings, shuffled_answers

if TYPE_CHECKING:
    from tellapart.studies.gain.ask import Plan

MOST_TOLD, LEAST_HELD_OUT = 40, 8
ARTIFACT = "description-length"


def described(folder: RunFolder, plan: "Plan", tuned: Sequence[Row]) -> Mapping[str, DescriptionLength]:
    """Return the description length of the tuned model's right answers under the base, and of its control (the same
    answers after others' prompts); read where it was measured before. Raises UserMistake where tuned has too
    few right answers or the base's weights are not available."""
    kept = folder.read_artifact(ARTIFACT)
    if kept is not None:
        return from_json(Mapping[str, DescriptionLength], kept)
    from tellapart.elicit.access import MISSING, offers

    if "training" not in offers(plan.pair.base):
        raise UserMistake(f"--description-length: {MISSING['training']}")
    from tellapart.models.local import LocalModel
    from tellapart.training.kinds import default_change
    from tellapart.training.prequential import description_length
    from tellapart.training.settings import Example

    base = plan.pair.base
    if not isinstance(base, LocalModel):
        raise UserMistake(f"--description-length: the weights of {base.reference} are not available")
    right: dict[str, str] = {}
    for row in tuned:
        if row.status == "ok" and row.score >= plan.spec.correct_at:
            right.setdefault(row.item, row.completion)
    prompts = {item.id: plan.task.prompt(item) for item in plan.report}
    order = by_hash(right, plan.spec.seed)
    most = min(MOST_TOLD, len(order) - LEAST_HELD_OUT)
    if most < 4:
        raise UserMistake(
            f"--description-length: the tuned model is right on {len(order)} items, {LEAST_HELD_OUT + 4} are needed"
        )
    examples = [Example(prompts[item], right[item]) for item in order]
    sizes = (*(size for size in (4, 8, 16, 32) if size < most), most)
    settings = PassSettings(sizes, quiet=plan.spec.json)
    change = default_change(base)
    result = {}
    for name, given in (("tuned", examples), ("null", shuffled_answers(examples, plan.spec.seed))):
        scratch = folder.scratch(f"{ARTIFACT}-{name}")
        result[name] = description_length(base, given[:most], given[most:], change, settings, scratch)
        folder.clear_scratch(f"{ARTIFACT}-{name}")
    folder.write_artifact(ARTIFACT, {name: length.as_json() for name, length in result.items()})
    return result


def edl_estimates(facts: Facts) -> dict[str, Estimate]:
    """Return EDL per answer token at each size, mean over seeds with their range; nothing where not measured."""
    estimates = {}
    for name, length in facts.described.items():
        prefix = "edl_per_token" if name == "tuned" else "null_edl_per_token"
        for size in length.settings.sizes:
            values = [measured.edl.value / measured.tokens for measured in length.at(size)]
            estimates[f"{prefix}@{size}"] = Estimate(
                float(np.mean(values)),
                float(np.min(values)),
                float(np.max(values)),
                len(values),
                "bits per token",
                "excess description length, mean and range over seeds",
            )
    return estimates


def edl_table(facts: Facts) -> list[DescriptionLine]:
    """Return the report's lines: the signature of the tuned model's answers and of their null control."""
    return [
        DescriptionLine(
            answers="tuned's right ones" if name == "tuned" else "the same after others' prompts (null)",
            signature=length.signature.shape,
            learned="yes" if length.learned else "no",
            held_before=length.plain_content.value,
        )
        for name, length in facts.described.items()
    ]
