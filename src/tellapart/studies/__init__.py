"""The studies: a folder each, with its spec, what it asks or reads, its analysis and its verdict.

To add one: a folder here with spec.py and study.py (`run_NAME(spec, quiet)`), its place in SPECS, and its sections of
the report in report/sections.
"""

import importlib
from typing import TYPE_CHECKING

from tellapart.extras import naming_extras
from tellapart.studies.form.spec import FormSpec
from tellapart.studies.gain.spec import GainSpec
from tellapart.studies.guard.spec import GuardSpec
from tellapart.studies.improve.spec import ImproveSpec
from tellapart.studies.inside.spec import InsideSpec
from tellapart.studies.scale.spec import ScaleSpec
from tellapart.studies.skills.spec import SkillsSpec
from tellapart.tasks.python_code import code_allowed

if TYPE_CHECKING:
    from tellapart.studies.outcome import Run

Spec = GainSpec | FormSpec | ScaleSpec | InsideSpec | GuardSpec | ImproveSpec | SkillsSpec
SPECS: dict[type[Spec], str] = {
    GainSpec: "gain",
    FormSpec: "form",
    ScaleSpec: "scale",
    InsideSpec: "inside",
    GuardSpec: "guard",
    ImproveSpec: "improve",
    SkillsSpec: "skills",
}


def run_study(spec: Spec, quiet: bool = False) -> "Run":
    """Run the study that `spec` belongs to; only its own code is imported."""
    name = SPECS[type(spec)]
    anywhere = not isinstance(spec, ScaleSpec | InsideSpec) and spec.allow_code
    with naming_extras(name), code_allowed("all" if anywhere else "own"):
        study = importlib.import_module(f"tellapart.studies.{name}.study")
        done: Run = getattr(study, f"run_{name}")(spec, quiet)
    return done
