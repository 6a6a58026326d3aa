"""The studies: a folder each, with its spec, what it asks or reads, its analysis and its verdict.

To add one: a folder here whose spec.py ends with a Study (study.py), that Study in OURS, and its sections of the report
in report/sections. From another package: an entry point of the group `tellapart.studies` (docs/adding-a-study.md).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tellapart.errors import InvalidInput
from tellapart.extras import STUDY_GROUP, Registry, naming_extras, offered_by_others
from tellapart.studies.expressible.spec import STUDY as EXPRESSIBLE
from tellapart.studies.form.spec import STUDY as FORM
from tellapart.studies.gain.spec import STUDY as GAIN
from tellapart.studies.guard.spec import STUDY as GUARD
from tellapart.studies.hidden.spec import STUDY as HIDDEN
from tellapart.studies.improve.spec import STUDY as IMPROVE
from tellapart.studies.inside.spec import STUDY as INSIDE
from tellapart.studies.options import ModelOptions, RunOptions
from tellapart.studies.scale.spec import STUDY as SCALE
from tellapart.studies.skills.spec import STUDY as SKILLS
from tellapart.studies.study import Study
from tellapart.tasks.python_code import code_allowed

if TYPE_CHECKING:
    from tellapart.studies.outcome import Run

OURS: tuple[Study, ...] = (GAIN, HIDDEN, FORM, SCALE, INSIDE, EXPRESSIBLE, GUARD, IMPROVE, SKILLS)


def by_name(studies: Sequence[Study]) -> dict[str, Study]:
    """Return the studies by name. Raises InvalidInput where a name is taken, or is no word of the command line."""
    named: dict[str, Study] = {}
    for study in studies:
        if study.name in named or not study.name.replace("-", "_").isidentifier():
            raise InvalidInput(f"study name {study.name!r}: taken, or no plain word; give it another one")
        named[study.name] = study
    return named


STUDIES = Registry[Study](lambda: by_name((*OURS, *offered_by_others(STUDY_GROUP, Study))).items())


def study_of(spec: RunOptions) -> Study:
    """Return the study that a spec belongs to. Raises InvalidInput for a spec of none."""
    for study in STUDIES.values():
        if type(spec) is study.spec:
            return study
    raise InvalidInput(f"{type(spec).__name__} is the spec of no study: there are {', '.join(STUDIES)}")


def run_study(spec: RunOptions, quiet: bool = False) -> "Run":
    """Run the study that `spec` belongs to; only its own code is imported."""
    study = study_of(spec)
    anywhere = isinstance(spec, ModelOptions) and spec.allow_code
    with naming_extras(study.name), code_allowed("all" if anywhere else "own"):
        from tellapart.studies.run import run

        return run(study, spec, quiet)
