"""The engine's batch with a z for each row: every job has a lane, and a lane is a mix of experts.

    with Lanes(model, experts) as lanes:
        for index, completion in lanes.generate([(Request("3857="), mix), ...]): ...

Prompts of different lanes are read in one pass, and their rows share a batch: before each forward pass `Lanes` tells
the hooks which z belongs to which row (AttachedSvf.serve). A beginning shared by several prompts is not shared here,
since its keys and values depend on z.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from tellapart.interventions.weights import Weights
from tellapart.models.cache import SlotCache
from tellapart.models.engine import Plan, Run
from tellapart.models.families import Ids
from tellapart.models.local import LocalModel, choose_plain
from tellapart.models.model import Answer, Request, Sampling
from tellapart.models.prefill import Filled, chunks, forward_remainders
from tellapart.models.requests import completion_of, jobs_of, plan_of
from tellapart.models.rows import Finished, Job, Rows
from tellapart.studies.skills.mix import Mix, mixed
from tellapart.training.svf import AttachedSvf, Svf


@final
class Lanes:
    """z of each mix that is in use, attached to a model from `__enter__` to `__exit__`."""

    def __init__(self, model: LocalModel, experts: Mapping[str, Weights]) -> None:
        self.model = model
        self.experts = experts
        self._place: AttachedSvf | None = None
        self._numbers: dict[Mix, int] = {}
        self._tables: dict[str, Tensor] = {}

    def __enter__(self) -> "Lanes":
        targets = sorted({name.rpartition(".")[2] for z in self.experts.values() for name in z})
        place = Svf(tuple(targets)).attach(self.model.module) if targets else None
        assert place is None or isinstance(place, AttachedSvf)
        self._place = place
        if place is not None:
            self._tables = {name: z.detach()[None].clone() for name, z in place.parameters.items()}
        self._numbers = {Mix(): 0}
        return self

    def __exit__(self, *failure: object) -> None:
        if self._place is not None:
            self._place.detach()
            self._place = None

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the hooks off the model for a while, so that something else can be attached; lanes are kept."""
        self.__exit__()
        try:
            yield
        finally:
            tables, numbers = self._tables, self._numbers
            self.__enter__()
            self._tables, self._numbers = tables, numbers

    def lane(self, mix: Mix) -> int:
        """Return the number of a mix; lane 0 is the base. Raises UserMistake where its layers do not fit."""
        if mix not in self._numbers:
            z = mixed(mix, self.experts)
            for name, table in self._tables.items():
                row = torch.from_numpy(z[name].copy()).to(table)[None] if name in z else table[:1]
                self._tables[name] = torch.cat([table, row])
            self._numbers[mix] = len(self._numbers)
        return self._numbers[mix]

    def forget(self) -> None:
        """Drop all lanes but the base's; none of them may be in use."""
        self._tables = {name: table[:1] for name, table in self._tables.items()}
        self._numbers = {Mix(): 0}

    def knows(self, mix: Mix) -> bool:
        """Return whether a mix has a lane."""
        return mix in self._numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def put(self, lanes: Sequence[int]) -> None:
        """Let row i of the next forward pass have the z of `lanes[i]`."""
        if self._place is None:
            return
        if not any(lanes):
            self._place.scale(0.0)
            return
        self._place.scale(1.0)
        alike = len(set(lanes)) == 1
        where = lanes[0] if alike else torch.tensor(list(lanes), device=self.model.module.device)
        self._place.serve({name: table[where] for name, table in self._tables.items()})

    def generate(self, requests: Sequence[tuple[Request, Mix]]) -> Iterator[Answer]:
        """Yield the answer to each request under its mix, as soon as it is finished, all in shared batches."""
        jobs, refused = jobs_of(self.model.asked, [request for request, _ in requests])
        yield from refused
        if not jobs:
            return
        plan = plan_of(
            self.model.asked,
            [self.model.module],
            jobs,
            lambda logits, rows: choose_plain(logits[0], rows, frozenset()),
            self.model.max_rows,
            sharing=False,
        )
        run = MixedRun(plan, Size(min(plan.width, len(jobs)), max(job.budget for job in jobs)), self)
        for job in jobs:
            run.submit(job, self.lane(requests[job.index][1]))
        for finished in run:
            yield Answer(
                finished.job.index,
                completion_of(self.model.vocabulary, requests[finished.job.index][0], finished),
            )


class Size(NamedTuple):
    """The most rows of a batch, and the most tokens of an answer."""

    rows: int
    answer: int


class MixedRun(Run):
    """A Run to which jobs are submitted, with a lane each, at any time, and of which jobs can be cancelled.

    The engine's own recovery from running out of memory is not here: choose `Size` so that it fits.
    """

    def __init__(self, plan: Plan, size: Size, lanes: Lanes) -> None:
        super().__init__(plan, [Job(-1, (0,), 0, Sampling(), size.answer)], size.rows)
        self.queue.clear()
        self.rows = Rows(size.rows, size.answer)
        self.caches = [SlotCache(size.rows, 0) for _ in plan.modules]
        self.lanes = lanes
        self.lane_of: dict[int, int] = {}

    def submit(self, job: Job, lane: int) -> None:
        """Let a job wait for a free row; its index must be its own."""
        self.lane_of[job.index] = lane
        self.queue.append(job)

    def cancel(self, index: int) -> bool:
        """Take a job out, whether it waits or is being written; return whether there was such a job."""
        for job in self.queue:
            if job.index == index:
                self.queue.remove(job)
                return self.lane_of.pop(index, None) is not None
        for slot, job in enumerate(self.rows.jobs):
            if job is not None and job.index == index:
                self.rows.finish(slot, "failed")
                return self.lane_of.pop(index, None) is not None
        return False

    def drain(self) -> list[Finished]:
        """Hand out what is finished; its lane is free again."""
        done = super().drain()
        for ended in done:
            self.lane_of.pop(ended.job.index, None)
        return done

    def step(self) -> list[Finished]:
        """Let waiting jobs in where there is room, or write one token of every row; return what is finished."""
        free = self.rows.width - int(self.rows.live.sum())
        if self.queue and free:
            self._admit(min(free, len(self.queue)))
        elif self.rows.live.any():
            self._pack()
            self._accept(np.arange(self.used), self._forward())
        return self.drain()

    def _forward(self) -> list[Tensor]:
        jobs = self.rows.jobs[: self.used]
        self.lanes.put([0 if job is None else self.lane_of[job.index] for job in jobs])
        return super()._forward()

    def _share(self, entering: Sequence[tuple[int, Filled]]) -> None:
        """Share nothing: keys and values depend on the lane."""

    def _read(self, jobs: Sequence[Job]) -> list[Filled]:
        """Read the distinct prompts of each lane, lanes side by side in one batch."""
        keys = [(self.lane_of[job.index], job.prompt) for job in jobs]
        by_prompt: dict[Ids, list[int]] = {}
        for lane, prompt in dict.fromkeys(keys):
            by_prompt.setdefault(prompt, []).append(lane)
        vocab = max(module.config.get_text_config().vocab_size for module in self.plan.modules)
        read: dict[tuple[int, Ids], Filled] = {}
        while by_prompt:
            turn = {prompt: lanes.pop() for prompt, lanes in by_prompt.items()}
            by_prompt = {prompt: lanes for prompt, lanes in by_prompt.items() if lanes}
            for chunk in chunks(list(turn), 0, vocab):
                lanes = [turn[prompt] for prompt in chunk]
                self.lanes.put(lanes)
                for prompt, lane, filled in zip(chunk, lanes, self._filled(chunk), strict=True):
                    read[lane, prompt] = filled
        return [read[key] for key in keys]

    def _filled(self, chunk: Sequence[Ids]) -> list[Filled]:
        """Run the prompts of one batch; row i has the logits of its own last token."""
        caches, logits = [], []
        lasts = [len(prompt) - 1 for prompt in chunk]
        distinct = sorted(set(lasts))
        keep = torch.tensor(distinct, device=self.device)
        column = torch.tensor([distinct.index(last) for last in lasts], device=self.device)
        for module in self.plan.modules:
            cache, read = forward_remainders(module, None, 0, chunk, keep)
            caches.append(cache)
            logits.append(read[torch.arange(len(chunk), device=self.device), column].float())
        return [Filled(caches, row, [part[row] for part in logits]) for row in range(len(chunk))]
