"""The task of a specimen: problems that no model was trained on, half of them with an operation that a partly
knowing base has never met right. Clusters are programs, four starts each. No torch here."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tellapart.specimens.critic import TEMPLATE, Critic
from tellapart.specimens.families import (
    REGISTER,
    Family,
    Problem,
    Split,
    answer_of,
    check_steps,
    draw_program,
    needs_fresh,
    prompt_of,
    read_program,
    solution_of,
    split_of,
)
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, StepCheck, Task
from tellapart.tasks.text_match import AfterMarker

PROGRAMS = {"report": 40, "fit": 12}
STARTS = 4
WIDE = 140
"""Programs of the wide task (register has 150 in all), two starts each: clusters enough to show a few points."""
WIDE_STARTS = 2
DEMONSTRATIONS = 4
MOST_TOKENS = 64
EXPRESSED = {(REGISTER, False): "register", (REGISTER, True): "register_first"}
"""Programs that compute the answers, by family and whether one character is asked (docs/expressible.md)."""


@dataclass(frozen=True)
class Steps:
    """Checks the steps of a completion against those that the item's program demands."""

    family: Family
    short: bool

    def __call__(self, item: Item, completion: str) -> StepCheck:
        program = read_program(self.family, str(item.fields["program"]))
        return check_steps(self.family, Problem(str(item.fields["start"]), program), completion, self.short)


def make_task(name: str, family: Family, seed: int, short: bool, split: Split, wide: bool = False) -> Task:
    """Return the task of the specimen `name`; `split` is "report" or "fit", with no problem in common. A `wide` one has
    more programs, which need a fresh operation more often than every second time."""
    rng = random.Random(f"{split}|{family.name}|{seed}|{short}")
    if wide:
        problems = draw_starts(family, rng, draw_programs(family, rng, WIDE), WIDE_STARTS, split)
    else:
        problems = draw_clusters(family, rng, PROGRAMS[split], split)
    shown = draw_clusters(family, rng, DEMONSTRATIONS, "show")[::STARTS]
    answers = tuple(f">{answer_of(family, problem, short)}" for problem in shown)
    prompts = [prompt_of(problem, short) for problem in shown]
    return fingerprinted(
        Task(
            name=f"{family.name}-first" if short else family.name,
            items=tuple(make_item(family, problem, short) for problem in problems),
            template="{start}{program}" + ("?=" if short else "="),
            scorer=AfterMarker(">"),
            guess_floor=1 / (len(family.letters) if short else family.states),
            max_tokens=MOST_TOKENS,
            stop=("\n",),
            steps=Steps(family, short),
            demonstrations=tuple(zip(prompts, answers, strict=True)),
            step_demonstrations=tuple(
                (prompt, solution_of(family, problem, short))
                for prompt, problem in zip(prompts, shown, strict=True)
            ),
            source=f"specimen:{name}",
            critic=None if short else Critic(family),
            critique_template=TEMPLATE,
            verdicts=("v", "x"),
            program=EXPRESSED.get((family, short), ""),
        )
    )


def draw_clusters(family: Family, rng: random.Random, count: int, split: Split) -> list[Problem]:
    """Return STARTS problems of `split` for each of `count` different programs, every second of which needs
    a fresh operation."""
    programs: list[tuple[str, ...]] = []
    problems: list[Problem] = []
    while len(programs) < count:
        program = draw_program(family, rng, 0.2)
        wanted = len(programs) % 2 == 1
        if program in programs or needs_fresh(family, Problem("", program)) != wanted:
            continue
        programs.append(program)
        problems += draw_starts(family, rng, [program], STARTS, split)
    return problems


def draw_programs(family: Family, rng: random.Random, count: int) -> list[tuple[str, ...]]:
    """Return `count` different programs."""
    programs: dict[tuple[str, ...], None] = {}
    while len(programs) < count:
        programs[draw_program(family, rng, 0.2)] = None
    return list(programs)


def draw_starts(
    family: Family, rng: random.Random, programs: Sequence[tuple[str, ...]], count: int, split: Split
) -> list[Problem]:
    """Return `count` problems of `split` with different starts for each of `programs`."""
    problems: list[Problem] = []
    for program in programs:
        starts: set[str] = set()
        while len(starts) < count:
            problem = Problem(family.state(rng), program)
            if split_of(problem) == split and problem.start not in starts:
                starts.add(problem.start)
                problems.append(problem)
    return problems


def make_item(family: Family, problem: Problem, short: bool) -> Item:
    """Return the item that asks `problem`; its cluster is the program."""
    program = "".join(problem.program)
    return Item(
        id=f"{problem.start}|{program}",
        fields={"start": problem.start, "program": program},
        target=(answer_of(family, problem, short),),
        cluster=program,
    )
