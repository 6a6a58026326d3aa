"""A model that answers by rule: one character is one token, and its next-token law is a plain function."""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tellapart.elicit.access import Branch
from tellapart.models.model import Answer, Completion, Model, Request, Sampling, Scored

END = "\0"
Law = Callable[[str, str], Mapping[str, float]]
"""(prompt, answer so far) -> the probability of each next character; END ends the answer."""


@dataclass
class Scripted(Model):
    """Characters are tokens (their code points); `divider` parts the prompt from what is written so far."""

    law: Law
    divider: str = "="
    reference: str = "scripted"
    fingerprint: str = "scripted"
    can_score: bool = True
    asked: int = 0

    def encode(self, text: str) -> tuple[int, ...]:
        return tuple(map(ord, text))

    def continued(self, text: str) -> tuple[int, ...]:
        return self.encode(text)

    def decode(self, prompt: Sequence[int], tokens: Sequence[int]) -> str:
        return "".join(map(chr, tokens)).replace(END, "")

    def next_tokens(self, prompts: Sequence[tuple[int, ...]], k: int) -> list[list[Branch]]:
        found = []
        for prompt in prompts:
            law = self.law(*self.parted(self.decode((), prompt)))
            ranked = sorted((c for c in law if c != END and law[c] > 0), key=lambda c: -law[c])
            found.append([Branch(ord(c), c, math.log(law[c])) for c in ranked[:k]])
        return found

    def generate(self, requests: Sequence[Request], record: frozenset[str] = frozenset()) -> Iterator[Answer]:
        self.asked += len(requests)
        for index, request in enumerate(requests):
            yield Answer(index, self.written(request, record))

    def score(self, pairs) -> list[Scored]:
        scored = []
        for prompt, completion in pairs:
            prompt, completion = str(prompt), str(completion)
            laws = [self.law(*self.parted(prompt + completion[:i])) for i in range(len(completion))]
            chances = [law.get(c, 0.0) for law, c in zip(laws, completion, strict=True)]
            logprobs = tuple(math.log(max(chance, 1e-9)) for chance in chances)
            scored.append(Scored(self.encode(completion), tuple(completion), logprobs))
        return scored

    def parted(self, text: str) -> tuple[str, str]:
        """Part at the last divider after which no newline comes: shown examples belong to the prompt."""
        prompt, _, written = text.rpartition(self.divider)
        return prompt + self.divider, written

    def written(self, request: Request, record: frozenset[str]) -> Completion:
        rng = random.Random(request.seed)
        prompt = self.decode((), request.prompt) if isinstance(request.prompt, tuple) else request.prompt
        text, tokens, logs, sampled, margins, entropies = request.prefill, [], [], [], [], []
        finish = "length"
        while len(tokens) < request.sampling.max_tokens:
            law = {c: p for c, p in self.law(*self.parted(prompt + text)).items() if p > 0}
            shaped = tempered(law, request.sampling)
            drawn = rng.choices(list(shaped), list(shaped.values()))[0]
            tokens.append(drawn)
            logs.append(math.log(law[drawn]))
            sampled.append(math.log(shaped[drawn]))
            top = [*sorted(law.values(), reverse=True), 0.0]
            margins.append(top[0] - top[1])
            entropies.append(-sum(p * math.log(p) for p in law.values()))
            if drawn == END:
                finish = "stop"
                break
            text += drawn
            stops = [stop for stop in request.sampling.stop if stop in text]
            if stops:
                text, finish = text.split(stops[0])[0], "stop"
                break
        return Completion(
            text, tuple(map(ord, tokens)), tuple("<end>" if c == END else c for c in tokens), tuple(logs),
            tuple(sampled), finish, len(prompt), 0.0, "",
            tuple(margins) if "margins" in record else None, tuple(entropies) if "entropies" in record else None,
        )  # fmt: skip


def tempered(law: Mapping[str, float], sampling: Sampling) -> dict[str, float]:
    """Return the law after temperature, top-p and min-p."""
    if sampling.temperature == 0:
        return {max(law, key=lambda c: law[c]): 1.0}
    weights = {c: p ** (1 / sampling.temperature) for c, p in law.items()}
    total = sum(weights.values())
    ranked = sorted(((w / total, c) for c, w in weights.items()), reverse=True)
    kept, mass = {}, 0.0
    for chance, c in ranked:
        if mass < sampling.top_p and chance >= sampling.min_p * ranked[0][0]:
            kept[c] = chance
        mass += chance
    total = sum(kept.values())
    return {c: p / total for c, p in kept.items()}
