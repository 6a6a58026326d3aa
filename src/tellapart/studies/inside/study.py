"""`tellapart inside`: networks -> figures -> findings, in a run folder."""

import hashlib
import math
from pathlib import Path

from tellapart.errors import UserMistake
from tellapart.findings.finding import Finding
from tellapart.findings.inside import NETWORK, NetworkTable
from tellapart.internals.networks import Network, read_network
from tellapart.runs.folder import RunFolder, read_fields
from tellapart.studies.inside.measure import SURVIVES, Measured, measure
from tellapart.studies.inside.spec import InsideSpec
from tellapart.studies.inside.tables import evidence_of, vote_lines
from tellapart.studies.inside.verdict import Same, Side, decide
from tellapart.studies.study import Changes, Opened, refuse_changed

FREE = (
    "networks",
    "concepts",
    "expressible",
    "layer",
    "tuning",
    "dtype",
    "chat",
    "no_chat",
    "system",
    "limit",
)
"""What networks are not measured by, and their names, which fingerprints stand for."""
EQUAL = 1e-3
"""Mean squared difference (colours 0..1) up to which two pictures count as the same."""
_BESIDE = (
    "No probability: the rule for image networks was set with four networks in view.",
    "Without concepts the verdict rests on how many dimensions there are, which goes with organisation.",
    "Distinct features, their dimensions, shared symmetry and weight sweeps depend on the hidden basis.",
    "The participation ratio of effect maps grows with the grid: compare networks on the same grid only.",
)


def open_inside(spec: InsideSpec, quiet: bool = False) -> Opened:
    """Read the networks, or the language models and their concepts."""
    if spec.expressible is not None:
        from tellapart.studies.inside.expressible import open_expressible

        return open_expressible(spec)
    if spec.concepts is None:
        return _open_networks(spec)
    from tellapart.studies.inside.language import open_language

    return open_language(spec, quiet)


def _open_networks(spec: InsideSpec) -> Opened:
    networks = [read_network(Path(name)) for name in spec.networks]
    beside = {
        "model": ", ".join(spec.networks),
        "fingerprints": [_fingerprint(network) for network in networks],
    }

    def find(folder: RunFolder) -> list[Finding]:
        folder.write_artifact("networks", {"paths": list(spec.networks), "seed": spec.seed})
        return analyse([measure(network, spec.seed) for network in networks])

    return Opened(spec, beside, find, asks=False, free=FREE)


def analyse_again(folder: Path, changes: Changes) -> list[Finding]:
    """Return the findings of a finished run: of language models from the figures it keeps, of networks from their
    files. Raises UserMistake where it has none, or where the files have changed."""
    fields, kept = read_fields(folder), RunFolder(folder)
    if "concepts_hash" in fields:
        from tellapart.studies.inside.language import compare_models, figures_from

        figures = [kept.read_artifact(f"model-{at}") for at in range(len(fields["fingerprints"]))]
        if any(figure is None for figure in figures):
            raise UserMistake(f"{folder}: the run is not finished; run its command again")
        return compare_models([figures_from(figure) for figure in figures if figure is not None])
    if fields.get("expressible") is not None:
        raise UserMistake(f"{folder}: what a shape can hold is not analysed anew; run its command again")
    artifact = kept.read_artifact("networks")
    if artifact is None:
        raise UserMistake(
            f"{folder} does not say where its networks are (an older version); run its command again"
        )
    opened = _open_networks(InsideSpec(tuple(artifact["paths"]), seed=artifact["seed"]))
    refuse_changed(folder, fields, {"fingerprints": opened.beside["fingerprints"]})
    return list(opened.find(kept))


def analyse(measured: list[Measured]) -> list[Finding]:
    """Return a finding for each network, beside the other where there are two."""
    others = [measured[1], measured[0]] if len(measured) == 2 else [None]
    return [_finding(measure, other) for measure, other in zip(measured, others, strict=True)]


def _finding(measured: Measured, other: Measured | None) -> Finding:
    beside = None if other is None else Side(other.name, other.estimates)
    same = Same(None, "") if other is None else same_picture(measured, other)
    verdict = decide(Side(measured.name, measured.estimates), beside, same)
    return Finding(
        question=f"Is {measured.name} organised or fractured inside?",
        verdict=verdict.label,
        probability=math.nan,
        sentence=verdict.sentence,
        estimates=measured.estimates,
        controls={"rotation of each hidden basis": _rotation(measured, other, same)},
        caveats=_BESIDE,
        evidence=evidence_of(verdict, measured.estimates),
        tables=NETWORK.write(
            NetworkTable(name=measured.name, votes=vote_lines(verdict), **vars(measured.pictures))
        ),
    )


def same_picture(measured: Measured, other: Measured) -> Same:
    """Return whether two pictures are the same, by their mean squared difference."""
    apart = float(((measured.picture - other.picture) ** 2).mean())
    if apart > EQUAL:
        return Same(False, f"The pictures differ by {apart:.2g} (mean squared), more than {EQUAL:g}")
    return Same(
        True,
        f"The pictures, which differ by {apart:.1g} (mean squared), do not tell {measured.name} from {other.name}",
    )


def _rotation(measured: Measured, other: Measured | None, same: Same) -> str:
    moved = [
        name
        for name in SURVIVES
        if not math.isclose(measured.estimates[name].value, measured.turned[name].value, abs_tol=1e-6)
    ]
    change = f"changed: {', '.join(moved)}" if moved else f"unchanged, as they must be: {', '.join(SURVIVES)}"
    if other is None:
        return change
    again = decide(Side(measured.name, measured.turned), Side(other.name, other.turned), same)
    return f"{change}; the verdict from them alone, after the rotation: {again.label}"


def _fingerprint(network: Network) -> str:
    content = hashlib.blake2b(repr(network.activations).encode(), digest_size=16)
    for weights in network.weights:
        content.update(weights.tobytes())
    return content.hexdigest()
