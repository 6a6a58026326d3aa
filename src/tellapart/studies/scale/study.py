"""`tellapart scale`: results of other tools -> points -> findings, in a run folder that holds the points."""

from pathlib import Path

import pandas as pd

from tellapart.errors import UserMistake
from tellapart.findings.finding import Finding
from tellapart.logs.scale_read import read_points
from tellapart.runs.folder import RunFolder, read_fields
from tellapart.runs.table import write_frame
from tellapart.studies.scale.analyse import ScaleRequest, analyse
from tellapart.studies.scale.spec import ScaleSpec
from tellapart.studies.study import Changes, Opened, recorded_spec

POINTS = "points.parquet"
UNNOTED = "what was noted when the results were read was not recorded by this version of the run"


def open_scale(spec: ScaleSpec, quiet: bool = False) -> Opened:
    """Read the results and analyse them."""
    read = read_points(spec.results)
    findings = analyse(read.frame, _asked(spec), read.notes)  # what cannot be analysed is to leave no folder
    beside = {"files": read.files, "scores": len(read.frame), "fingerprint": _fingerprint(read.frame)}

    def find(folder: RunFolder) -> list[Finding]:
        write_frame(folder.path / POINTS, read.frame)
        folder.write_artifact("facts", {"notes": list(read.notes)})
        return findings

    return Opened(spec, beside, find, asks=False)


def analyse_again(folder: Path, changes: Changes) -> list[Finding]:
    """Return the findings of a finished run from its points. Raises UserMistake where it has none."""
    spec = recorded_spec(ScaleSpec, read_fields(folder))
    wanted = _asked(spec)._replace(**{name: int(value) for name, value in changes.items()})
    facts = RunFolder(folder).read_artifact("facts") or {"notes": [UNNOTED]}
    try:
        points = pd.read_parquet(folder / POINTS)
    except FileNotFoundError:
        raise UserMistake(
            f"{folder} has no {POINTS}: the run is not finished; run its command again"
        ) from None
    return analyse(points, wanted, facts["notes"])


def _asked(spec: ScaleSpec) -> ScaleRequest:
    return ScaleRequest(spec.scale, spec.tasks, spec.hold_out, spec.limit, spec.seed)


def _fingerprint(points: pd.DataFrame) -> str:
    """Return a content hash of all points, in any order."""
    hashes = pd.util.hash_pandas_object(points, index=False)
    return f"{int(hashes.sum()) & 0xFFFFFFFFFFFFFFFF:016x}"
