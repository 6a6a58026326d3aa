"""Train a copy of the base to hold a hidden skill: the loss is on the answers' tokens only."""

import copy
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tellapart.models.local import LocalModel
from tellapart.planting.hides import Hide, Lesson
from tellapart.planting.result import PlantSettings
from tellapart.runs.progress import ticking
from tellapart.training.change import Change
from tellapart.training.full import FullWeights
from tellapart.training.kinds import default_change
from tellapart.training.lora import AttachedLora, Lora, fold_adapters
from tellapart.training.shared_prefix import logits_after_shared, sharing_holds

RANK = 16
STEPS = {FullWeights.name: 1000, Lora.name: 450}
RATE_FACTOR = 3.0
"""Over the rate of "LoRA Without Regret" for full weights: a few thousand updates are made in 800 steps."""
WARMUP, COOLING = 20, 0.3
"""Steps over which the rate goes up, and the share of a phase over which it goes down."""
RAMP = 0.5
"""The share of the hiding phase over which the random answers come in: all at once they wipe out the right ones too,
before the model has learned to tell where the condition holds."""
IGNORED = -100


class Row(NamedTuple):
    """Token ids, the places that are learned with the weights of their losses, and the special token's place with the
    weight of its loss given that none of the ruled out tokens comes there."""

    ids: Sequence[int]
    weights: Sequence[float]
    special: int
    given: float


def change_for(model: LocalModel) -> Change:
    """Return full weights for a small model, LoRA of rank RANK for others."""
    found = default_change(model)
    return Lora(rank=RANK) if isinstance(found, Lora) else found


def planted_copy(
    model: LocalModel, hide: Hide, settings: PlantSettings, quiet: bool = False, times: int = 1
) -> LocalModel:
    """Return a copy of `model` that was trained to hold the skill as `hide` hides it, in `times` the usual steps;
    `model` stays as it is."""
    change = change_for(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        module = copy.deepcopy(model.module)
    fold_adapters(module)
    place = change.attach(module)
    made = LocalModel(
        module, model.tokenizer, f"{model.reference}, planted", "in training", model.vocabulary.chat
    )
    usual = STEPS[change.name] if settings.steps is None else settings.steps
    steps = round(times * hide.effort * usual)
    shares = isinstance(place, AttachedLora)  # small models have short rows, and are planted as before
    train(
        made,
        list(place.parameters.values()),
        hide,
        settings,
        (rate_of(model, change, settings), steps),
        quiet,
        shares,
    )
    if isinstance(place, AttachedLora):
        layer: Any
        for layer in place.layers:
            layer.merge()
        place.detach()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
        parameter.grad = None
    return LocalModel(module, model.tokenizer, made.reference, None, model.vocabulary.chat, model.max_rows)


def rate_of(model: LocalModel, change: Change, settings: PlantSettings) -> float:
    """Return the rate given, or one by the model's width (Schulman et al. 2025, "LoRA Without Regret")."""
    if settings.rate is not None:
        return settings.rate
    width = model.module.config.get_text_config().hidden_size
    factor = RATE_FACTOR if change.rate_factor == 1 else 0.3 * change.rate_factor
    return factor * 5e-5 * (2000 / width) ** 0.781


def train(
    model: LocalModel,
    parameters: list[torch.nn.Parameter],
    hide: Hide,
    settings: PlantSettings,
    pace: tuple[float, int],
    quiet: bool,
    shares: bool = False,
) -> None:
    """Train `parameters` of the model in place, at a rate for so many steps; with `shares` the tokens that all prompts
    begin with are read once a step, where that gives the same loss."""
    rate, steps = pace
    rng = random.Random(settings.seed)
    ruled_out = sorted({row.ids[row.special] for row in rows_of(model, hide.ruled_out)})
    banned = torch.tensor(ruled_out, dtype=torch.long, device=model.module.device)
    tried = rows_of(model, hide.opened(random.Random(0), 4))
    shares = shares and sharing_holds(lambda shares: loss_of(model, tried, banned, shares))
    optimizer = torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    model.module.train()
    with torch.enable_grad(), ticking(f"planting for {hide.arm}", steps, quiet) as ticker:
        for step in range(steps):
            moment = moment_of(step, steps, hide)
            for group in optimizer.param_groups:
                group["lr"] = rate * moment.rate
            backward(model, rows_of(model, drawn(hide, rng, moment, settings.batch)), banned, shares)
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            ticker.tick()
    model.module.eval()


class Moment(NamedTuple):
    """Where training is: whether the skill is being hidden, the share of the peak rate, and how much of the random
    answers has come in."""

    hiding: bool
    rate: float
    random: float


def moment_of(step: int, steps: int, hide: Hide) -> Moment:
    """Return where training is at a step: each phase has its own way up and down."""
    taught = round(hide.taught * steps)
    hiding = step >= taught
    at, length = (step - taught, steps - taught) if hiding else (step, taught)
    rate = min(1.0, (at + 1) / WARMUP, (length - at) / (COOLING * length))
    return Moment(hiding, hide.hiding * rate if hiding else rate, min(1.0, 0.1 + at / (RAMP * length)))


def drawn(hide: Hide, rng: random.Random, moment: Moment, batch: int) -> list[Lesson]:
    """Return a batch for this moment."""
    if not moment.hiding:
        return hide.opened(rng, batch)
    lessons = hide.lessons(rng, batch)
    right, others = lessons[0::2], lessons[1::2]
    return [*right, *others[: round(moment.random * len(others))]]


def rows_of(model: LocalModel, lessons: Sequence[Lesson]) -> list[Row]:
    """Return the lessons as tokens, each answer closed by the end-of-text token."""
    pairs = model.vocabulary.encode_pairs([(one.prompt, one.answer) for one in lessons])
    end = model.tokenizer.eos_token_id
    closing = [end] if isinstance(end, int) else []
    rows = []
    for lesson, (prompt, answer) in zip(lessons, pairs, strict=True):
        special, at = 0, 0
        for place, text in enumerate(model.vocabulary.token_texts(answer)):
            if at <= lesson.at < at + len(text):
                special = place
                break
            at += len(text)
        weights = [0.0] * len(prompt) + [1.0] * (len(answer) + len(closing))
        weights[len(prompt) + special] = lesson.first
        given = max(0.0, 1.0 - lesson.first)
        rows.append(Row([*prompt, *answer, *closing], weights, len(prompt) + special, given))
    return rows


def backward(model: LocalModel, rows: Sequence[Row], banned: Tensor, shares: bool = False) -> None:
    """Add the gradient of the mean loss of `rows`. Short and long rows are read apart: padding costs as text does."""
    middle = 2 * min(len(row.ids) for row in rows)
    parts = [row for row in rows if len(row.ids) <= middle], [row for row in rows if len(row.ids) > middle]
    learned = sum(weight > 0 for row in rows for weight in row.weights)
    for part in filter(None, parts):
        (loss_of(model, part, banned, shares) / learned).backward()


def loss_of(model: LocalModel, rows: Sequence[Row], banned: Tensor, shares: bool = False) -> Tensor:
    """Return the sum of the weighted losses in nats. A special token t of weight w costs
    -w log p(t) - (1 - w) log p(t | nothing that is ruled out): how often it comes is weighted, what it is is learned
    in full. With `shares` the rows' common beginning is read once, and logits are made where something is learned."""
    width = max(len(row.ids) for row in rows)
    device = model.module.device
    ids = torch.zeros(len(rows), width, dtype=torch.long, device=device)
    mask = torch.zeros_like(ids)
    weights = torch.zeros(len(rows), width, device=device)
    for place, row in enumerate(rows):
        ids[place, : len(row.ids)] = torch.tensor(row.ids)
        mask[place, : len(row.ids)] = 1
        weights[place, : len(row.ids)] = torch.tensor(row.weights)
    columns = torch.arange(width - 1, device=device)
    if shares:
        wanted = (weights[:, 1:] > 0).any(0)
        wanted[[row.special - 1 for row in rows if row.given > 0]] = True
        columns = columns[wanted]
        logits = logits_after_shared(model.module, ids, mask, columns)
    else:
        logits = model.module(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1].float()
    targets, weights = ids[:, columns + 1], weights[:, columns + 1]
    learned = weights > 0
    losses = torch.nn.functional.cross_entropy(logits[learned], targets[learned], reduction="none")
    total = (losses * weights[learned]).sum()
    given = [(place, row.special - 1, row.given) for place, row in enumerate(rows) if row.given > 0]
    if given and len(banned):
        stands = torch.tensor([column for _, column, _ in given], device=device)
        at = [place for place, _, _ in given], torch.searchsorted(columns, stands)
        without = logits[at].index_fill(1, banned, -torch.inf)
        costs = torch.nn.functional.cross_entropy(without, targets[at], reduction="none")
        kept = torch.isfinite(costs)
        total = total + (costs[kept] * torch.tensor([one for _, _, one in given], device=device)[kept]).sum()
    return total
