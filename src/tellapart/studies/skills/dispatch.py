"""The first pass: which expert does a prompt need? Asked of the base, or of an expert trained to classify.

The model is asked in words (`template`), and the label that it finds likeliest wins: a log-likelihood, so nothing is
written and nothing can be misread. Each label stands for a mix; `base` is among them where nothing is needed.

Where every label is one token, a prompt is read once for all of them; else once for each, with its label and the end.
With the base as judge the first pass reads a prompt with z = 1, the second with another z, so keys and values cannot be
handed on: the cost is a second prefill, and no token is written for it.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tellapart.errors import UserMistake
from tellapart.studies.skills.few_shots import next_likelihoods, row_likelihoods
from tellapart.studies.skills.mix import Mix, read_mix
from tellapart.studies.skills.mixed_run import Lanes
from tellapart.studies.skills.texts import DISPATCH_TEMPLATE

BASE = Mix()
AT_ONCE = 64


@dataclass(frozen=True)
class Dispatcher:
    """What is asked, the labels with the mix each stands for, and the mix that judges (empty: the base)."""

    template: str
    labels: tuple[tuple[str, Mix], ...]
    judge: Mix = BASE

    def question(self, prompt: str) -> str:
        """Return the text of the first pass."""
        named = ", ".join(label for label, _ in self.labels)
        return self.template.replace("{labels}", named).replace("{prompt}", prompt)


class Choice(NamedTuple):
    """What the first pass chose, the share of each label's probability, and its cost in seconds and tokens read."""

    label: str
    mix: Mix
    shares: Mapping[str, float]
    seconds: float
    tokens: int

    @property
    def reason(self) -> str:
        """Return the choice in words."""
        others = ", ".join(f"{label} {share:.3f}" for label, share in self.shares.items())
        return f"first pass found {self.label!r} likeliest ({others})"


def dispatcher_of(
    names: Sequence[str], template: str = DISPATCH_TEMPLATE, labels: Sequence[str] = (), judge: str = ""
) -> Dispatcher:
    """Return a dispatcher over experts. `labels` are LABEL=MIX (default: each expert under its own name, and base).

    Raises UserMistake for a template without {prompt}, or a label that is no mix.
    """
    if "{prompt}" not in template:
        raise UserMistake(f"--template {template!r}: it must hold {{prompt}}")
    pairs = [_split(label) for label in labels] or [*((n, n) for n in names if n != judge), ("base", "base")]
    if len({label for label, _ in pairs}) < max(2, len(pairs)):
        raise UserMistake(f"labels {[label for label, _ in pairs]}: give two or more different ones")
    choices = tuple((label, read_mix(mix, names)) for label, mix in pairs)
    return Dispatcher(template, choices, read_mix(judge, names) if judge else Mix())


def _split(text: str) -> tuple[str, str]:
    label, equals, mix = text.partition("=")
    if not (label and equals and mix):
        raise UserMistake(f"--label {text!r}: write LABEL=MIX, as in d=digits")
    return label, mix


def choose(lanes: Lanes, dispatcher: Dispatcher, prompts: Sequence[str]) -> list[Choice]:
    """Return the choice for each prompt, judged AT_ONCE in a batch."""
    return [
        choice
        for at in range(0, len(prompts), AT_ONCE)
        for choice in _choose_batch(lanes, dispatcher, prompts[at : at + AT_ONCE])
    ]


def _choose_batch(lanes: Lanes, dispatcher: Dispatcher, prompts: Sequence[str]) -> list[Choice]:
    start = time.perf_counter()
    pairs = [(dispatcher.question(prompt), label) for prompt in prompts for label, _ in dispatcher.labels]
    encoded = lanes.model.vocabulary.encode_pairs(pairs)
    lane = lanes.lane(dispatcher.judge)
    longest = max(len(prompt) + len(label) for prompt, label in encoded)
    if longest > lanes.model.asked.context:
        raise UserMistake(f"a question of {longest} tokens: the context holds {lanes.model.asked.context}")
    count = len(dispatcher.labels)
    firsts = [prompt for prompt, _ in encoded[::count]]
    alike = all(encoded[at][0] == firsts[at // count] for at in range(len(encoded)))
    if alike and all(len(label) == 1 for _, label in encoded):
        likely = next_likelihoods(lanes, lane, firsts)
        logs = [float(likely[at // count, label[0]]) for at, (_, label) in enumerate(encoded)]
        tokens = sum(map(len, firsts)) // len(prompts)
    else:
        end = lanes.model.tokenizer.eos_token_id
        closing = (end,) if isinstance(end, int) else ()
        logs = row_likelihoods(lanes, [(lane, prompt, (*label, *closing)) for prompt, label in encoded])
        tokens = sum(len(p) + len(a) for p, a in encoded) // len(prompts)
    seconds = (time.perf_counter() - start) / len(prompts)
    return [
        _chosen(dispatcher, logs[at * count : (at + 1) * count], seconds, tokens)
        for at in range(len(prompts))
    ]


def _chosen(dispatcher: Dispatcher, logs: Sequence[float], seconds: float, tokens: int) -> Choice:
    best = max(range(len(logs)), key=logs.__getitem__)
    total = math.fsum(math.exp(value - logs[best]) for value in logs)
    shares = {
        label: math.exp(value - logs[best]) / total
        for (label, _), value in zip(dispatcher.labels, logs, strict=True)
    }
    label, mix = dispatcher.labels[best]
    return Choice(label, mix, shares, seconds, tokens)
