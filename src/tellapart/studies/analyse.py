"""`tellapart analyse RUN`: an old run analysed anew, without a model: another chance level, a newer verdict.

tellapart analyse runs/gain-20261129-120000-1a2b --guess-floor 0.25
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from tellapart import inputs, remote
from tellapart.errors import InvalidInput
from tellapart.extras import naming_extras
from tellapart.studies import STUDIES
from tellapart.studies.options import Verb
from tellapart.studies.study import Study
from tellapart.tasks.python_code import code_allowed

if TYPE_CHECKING:
    from tellapart.studies.outcome import Run

OPTIONS = ("guess_floor", "margin", "correct_at", "hold_out")


@dataclass(frozen=True)
class AnalyseSpec(Verb):
    """Analyse the rows of RUN anew: findings.json and report.html are written again, nothing is asked.

    The options stand for those of the run's own spec (default: as the run has them); a study takes those that it has.
    """

    EXAMPLES = (
        "tellapart analyse runs/sums --guess-floor 0.25",
        "tellapart analyse runs/sums  # by the rules of this version",
    )

    run: Annotated[Positional[str], arg(metavar="RUN")]
    """The run folder."""
    guess_floor: float | None = None
    """gain, hidden: another chance level."""
    margin: float | None = None
    """gain, form, guard: another margin of equivalence; hidden: another gap that matters."""
    correct_at: float | None = None
    """gain, form, hidden: an answer counts as right from this score on."""
    hold_out: int | None = None
    """scale: how many of the largest scales are forecast from the smaller ones."""
    json: bool = False
    """Print findings.json on stdout and nothing else."""
    allow_code: bool = False
    """Run `python:` code of the task that RUN names, where its answers must be read anew."""

    def checked(self) -> "AnalyseSpec":
        """Return the spec; raises InvalidInput with the value given, the values allowed and the way out."""
        if remote.is_remote(self.run):
            raise InvalidInput(
                f"{self.run}: analyse writes into the run: copy it to this machine first (docs/running-at-scale.md)"
            )
        if self.guess_floor is not None and not 0 <= self.guess_floor < 1:
            raise InvalidInput(f"--guess-floor {self.guess_floor}: give a share, 0 <= x < 1")
        if self.margin is not None and not 0 < self.margin < 1:
            raise InvalidInput(f"--margin {self.margin}: give a difference of scores, 0 < x < 1")
        if self.hold_out is not None and self.hold_out < 1:
            raise InvalidInput(f"--hold-out {self.hold_out}: give 1 or more")
        return self

    def changes(self, study: Study) -> dict[str, float]:
        """Return the options that were given. Raises InvalidInput for one that the study does not have."""
        given = {"guess_floor": self.guess_floor, "margin": self.margin, "correct_at": self.correct_at}
        changes = {
            name: value for name, value in (given | {"hold_out": self.hold_out}).items() if value is not None
        }
        for name in changes:
            if name not in study.analysis_options:
                options = ", ".join(
                    f"--{analysis_option.replace('_', '-')}" for analysis_option in study.analysis_options
                )
                raise InvalidInput(
                    f"--{name.replace('_', '-')}: a run of {study.name} takes {options or 'none of these options'}"
                )
        return changes


def run_analyse(spec: AnalyseSpec, quiet: bool = False) -> "Run":
    """Analyse the run as the spec says. Raises UserMistake where it is no finished run of a study that can be."""
    from rich.console import Console

    from tellapart.runs.folder import read_fields
    from tellapart.studies.outcome import Run, conclude, tell

    spec = spec.checked()
    folder = Path(spec.run)
    name = str(read_fields(folder).get("study", ""))
    study = STUDIES.get(name)
    if study is None or not study.analyse:
        able = ", ".join(study.name for study in STUDIES.values() if study.analyse)
        raise InvalidInput(f"{folder} is a run of {name or 'no study'!r}: analysed anew are {able}")
    changes = spec.changes(study)
    allowed = code_allowed("all" if spec.allow_code else "none")
    with naming_extras("analyse"), allowed, inputs.looking_in(folder / inputs.FOLDER):
        try:
            findings = study.analysed(folder, changes)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise InvalidInput(
                f"{folder} cannot be analysed: {type(error).__name__}: {error}; its facts or rows are not as a run "
                "writes them (changed by hand, or by another version)"
            ) from error
    findings = conclude(folder, study.name, findings)
    run = Run(folder, tuple(findings))
    tell(run, spec.json, None if quiet else Console())
    return run
