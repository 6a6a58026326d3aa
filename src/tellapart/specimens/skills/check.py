"""How often the verdicts of `skills train` are right: run it over the bases, then hold its verdicts against the truth.

Two runs a base: one with the skills that the base has, and one with signs, which the base always copies, so that there
is nothing to bring out. The truth (truth.json: the verdicts that are right, by task) is opened here only.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json
from tellapart.specimens.checking import Shares, print_shares, run_study, shares, tell
from tellapart.specimens.skills import names

TRUTH = Path(__file__).with_name("truth.json")
SKILLS = ("digits", "letters", "capitals")
JOINT = ("digits+letters", "letters+capitals", "digits+capitals")
FEW_STEPS = 20
COMMON = ("--objective", "ce", "--kl", "0", "--batch", "32", "--limit", "160")
TRAINED = ("--steps", "300", "--lora-steps", "150", "--lora-rate", "0.003")
"""More steps do not help LoRA, and its rate is the best of 0.001, 0.003 and 0.01, on skills-0."""
ASKED = (
    "--template", "{prompt}?",
    "--label", "d=digits", "--label", "l=letters", "--label", "c=capitals", "--label", "s=base",
)  # fmt: skip


class Judged(NamedTuple):
    """The verdict on a task beside those that are right."""

    name: str
    task: str
    truth: tuple[str, ...]
    verdict: str


@dataclass(frozen=True)
class SkillsOutcome:
    """How often verdicts were right, and every one."""

    shares: Shares
    judged: Sequence[Judged]

    def as_json(self) -> dict[str, Json]:
        """Return a JSON object."""
        return {**self.shares.as_json(), "specimens": [one._asdict() for one in self.judged]}


def main_run(name: str) -> list[str]:
    """Return the arguments of the run with every skill of a base, all sums of two, and dispatch by the base."""
    task = f"specimen:{name}"
    return [
        "skills", "train", task,
        *(part for skill in SKILLS for part in ("--task", f"{task}/{skill}")),
        *(part for joint in JOINT for part in ("--joint", f"{task}/{joint}")),
        "--also", f"{task}/signs", "--watch", f"{task}/marked", "--watch", f"{task}/kinds",
        *(part for skill in SKILLS for part in ("--dispatch", f"{task}/only-{skill}={skill}")),
        "--dispatch", f"{task}/signs=base", *ASKED, *COMMON, *TRAINED,
    ]  # fmt: skip


def empty_run(name: str) -> list[str]:
    """Return the arguments of the run in which there is nothing to bring out."""
    task = f"specimen:{name}"
    steps = ("--steps", str(FEW_STEPS))
    return ["skills", "train", task, "--task", f"{task}/signs", "--lora-rank", "0", *COMMON, *steps]


def check_skills(chosen: Sequence[str], out: Path, seed: int, as_json: bool) -> int:
    """Run the check and print its outcome; returns the exit code (1 where a run failed)."""
    known = names()
    for name in chosen:
        if name not in known:
            raise UserMistake(f"no base {name!r} of skills; there are: {', '.join(known)}")
    judged: list[Judged] = []
    failures: dict[str, str] = {}
    for name in chosen or known:
        for kind, command in (("main", main_run(name)), ("empty", empty_run(name))):
            folder = out / f"{name}-{kind}"
            said = run_study([*command, "--seed", str(seed)], folder)
            if said:
                failures[f"{name} ({kind})"] = said
            else:
                judged += judge(name, folder)
    return tell(summary(judged), failures, as_json, show)


def judge(name: str, out: Path) -> list[Judged]:
    """Return the verdicts that stand in a run folder beside the truth."""
    truth: Mapping[str, list[str]] = json.loads(TRUTH.read_text(encoding="utf-8"))
    findings = json.loads((out / "findings.json").read_text(encoding="utf-8"))["findings"]
    asked = {question_of(task): task for task in truth}
    return [
        Judged(name, task, tuple(truth[task]), finding["verdict"])
        for finding in findings
        if (task := asked.get(finding["question"])) is not None
    ]


def question_of(task: str) -> str:
    """Return the question of a task's finding."""
    from tellapart.studies.skills.analyse import joint_question, skill_question
    from tellapart.studies.skills.expert import expert_name

    return (joint_question if "+" in task else skill_question)(expert_name(task))


def summary(judged: Sequence[Judged]) -> SkillsOutcome:
    """Return the share of right verdicts (of all, of the decided) and of "cannot tell", and every verdict."""
    right = [one.verdict in one.truth for one in judged]
    return SkillsOutcome(shares(right, [one.verdict for one in judged]), judged)


def show(result: SkillsOutcome, console: Console) -> None:
    """Print every verdict beside its truth, and the shares."""
    table = Table("base", "task", "truth", "verdict", box=SIMPLE, pad_edge=False, padding=0)
    for one in result.judged:
        right = one.verdict in one.truth
        table.add_row(
            one.name, one.task, " or ".join(one.truth), one.verdict if right else f"{one.verdict} (!)"
        )
    console.print(table)
    print_shares(result.shares, console)
