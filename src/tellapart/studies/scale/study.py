"""`tellapart scale`: results of other tools -> points -> findings -> report, in a run folder."""

from pathlib import Path

import pandas as pd
from rich.console import Console

from tellapart.logs.scale_read import read_points
from tellapart.runs.files import replacing
from tellapart.runs.folder import open_run, run_path
from tellapart.runs.provenance import provenance
from tellapart.studies.outcome import Run, asked, conclude, tell
from tellapart.studies.scale.analyse import Asked, analyse
from tellapart.studies.scale.spec import ScaleSpec

FREE = ("out", "json")
"""Fields of the spec that may differ when a run is gone on with."""


def run_scale(spec: ScaleSpec, quiet: bool = False) -> Run:
    """Run `scale` as the spec says; prints a summary (or the findings as JSON, or nothing where `quiet`)."""
    spec = spec.checked()
    out = run_path(spec.out, "scale")
    read = read_points(spec.results)
    wanted = Asked(spec.scale, spec.tasks, spec.hold_out, spec.limit, spec.seed)
    findings = analyse(read.frame, wanted, read.notes)
    described = {
        **asked("scale", spec, FREE),
        "files": read.files,
        "scores": len(read.frame),
        "fingerprint": _fingerprint(read.frame),
    }
    with open_run(out, described, {"provenance": provenance()}) as folder:
        _write_points(folder.path, read.frame)
        findings = conclude(folder.path, "scale", findings)
    run = Run(out, tuple(findings))
    tell(run, spec.json, None if quiet else Console())
    return run


def _fingerprint(points: pd.DataFrame) -> str:
    """Return a content hash of all points, in any order."""
    hashes = pd.util.hash_pandas_object(points, index=False)
    return f"{int(hashes.sum()) & 0xFFFFFFFFFFFFFFFF:016x}"


def _write_points(folder: Path, points: pd.DataFrame) -> None:
    with replacing(folder / "points.parquet") as temporary:
        points.to_parquet(temporary, compression="zstd", index=False)
