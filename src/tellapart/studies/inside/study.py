"""`tellapart inside`: networks -> figures -> findings -> report, in a run folder."""

import hashlib
import math
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tellapart.internals.networks import Network, read_network
from tellapart.report.text import shown
from tellapart.runs.folder import open_run
from tellapart.runs.provenance import provenance
from tellapart.studies.finding import Finding
from tellapart.studies.inside.measure import SURVIVES, Measured, measure
from tellapart.studies.inside.spec import InsideSpec
from tellapart.studies.inside.verdict import decide, turned_vote
from tellapart.studies.outcome import Run, asked, conclude, tell

FREE = ("out", "json", "networks")
_BESIDE = (
    "The rule is not calibrated: its thresholds were set with four networks in view, so no probability.",
    "Distinct features, their dimensions, shared symmetry and weight sweeps depend on the hidden basis.",
    "The participation ratio of effect maps grows with the grid: compare networks on the same grid only.",
)


def run_inside(spec: InsideSpec, quiet: bool = False) -> Run:
    """Run `inside` as the spec says; prints a summary (or the findings as JSON, or nothing where `quiet`)."""
    spec = spec.checked()
    out = Path(spec.out or time.strftime("runs/inside-%Y%m%d-%H%M%S"))
    networks = [read_network(Path(name)) for name in spec.networks]
    described = {
        **asked("inside", spec, FREE),
        "model": ", ".join(spec.networks),
        "fingerprints": [_fingerprint(network) for network in networks],
    }
    with open_run(out, described, {"provenance": provenance()}) as folder:
        findings = analyse([measure(network, spec.seed) for network in networks])
        conclude(folder.path, "inside", findings)
    run = Run(out, tuple(findings))
    tell(run, spec.json, console := None if quiet else Console())
    if console is not None and not spec.json:
        _print_figures(findings, console)
    return run


def analyse(measured: list[Measured]) -> list[Finding]:
    """Return a finding for each network, beside the other where there are two."""
    others = [measured[1], measured[0]] if len(measured) == 2 else [None]
    return [_finding(one, other) for one, other in zip(measured, others, strict=True)]


def _finding(one: Measured, other: Measured | None) -> Finding:
    verdict = decide(one, other)
    return Finding(
        question=f"Is {one.name} organised or fractured inside?",
        verdict=verdict.label,
        probability=math.nan,
        sentence=verdict.sentence,
        estimates=one.estimates,
        controls={"rotation of each hidden basis": _rotation(one, other)},
        caveats=_BESIDE,
        evidence=tuple((name, one.estimates[name].value, math.nan) for name in verdict.votes),
        tables={"inside": {"name": one.name, "votes": verdict.votes, **one.pictures}},
    )


def _rotation(one: Measured, other: Measured | None) -> str:
    moved = [
        name
        for name in SURVIVES
        if not math.isclose(one.estimates[name].value, one.turned[name], abs_tol=1e-6)
    ]
    told = f"changed: {', '.join(moved)}" if moved else f"unchanged, as they must be: {', '.join(SURVIVES)}"
    if other is None:
        return told
    said = {1.0: "fractured", -1.0: "organised", 0.0: "neither"}
    before, after = (said.get(vote, "not known") for vote in turned_vote(one, other))
    return f"{told}; pca_dims_99%_raw alone says {before} before and {after} after it"


def _fingerprint(network: Network) -> str:
    content = hashlib.blake2b(repr(network.activations).encode(), digest_size=16)
    for weights in network.weights:
        content.update(weights.tobytes())
    return content.hexdigest()


def _print_figures(findings: list[Finding], console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("inside")
    for finding in findings:
        table.add_column(str(finding.tables["inside"]["name"]), justify="right", overflow="fold")
    for name in findings[0].estimates:
        figures = (shown(name, finding.estimates[name]) for finding in findings)
        table.add_row(name, *(figure.value for figure in figures))
    console.print(table)
