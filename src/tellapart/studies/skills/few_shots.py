"""Choose a mix by a few solved examples: how likely it makes their targets, and how many it solves.

All candidates and all examples share batches: every row has its own z.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from tellapart.interventions.weights import Weights
from tellapart.models.local import LocalModel
from tellapart.models.model import Request, Sampling
from tellapart.studies.skills.encoding import Ids, encode
from tellapart.studies.skills.mix import Mix
from tellapart.studies.skills.mixed_run import Lanes
from tellapart.tasks.item import Item, Task

SHOTS = 32
ROWS_AT_ONCE = 256


def likeliest(
    model: LocalModel,
    experts: Mapping[str, Weights],
    mixes: Sequence[Mix],
    task: Task,
    items: Sequence[Item],
) -> str:
    """Return the name of the mix that makes the items' targets likeliest."""
    with Lanes(model, experts) as lanes:
        return mixes[int(log_likelihoods(lanes, mixes, task, items).argmax())].name


def log_likelihoods(lanes: Lanes, mixes: Sequence[Mix], task: Task, items: Sequence[Item]) -> np.ndarray:
    """Return the mean over items of the log-likelihood (nats) of their first target, under each mix [mix]."""
    encoded = encode(lanes.model, [(task.prompt(item), item.target[0]) for item in items])
    rows = [(lanes.lane(mix), prompt, answer) for mix in mixes for prompt, answer in encoded]
    return np.array(row_likelihoods(lanes, rows)).reshape(len(mixes), len(items)).mean(1)


@torch.inference_mode()
def row_likelihoods(lanes: Lanes, rows: Sequence[tuple[int, Ids, Ids]]) -> list[float]:
    """Return log p(answer | prompt) in nats of each (lane, prompt ids, answer ids), in order."""
    result: list[float] = []
    module = lanes.model.module
    for first in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[first : first + ROWS_AT_ONCE]
        width = max(len(prompt) + len(answer) for _, prompt, answer in part)
        ids = torch.tensor(
            [[*p, *a, *[0] * (width - len(p) - len(a))] for _, p, a in part], device=module.device
        )
        lanes.put([lane for lane, _, _ in part])
        logs = module(input_ids=ids[:, :-1], use_cache=False).logits.float().log_softmax(-1)
        picked = logs.gather(-1, ids[:, 1:, None])[..., 0].double().cpu()
        result += [
            float(line[len(p) - 1 : len(p) + len(a) - 1].sum())
            for line, (_, p, a) in zip(picked, part, strict=True)
        ]
    return result


@torch.inference_mode()
def next_likelihoods(lanes: Lanes, lane: int, prompts: Sequence[Ids]) -> torch.Tensor:
    """Return log-probabilities (nats) of what follows each prompt [prompt, vocab], all in one lane."""
    module, logprobs = lanes.model.module, []
    for first in range(0, len(prompts), ROWS_AT_ONCE):
        part = prompts[first : first + ROWS_AT_ONCE]
        width = max(map(len, part))
        ids = torch.tensor([[*p, *[0] * (width - len(p))] for p in part], device=module.device)
        lasts = torch.tensor([len(p) - 1 for p in part], device=module.device)
        keep = lasts.unique()
        lanes.put([lane] * len(part))
        logits = module(input_ids=ids, use_cache=False, logits_to_keep=keep).logits
        column = torch.searchsorted(keep, lasts)
        logprobs.append(
            logits[torch.arange(len(part), device=module.device), column].float().log_softmax(-1).cpu()
        )
    return torch.cat(logprobs)


def solved(lanes: Lanes, mixes: Sequence[Mix], task: Task, items: Sequence[Item]) -> np.ndarray:
    """Return the mean score of the greedy answers to `items` under each mix [mix]."""
    sampling = Sampling(temperature=0.0, max_tokens=task.max_tokens, stop=task.stop)
    rows = [(Request(task.prompt(item), 0, sampling), mix) for mix in mixes for item in items]
    scores = np.zeros(len(rows))
    for index, completion in lanes.generate(rows):
        scores[index] = task.score(items[index % len(items)], completion.text)
    return scores.reshape(len(mixes), len(items)).mean(1)
