"""tellapart tells what a model has learned from what it merely shows.

    run = tellapart.gain(base="path/to/base", tuned="path/to/tuned", task="items.jsonl")

A Python call takes the fields of the command's spec and runs the same code. Nothing heavy is imported before it.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

from tellapart.planting.result import ARMS, Planting, PlantSettings
from tellapart.studies.form.spec import FormSpec
from tellapart.studies.gain.spec import GainSpec
from tellapart.studies.guard.spec import GuardSpec
from tellapart.studies.improve.spec import ImproveSpec
from tellapart.studies.inside.spec import InsideSpec
from tellapart.studies.scale.spec import ScaleSpec
from tellapart.studies.skills.spec import SkillsSpec
from tellapart.version import __version__
from tellapart.wiring import connect

if TYPE_CHECKING:
    from tellapart.models.model import Model
    from tellapart.studies import Spec
    from tellapart.studies.outcome import Run
    from tellapart.tasks.item import Task

__all__ = [
    "FormSpec",
    "GainSpec",
    "GuardSpec",
    "ImproveSpec",
    "InsideSpec",
    "PlantSettings",
    "Planting",
    "ScaleSpec",
    "SkillsSpec",
    "__version__",
    "form",
    "gain",
    "guard",
    "improve",
    "inside",
    "plant",
    "scale",
    "skills",
]

_P = ParamSpec("_P")

connect()


def _verb(spec: Callable[_P, "Spec"]) -> Callable[_P, "Run"]:
    @wraps(spec)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> "Run":
        from tellapart.studies import run_study

        return run_study(spec(*args, **kwargs), quiet=True)

    return run


form = _verb(FormSpec)
gain = _verb(GainSpec)
guard = _verb(GuardSpec)
improve = _verb(ImproveSpec)
inside = _verb(InsideSpec)
scale = _verb(ScaleSpec)
skills = _verb(SkillsSpec)


def plant(
    base: "Model | str",
    task: "Task | str",
    *,
    arms: Sequence[str] = ARMS,
    settings: PlantSettings | None = None,
    cache: Path | str | None = None,
    quiet: bool = True,
) -> Planting:
    """Return for each arm whether it finds a skill that was planted and hidden in `base` (docs/planting.md)."""
    from tellapart.planting.plant import plant_all

    return plant_all(base, task, arms=arms, settings=settings, cache=cache, quiet=quiet)
