"""`tellapart inside`: networks -> figures -> findings -> report, in a run folder."""

import hashlib
import math
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tellapart.findings.finding import Finding
from tellapart.internals.networks import Network, read_network
from tellapart.runs.folder import open_run, run_path
from tellapart.runs.provenance import provenance
from tellapart.stats.wording import shown
from tellapart.studies.inside.measure import SURVIVES, Measured, measure
from tellapart.studies.inside.spec import InsideSpec
from tellapart.studies.inside.tables import evidence_of, votes_table
from tellapart.studies.inside.verdict import Same, Side, decide
from tellapart.studies.outcome import Run, asked, conclude, tell

FREE = (
    "out",
    "json",
    "networks",
    "concepts",
    "layer",
    "tuning",
    "device",
    "dtype",
    "chat",
    "no_chat",
    "system",
    "max_rows",
)
EQUAL = 1e-3
"""Mean squared difference (colours 0..1) up to which two pictures count as the same."""
_BESIDE = (
    "No probability: the rule for image networks was set with four networks in view.",
    "Without concepts the verdict rests on how many dimensions there are, which goes with organisation.",
    "Distinct features, their dimensions, shared symmetry and weight sweeps depend on the hidden basis.",
    "The participation ratio of effect maps grows with the grid: compare networks on the same grid only.",
)


def run_inside(spec: InsideSpec, quiet: bool = False) -> Run:
    """Run `inside` as the spec says; prints a summary (or the findings as JSON, or nothing where `quiet`)."""
    spec = spec.checked()
    console = None if quiet else Console()
    run = _run_networks(spec) if spec.concepts is None else _run_language(spec, quiet)
    tell(run, spec.json, console)
    if console is not None and not spec.json:
        _print_figures(list(run.findings), console)
    return run


def _run_language(spec: InsideSpec, quiet: bool) -> Run:
    from tellapart.studies.inside.language import run_language

    return run_language(spec, quiet)


def _run_networks(spec: InsideSpec) -> Run:
    out = run_path(spec.out, "inside")
    networks = [read_network(Path(name)) for name in spec.networks]
    described = {
        **asked("inside", spec, FREE),
        "model": ", ".join(spec.networks),
        "fingerprints": [_fingerprint(network) for network in networks],
    }
    with open_run(out, described, {"provenance": provenance(spec.device)}) as folder:
        findings = analyse([measure(network, spec.seed) for network in networks])
        findings = conclude(folder.path, "inside", findings)
    return Run(out, tuple(findings))


def analyse(measured: list[Measured]) -> list[Finding]:
    """Return a finding for each network, beside the other where there are two."""
    others = [measured[1], measured[0]] if len(measured) == 2 else [None]
    return [_finding(one, other) for one, other in zip(measured, others, strict=True)]


def _finding(one: Measured, other: Measured | None) -> Finding:
    beside = None if other is None else Side(other.name, other.estimates)
    same = Same(None, "") if other is None else same_picture(one, other)
    verdict = decide(Side(one.name, one.estimates), beside, same)
    return Finding(
        question=f"Is {one.name} organised or fractured inside?",
        verdict=verdict.label,
        probability=math.nan,
        sentence=verdict.sentence,
        estimates=one.estimates,
        controls={"rotation of each hidden basis": _rotation(one, other, same)},
        caveats=_BESIDE,
        evidence=evidence_of(verdict, one.estimates),
        tables={"inside": {"name": one.name, "votes": votes_table(verdict), **one.pictures}},
    )


def same_picture(one: Measured, other: Measured) -> Same:
    """Return whether two pictures are the same, by their mean squared difference."""
    apart = float(((one.picture - other.picture) ** 2).mean())
    if apart > EQUAL:
        return Same(False, f"The pictures differ by {apart:.2g} (mean squared), more than {EQUAL:g}")
    return Same(
        True,
        f"The pictures, which differ by {apart:.1g} (mean squared), do not tell {one.name} from {other.name}",
    )


def _rotation(one: Measured, other: Measured | None, same: Same) -> str:
    moved = [
        name
        for name in SURVIVES
        if not math.isclose(one.estimates[name].value, one.turned[name].value, abs_tol=1e-6)
    ]
    told = f"changed: {', '.join(moved)}" if moved else f"unchanged, as they must be: {', '.join(SURVIVES)}"
    if other is None:
        return told
    again = decide(Side(one.name, one.turned), Side(other.name, other.turned), same)
    return f"{told}; the verdict from them alone, after the rotation: {again.label}"


def _fingerprint(network: Network) -> str:
    content = hashlib.blake2b(repr(network.activations).encode(), digest_size=16)
    for weights in network.weights:
        content.update(weights.tobytes())
    return content.hexdigest()


def _print_figures(findings: list[Finding], console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("inside")
    for finding in findings:
        table.add_column(
            str((finding.tables.get("inside") or finding.tables["concepts"])["name"]),
            justify="right",
            overflow="fold",
        )
    for name in dict.fromkeys(name for finding in findings for name in finding.estimates):
        known = (finding.estimates.get(name) for finding in findings)
        table.add_row(name, *("–" if one is None else shown(name, one).value for one in known))
    console.print(table)
