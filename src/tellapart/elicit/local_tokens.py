"""The tokens of a local model: ids of prompts, texts of answers, and the likeliest next tokens."""

from collections.abc import Iterator, Sequence

import torch

from tellapart.elicit.access import Branch, Extra, branches_of
from tellapart.models.families import families
from tellapart.models.local import LocalModel
from tellapart.models.model import Answer, Request
from tellapart.models.prefill import read_prompts

Ids = tuple[int, ...]


class LocalTokens:
    """A LocalModel as a TokenModel."""

    def __init__(self, model: LocalModel) -> None:
        self.model = model

    def encode(self, text: str) -> Ids:
        """Return the ids of a prompt, special tokens first."""
        return self.model.vocabulary.encode_prompts([(text, "")])[text, ""]

    def continued(self, text: str) -> Ids:
        """Return the ids of text that goes on from something."""
        return self.model.vocabulary.encode(text)

    def decode(self, prompt: Sequence[int], tokens: Sequence[int]) -> str:
        """Return the text of `tokens` as it reads after `prompt`."""
        return self.model.vocabulary.decode_after(prompt, tokens)

    @torch.inference_mode()
    def next_tokens(self, prompts: Sequence[Ids], k: int) -> list[list[Branch]]:
        """Return the `k` likeliest next tokens of each prompt; tokens without a text of their own are left out."""
        found: dict[Ids, list[Branch]] = {}
        for family in families({prompt: len(prompt) - 1 for prompt in prompts}):
            for prompt, filled in read_prompts([self.model.module], family, family.members):
                logprobs = filled.logits[0].float().log_softmax(-1)
                best = logprobs.topk(min(len(logprobs), 4 * k + 16))
                ranked = zip(best.indices.tolist(), best.values.tolist(), strict=True)
                found[prompt] = branches_of(self, prompt, ranked, self.model.asked.ends, k)
        return [found[prompt] for prompt in prompts]

    def generate(
        self, requests: Sequence[Request], record: frozenset[Extra] = frozenset()
    ) -> Iterator[Answer]:
        """Answer the requests."""
        return self.model.generate(requests, record=record)
