"""`tellapart inside MODEL [MODEL] --concepts FILE`: language models, concepts given as pairs of contrastive prompts."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from tellapart.elicit.steered import local_model
from tellapart.errors import UserMistake
from tellapart.findings.finding import Finding
from tellapart.findings.typed import to_json
from tellapart.internals.concept_figures import ConceptFigures, ConceptSettings, layer_for, measure_concepts
from tellapart.internals.concepts import ConceptPair, read_concepts
from tellapart.models.hooks import layers_of
from tellapart.models.local import LocalModel
from tellapart.runs.folder import RunFolder, digest
from tellapart.runs.progress import ticking
from tellapart.stats.estimate import Estimate
from tellapart.studies.inside.levels import REUSES, decide_levels, level_of
from tellapart.studies.inside.spec import InsideSpec
from tellapart.studies.inside.tables import evidence_of, vote_lines
from tellapart.studies.inside.verdict import Same, Side, Verdict, same_scores
from tellapart.studies.opening import identities, opened
from tellapart.studies.study import Opened

STAGES = 5
_BESIDE = (
    "No probability: thresholds are of trained twins of two layers; how often they are right is known for such only "
    "(docs/validation/inside.md).",
    "Spare copies of a concept are not seen: a model that holds each one twice is called organised.",
    "No difference is sameness of class: two fractured models may be so each in its own way.",
    "Reuse is of the directions at one layer and one place, the last token of the prompt.",
    "With few prompts a context, cosines are pulled to 0; the report shows how far (two halves of one context).",
)
FREE = ("networks", "limit")
"""Fields that may differ where a run is resumed: fingerprints stand for the names."""
Key = tuple[str | int | None, ...]
"""All that a model's figures hang on."""
Known = dict[Key, ConceptFigures]


def open_language(spec: InsideSpec, quiet: bool = False, known: Known | None = None) -> Opened:
    """Read the concepts and the models. Measured are those that are neither in the folder yet nor `known` (which grows)
    from another run of this process."""
    assert spec.concepts is not None
    pairs = read_concepts(spec.concepts)
    models = [_opened(reference, spec) for reference in spec.networks]
    beside = {
        "model": ", ".join(spec.networks),
        "fingerprints": [model.fingerprint for model in models],
        "identity": identities({str(at): model for at, model in enumerate(models)}),
        "concepts_hash": digest([asdict(pair) for pair in pairs]),
    }

    def find(folder: RunFolder) -> list[Finding]:
        chosen = replace(spec, layer=_layer(folder, models, pairs, spec))
        held = {} if known is None else known
        return compare_models(
            [
                _stored(
                    folder,
                    f"model-{at}",
                    held,
                    _key(model, chosen),
                    partial(_measured, model, pairs, chosen, quiet),
                )
                for at, model in enumerate(models)
            ]
        )

    return Opened(spec, beside, find, free=FREE)


def _opened(reference: str, spec: InsideSpec) -> LocalModel:
    model = local_model(opened(spec, reference), "inside")
    count = len(layers_of(model.module))
    if spec.layer is not None and not 0 <= spec.layer < count:
        raise UserMistake(f"--layer {spec.layer}: {reference} has {count}, choose 0-{count - 1}")
    return model


def _layer(
    folder: RunFolder, models: list[LocalModel], pairs: tuple[ConceptPair, ...], spec: InsideSpec
) -> int | None:
    """Return the layer that is asked for, or the one at which all models are read; None (each has its own) where they
    do not have as many."""
    if spec.layer is not None or len({len(layers_of(model.module)) for model in models}) > 1:
        return spec.layer
    stored = folder.read_artifact("layer")
    if stored is None:
        stored = {"layer": layer_for(models, pairs)}
        folder.write_artifact("layer", stored)
    return int(stored["layer"])


def _key(model: LocalModel, spec: InsideSpec) -> Key:
    return (
        model.reference,
        model.fingerprint,
        spec.concepts,
        spec.layer,
        spec.seed,
        spec.tuning,
        spec.chat,
        spec.no_chat,
        spec.system,
    )


def _stored(
    folder: RunFolder, name: str, held: Known, key: Key, make: Callable[[], ConceptFigures]
) -> ConceptFigures:
    """Return a model's figures, from the folder where a run before has left them, or from those known."""
    if folder.read_artifact(name) is None:
        if key not in held:
            held[key] = make()
        folder.write_artifact(name, to_json(held[key]))
    stored = folder.read_artifact(name)
    assert stored is not None
    return figures_from(stored)


def _measured(
    model: LocalModel, pairs: tuple[ConceptPair, ...], spec: InsideSpec, quiet: bool
) -> ConceptFigures:
    with ticking(f"inside {model.reference}", STAGES, quiet) as ticker:
        asked_for = ConceptSettings(spec.seed, spec.layer, spec.tuning)
        return measure_concepts(model, pairs, asked_for, lambda _: ticker.tick())


def figures_from(value: Mapping[str, Any]) -> ConceptFigures:
    """Return the figures whose `to_json` is `value`; a whole number stays one, as findings.json has it."""
    estimates, turned = (
        {name: _estimate(fields) for name, fields in value[part].items()} for part in ("estimates", "turned")
    )
    return ConceptFigures(value["name"], value["layer"], estimates, turned, value["scores"], value["tables"])


def _estimate(fields: Mapping[str, Any]) -> Estimate:
    value, low, high = (
        math.nan if fields[name] is None else fields[name] for name in ("value", "low", "high")
    )
    return Estimate(value, low, high, fields["n"], fields["unit"], fields["method"])


def compare_models(measured: list[ConceptFigures]) -> list[Finding]:
    """Return a finding for each model, beside the other where there are two."""
    others = [measured[1], measured[0]] if len(measured) == 2 else [None]
    return [_finding(figures, other) for figures, other in zip(measured, others, strict=True)]


def _finding(figures: ConceptFigures, other: ConceptFigures | None) -> Finding:
    verdict, estimates = (
        verdict_on(figures, other),
        {**figures.estimates, **level_of(figures.estimates).figures},
    )
    return Finding(
        question=f"Are the concepts of {figures.name} organised or fractured?",
        verdict=verdict.label,
        probability=math.nan,
        sentence=verdict.sentence if other is not None else _alone(figures),
        estimates=estimates,
        controls={
            "rotation of the states": _rotation(figures, other),
            "random directions of equal norm": _null(figures),
        },
        caveats=_BESIDE,
        evidence=evidence_of(verdict, estimates),
        tables={"concepts": {"name": figures.name, "votes": to_json(vote_lines(verdict)), **figures.tables}},
    )


def verdict_on(figures: ConceptFigures, other: ConceptFigures | None) -> Verdict:
    """Return the verdict on `one` beside `other`: their levels compared, where they score the same."""
    if other is None:
        return Verdict("cannot tell", "", {}, ())
    return decide_levels(
        Side(figures.name, figures.estimates), Side(other.name, other.estimates), _same(figures, other)
    )


def _same(figures: ConceptFigures, other: ConceptFigures) -> Same:
    if not figures.scores:
        return Same(None, "The concepts have no answers, so neither model has a score")
    return same_scores((figures.name, other.name), figures.scores, other.scores)


def _alone(figures: ConceptFigures) -> str:
    level = level_of(figures.estimates)
    reuses = [(name, level.figures[f"{name}_reuse"]) for name in REUSES]
    reused = ", ".join(
        f"{name} {'not known' if math.isnan(reuse.value) else f'{reuse.value:.2f}'}" for name, reuse in reuses
    )
    kind = "not to be classed" if level.kind == "undecided" else level.kind
    return (
        f"How far contexts share one routine (1 one for all, 0 each its own), at layer {figures.layer}: {reused}; "
        f"by these and its cross effect it is {kind}. "
        "The verdict is told beside a second model that scores the same: give one."
    )


def _rotation(figures: ConceptFigures, other: ConceptFigures | None) -> str:
    moved = [
        name
        for name, turned in figures.turned.items()
        if not (
            math.isclose(figures.estimates[name].value, turned.value, abs_tol=1e-6)
            or (math.isnan(figures.estimates[name].value) and math.isnan(turned.value))
        )
    ]
    change = f"changed: {', '.join(moved)}" if moved else "reuse and decodability unchanged, as they must be"
    if other is None:
        return change
    again = verdict_on(
        *(replace(side, estimates={**side.estimates, **side.turned}) for side in (figures, other))
    )
    return f"{change}; the verdict after it: {again.label}"


def _null(figures: ConceptFigures) -> str:
    rows = [name.partition("/")[2] for name in figures.estimates if name.startswith("null_steering_effect/")]
    effects = [
        f"{name}: {figures.estimates[f'steering_effect/{name}'].value:.2f} against "
        f"{figures.estimates[f'null_steering_effect/{name}'].value:.2f} gaps"
        for name in rows
        if math.isfinite(figures.estimates[f"steering_effect/{name}"].value)
    ]
    return "; ".join(effects) or "nothing was steered: no concept is shown"
