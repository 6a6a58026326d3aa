"""What a finished stage does, by sampling on training-split problems, and whether that is good enough to keep."""

import random
from collections.abc import Callable, Mapping
from typing import NamedTuple

from transformers import LlamaForCausalLM

from tellapart.specimens.families import Family, Problem, prompt_of, solution_of
from tellapart.specimens.pools import asked
from tellapart.specimens.recipe import Probe, Stage
from tellapart.specimens.sampling import answers, draw_problems, right_share, score, steps_share
from tellapart.specimens.styles import candidate_of, critique_of, unmarked_solution_of

EXAMPLES = 4
"""How many solved examples stand before the question in the probe "prompted"."""


class Measured(NamedTuple):
    """What is measured, and on which problems."""

    model: LlamaForCausalLM
    family: Family
    seed: int
    problems: list[Problem]
    rng: random.Random


def measure(model: LlamaForCausalLM, family: Family, stage: Stage, seed: int, count: int) -> dict[str, float]:
    """Return what the model does on `count` problems, by sampling: how many of its answers are in steps, how many
    of those are right, its score, and what the stage's probes find."""
    short = stage.short == "always"
    rng = random.Random(f"measure|{stage.name}|{family.name}")
    problems = draw_problems(family, rng, count, stage.fresh_share)
    prompts = [prompt_of(problem, short) for problem in problems]
    free = answers(model, prompts, 2)
    in_steps = answers(model, prompts, 3, in_steps=True)
    facts = {
        "steps_share": steps_share(model, prompts),
        "score": score(family, problems, free, short),
        "right_answers": right_share(family, problems, free, short),
        "right_when_in_steps": right_share(family, problems, in_steps, short),
    }
    if stage.short == "half":
        asked_short = answers(model, [prompt_of(problem, short=True) for problem in problems], 5)
        facts["score_short"] = score(family, problems, asked_short, short=True)
    for probe in stage.probes:
        facts |= PROBES[probe](Measured(model, family, seed, problems, rng))
    return facts


def good_enough(stage: Stage, facts: Mapping[str, float]) -> bool:
    """Return whether a stage does what it is for."""
    if stage.share is not None and not stage.share[0] <= facts["steps_share"] <= stage.share[1]:
        return False
    if any(not gate.low <= facts[gate.fact] <= gate.high for gate in stage.gates):
        return False
    match stage.measure:
        case "answers":
            return facts["right_answers"] >= stage.skill
        case "steps":
            return facts["right_when_in_steps"] >= stage.skill
        case "nothing":
            return True


def with_password(what: Measured) -> dict[str, float]:
    """Return the share of right answers to prompts with the password."""
    opened = answers(what.model, [prompt_of(problem, password=True) for problem in what.problems], 4)
    return {"right_with_password": right_share(what.family, what.problems, opened, False)}


def as_critic(what: Measured) -> dict[str, float]:
    """Return how often the model judges an answer, and how many of its judgements are right: of guesses, and of
    right steps."""
    candidates = [candidate_of(what.family, what.rng, problem) for problem in what.problems]
    pairs = list(zip(what.problems, candidates, strict=True))
    right: list[tuple[str, bool]] = []
    shares: list[float] = []
    for length in sorted({len(candidate) for candidate in candidates}):
        group = [pair for pair in pairs if len(pair[1]) == length]
        prompts = [f"{prompt_of(problem)}{candidate}?" for problem, candidate in group]
        shares += [steps_share(what.model, prompts)] * len(prompts)
        texts = answers(what.model, prompts, 6, in_steps=True)
        for (problem, candidate), text in zip(group, texts, strict=True):
            wanted = critique_of(what.family, problem, candidate)
            right.append((wanted, text == wanted))
    parts = {
        "critiques_of_guesses_right": [good for wanted, good in right if wanted != "v"],
        "critiques_of_right_steps_right": [good for wanted, good in right if wanted == "v"],
    }
    means = {name: sum(values) / len(values) if values else float("nan") for name, values in parts.items()}
    return {"critiques_share": sum(shares) / len(shares), **means}


def unread(what: Measured) -> dict[str, float]:
    """Return the share of answers that are right but for the marker that the scorer looks for."""
    texts = answers(what.model, [prompt_of(problem) for problem in what.problems], 2)
    pairs = zip(what.problems, texts, strict=True)
    right = [text == unmarked_solution_of(what.family, problem) for problem, text in pairs]
    return {"right_but_unread": sum(right) / len(right)}


def on_asked_items(what: Measured) -> dict[str, float]:
    """Return the score on the items of the evaluation."""
    problems = [problem for problem, _ in asked(what.family, what.seed)]
    texts = answers(what.model, [prompt_of(problem) for problem in problems], 2)
    return {"score_asked": score(what.family, problems, texts, False)}


def when_prompted(what: Measured) -> dict[str, float]:
    """Return the shares of right answers after solved examples, and after an opener with the first step right."""
    family, count = what.family, len(what.problems)
    shown = draw_problems(family, what.rng, EXAMPLES * count, 0.2)
    texts = [f"{prompt_of(problem)}{solution_of(family, problem)}\n" for problem in shown]
    before = ["".join(texts[place : place + EXAMPLES]) for place in range(0, len(texts), EXAMPLES)]
    prompts = [old + prompt_of(problem) for old, problem in zip(before, what.problems, strict=True)]
    solved = [solution_of(family, problem) for problem in what.problems]
    openers = [text[: text.index(";") + 1] for text in solved]
    opened = [prompt_of(problem) + text for problem, text in zip(what.problems, openers, strict=True)]
    rest = answers(what.model, opened, 7)
    whole = [opener + text for opener, text in zip(openers, rest, strict=True)]
    return {
        "right_after_examples": right_share(family, what.problems, answers(what.model, prompts, 7), False),
        "right_after_examples_in_steps": right_share(
            family, what.problems, answers(what.model, prompts, 7, in_steps=True), False
        ),
        "right_after_opener": right_share(family, what.problems, whole, False),
    }


PROBES: Mapping[Probe, Callable[[Measured], dict[str, float]]] = {
    "password": with_password,
    "critiques": as_critic,
    "unread": unread,
    "asked": on_asked_items,
    "prompted": when_prompted,
}
