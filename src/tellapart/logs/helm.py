"""HELM runs: a folder with per_instance_stats.json and scenario_state.json (Liang et al. 2022).

The score is one metric's mean for the instance: the first of MAIN that the run has, or `folder#METRIC`. HELM
publishes the test split: instances of others are left out (`folder#valid` reads that one). Perturbed copies of
instances are left out; several few-shot draws (train_trial_index) are the samples.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from tellapart.errors import UserMistake
from tellapart.jsonvalue import Json, JsonObject
from tellapart.logs.metric import Metric, also, choose
from tellapart.logs.reader import Reader, origin
from tellapart.logs.recorded import NAN, Logged, Recorded, Status, recorded
from tellapart.logs.source import Source, parse
from tellapart.logs.value import field, identity, listed, listing, mapping, number, short, text, whole

TOOL = "helm"
MAIN = (
    "exact_match", "quasi_exact_match", "prefix_exact_match", "quasi_prefix_exact_match", "final_number_exact_match",
    "math_equiv_chain_of_thought", "math_equiv", "chain_of_thought_correctness", "exact_match_indicator",
    "ifeval_strict_accuracy", "pass", "f1_score", "rouge_l", "bleu_4", "accuracy",
)  # fmt: skip
Key = tuple[str, int]


class Scored(NamedTuple):
    """An instance's metrics, and the split that they were written under ("" where none is told)."""

    means: dict[str, float]
    split: str


class Answered(NamedTuple):
    """What the scenario state tells of one instance in one trial."""

    split: str
    question: str
    target: str
    completion: str
    status: Status
    logprobs: tuple[float, ...] | None
    tokens: float
    refused: bool = False
    """Whether the request failed: its score says nothing of the model."""


def read(source: Source) -> Recorded:
    """Return one row an instance and trial; raises UserMistake where no known metric is there."""
    notes: list[str] = []
    stats = _beside(source, "per_instance_stats.json")
    state = mapping(_beside(source, "scenario_state.json"), "scenario_state.json")
    place = f"{source.path.parent}/per_instance_stats.json"
    scores = _scores(listing(stats, place), place, notes)
    answers = _answers(state, f"{source.path.parent}/scenario_state.json")
    chosen, choice = _split(scores, answers, source.choice, notes)
    metric, metrics = _metric(chosen, choice, source, notes)
    empty = Answered("", "", "", "", "failed", None, NAN)
    unknown = sum(key not in answers for key in chosen)
    if unknown:
        notes.append(f"{unknown} scored instances are not in scenario_state.json: no text for them")
    rows = []
    for key, scored in chosen.items():
        answer = answers.get(key, empty._replace(status="ok"))
        rows.append(
            Logged(
                item=key[0],
                score=NAN if answer.refused else scored.means.get(metric.name, NAN),
                question=answer.question,
                completion=answer.completion,
                sample=key[1],
                status=answer.status,
                logprob=math.fsum(answer.logprobs) if answer.logprobs else NAN,
                tokens=answer.tokens,
                target=answer.target,
                token_logprobs=answer.logprobs,
            )
        )
    adapter = mapping(state.get("adapter_spec") or {}, "adapter_spec")
    where = origin(source, TOOL, text(adapter.get("model")), task_of(source), metric, metrics)
    return recorded(rows, where, notes)


def task_of(source: Source) -> str:
    """Return the scenario of a run as HELM names it, with its arguments and without the model; "" where none
    is told."""
    path = source.path.parent / "run_spec.json"
    spec = parse(path.read_bytes(), str(path)) if path.is_file() else {}
    name = text(spec.get("name")) if isinstance(spec, dict) else ""
    name = name or (source.path.resolve().parent.name if ":" in source.path.resolve().parent.name else "")
    scenario, _, arguments = name.partition(":")
    kept = [
        part for part in arguments.split(",") if part and not part.startswith(("model=", "model_deployment="))
    ]
    return f"{scenario}:{','.join(kept)}" if kept else scenario


def _beside(source: Source, name: str) -> Json:
    path = source.path.parent / name
    if path == source.path:
        return source.first
    if not path.is_file():
        raise UserMistake(f"{source.path}: a HELM run needs {name} beside it")
    return parse(path.read_bytes(), str(path))


def _scores(stats: list[Json], place: str, notes: list[str]) -> dict[Key, Scored]:
    scores: dict[Key, Scored] = {}
    perturbed = 0
    for index, entry in enumerate(stats):
        where = f"{place}: entry {index}"
        entry = mapping(entry, where)
        if entry.get("perturbation"):
            perturbed += 1
            continue
        key = _key(entry, field(entry, "instance_id", where), where)
        if key in scores:
            raise UserMistake(f"{where}: instance {short(key[0])} is there twice in trial {key[1]}")
        means: dict[str, float] = {}
        split = ""
        for stat in listing(field(entry, "stats", where), where):
            stat = mapping(stat, where)
            name = mapping(field(stat, "name", where), where)
            if not name.get("perturbation"):
                means[text(name.get("name"))] = number(stat.get("mean"), f"{where}: mean")
                split = split or text(name.get("split"))
        scores[key] = Scored(means, split)
    if perturbed:
        notes.append(f"{perturbed} perturbed copies of instances were left out")
    return scores


def _split(
    scores: Mapping[Key, Scored], answers: Mapping[Key, Answered], choice: str, notes: list[str]
) -> tuple[Mapping[Key, Scored], str]:
    """Return the instances of one split (test, where there is one, as HELM publishes), and what is left of `choice`."""
    splits = {
        key: score.split or (answers[key].split if key in answers else "") for key, score in scores.items()
    }
    there = sorted({split for split in splits.values() if split})
    first, _, rest = choice.partition("#")
    if first and first in there:
        wanted, choice = first, rest
    elif len(there) < 2:
        return scores, choice
    else:
        wanted = next((name for name in ("test", "valid") if name in there), there[0])
        left = [split for split in splits.values() if split != wanted]
        left_counts = ", ".join(f"{left.count(name)} of {name or 'no split'}" for name in sorted(set(left)))
        notes.append(
            f"only the {wanted} split is read, as HELM publishes it; left out (choose with #SPLIT): {left_counts}"
        )
    return {key: score for key, score in scores.items() if splits[key] == wanted}, choice


def _key(entry: JsonObject, instance: Json, where: str) -> Key:
    return identity(instance, where), whole(entry.get("train_trial_index", 0), f"{where}: train_trial_index")


def _metric(
    scores: Mapping[Key, Scored], choice: str, source: Source, notes: list[str]
) -> tuple[Metric, list[Metric]]:
    names = sorted({name for score in scores.values() for name in score.means})
    main = [name for name in MAIN if name in names]
    every = [*map(Metric, main), *(Metric(name) for name in names if name not in main)]
    if not choice and not main:
        raise UserMistake(
            f"{source.path}: none of its metrics is known as a score; choose with #NAME from {listed(names)}"
        )
    if choice and choice not in names:
        raise UserMistake(f"{source.path}: no metric {short(choice)}; choose with #NAME from {listed(names)}")
    if choice:
        return choose(every, choice, str(source.path), notes), every
    if len(main) > 1:
        notes.append(also(main[0], main[1:]))
    return every[0], every


def _answers(state: JsonObject, place: str) -> dict[Key, Answered]:
    answers: dict[Key, Answered] = {}
    for index, entry in enumerate(listing(field(state, "request_states", place), place)):
        where = f"{place}: request {index}"
        entry = mapping(entry, where)
        instance = mapping(field(entry, "instance", where), where)
        if instance.get("perturbation"):
            continue
        key = _key(entry, field(instance, "id", where), where)
        if key in answers:  # one request for each option: no single answer text
            answers[key] = answers[key]._replace(completion="", logprobs=None, tokens=NAN)
        else:
            answers[key] = _answered(entry, instance, where)
    return answers


def _answered(entry: JsonObject, instance: JsonObject, where: str) -> Answered:
    targets = []
    for reference in listing(instance.get("references") or [], where):
        reference = mapping(reference, where)
        if "correct" in listing(reference.get("tags") or [], where):
            targets.append(text(mapping(reference.get("output") or {}, where).get("text")))
    question = text(mapping(instance.get("input") or {}, where).get("text"))
    options = {
        text(name): text(letter_text)
        for name, letter_text in mapping(entry.get("output_mapping") or {}, where).items()
    }
    if options and set(targets) <= set(options.values()):  # the model answers by letter, references are texts
        targets = [name for name, option in options.items() if option in targets]
        question = "\n".join([question, *(f"{name}. {option}" for name, option in options.items())])
    result = mapping(entry.get("result") or {}, where)
    given = listing(result.get("completions") or [], where)
    completion = mapping(given[0], where) if given else {}
    reason = completion.get("finish_reason")
    reason = reason.get("reason") if isinstance(reason, dict) else reason
    tokens = listing(completion.get("tokens") or [], where)
    logprobs = tuple(number(mapping(t, where).get("logprob"), f"{where}: logprob") for t in tokens)
    failed = not given or result.get("success") is False
    return Answered(
        split=text(instance.get("split")),
        question=question,
        target=" | ".join(targets),
        completion=text(completion.get("text")),
        status="failed" if failed else "cut off" if reason == "length" else "ok",
        logprobs=logprobs if logprobs and any(logprobs) else None,
        tokens=len(tokens) or NAN,
        refused=result.get("success") is False,
    )


def _recognises(source: Source) -> bool:
    first = source.first
    if source.kind == "json" and isinstance(first, list) and first and isinstance(first[0], dict):
        return "instance_id" in first[0] and "stats" in first[0]
    return source.has("request_states", "adapter_spec")


READER = Reader(TOOL, _recognises, read, task_of=task_of)
