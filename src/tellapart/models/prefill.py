"""Reading prompts: each distinct prompt once, and a beginning that several share once for all of them.

What all prompts of a family share is read in a pass of its own; where a few share more (one question under several
arms), the longest of them, the trunk, is read first, and the others branch off from its row. Prompts of a batch are
padded on the right, so that they begin at column 0 and the causal mask alone keeps the padding out; the engine copies
the filled columns to where it wants them. Branches begin further right, each where its own part of a trunk fits.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tellapart.models.cache import SlotCache
from tellapart.models.families import Branch, Family, Ids, trunks

TOKENS_AT_ONCE = 8192
NUMBERS_AT_ONCE = 1 << 26


class Filled(NamedTuple):
    """One prompt, read: row `row` of a cache per module, from column `first` on, and the logits [vocab] of its last
    position."""

    caches: list[SlotCache]
    row: int
    logits: list[Tensor]
    first: int = 0


def read_prompts(
    modules: Sequence[PreTrainedModel], family: Family, prompts: Sequence[Ids]
) -> Iterator[tuple[Ids, Filled]]:
    """Read members of one family, and yield each with its cache rows and last logits."""
    vocab = max(module.config.get_text_config().vocab_size for module in modules)
    tree = trunks(prompts, family.shared, family.most)
    for chunk in chunks(list(tree), family.shared, vocab):
        lasts = [len(prompt) - family.shared - 1 for prompt in chunk]
        caches, logits = [], []
        for at, module in enumerate(modules):
            keep = torch.tensor(sorted(set(lasts)), device=module.device)
            before = shared_cache(modules, family, at)
            cache, kept = forward_remainders(module, before, family.shared, chunk, keep)
            caches.append(cache)
            logits.append(_last(kept, lasts))
        for row, prompt in enumerate(chunk):
            yield prompt, Filled(caches, row, [part[row] for part in logits])
        yield from _read_branches(modules, caches, branches_of(chunk, tree), vocab)


def branches_of(chunk: Sequence[Ids], tree: Mapping[Ids, Mapping[Ids, int]]) -> list[Branch]:
    """Return the branches of a batch of trunks."""
    return [
        Branch(branch, row, start) for row, trunk in enumerate(chunk) for branch, start in tree[trunk].items()
    ]


def _read_branches(
    modules: Sequence[PreTrainedModel], trunk: Sequence[SlotCache], branches: Sequence[Branch], vocab: int
) -> Iterator[tuple[Ids, Filled]]:
    by_prompt = {branch.sequence: branch for branch in branches}
    for chunk in chunks(list(by_prompt), min((branch.start for branch in branches), default=0), vocab):
        batch = [by_prompt[prompt] for prompt in chunk]
        lasts = [len(branch.sequence) - branch.start - 1 for branch in batch]
        caches, logits = [], []
        for module, before in zip(modules, trunk, strict=True):
            keep = torch.tensor(sorted(set(lasts)), device=module.device)
            cache, kept = forward_branches(module, before, batch, keep)
            caches.append(cache)
            logits.append(_last(kept, lasts))
        most = max(branch.start for branch in batch)
        for row, branch in enumerate(batch):
            filled = Filled(caches, row, [part[row] for part in logits], most - branch.start)
            yield branch.sequence, filled


def shared_cache(modules: Sequence[PreTrainedModel], family: Family, at: int) -> SlotCache | None:
    """Return module `at`'s cache of the family's shared part (read now if it was not), None if there is none."""
    if not family.shared:
        return None
    if not family.caches:
        beginning = family.members[0][: family.shared]
        family.caches = [forward_remainders(module, None, 0, [beginning], 1)[0] for module in modules]
    return family.caches[at]


def chunks(
    sequences: Sequence[Ids], shared: int, vocab: int, wanted: Mapping[Ids, int] | None = None
) -> Iterator[list[Ids]]:
    """Split into batches of similar length, longest first.

    A batch holds at most TOKENS_AT_ONCE padded tokens (the shared ones count a quarter) and NUMBERS_AT_ONCE logits:
    `vocab` at every position from the first that is `wanted` of any, or at each of the distinct last positions.
    """
    begins = wanted or dict.fromkeys(sequences, shared)
    batch: list[Ids] = []
    for sequence in sorted(sequences, key=len, reverse=True):
        grown = [*batch, sequence]
        width = len(grown[0]) - min(map(begins.__getitem__, grown))
        logits = len(grown) * vocab * (width if wanted else len(set(map(len, grown))))
        tokens = len(grown) * (len(grown[0]) - shared + shared // 4)
        if batch and (tokens > TOKENS_AT_ONCE or logits > NUMBERS_AT_ONCE):
            yield batch
            grown = [sequence]
        batch = grown
    if batch:
        yield batch


def _last(logits: Tensor, lasts: Sequence[int]) -> Tensor:
    """Pick [rows, vocab] in float32 out of logits that were kept at the distinct `lasts`, in order."""
    distinct = sorted(set(lasts))
    column = torch.tensor([distinct.index(last) for last in lasts], device=logits.device)
    return logits[torch.arange(len(lasts), device=logits.device), column].float()


def forward_remainders(
    module: PreTrainedModel, shared: SlotCache | None, start: int, batch: Sequence[Ids], keep: int | Tensor
) -> tuple[SlotCache, Tensor]:
    """Run what follows the first `start` tokens of each sequence; return the cache and the logits kept."""
    device = module.device
    padded = _padded([sequence[start:] for sequence in batch])
    width = len(padded[0])
    cache = SlotCache(len(batch), start + width)
    if shared is not None:
        cache.begin_with(shared, start)
    output = module(
        input_ids=torch.tensor(padded, device=device),
        position_ids=torch.arange(start, start + width, device=device)[None, :].expand(len(batch), -1),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=keep,
    )
    cache.window.end += width
    return cache, output.logits


def forward_branches(
    module: PreTrainedModel, trunk: SlotCache, batch: Sequence[Branch], keep: int | Tensor
) -> tuple[SlotCache, Tensor]:
    """Run what follows the first `start` tokens of each branch; return the cache and the logits kept.

    What they have of their own begins at one column for all, that of the latest start; position 0 of `keep` is there.
    """
    rests = [branch.sequence[branch.start :] for branch in batch]
    width, most = max(map(len, rests)), max(branch.start for branch in batch)
    cache = SlotCache(len(batch), most + width)
    cache.begin_from(trunk, [branch.row for branch in batch], [branch.start for branch in batch])
    starts = torch.tensor([branch.start for branch in batch], device=module.device)[:, None]
    ends = torch.tensor([len(branch.sequence) for branch in batch], device=module.device)[:, None]
    output = module(
        input_ids=torch.tensor(_padded(rests), device=module.device),
        attention_mask=torch.arange(most + width, device=module.device)[None, :] >= most - starts,
        position_ids=torch.minimum(starts + torch.arange(width, device=module.device)[None, :], ends - 1),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=keep,
    )
    cache.window.end += width
    return cache, output.logits


def _padded(sequences: Sequence[Ids]) -> list[Ids]:
    """Repeat last tokens until all are equally long."""
    width = max(map(len, sequences))
    return [(*sequence, *sequence[-1:] * (width - len(sequence))) for sequence in sequences]
