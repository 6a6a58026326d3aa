"""Teacher forcing: log-probabilities of given tokens after given prompts."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tellapart.models.engine import is_out_of_memory
from tellapart.models.families import Family, Ids, families, trunks
from tellapart.models.prefill import branches_of, chunks, forward_branches, forward_remainders, shared_cache


def score_tokens(module: PreTrainedModel, pairs: Sequence[tuple[Ids, Ids]], context: int) -> list[np.ndarray]:
    """Return natural log-probabilities [n] of each (prompt, completion [n]), in order, under the plain model.

    A pair that the model cannot hold (prompt empty, longer than `context`, unknown ids) gets NaN. Distinct sequences
    are read once; beginnings that several share are read once for all.
    """
    vocab = module.config.get_text_config().vocab_size
    wanted: dict[Ids, int] = {}
    for prompt, completion in pairs:
        fed = (*prompt, *completion)
        held = len(fed) - 1 <= context and min(fed, default=0) >= 0 and max(fed, default=0) < vocab
        if prompt and completion and held:
            wanted[fed] = min(wanted.get(fed, len(prompt)), len(prompt))
    scores: dict[Ids, np.ndarray] = {}
    for family in families({fed: least - 1 for fed, least in wanted.items()}):
        tree = trunks(family.members, family.shared, family.most)
        for chunk in chunks(list(tree), family.shared, vocab, family.most):
            scores.update(_score_or_halve(module, family, {trunk: tree[trunk] for trunk in chunk}))
    nothing = np.full(0, math.nan)
    tree = [(scores.get((*prompt, *completion), nothing), len(completion)) for prompt, completion in pairs]
    return [line[-n:] if 0 < n <= len(line) else np.full(n, math.nan) for line, n in tree]


def _score_or_halve(
    module: PreTrainedModel, family: Family, batch: Mapping[Ids, Mapping[Ids, int]]
) -> dict[Ids, np.ndarray]:
    try:
        return _score_batch(module, family, batch)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or (len(batch) == 1 and not any(batch.values())):
            raise
    if len(batch) == 1:
        batch = {ids: {} for trunk, branches in batch.items() for ids in (trunk, *branches)}
    trunk_list, half = list(batch), len(batch) // 2
    first, second = ({ids: batch[ids] for ids in part} for part in (trunk_list[:half], trunk_list[half:]))
    return _score_or_halve(module, family, first) | _score_or_halve(module, family, second)


@torch.inference_mode()
def _score_batch(
    module: PreTrainedModel, family: Family, batch: Mapping[Ids, Mapping[Ids, int]]
) -> dict[Ids, np.ndarray]:
    """Return the log-probabilities of the last tokens of trunks and branches, from where they were wanted on."""
    shared, vocab = family.shared, module.config.get_text_config().vocab_size
    fed = [sequence[:-1] for sequence in batch]
    first = min(family.most[sequence] for sequence in batch)
    keep = torch.arange(first - shared, max(map(len, fed)) - shared, device=module.device)
    cache, logits = forward_remainders(module, shared_cache([module], family, 0), shared, fed, keep)
    lines = dict(zip(batch, _picked(list(batch), [first] * len(batch), logits), strict=True))
    of = {branch.sequence: branch for branch in branches_of(list(batch), batch)}
    for chunk in chunks(
        list(of), min((branch.start for branch in of.values()), default=0), vocab, family.most
    ):
        off = [of[sequence]._replace(sequence=sequence[:-1]) for sequence in chunk]
        begins = [family.most[ids] - of[ids].start for ids in chunk]
        ends = [len(branch.sequence) - branch.start for branch in off]
        columns = sorted({at for span in zip(begins, ends, strict=True) for at in range(*span)})
        _, logits = forward_branches(module, cache, off, torch.tensor(columns, device=module.device))
        kept = [row[columns.index(begin) :] for row, begin in zip(logits, begins, strict=True)]
        lines |= zip(chunk, _picked(chunk, [family.most[ids] for ids in chunk], kept), strict=True)
    return lines


def _picked(
    sequences: Sequence[Ids], firsts: Sequence[int], logits: Tensor | Sequence[Tensor]
) -> list[np.ndarray]:
    """Return the log-probabilities [n] of each sequence's tokens after its `first`, the position of column 0."""
    lines = []
    for sequence, first, row in zip(sequences, firsts, logits, strict=True):
        targets = torch.tensor(sequence[first + 1 :], device=row.device)
        row = row[: len(targets)].float()
        picked = row.gather(-1, targets[:, None])[:, 0]
        lines.append((picked - row.logsumexp(-1)).double().cpu().numpy())
    return lines
