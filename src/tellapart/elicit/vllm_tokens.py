"""The tokens of a model in vLLM: ids of prompts, texts of answers, and the likeliest next tokens."""

from collections.abc import Iterator, Sequence

from tellapart.elicit.access import Branch, Extra, branches_of
from tellapart.models.model import Answer, Request
from tellapart.models.vllm_model import VllmModel

Ids = tuple[int, ...]


class VllmTokens:
    """A VllmModel as a TokenModel."""

    def __init__(self, model: VllmModel) -> None:
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

    def next_tokens(self, prompts: Sequence[Ids], k: int) -> list[list[Branch]]:
        """Return the `k` likeliest next tokens of each prompt; tokens without a text of their own are left out."""
        found = self.model.likeliest(prompts, 4 * k + 16)
        return [
            branches_of(self, prompt, ranked, self.model.ends, k)
            for prompt, ranked in zip(prompts, found, strict=True)
        ]

    def generate(
        self, requests: Sequence[Request], record: frozenset[Extra] = frozenset()
    ) -> Iterator[Answer]:
        """Answer the requests."""
        return self.model.generate(requests, record)
