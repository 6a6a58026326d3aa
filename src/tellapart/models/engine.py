"""The loop that writes answers: prompts are read once, finished rows leave the batch, waiting rows enter.

It runs over a list of modules with one cache each that all read the same tokens: one module for plain
generation, two for two-model decoding. What the next token is, `choose` says. Out of memory halves the batch and
starts its unfinished rows again; since noise belongs to the row, they come out the same.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tellapart.models.budget import UNLIMITED, TokenBudget
from tellapart.models.cache import SlotCache
from tellapart.models.families import Family, Ids
from tellapart.models.prefill import Filled, read_prompts
from tellapart.models.rows import Choose, Finished, Job, Rows, StopCheck
from tellapart.models.sharing import Sharing
from tellapart.models.stems import Group, Stem, attending, group_of

AHEAD = 64


class Plan(NamedTuple):
    """What a run goes by. `may_stop` says which of the tokens [n] could complete one of a job's stop strings; `budget`
    pays for the tokens, and jobs that it cannot pay for are not begun. `numbers` are those of a token's keys and values
    in one layer, 0 where the modules cannot attend to stems."""

    modules: Sequence[PreTrainedModel]
    choose: Choose
    eos: np.ndarray
    stop_check: StopCheck
    may_stop: Callable[[np.ndarray], np.ndarray]
    width: int
    budget: TokenBudget = UNLIMITED
    numbers: int = 0


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether `error` says that memory ran out, on either kind of device."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def write_answers(plan: Plan, jobs: Sequence[Job]) -> Iterator[Finished]:
    """Yield every job that the budget pays for, finished; each exactly once, in the order in which they end."""
    waiting = list(jobs)
    width = plan.width
    while waiting:
        run = Run(plan, waiting, width)
        try:
            yield from run
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        yield from run.drain()
        waiting = run.unfinished()
        if waiting and width == 1:
            message = (
                "out of memory with a batch of one: use a smaller model, a shorter prompt or fewer max_tokens"
            )
            yield Finished(waiting.pop(0), np.zeros(0, np.int64), {}, "failed", 0.0, None, message)
        width = max(1, width // 2)


class Run:
    """One pass over jobs with a batch of at most `width` rows; iterating yields finished jobs."""

    def __init__(self, plan: Plan, jobs: Sequence[Job], width: int) -> None:
        self.plan = plan
        self.sharing = Sharing(jobs, plan.numbers)
        self.queue: deque[Job] = deque(self.sharing.ordered())
        self.left = dict(self.sharing.samples)
        self.filled: dict[Ids, Filled] = {}
        self.rows = Rows(min(width, len(jobs)), max(job.budget for job in jobs))
        columns = self.sharing.room().own + AHEAD
        self.caches = [SlotCache(self.rows.width, 0, columns) for _ in plan.modules]
        self.taken: list[Job] = []
        self.done: list[Finished] = []
        self.device = next(plan.modules[0].parameters()).device
        self.used = 0
        self.groups: list[list[Group]] | None = None

    def unfinished(self) -> list[Job]:
        """Return the jobs that were not yielded: those taken out of the queue, those in work, those waiting."""
        in_work = {job.index: job for job in (*self.taken, *filter(None, self.rows.jobs), *self.queue)}
        return list(in_work.values())

    def drain(self) -> list[Finished]:
        """Hand out what is finished and was not yielded yet."""
        done, self.done = self.done, []
        return done

    def __iter__(self) -> Iterator[Finished]:
        while self.queue or self.rows.live.any():
            entering = self._entering()
            if entering:
                self._admit(entering)
            elif not self.rows.live.any():
                self.queue.clear()
            else:
                self._pack()
                self._accept(np.arange(self.used), self._forward())
            yield from self.drain()

    def _entering(self) -> int:
        """Return how many waiting jobs are let in now."""
        free = self.rows.width - int(self.rows.live.sum())
        wanted = min(free, len(self.queue))
        if not wanted or (free < max(1, self.rows.width // 8) and free < len(self.queue)):
            return 0
        left = self.plan.budget.left
        if left == math.inf:
            return wanted
        # Rows under way are reckoned at their longest, so that the budget is overshot by one answer at most.
        rows, most = self.rows, max(job.budget for job in self.queue)
        pending = int((rows.budget - rows.count)[rows.live].sum())
        paid = min(wanted, int((left - pending) // most))
        return max(paid, int(not rows.live.any() and left > 0))

    @torch.inference_mode()
    def _admit(self, count: int) -> None:
        """Let `count` waiting jobs in: read their prompts, draw their first tokens, and place those that go on."""
        self.taken = [self.queue.popleft() for _ in range(count)]
        jobs = self.taken
        filled = self._read(jobs)
        slots = self.rows.enter(jobs)
        self.taken = []
        self.used = max(self.used, int(slots.max()) + 1)
        logits = [torch.stack([f.logits[at] for f in filled]) for at in range(len(self.caches))]
        self._accept(slots, logits)
        entering = zip(slots.tolist(), filled, strict=True)
        going_on = [(slot, job) for slot, job in entering if self.rows.live[slot]]
        if going_on:
            self._share(going_on)
            self._place(going_on)

    def _read(self, jobs: Sequence[Job]) -> list[Filled]:
        missing: dict[int, tuple[Family, dict[Ids, None]]] = {}
        for job in jobs:
            if job.prompt not in self.filled:
                family = self.sharing.family_of[job.prompt]
                missing.setdefault(id(family), (family, {}))[1][job.prompt] = None
        for family, prompts in missing.values():
            self.filled.update(read_prompts(self.plan.modules, family, list(prompts)))
        filled = [self.filled[job.prompt] for job in jobs]
        for job in jobs:
            self.left[job.prompt] -= 1
            if not self.left[job.prompt]:
                del self.filled[job.prompt]
        return filled

    def _share(self, entering: Sequence[tuple[int, Filled]]) -> None:
        """Give rows a stem where enough of all rows begin alike: the whole prompt, else the family's part of it."""
        for slot, filled in entering:
            job = self.rows.jobs[slot]
            assert job is not None
            length = self.sharing.shared(job.prompt)
            if length == len(job.prompt):
                self.rows.stems[slot] = Stem(filled.caches, filled.row, length, filled.first)
            elif length:
                self.rows.stems[slot] = Stem(self.sharing.family_of[job.prompt].caches, 0, length)
            self.rows.own[slot] -= length

    def _place(self, entering: Sequence[tuple[int, Filled]]) -> None:
        """Copy what the rows do not share into their slots."""
        rows = self.rows
        new = np.array([slot for slot, _ in entering])
        old = rows.live.copy()
        old[new] = False
        self._clean(new)
        alike: dict[tuple[int, int, int], list[tuple[int, Filled]]] = {}
        for slot, filled in entering:
            length, own = int(rows.length[slot]), int(rows.own[slot])
            part = (filled.first + length - own, filled.first + length)
            alike.setdefault((id(filled.caches), *part), []).append((slot, filled))
        for at, cache in enumerate(self.caches):
            cache.fit(int(rows.own[old].max(initial=0)), int(rows.own[new].max()), 1)
            for (_, begin, end), group in alike.items():
                source = group[0][1].caches[at]
                slots, taken = [slot for slot, _ in group], [entry.row for _, entry in group]
                cache.place(slots, source, taken, slice(begin, end))
        self.groups = None

    def _clean(self, slots: np.ndarray) -> None:
        dirty = slots[self.rows.tainted[slots]]
        if len(dirty):
            for cache in self.caches:
                cache.clear(dirty.tolist())
            self.rows.tainted[dirty] = False

    def _step_groups(self) -> list[list[Group]]:
        """Return each module's groups of rows that share a stem."""
        if self.groups is None:
            by_stem: dict[tuple[int, int, int], tuple[Stem, list[int]]] = {}
            for slot, stem in enumerate(self.rows.stems[: self.used]):
                if stem is not None:
                    by_stem.setdefault(stem.key, (stem, []))[1].append(slot)
            self.groups = [
                [group_of(stem, at, slots, self.device) for stem, slots in by_stem.values()]
                for at in range(len(self.caches))
            ]
        return self.groups

    def _pack(self) -> None:
        """Close the gaps that finished rows left, once they are an eighth of the batch."""
        live = int(self.rows.live.sum())
        if self.used - live >= max(1, self.used // 8):
            taken, free = self.rows.pack()
            if taken:
                self._clean(np.array(free))
                for cache in self.caches:
                    cache.move(taken, free)
            self.used = live
            self.groups = None

    @torch.inference_mode()
    def _forward(self) -> list[Tensor]:
        """Run every module on the last token of each row; return logits [rows, vocab] in float32."""
        rows, used = self.rows, self.used
        live = rows.live[:used]
        lengths = np.where(live, rows.own[:used], 0)
        longest, shortest = int(lengths.max()), int(rows.own[:used][live].min())
        tokens = torch.from_numpy(rows.last[:used, None]).to(self.device)
        positions = torch.from_numpy(np.where(live, rows.length[:used], 0)[:, None]).to(self.device)
        mask = None
        if longest != shortest:
            columns = np.arange(longest, -1, -1)
            mask = torch.from_numpy(columns[None, :] <= lengths[:, None]).to(self.device)
        logits = []
        for module, cache, groups in zip(self.plan.modules, self.caches, self._step_groups(), strict=True):
            cache.fit(longest, longest, AHEAD if cache.window.end == cache.window.capacity else 1)
            with attending(module, groups):
                output = module(
                    input_ids=tokens, attention_mask=mask, position_ids=positions,
                    past_key_values=cache, use_cache=True, logits_to_keep=1,
                )  # fmt: skip
            logits.append(output.logits[:, -1].float())
        for cache in self.caches:
            cache.window.end += 1
        rows.length[:used] += 1
        rows.own[:used] += 1
        return logits

    @torch.inference_mode()
    def _accept(self, slots: np.ndarray, logits: Sequence[Tensor]) -> None:
        """Choose the next token of each slot, write it down, and take out the rows that are finished."""
        rows = self.rows
        choice = self.plan.choose(logits, rows.drawing(slots))
        alive = rows.live[slots]
        slots = slots[alive]
        tokens = choice.tokens.cpu().numpy()[alive]
        broken = choice.broken.cpu().numpy()[alive]
        self.plan.budget.charge("generated", int((~broken).sum()))
        rows.write(
            slots, tokens, {name: column.cpu().numpy()[alive] for name, column in choice.columns.items()}
        )
        ended = np.isin(tokens, self.plan.eos)
        full = rows.count[slots] >= rows.budget[slots]
        maybe = rows.can_stop[slots] & ~ended
        if maybe.any():
            maybe[maybe] = self.plan.may_stop(tokens[maybe])
        for at in np.flatnonzero(broken | ended | full | maybe).tolist():
            slot = int(slots[at])
            text = self._stopped(slot) if maybe[at] and not broken[at] else None
            if broken[at]:
                self.done.append(rows.fail(slot, "the model's logits are not finite (NaN or infinite)"))
            elif text is not None or ended[at]:
                self.done.append(rows.finish(slot, "stop", text))
            elif full[at]:
                self.done.append(rows.finish(slot, "length"))

    def _stopped(self, slot: int) -> str | None:
        job = self.rows.jobs[slot]
        assert job is not None
        return self.plan.stop_check(job, self.rows.tokens[slot, : self.rows.count[slot]])
