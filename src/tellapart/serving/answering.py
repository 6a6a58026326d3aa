"""What answers for another program: a model, a model elicited by one method, or experts mixed.

answering("path/to/model", Options())                                     # plain
answering("path/to/base", Options(elicitor="few_shot", task="t.jsonl"))   # fitted here, on the task's fit split
answering("runs/gain-...", Options(condition="base/prefill"))             # as a run fitted it
answering("runs/skills-...", Options(mix="digits+0.5*letters"))           # as `skills train` left them
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from tellapart.elicit import ELICITORS, applicable
from tellapart.elicit.elicitor import Elicited, Elicitor, elicitor_name
from tellapart.elicit.settings import read_elicitor
from tellapart.errors import InvalidInput, Refused, closest
from tellapart.jsonvalue import JsonObject
from tellapart.models.model import Answer, Model, Request, Sampling
from tellapart.models.open import open_model
from tellapart.models.series import read_series
from tellapart.runs.asking import Ask, Pair
from tellapart.runs.folder import RunFolder, read_fields
from tellapart.studies import STUDIES
from tellapart.studies.gain.eliciting import kept_value
from tellapart.studies.opening import opened
from tellapart.studies.options import ModelOptions
from tellapart.studies.study import recorded_spec
from tellapart.tasks.item import Item, Task
from tellapart.tasks.questions import with_duplicates_joined
from tellapart.tasks.sources import open_task
from tellapart.tasks.split import share_to_fit, split_items

READS_ANSWERS = ("answer_rank",)
"""Methods that need an item's right answer beside its question, oracles apart: they cannot answer a bare prompt."""


@dataclass(frozen=True)
class Options:
    """How what a reference names is to answer; each is for one kind of reference."""

    condition: str = ""
    """Of a run's folder: base/few_shot, tuned/plain."""
    elicitor: str = ""
    """Of a model: the method, with settings (routing_first:tokens=4); fitted on `task`."""
    task: str = ""
    """What the method is fitted on."""
    tuned: str = ""
    """The tuned model, for methods that route tokens to it."""
    mix: str = ""
    """Of a folder of experts: digits+0.5*letters, or the name of a mix that was kept."""
    device: str = "cpu"
    dtype: str = "float32"
    max_rows: int | None = None


class Answering(NamedTuple):
    """`answer` answers requests (texts; turns too where `turns`), as they are finished. `usual` is the sampling where
    nobody says another; `chat`: whether prompts go through a chat template."""

    answer: Callable[[Sequence[Request]], Iterator[Answer]]
    usual: Sampling
    chat: bool
    turns: bool


def answering(reference: str, options: Options) -> Answering:
    """Return what answers for `reference`. Raises UserMistake, one line, where nothing can."""
    if not (Path(reference) / "spec.json").is_file():
        _only(reference, options, "elicitor", "task", "tuned")
        return _of_model(reference, options)
    fields = read_fields(Path(reference))
    if fields.get("study") == "skills":
        _only(reference, options, "mix")
        return _of_experts(reference, options)
    _only(reference, options, "condition")
    return _of_run(Path(reference), fields, options)


def _only(reference: str, options: Options, *allowed: str) -> None:
    """Raise InvalidInput for an option of another kind of reference."""
    for name in ("condition", "elicitor", "task", "tuned", "mix"):
        if getattr(options, name) and name not in allowed:
            kind = "a run" if "condition" in allowed else "experts" if "mix" in allowed else "a model"
            raise InvalidInput(f"{reference} is {kind}: {name} is not for it; it takes {', '.join(allowed)}")


def _of_model(reference: str, options: Options) -> Answering:
    model = open_model(reference, options.device, options.dtype, None, options.max_rows)
    if not options.elicitor:
        if options.task or options.tuned:
            raise InvalidInput(f"{reference}: task and tuned are for a method: give elicitor too")
        return _plain(model)
    if not options.task:
        raise InvalidInput(f"elicitor {options.elicitor!r} is fitted on a task: give task too")
    method = read_elicitor(options.elicitor, ELICITORS)
    _check_bare(method)
    task = with_duplicates_joined(open_task(options.task))
    tuned = None
    if options.tuned:
        tuned = open_model(options.tuned, options.device, options.dtype, None, options.max_rows)
    pair = Pair(model, tuned)
    if (obstacle := applicable(method, pair, task)) is not None:
        raise InvalidInput(f"{method.name} on {options.task}: {obstacle}")
    fit = split_items(task, 0, share_to_fit(task)).fit
    sampling = Sampling(max_tokens=task.max_tokens, stop=task.stop)
    return _elicited(pair, method.fit(pair, Ask(task, fit, 1, 1, sampling)), task, sampling)


def _of_run(run: Path, fields: dict[str, Any], options: Options) -> Answering:
    """Return what answers under a condition of a finished run: the models that it named, opened as it opened them."""
    name = str(fields.get("study"))
    study = STUDIES.get(name)
    if study is None or not issubclass(study.spec, ModelOptions) or fields.get("logs"):
        raise InvalidInput(f"{run} is a run of {name} on no models: give one that asked models")
    spec = recorded_spec(study.spec, fields)
    spec = replace(spec, device=options.device, max_rows=options.max_rows)
    kept = kept_values(RunFolder(run))
    role, _, value_name = options.condition.partition("/")
    roles = [role for role in ("base", "tuned", "model", "benign", "reference") if fields.get(role)]
    conditions = [*(f"{role}/plain" for role in roles), *kept]
    if options.condition not in conditions:
        near = closest(options.condition, conditions)
        raise InvalidInput(f"{run}: condition {options.condition!r}{near}: it has {', '.join(conditions)}")
    model = _recorded(run, fields, spec, role)
    task = open_task(str(fields["task"]), limit=fields.get("limit"), seed=spec.seed)
    longest = fields.get("max_tokens") or task.max_tokens
    sampling = Sampling(float(fields.get("temperature", 1.0)), max_tokens=longest, stop=task.stop)
    if value_name == "plain":
        return _plain(model)._replace(usual=sampling)
    value = kept_value(RunFolder(run), kept[options.condition])
    method = ELICITORS[elicitor_name(value.name)]
    _check_bare(method)
    tuned = _recorded(run, fields, spec, "tuned") if "tuned" in method.needs else None
    return _elicited(Pair(model, tuned), value, task, sampling)


def kept_values(folder: RunFolder) -> dict[str, JsonObject]:
    """Return the saved values that a run keeps, by condition (base/few_shot, base/few_shot~null)."""
    result: dict[str, JsonObject] = {}
    for path in sorted((folder.path / "artifacts").glob("elicited-*.json")):
        role = next(
            (role for role in ("reference", "model", "benign") if path.stem.endswith(f"-{role}")), "base"
        )
        values = (folder.read_artifact(path.stem) or {}).get("values", [])
        result |= {f"{role}/{saved['name']}": saved for saved_values in values for saved in saved_values}
    return result


def _recorded(run: Path, fields: dict[str, Any], spec: ModelOptions, role: str) -> Model:
    """Return the model of a role. Raises Refused where it is no longer the one that the run asked."""
    reference = str(fields[role])
    series = read_series(reference)
    model = opened(spec, series[-1].reference if series else reference)
    fingerprint = fields.get("fingerprints", {}).get(role)
    if fingerprint != model.fingerprint:
        raise Refused(
            f"{reference} is not the {role} that {run} asked (its weights, or what runs them, changed)"
        )
    return model


def _of_experts(reference: str, options: Options) -> Answering:
    from tellapart.studies.skills.mixed_run import Lanes
    from tellapart.studies.skills.opened import open_experts

    experts = open_experts(reference, options.device, options.max_rows)
    if not options.mix:
        experts_named = [*experts.weights, *experts.kept]
        raise InvalidInput(
            f"{reference} holds experts: give mix, made of {', '.join(experts_named)}; or base"
        )
    mix = experts.mix(options.mix)
    lanes = Lanes(experts.model, experts.weights).__enter__()  # for as long as the model is served

    def answer(requests: Sequence[Request]) -> Iterator[Answer]:
        return lanes.generate([(request, mix) for request in requests])

    return Answering(answer, Sampling(), experts.model.chat, turns=True)


def _plain(model: Model) -> Answering:
    return Answering(model.generate, Sampling(), model.chat, turns=True)


def _elicited(pair: Pair, value: Elicited, task: Task, usual: Sampling) -> Answering:
    # the prompt that comes in is whole: nothing of the task is put around it, and its scorer reads the answers (votes)
    bare = replace(task, template="{prompt}")

    def answer(requests: Sequence[Request]) -> Iterator[Answer]:
        alike: defaultdict[Sampling, list[int]] = defaultdict(list)
        for index, request in enumerate(requests):
            alike[request.sampling].append(index)
        for sampling, indices in alike.items():
            own = [requests[index] for index in indices]
            items = [Item(f"{request.seed:x}", {"prompt": str(request.prompt)}, ()) for request in own]
            for elicitation in value.answers(pair, Ask(bare, items, 1, 0, sampling)):
                yield Answer(indices[elicitation.item], elicitation.completion)

    return Answering(answer, usual, pair.base.chat, turns=False)


def _check_bare(method: Elicitor) -> None:
    """Raise InvalidInput for a method that cannot answer a bare prompt."""
    if method.oracle or method.name in READS_ANSWERS:
        raise InvalidInput(
            f"{method.name} needs the right answer to each question, which a prompt does not bring: take another method"
        )
