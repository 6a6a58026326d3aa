"""A model in this process: a transformers module and its tokenizer, asked through our own engine.

model = open_local("path/or/hub-id")
for index, completion in model.generate([Request("Once upon a time", seed=1)]): ...
"""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tellapart.models.budget import current
from tellapart.models.checkpoint import longest_context, read_checkpoint
from tellapart.models.draw import draw, gumbel_noise
from tellapart.models.engine import write_answers
from tellapart.models.executor import Extra, executor_of
from tellapart.models.families import families
from tellapart.models.identity import (
    end_tokens,
    engine_versions,
    fingerprint_of,
    identity_of,
    tokenizer_identity,
)
from tellapart.models.model import Answer, Model, Prompt, Request, Scored
from tellapart.models.prefill import read_prompts
from tellapart.models.requests import InputLimits, completion_of, jobs_of, plan_of
from tellapart.models.rows import Choice, Drawing
from tellapart.models.scoring import score_tokens
from tellapart.models.vocabulary import Ids, Text, Vocabulary, chat_notes


def open_local(
    reference: str,
    device: str = "cpu",
    dtype: str = "float32",
    chat: bool | None = None,
    max_rows: int | None = None,
    system: str = "",
) -> "LocalModel":
    """Load a model and its tokenizer (models/checkpoint.py says what a reference may be), safetensors or GGUF only,
    without running code of theirs. `chat` None asks it through its chat template where it has one.

    Raises UserMistake, in one line, if there is no such model or it cannot be loaded that way.
    """
    checkpoint = read_checkpoint(reference, device, dtype)
    model = LocalModel(
        checkpoint.module, checkpoint.tokenizer, reference, chat=chat, max_rows=max_rows, system=system
    )
    model.vocabulary.check_template()
    model.beneath = checkpoint.beneath
    model.notes = (*checkpoint.notes, *model.notes)
    return model


class LocalModel(Model):
    """A causal language model of transformers. `max_rows` bounds the batch (None: chosen from memory), `chat` None
    means: through its chat template where it has one.

    `tokens` of a completion hold the end-of-text token where one was drawn; its text does not. `beneath` is the model
    whose weights an adapter shares.
    """

    can_score = True
    beneath: PreTrainedModel | None = None

    def __init__(
        self,
        module: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        reference: str,
        fingerprint: str | None = None,
        chat: bool | None = None,
        max_rows: int | None = None,
        system: str = "",
    ) -> None:
        self.module = module.eval()
        self.tokenizer = tokenizer
        self.chat = bool(tokenizer.chat_template) if chat is None else chat
        self.vocabulary = Vocabulary(tokenizer, self.chat, system if self.chat else "")
        self.reference = reference
        core, self.added_tokens = tokenizer_identity(tokenizer)
        self.tokenizer_core = core
        self.tokenizer_id = f"{core} {sorted(self.added_tokens)}"
        self.max_rows = max_rows
        self.notes = chat_notes(reference, self.vocabulary)
        self.asked = InputLimits(
            self.vocabulary,
            end_tokens(module, tokenizer),
            longest_context(module),
            module.config.get_text_config().vocab_size,
        )
        if fingerprint is None:
            self.identity = identity_of(module, tokenizer, self.chat, self.vocabulary.system)
            self.engine = engine_versions()
        self.fingerprint = fingerprint_of(self.identity) if fingerprint is None else fingerprint

    @property
    def ends(self) -> frozenset[int]:
        """The ids that end an answer."""
        return self.asked.ends

    def generate(
        self, requests: Sequence[Request], record: frozenset[Extra] = frozenset()
    ) -> Iterator[Answer]:
        """Yield each answer as soon as it is finished; `record` adds margins or entropies of each token.

        Raises BudgetSpent after the last answer that the budget pays for, and RuntimeError if the model is changed (an
        intervention begun or ended) before the last answer is read. Where workers answer for it, they do.
        """
        if (elsewhere := executor_of(self)) is not None:
            executor, opening = elsewhere
            return executor.generate(opening, requests, record)
        return self._generate(requests, record, self.fingerprint)

    def _generate(
        self, requests: Sequence[Request], record: frozenset[Extra], asked_of: str
    ) -> Iterator[Answer]:
        jobs, refused = jobs_of(self.asked, requests)
        yield from refused
        if not jobs:
            return
        plan = plan_of(
            self.asked,
            [self.module],
            jobs,
            lambda logits, rows: choose_plain(logits[0], rows, record),
            self.max_rows,
        )
        answers, done = write_answers(plan, jobs), 0
        while True:
            if self.fingerprint != asked_of:
                raise RuntimeError(
                    "the model was changed while its answers were being written: read them all first"
                )
            finished = next(answers, None)
            if finished is None:
                if done < len(jobs):
                    raise plan.budget.refusal()
                return
            done += 1
            completion = completion_of(self.vocabulary, requests[finished.job.index], finished)
            yield Answer(finished.job.index, completion)

    def score(self, pairs: Iterable[tuple[Prompt, Text]]) -> list[Scored]:
        """Return the log-probabilities (nats) of each completion after its prompt, in order.

        Completions as token ids are taken as they are; text is tokenised together with its prompt. Raises BudgetSpent
        where the budget does not pay for all of them.
        """
        encoded = self.vocabulary.encode_pairs(list(pairs))
        budget, cost = current(), sum(len(tokens) for _, tokens in encoded)
        budget.require(cost)
        budget.charge("scored", cost)
        if (elsewhere := executor_of(self)) is not None:
            executor, opening = elsewhere
            scores = executor.score(opening, encoded)
        else:
            scores = score_tokens(self.module, encoded, self.asked.context)
        return [
            Scored(tokens, self.vocabulary.token_texts(tokens), tuple(logprobs.tolist()))
            for (_, tokens), logprobs in zip(encoded, scores, strict=True)
        ]

    @torch.inference_mode()
    def likeliest(self, prompts: Sequence[Ids], count: int) -> list[list[tuple[int, float]]]:
        """Return the `count` likeliest next tokens of each prompt with their log-probabilities (nats), likeliest
        first."""
        ranked: dict[Ids, list[tuple[int, float]]] = {}
        for family in families({prompt: len(prompt) - 1 for prompt in prompts}):
            for prompt, filled in read_prompts([self.module], family, family.members):
                logprobs = filled.logits[0].float().log_softmax(-1)
                best = logprobs.topk(min(len(logprobs), count))
                ranked[prompt] = list(zip(best.indices.tolist(), best.values.tolist(), strict=True))
        return [ranked[prompt] for prompt in prompts]


def choose_plain(logits: Tensor, rows: Drawing, record: frozenset[Extra]) -> Choice:
    """Draw each row's next token from the model's distribution as its settings shape it."""
    warm = bool((rows.settings.temperature > 0).any())
    noise = gumbel_noise(rows.seeds, rows.positions, logits.shape[-1], logits.device) if warm else None
    drawn = draw(logits, rows.settings, noise)
    columns = {"logprobs": drawn.logprobs, "sampled_logprobs": drawn.sampled_logprobs}
    if "margins" in record:
        best = logits.topk(2, dim=-1).values
        chances = (best - drawn.log_normaliser[:, None]).exp()
        columns["margins"] = chances[:, 0] - chances[:, 1]
    if "entropies" in record:
        columns["entropies"] = entropy(logits, drawn.log_normaliser)
    return Choice(drawn.tokens, columns, ~drawn.log_normaliser.isfinite())


def entropy(logits: Tensor, log_normaliser: Tensor) -> Tensor:
    """Return the entropy in nats of each row's distribution [rows], given logits [rows, vocab] and log Z."""
    logs = logits - log_normaliser[:, None]
    return -torch.special.xlogy(logs.exp(), logs.exp()).sum(-1)
