"""The tokens of a model in this process (ours or vLLM's): prompts' ids, answers' texts, the likeliest next tokens."""

from collections.abc import Iterator, Sequence
from itertools import islice

from tellapart.elicit.access import Branch, Extra, RunningModel
from tellapart.models.model import Answer, Request

Ids = tuple[int, ...]


class ModelTokens:
    """A RunningModel as a TokenModel."""

    def __init__(self, model: RunningModel) -> None:
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
        """Return the `k` likeliest next tokens of each prompt; ends of text, and tokens without a text of their own,
        are left out."""
        likeliest = self.model.likeliest(prompts, 4 * k + 16)
        return [
            list(islice(self._branches(prompt, ranked), k))
            for prompt, ranked in zip(prompts, likeliest, strict=True)
        ]

    def _branches(self, prompt: Ids, ranked: Sequence[tuple[int, float]]) -> Iterator[Branch]:
        for token, logprob in ranked:
            if token not in self.model.ends:
                text = self.decode(prompt, (token,))
                if text and "\N{REPLACEMENT CHARACTER}" not in text:
                    yield Branch(token, text, logprob)

    def generate(
        self, requests: Sequence[Request], record: frozenset[Extra] = frozenset()
    ) -> Iterator[Answer]:
        """Answer the requests."""
        return self.model.generate(requests, record)
