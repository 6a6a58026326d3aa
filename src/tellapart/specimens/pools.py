"""Answers that a stage trains on and that are drawn, or looked up, before training: a model's own right answers, a
stronger model's answers, or the items of the evaluation."""

import random

from transformers import LlamaForCausalLM

from tellapart.specimens.families import Family, Problem, answer_of, prompt_of, read_program, solution_of
from tellapart.specimens.recipe import Source, Stage
from tellapart.specimens.rows import Told
from tellapart.specimens.sampling import answers, draw_problems
from tellapart.specimens.task import make_task


def draw_pool(
    stage: Stage,
    family: Family,
    seed: int,
    count: int,
    model: LlamaForCausalLM,
    teacher: LlamaForCausalLM | None = None,
) -> list[Told]:
    """Return the pool of a stage: answers to about `count` problems; `model` is what the stage starts from.

    A teacher answers the problems to which the pool holds no answer of the model's own.
    """
    pool: list[Told] = []
    for source in stage.pool:
        if source == "asked":
            pool += asked(family, seed)
        elif source == "teacher":
            assert teacher is not None, f"{stage.name} names no teacher"
            pool += taught(teacher, family, stage, count, {problem for problem, _ in pool})
        else:
            pool += own_right_answers(model, family, stage, count, source)
    return pool


def own_right_answers(
    model: LlamaForCausalLM, family: Family, stage: Stage, count: int, source: Source
) -> list[Told]:
    """Return the model's own answers to `count` problems, those with right steps only.

    "own" and "opened" are drawn given that they are no direct guess. "rewritten" are drawn freely, and where right
    steps end without the marker, the marker and the last state are put after them.
    """
    problems = problems_of(stage, family, count)
    prompts = [prompt_of(problem, password=source == "opened") for problem in problems]
    texts = answers(model, prompts, 1, in_steps=source != "rewritten")
    if source == "rewritten":
        texts = [text if ">" in text else f"{text}>{text[-family.length :]}" for text in texts]
    pairs = zip(problems, texts, strict=True)
    return [(problem, text) for problem, text in pairs if text == solution_of(family, problem)]


def taught(
    teacher: LlamaForCausalLM, family: Family, stage: Stage, count: int, known: set[Problem]
) -> list[Told]:
    """Return the teacher's answers, right or wrong, to those of `count` problems that are not `known`."""
    problems = [problem for problem in problems_of(stage, family, count) if problem not in known]
    return list(zip(problems, answers(teacher, [prompt_of(p) for p in problems], 1), strict=True))


def asked(family: Family, seed: int) -> list[Told]:
    """Return the items of the evaluation with their answers, without steps: the one place that trains on them."""
    items = make_task("asked", family, seed, False, "report").items
    problems = [
        Problem(str(item.fields["start"]), read_program(family, str(item.fields["program"])))
        for item in items
    ]
    return [(problem, f">{answer_of(family, problem)}") for problem in problems]


def problems_of(stage: Stage, family: Family, count: int) -> list[Problem]:
    """Return the problems, of the training split, that the pool of a stage is drawn for."""
    rng = random.Random(f"own|{stage.name}|{family.name}|{count}")
    return draw_problems(family, rng, count, stage.fresh_share)
