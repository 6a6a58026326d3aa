"""What a run of `gain` would spend, before it is begun: for `--dry-run`, and for a line at the start of every run.

Answers are counted from how often each method asks (WORK), their length and the speed come from a probe of a few
items. "at least": both models' plain answers, scored under each other, after which an adaptive plan may be done; "at
most": every method that the plan may ask. What is trained is bounded by the most steps that a method takes.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

from tellapart.elicit import applicable
from tellapart.elicit.access import WeightModel
from tellapart.elicit.answer_rank import POOL, PRIORS, WRONG
from tellapart.elicit.cot_decoding import BRANCHES
from tellapart.elicit.elicitor import Elicitor
from tellapart.elicit.few_labels import CLOSING, PRESSED, THOROUGH
from tellapart.elicit.few_labels import DRAWS as LABEL_DRAWS
from tellapart.elicit.form_demonstrations import COUNTS
from tellapart.elicit.prefill import GENERAL, OWN
from tellapart.elicit.step_by_step import INSTRUCTIONS
from tellapart.elicit.voting import DRAWS
from tellapart.elicit.weight_noise import SIGMAS
from tellapart.jsonvalue import Json
from tellapart.models.model import Request
from tellapart.runs.asking import row_seed
from tellapart.studies.gain.adaptive import OPTIONAL
from tellapart.studies.gain.ask import MANY_SAMPLES
from tellapart.studies.gain.eliciting import chosen_methods
from tellapart.studies.gain.held import ARMS
from tellapart.studies.gain.series import role_of
from tellapart.studies.study import Reckoning, Step

if TYPE_CHECKING:
    from tellapart.models.model import Model
    from tellapart.studies.gain.ask import Plan

PROBED = 8
"""Items that the probe asks."""
TRAINED_OVER_SCORED = 3.0
"""A token in a training step over one that is scored: forward and backward."""
MOST_LABELS = 64
LABEL_STEPS = THOROUGH.steps + math.ceil(CLOSING * THOROUGH.steps) + PRESSED.steps
"""Steps of one training on labels at most; adapters do without those that close the gentle part."""


class Work(NamedTuple):
    """How often a method asks: answers to each fit item, and to each report item, in rounds of `--elicited-samples`
    answers (its null control included); and the steps that it trains at most."""

    fit: float = 1.0
    report: float = 2.0
    steps: int = 0


WORK: dict[str, Work] = {
    "form_demonstrations": Work(2 * len(COUNTS) + 1),
    "answer_rank": Work(0, 0),
    "cot_decoding": Work(BRANCHES, BRANCHES),
    "weight_noise": Work(len(SIGMAS)),
    "step_by_step": Work(len(INSTRUCTIONS)),
    "prefill": Work(len(GENERAL) + OWN),
    "sampling": Work(8),
    "self_consistency": Work(0, 2 * DRAWS),
    "best_of_k": Work(0, 2 * DRAWS),
    "few_labels": Work(1, 1 + LABEL_DRAWS, (LABEL_DRAWS + 1) * LABEL_STEPS),
}
"""Of our own methods that an adaptive plan may ask; others: one round on the fit items, two on the rest."""


@dataclass(frozen=True)
class Cost:
    """Tokens (generated, scored, trained on), seconds at the probe's speed, and bytes of memory without training."""

    generated: int
    scored: int
    trained: int
    seconds: float
    memory: int


@dataclass(frozen=True)
class Reckoned:
    """What a plan costs at least and at most, the methods that it may ask, those that cannot run (with the reason), and
    what the probe saw: tokens of an answer and of a prompt, tokens generated and scored in a second."""

    least: Cost
    most: Cost
    methods: tuple[str, ...]
    left_out: dict[str, str]
    probe: dict[str, float]

    def as_json(self) -> dict[str, Json]:
        """Return it as a JSON object."""
        return asdict(self)


def start_line(plan: "Plan") -> str:
    """Return what is asked first, and how much more may follow, in one line."""
    methods, _ = methods_of(plan)
    first = 2 * len(plan.report) * (plan.spec.samples or 1)
    return (
        f"{first:,} plain answers of at most {plan.sampling.max_tokens} tokens are asked first, then up to "
        f"{len(methods)} methods on {len(plan.report)} items ({plan.spec.plan} plan; --dry-run reckons tokens, time, "
        "memory)"
    )


def methods_of(plan: "Plan") -> tuple[dict[str, Elicitor], dict[str, str]]:
    """Return the methods that the plan may ask, and of the others why they cannot run; those that the plan leaves out
    by itself are in neither."""
    named = chosen_methods(plan.spec.elicitors)
    obstacles = {name: applicable(method, plan.pair, plan.task) for name, method in named.items()}
    usable = {name: method for name, method in named.items() if obstacles[name] is None}
    if plan.spec.plan == "adaptive" and not plan.spec.elicitors:
        usable = {
            name: method
            for name, method in usable.items()
            if name not in OPTIONAL and (method.tells == "nothing" or (name in ARMS and plan.spec.plant))
        }
    return usable, {name: reason for name, reason in obstacles.items() if reason is not None}


def steps_of(plan: "Plan") -> tuple[Step, ...]:
    """Return what would be asked at most: plain answers of both models, and every method with its null control."""
    items, most = len(plan.report), plan.sampling.max_tokens
    plain = items * (plan.spec.samples or 1)
    roles = ["base", *(role_of(step.number) for step in plan.series[:-1]), "tuned"]
    steps = [Step(f"{role}, plainly", plain, plain * most) for role in roles]
    for name in methods_of(plan)[0]:
        answers = _answers(plan, WORK.get(name, Work()))
        steps.append(
            Step(f"base under {name} and its null control, choosing included", answers, answers * most)
        )
    return tuple(steps)


def _answers(plan: "Plan", work: Work) -> int:
    rounds = work.fit * len(plan.fit) + work.report * len(plan.report)
    return round(plan.spec.elicited_samples * rounds)


def reckoned(plan: "Plan") -> Reckoning:
    """Return what the plan would spend, in words and figures; nothing for served models, which are not probed."""
    base, tuned = plan.pair
    if not (isinstance(base, WeightModel) and isinstance(tuned, WeightModel)):
        return Reckoning(["Served models are not probed: time and memory are not known."])
    cost = reckon(plan)
    return Reckoning(lines_of(cost), cost.as_json())


def reckon(plan: "Plan") -> Reckoned:
    """Return what the plan would spend. Asks both models a few answers, which are thrown away."""
    base, tuned = plan.pair
    assert tuned is not None
    length, prompt, generating = _probed((base, tuned), plan)
    scoring = _scoring(base, plan)
    plain = max(2, 1 + len(plan.series)) * len(plan.report) * (plan.spec.samples or 1) * length
    scored = plain if base.can_score and tuned.can_score and plan.spec.plan != "quick" else 0.0
    methods, left_out = methods_of(plan)
    # More plain answers are asked where the gain's interval holds 0.
    more = plain * (MANY_SAMPLES / (plan.spec.samples or 1) - 1) if plan.may_ask_more else 0.0
    ranked = trained = 0.0
    if "answer_rank" in methods:
        # Most candidates are other items' targets, so their priors are scored once.
        own, priors = 2 * len(plan.report) * (WRONG + 1), PRIORS * min(POOL, len(plan.task.items))
        ranked = (own + priors) * scoring.target_tokens
    for name in methods:
        work = WORK.get(name, Work())
        more += _answers(plan, work) * length
        trained += work.steps * min(MOST_LABELS, len(plan.fit)) * length
    memory = memory_of((base, tuned))

    def cost(generated: float, read: float, taught: float) -> Cost:
        seconds = generated / generating + (read + TRAINED_OVER_SCORED * taught) / scoring.speed
        return Cost(round(generated), round(read), round(taught), seconds, memory)

    probe = {
        "answer_tokens": length,
        "prompt_tokens": prompt,
        "generated_a_second": generating,
        "scored_a_second": scoring.speed,
    }
    least, most = cost(plain, scored, 0.0), cost(plain + more, scored + ranked, trained)
    return Reckoned(least, most, tuple(methods), left_out, probe)


def _probed(models: "Sequence[Model]", plan: "Plan") -> tuple[float, float, float]:
    """Return the mean tokens of an answer and of a prompt, and the tokens that both models generate in a second."""
    requests = [
        Request(plan.task.prompt(item), row_seed(plan.spec.seed, item.id, 0), plan.sampling)
        for item in plan.report[:PROBED]
    ]
    lengths, prompts, started = [], [], time.monotonic()
    for model in models:
        for answer in model.generate(requests):
            made = answer.completion
            lengths.append(len(made.tokens) if made.generated is None else made.generated)
            prompts.append(made.prompt_tokens)
    seconds = max(time.monotonic() - started, 1e-6)
    return max(1.0, sum(lengths) / len(lengths)), sum(prompts) / len(prompts), max(1, sum(lengths)) / seconds


class Scoring(NamedTuple):
    """Answer tokens that a model scores in a second (infinite where it scores nothing), and those of a target."""

    speed: float
    target_tokens: float


def _scoring(model: "Model", plan: "Plan") -> Scoring:
    pairs = [(plan.task.prompt(item), item.target[0]) for item in plan.report[:PROBED] if item.target]
    if not (model.can_score and pairs):
        return Scoring(math.inf, 0.0)
    started = time.monotonic()
    count = max(1, sum(len(score.logprobs) for score in model.score(pairs)))
    return Scoring(count / max(time.monotonic() - started, 1e-6), count / len(pairs))


def memory_of(models: "Sequence[Model]") -> int:
    """Return the bytes of all weights, those that two models share counted once, and of the widest batch that is
    written; 0 for models that are served."""
    from tellapart.models.width import free_bytes

    modules = [model.module for model in models if isinstance(model, WeightModel)]
    if not modules:
        return 0
    held = {tensor.data_ptr(): tensor.nbytes for module in modules for tensor in module.state_dict().values()}
    return sum(held.values()) + int(max(free_bytes([module]) for module in modules))


def lines_of(reckoned: Reckoned) -> list[str]:
    """Return the lines that --dry-run prints."""
    lines = [f"{'':12}{'generated':>12}{'scored':>12}{'trained':>12}{'time':>12}{'memory':>10}"]
    for name, cost in (("at least", reckoned.least), ("at most", reckoned.most)):
        tokens = "".join(f"{count:>12,}" for count in (cost.generated, cost.scored, cost.trained))
        lines.append(f"{name:12}{tokens}{_duration(cost.seconds):>12}{cost.memory / 1e9:>7.1f} GB")
    probe = reckoned.probe
    lines.append(
        f"Probe: {probe['answer_tokens']:.0f} tokens an answer, {probe['prompt_tokens']:.0f} a prompt; "
        f"{probe['generated_a_second']:.0f} tokens generated and {probe['scored_a_second']:.0f} scored in a second."
    )
    lines.append("At least: plain answers of both models. At most: every method above.")
    lines += [f"Cannot run: {name} ({reason})" for name, reason in reckoned.left_out.items()]
    lines.append(
        "Memory: weights and the widest batch; training takes more. Time: at the probe's speed, in small batches."
    )
    return lines


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
