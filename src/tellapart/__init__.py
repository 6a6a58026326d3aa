"""tellapart tells what a model has learned from what it merely shows.

    run = tellapart.gain(base="path/to/base", tuned="path/to/tuned", task="items.jsonl")

A Python call takes the fields of the command's spec and runs the same code; every study is one, another package's too.
Nothing heavy is imported before it.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, overload

from tellapart.version import __version__
from tellapart.wiring import connect

if TYPE_CHECKING:
    from tellapart.jsonvalue import JsonObject
    from tellapart.models.model import Model
    from tellapart.planting.result import Planting, PlantSettings
    from tellapart.report.compare import Comparison
    from tellapart.studies.expressible.spec import ExpressibleSpec
    from tellapart.studies.form.spec import FormSpec
    from tellapart.studies.gain.spec import GainSpec
    from tellapart.studies.guard.spec import GuardSpec
    from tellapart.studies.hidden.spec import HiddenSpec
    from tellapart.studies.improve.spec import ImproveSpec
    from tellapart.studies.inside.spec import InsideSpec
    from tellapart.studies.outcome import Run
    from tellapart.studies.scale.spec import ScaleSpec
    from tellapart.studies.skills.spec import SkillsSpec
    from tellapart.tasks.item import Item, Scorer, Task

    P = ParamSpec("P")

    class _Call(Protocol[P]):
        @overload
        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Run: ...
        @overload
        def __call__(self, *args: Any, **kwargs: Any) -> Run: ...  # objects in place of paths

    def _typed(spec: Callable[P, object]) -> _Call[P]: ...  # so that an editor shows the fields of the spec

    # what __getattr__ gives, for editors and type checkers (tests/test_api.py holds it to studies.OURS)
    expressible = _typed(ExpressibleSpec)
    form = _typed(FormSpec)
    gain = _typed(GainSpec)
    guard = _typed(GuardSpec)
    hidden = _typed(HiddenSpec)
    improve = _typed(ImproveSpec)
    inside = _typed(InsideSpec)
    scale = _typed(ScaleSpec)
    skills = _typed(SkillsSpec)

__all__ = [
    "ExpressibleSpec",
    "FormSpec",
    "GainSpec",
    "GuardSpec",
    "HiddenSpec",
    "ImproveSpec",
    "InsideSpec",
    "PlantSettings",
    "Planting",
    "ScaleSpec",
    "SkillsSpec",
    "__version__",
    "compare",
    "expressible",
    "form",
    "gain",
    "guard",
    "hidden",
    "improve",
    "inside",
    "open_run",
    "plant",
    "scale",
    "skills",
    "task",
]

LAZY = {
    "PlantSettings": "tellapart.planting.result",
    "Planting": "tellapart.planting.result",
    "ExpressibleSpec": "tellapart.studies.expressible.spec",
    "FormSpec": "tellapart.studies.form.spec",
    "GainSpec": "tellapart.studies.gain.spec",
    "GuardSpec": "tellapart.studies.guard.spec",
    "HiddenSpec": "tellapart.studies.hidden.spec",
    "ImproveSpec": "tellapart.studies.improve.spec",
    "InsideSpec": "tellapart.studies.inside.spec",
    "ScaleSpec": "tellapart.studies.scale.spec",
    "SkillsSpec": "tellapart.studies.skills.spec",
}
"""Classes that are imported on first use, so that `tellapart --help` need not wait for them."""

connect()


def __getattr__(name: str) -> Any:
    """Return a class of LAZY, or the call of the study of that name."""
    if name in LAZY:
        return getattr(import_module(LAZY[name]), name)
    # `from tellapart import runs` asks here before it imports the room
    if name.startswith("__") or find_spec(f"{__name__}.{name}") is not None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tellapart.studies import STUDIES

    if name not in STUDIES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tellapart.studies.calls import call_of

    return call_of(STUDIES[name])


def __dir__() -> list[str]:
    from tellapart.studies import STUDIES

    return sorted({*globals(), *LAZY, *STUDIES})


def open_run(path: Path | str) -> "Run":
    """Return a finished run from its folder. Raises UserMistake where it is none."""
    from tellapart.studies.outcome import open_run

    return open_run(Path(path))


def compare(runs: "Sequence[Run | Path | str]") -> "Comparison":
    """Return the verdicts and the common estimates of two runs or more, question by question; a notebook shows them,
    `.to_pandas()` is all figures."""
    from tellapart.report.compare import compare_runs

    return compare_runs([Path(run) if isinstance(run, str | Path) else run.folder for run in runs])


def task(
    items: "Any",
    *,
    name: str = "items",
    template: str = "{prompt}",
    scorer: "str | Scorer | Callable[[Item, str], Any]" = "",
    scorer_settings: "JsonObject | None" = None,
    max_tokens: int = 256,
    stop: Sequence[str] = (),
    guess_floor: float | None = None,
    demonstrations_from: int = 0,
) -> "Task":
    """Return a task made of rows, for `task=` of every study.

        task = tellapart.task(frame, scorer="last_number", template="Q: {question}\nA:", max_tokens=64)

    `items` is a list of dicts, a pandas or polars frame or a datasets.Dataset: rows with `id`, `target` (a text or a
    list of accepted ones) and the fields that `template` names; optionally `choices` and `cluster`. `scorer` is a name
    (docs/tasks.md; with its `scorer_settings`, as {"marker": "####"}) or a function (item, completion) -> score from 0
    to 1. Raises UserMistake, with the row, for all that is wrong.
    """
    from tellapart.tasks.given import make_task

    return make_task(
        items,
        name=name,
        template=template,
        scorer=scorer,
        scorer_settings=scorer_settings,
        max_tokens=max_tokens,
        stop=stop,
        guess_floor=guess_floor,
        demonstrations_from=demonstrations_from,
    )


def plant(
    base: "Model | str",
    task: "Task | str",
    *,
    arms: Sequence[str] | None = None,
    settings: "PlantSettings | None" = None,
    cache: Path | str | None = None,
    quiet: bool = True,
) -> "Planting":
    """Return for each arm (default: all) whether it finds a skill that was planted and hidden in `base`
    (docs/planting.md)."""
    from tellapart.planting.plant import plant_all
    from tellapart.planting.result import ARMS

    return plant_all(
        base, task, arms=ARMS if arms is None else arms, settings=settings, cache=cache, quiet=quiet
    )
