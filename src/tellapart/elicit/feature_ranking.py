"""Which features of a sparse autoencoder to try: ranked by contrasts on the fit split.

`worked`: more active at the end of prompts that show worked demonstrations than of prompts that show direct ones.
`own`: more active while the base writes its own right answers than while it writes blindly picked ones. `effect`: the
slope of log p(right) - log p(blindly picked) along the feature, of either sign; where the base is never right, that of
log p(worked demonstration) - log p(direct demonstration).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from tellapart.elicit.few_shot import description_bits
from tellapart.elicit.own_answers import own_answers
from tellapart.elicit.steering import answer_parts, worked_parts
from tellapart.errors import NotApplicable
from tellapart.runs.asking import Ask, Pair, generate, plain_requests

if TYPE_CHECKING:
    from torch import Tensor

    from tellapart.interventions.sae import Sae
    from tellapart.models.local import LocalModel
    from tellapart.models.states import Part

A_RANKING = 4
SAMPLES = 8


class Evidence(NamedTuple):
    """What features are ranked by: pairs of parts (for it, against it) by name, the slopes [layer, width] of
    the answers (None: no answers to take them of), and the bits that were told."""

    contrasts: "dict[str, tuple[list[Part], list[Part]]]"
    slopes: "Tensor | None"
    bits: float


class Candidate(NamedTuple):
    """A feature to try, to which side (1, -1), and which ranking put it forward."""

    feature: int
    sign: int
    ranking: str


def evidence_of(model: "LocalModel", ask: Ask) -> Evidence:
    """Return what can be had on the fit split. Raises UserMistake where it is nothing."""
    from tellapart.interventions.first_order import mean_slopes

    own = own_answers(Pair(model), ask)
    worked, bits = worked_parts(model, ask)
    bits_given = own.verdict_bits + bits
    contrasts = {"worked": worked, "own": (answer_parts(model, own.right), answer_parts(model, own.blind))}
    good, plain = own.right, own.blind
    if not good:
        good, plain = ask.task.step_demonstrations, ask.task.demonstrations
        bits_given += description_bits(model, plain)[0] if good and plain else 0.0
    contrasts = {name: sides for name, sides in contrasts.items() if all(sides)}
    slopes = mean_slopes(model, good) - mean_slopes(model, plain) if good and plain else None
    if slopes is None and not contrasts:
        raise NotApplicable(
            f"nothing on {ask.task.name} tells features apart: the base's own answers are never right, and the task "
            "has no step_demonstrations"
        )
    return Evidence(contrasts, slopes, bits_given)


def read_parts(model: "LocalModel", ask: Ask, evidence: Evidence) -> "list[Part]":
    """Return what an autoencoder learns from: plain answers after their prompts, and the prompts with demonstrations.

    First tokens are left out: their states are often a thousand times longer than all others.
    """
    from tellapart.models.states import Part

    answers = list(generate(model, list(plain_requests(ask._replace(samples=SAMPLES)))))
    prompts = model.vocabulary.encode_prompts([(answer.prompt, "") for answer in answers])
    texts = [
        (*prompts[answer.prompt, ""], *answer.completion.tokens)
        for answer in sorted(answers, key=lambda answer: answer[:2])
    ]
    texts += [part.ids for sides in evidence.contrasts.values() for side in sides for part in side]
    return [Part(ids, slice(1, None)) for ids in dict.fromkeys(texts) if 1 < len(ids) <= model.asked.context]


def ranked(model: "LocalModel", sae: "Sae", evidence: Evidence, live: "Tensor") -> list[Candidate]:
    """Return the first A_RANKING features of each ranking among the `live` [feature] ones, each feature once."""
    candidates: dict[int, Candidate] = {}
    for name, (shown, plain) in evidence.contrasts.items():
        more = (mean_features(model, sae, shown) - mean_features(model, sae, plain)) * live
        for feature in more.topk(min(A_RANKING, sae.count)).indices.tolist():
            if more[feature] > 0:
                candidates.setdefault(feature, Candidate(feature, 1, name))
    if evidence.slopes is not None:
        directions = sae.decoder / sae.decoder.norm(dim=1, keepdim=True)
        effect = (directions @ evidence.slopes[sae.layer].to(directions)) * live
        for feature in effect.abs().topk(min(A_RANKING, sae.count)).indices.tolist():
            if effect[feature] != 0:
                sign = 1 if effect[feature] > 0 else -1
                candidates.setdefault(feature, Candidate(feature, sign, "effect"))
    return list(candidates.values())


def mean_features(model: "LocalModel", sae: "Sae", parts: "Sequence[Part]") -> "Tensor":
    """Return the mean activation of each feature over the parts, each weighing the same, [feature]."""
    import torch

    from tellapart.models.states import states

    means = [sae.encode(read[0].cpu()).mean(0) for _, read in states(model, parts, [sae.layer])]
    return torch.stack(means).mean(0)
