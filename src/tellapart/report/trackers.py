"""`tellapart export RUN --to trackio|mlflow|wandb`: a run's estimates and curves in a tracker, through its own client.

Nothing leaves the machine unless the tracker's own settings say so: trackio and MLflow keep files, W&B runs offline.
"""

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tellapart.errors import InvalidInput, Refused, closest
from tellapart.extras import require
from tellapart.findings.finding import Finding
from tellapart.findings.gain import COVERAGE, SERIES, SURFACING
from tellapart.findings.guard import SIGNALS as GUARD_SIGNALS
from tellapart.findings.improve import ROUNDS
from tellapart.findings.reading import in_form, read_findings
from tellapart.findings.scale import SCALE
from tellapart.jsonvalue import Json
from tellapart.report.document import read_spec
from tellapart.report.subjects import subjects

PROJECT = "tellapart"


class Curve(NamedTuple):
    """Values over an axis: `lines` are by name, one value (NaN: not known) for each of `x`."""

    name: str
    axis: str
    x: Sequence[float]
    lines: Mapping[str, Sequence[float]]

    def points(self) -> Iterator[tuple[int, dict[str, float]]]:
        """Yield a step and what is known there. Steps are the axis where it counts up in whole numbers, else places."""
        whole = all(float(at).is_integer() and at >= 0 for at in self.x)
        counts = whole and all(a < b for a, b in zip(self.x, self.x[1:], strict=False))
        for place, at in enumerate(self.x):
            values = {f"{self.name}/{name}": float(line[place]) for name, line in self.lines.items()}
            finite = {name: value for name, value in values.items() if math.isfinite(value)}
            yield (int(at) if counts else place), {f"{self.name}/{self.axis}": float(at), **finite}


class Tracked(NamedTuple):
    """What a tracker is given of a run: its name, what it was about in words, its estimates, its curves."""

    name: str
    config: Mapping[str, str]
    metrics: Mapping[str, float]
    curves: Sequence[Curve]


class Place(NamedTuple):
    """Where it is kept: the project, and the folder of a local store ("": the tracker's own)."""

    project: str = PROJECT
    folder: str = ""


def send(run: Path, tracker: str, place: Place) -> Tracked:
    """Give a finished run to a tracker and return what it was given. Raises UserMistake where the tracker is not
    installed or refuses it, or the run cannot be read."""
    if tracker not in TRACKERS:
        raise InvalidInput(f"--to {tracker!r}{closest(tracker, TRACKERS)}: give one of {', '.join(TRACKERS)}")
    tracked = tracked_of(run)
    require(tracker, f"export --to {tracker}")
    try:
        TRACKERS[tracker](tracked, place)
    except (
        Exception
    ) as error:  # whatever a tracker's client raises is the tracker's: no server, no right, a full disk
        raise Refused(f"{tracker} did not take the run ({type(error).__name__}): {error}") from error
    return tracked


def tracked_of(run: Path) -> Tracked:
    """Return what a tracker is given of a finished run; a run of several findings has each under its number."""
    findings, spec = read_findings(run), read_spec(run)
    config: dict[str, str] = dict(subjects(spec))
    metrics: dict[str, float] = {}
    curves: list[Curve] = []
    with in_form(f"{run / 'findings.json'} is"):
        for number, finding in enumerate(findings, 1):
            head = "" if len(findings) == 1 else f"{number}/"
            config |= {f"{head}question": finding.question, f"{head}verdict": finding.verdict}
            config[f"{head}sentence"] = finding.sentence
            metrics |= {f"{head}{name}": value for name, value in _metrics(finding)}
            curves += [curve._replace(name=f"{head}{curve.name}") for curve in curves_of(finding)]
    config |= {name: str(spec[name]) for name in ("command", "started") if isinstance(spec.get(name), str)}
    return Tracked(run.resolve().name, config, metrics, curves)


def _metrics(finding: Finding) -> Iterator[tuple[str, float]]:
    metrics = {"probability": finding.probability}
    for name, estimate in finding.estimates.items():
        metrics |= {name: estimate.value, f"{name}.low": estimate.low, f"{name}.high": estimate.high}
    return ((name, value) for name, value in metrics.items() if math.isfinite(value))


def curves_of(finding: Finding) -> list[Curve]:
    """Return the curves among the tables of a finding."""
    return [curve for read in CURVES for curve in read(finding)]


def _coverage(finding: Finding) -> Iterator[Curve]:
    if table := COVERAGE.read(finding):
        sides = {"base": [point[0] for point in table.base], "tuned": [point[0] for point in table.tuned]}
        yield Curve("pass_at_k", "k", table.k, sides)


def _surfacing(finding: Finding) -> Iterator[Curve]:
    if steps := SURFACING.read(finding):
        lines = {
            "share": [step.share for step in steps],
            "low": [step.low for step in steps],
            "high": [step.high for step in steps],
        }
        yield Curve("surfacing", "bits", [step.bits for step in steps], lines)


def _series(finding: Finding) -> Iterator[Curve]:
    if steps := SERIES.read(finding):
        lines = {"score": [step.score for step in steps], "gain": [step.gain for step in steps]}
        yield Curve("checkpoints", "step", [step.step for step in steps], lines)


def _guard(finding: Finding) -> Iterator[Curve]:
    if table := GUARD_SIGNALS.read(finding):
        yield Curve("signals", "step", table.steps, table.signals)


def _improve(finding: Finding) -> Iterator[Curve]:
    table = ROUNDS.read(finding)
    for arm in table.arms if table else ():
        lines = {
            "score": [round_line.score[0] for round_line in arm.rounds],
            "verification": [round_line.verification[0] for round_line in arm.rounds],
            "gap": [round_line.gap[0] for round_line in arm.rounds],
            "accepted": [round_line.accepted[0] for round_line in arm.rounds],
            "reward": [round_line.reward[0] for round_line in arm.rounds],
            "hacking": [round_line.hacking[0] for round_line in arm.rounds],
        }
        yield Curve(f"improve/{arm.arm}", "round", [round_line.round for round_line in arm.rounds], lines)


def _scale(finding: Finding) -> Iterator[Curve]:
    table = SCALE.read(finding)
    for task in table.tasks if table else ():
        for metric in task.metrics:
            yield Curve(f"scale/{task.label}/{metric.metric}", "scale", metric.scale, {"value": metric.value})


CURVES: tuple[Callable[[Finding], Iterator[Curve]], ...] = (
    _coverage, _surfacing, _series, _guard, _improve, _scale,
)  # fmt: skip
"""What reads curves out of the tables of a finding."""


def _to_trackio(tracked: Tracked, place: Place) -> None:
    if place.folder:
        os.environ["TRACKIO_DIR"] = place.folder  # read when trackio is imported
    import trackio  # pyright: ignore[reportMissingImports]

    trackio.init(place.project, tracked.name, config=dict(tracked.config), embed=False, auto_log_gpu=False)
    trackio.log(dict(tracked.metrics), step=0)
    for curve in tracked.curves:
        for step, values in curve.points():
            trackio.log(values, step=step)
    trackio.finish()


def _to_mlflow(tracked: Tracked, place: Place) -> None:
    if place.folder:
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow wants to hear that files are meant
    from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]

    client = MlflowClient(Path(place.folder).resolve().as_uri() if place.folder else None)
    existing = client.get_experiment_by_name(place.project)
    experiment = existing.experiment_id if existing else client.create_experiment(place.project)
    run = client.create_run(experiment, run_name=tracked.name).info.run_id
    for name, text in tracked.config.items():
        client.set_tag(run, _mlflow_name(name), text[:5000])
    for name, value in tracked.metrics.items():
        client.log_metric(run, _mlflow_name(name), value, step=0)
    for curve in tracked.curves:
        for step, values in curve.points():
            for name, value in values.items():
                client.log_metric(run, _mlflow_name(name), value, step=step)
    client.set_terminated(run)


def _mlflow_name(name: str) -> str:
    """Return a name as MLflow takes it: letters, digits, _ - . : / and spaces, and no path that leads upwards."""
    return "/".join(re.sub(r"[^\w\-.: ]", "_", part).strip(".") or "_" for part in name.split("/"))[:250]


def _to_wandb(tracked: Tracked, place: Place) -> None:
    import wandb  # pyright: ignore[reportMissingImports]

    mode: Json = os.environ.get("WANDB_MODE", "offline")
    if place.folder:
        Path(place.folder).mkdir(parents=True, exist_ok=True)
    run = wandb.init(
        project=place.project,
        name=tracked.name,
        config=dict(tracked.config),
        dir=place.folder or None,
        mode=mode,
    )
    run.summary.update(dict(tracked.metrics))
    for curve in tracked.curves:
        # W&B's own step only counts up: each curve is drawn over its axis
        axis = f"{curve.name}/{curve.axis}"
        run.define_metric(f"{curve.name}/*", step_metric=axis)
        for _, values in curve.points():
            run.log(values)
    run.finish()


TRACKERS: Mapping[str, Callable[[Tracked, Place], None]] = {
    "trackio": _to_trackio,
    "mlflow": _to_mlflow,
    "wandb": _to_wandb,
}
