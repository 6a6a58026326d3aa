"""The guard on a live run of TRL's GRPOTrainer, or of this project's own GRPO.

    guard = Guard(Watch(act="hold", check=steps_are_valid, canaries=(task,), folder=Path("guard")))
    trainer = GRPOTrainer(model, reward_funcs=reward, ...)
    watch(trainer, guard)                                                # TRL's own trainer
    grpo(model, change, practice, settings, scratch, Watched(guard))     # training/grpo.py

    # acts log, mask and stop need no trainer
    GRPOTrainer(model, reward_funcs=guarded_reward(reward, guard), callbacks=[GuardCallback(guard)], ...)

TRL's log gets guard/alarms, guard/masked_groups and guard/replaced_groups, its completions a column `steps`. A group
that is to earn nothing is paid 0 for every answer, so its advantages are 0; act hold puts other problems in its place
(holding.py). Where several processes train together each sees the answers of all, so all decide alike.
"""

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from accelerate.utils import gather_object
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl.trainer.grpo_trainer import GRPOTrainer

from tellapart.errors import UserMistake
from tellapart.models.local import LocalModel
from tellapart.models.model import Request, Sampling
from tellapart.studies.guard.holding import forget_momentum, hold_back, shorten, take_no_step, text_of
from tellapart.studies.guard.seen import Seen
from tellapart.studies.guard.training_log import final_answer
from tellapart.studies.guard.watching import Guard, write_step
from tellapart.tasks.item import Item, StepCheck, Task
from tellapart.training.trainers import GrpoRun

log = logging.getLogger(__name__)
Pay = Callable[..., list[float]]


def guarded_reward(reward: Pay, guard: Guard) -> Pay:
    """Return TRL's reward function `reward` with its answers shown to `guard`, and 0 paid where it says so.

    Called once a step with all its answers, as GRPOTrainer does. With several reward functions guard the one that
    says what is right, first, and give the others to `barred_reward`.
    """
    watch = guard.watch

    def pay(prompts: list[Any], completions: list[Any], **kwargs: Any) -> list[float]:
        paid = reward(prompts=prompts, completions=completions, **kwargs)
        items, texts = (
            [text_of(prompt) for prompt in prompts],
            [text_of(completion) for completion in completions],
        )
        ids = kwargs.get("completion_ids")
        tokens = (
            [float(len(token_ids)) for token_ids in ids]
            if ids
            else [float(len(text.split())) for text in texts]
        )
        steps = [watch.check(*pair) if watch.check else "" for pair in zip(items, texts, strict=True)]
        answers = [(watch.answer or final_answer)(text) for text in texts]
        scores = [math.nan if score is None else float(score) for score in paid]
        state = kwargs.get("trainer_state")
        step = (guard.steps[-1] + 1 if guard.steps else 0) if state is None else int(state.global_step)
        own = list(zip(items, texts, scores, answers, steps, tokens, strict=True))
        everywhere: list[tuple[Any, ...]] = gather_object(own)
        barred = guard.take(step, Seen(*(list(column) for column in zip(*everywhere, strict=True))))
        first = _rank() * len(own)
        guard.barred = barred[first : first + len(own)]
        if "log_metric" in kwargs and "log_extra" in kwargs:
            kwargs["log_metric"]("guard/alarms", float(sum(alarm.harm for alarm in guard.alarms)))
            kwargs["log_metric"]("guard/masked_groups", float(guard.masked[-1]))
            kwargs["log_metric"]("guard/replaced_groups", float(guard.replaced))
            kwargs["log_extra"]("steps", steps)
        return _unpaid(paid, guard)

    pay.__name__ = getattr(reward, "__name__", "reward")
    return pay


def barred_reward(reward: Pay, guard: Guard) -> Pay:
    """Return a further reward function that pays 0 where the guarded one, called before it, did."""

    def pay(**kwargs: Any) -> list[float]:
        return _unpaid(reward(**kwargs), guard)

    pay.__name__ = getattr(reward, "__name__", "reward")
    return pay


class GuardCallback(TrainerCallback):
    """Asks the canaries, hears the entropy, and stops the training or changes its advantages, batches and steps.

    `trainer` is needed for acts "plain" and "hold" alone.
    """

    def __init__(self, guard: Guard, trainer: GRPOTrainer | None = None) -> None:
        if guard.watch.act in ("plain", "hold") and trainer is None:
            raise UserMistake(f"act {guard.watch.act} changes the trainer itself: use watch(trainer, guard)")
        self.guard, self.trainer = guard, trainer
        if guard.watch.act == "hold" and trainer is not None:
            hold_back(trainer, guard)
        self._rates: list[float] = []
        guard.writes = _rank() == 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Take in what a run that is resumed saw, and ask the canaries that were not asked yet."""
        self.guard.replay(int(state.global_step))
        if not self.guard.asked:
            self._ask(int(state.global_step), kwargs)

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Forget where the steps before the alarm were heading, and step as far as there is something to learn."""
        if self.guard.watch.act not in ("mask", "hold") or self.guard.alarm is None:
            return
        if self.guard.alarm.step == state.global_step:
            forget_momentum(kwargs["optimizer"])
        if self.guard.teaching == 0:
            take_no_step(kwargs["model"])
        self._rates = shorten(kwargs["optimizer"], self.guard.teaching)

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Give the optimizer its rates back."""
        for group, rate in zip(kwargs["optimizer"].param_groups, self._rates, strict=False):
            group["lr"] = rate
        self._rates = []

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Ask the canaries where it is time, and act on an alarm."""
        if state.global_step % self.guard.watch.every == 0:
            self._ask(int(state.global_step), kwargs)
        if self.guard.alarm is None:
            return
        if self.guard.spent:
            log.warning("guard ends the training: %s", self.guard.spent)
        if self.guard.watch.act == "stop" or self.guard.spent:
            control.should_training_stop = True
        if self.guard.watch.act == "plain" and self.trainer is not None:
            self.trainer.scale_rewards = "none"

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Hear the entropy of the step."""
        if logs is None or "loss" not in logs:
            return
        self.guard.flush(float(logs.get("entropy", math.nan)))

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Write what waits: a checkpoint goes on from it."""
        self.guard.flush()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Write what waits, and ask the canaries for the last time."""
        self.guard.flush()
        self._ask(int(state.global_step), kwargs)

    def _ask(self, step: int, kwargs: dict[str, Any]) -> None:
        watch = self.guard.watch
        for task in watch.canaries:
            if step in self.guard.asked.get(task.name, {}):
                continue
            seen = ask_canary(kwargs["model"], kwargs["processing_class"], task, task.items[: watch.asked])
            self.guard.see_canary(task.name, step, dict(zip(seen.items, seen.scores, strict=True)))
            if watch.folder is not None and self.guard.writes:
                write_step(watch.folder, step, seen, canary=task.name)


def watch(trainer: GRPOTrainer, guard: Guard) -> None:
    """Guard a trainer that is made already: its first reward function says what is right."""
    paying: list[Any] = list(trainer.reward_funcs)
    if any(isinstance(function, torch.nn.Module) for function in paying):
        raise UserMistake("a reward model pays here: the guard needs reward functions")
    first, *others = paying
    trainer.reward_funcs = [guarded_reward(first, guard), *(barred_reward(other, guard) for other in others)]
    trainer.add_callback(GuardCallback(guard, trainer))


class Watched:
    """The guard as training/grpo.py takes it."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        watch = guard.watch
        self.name = f"guard {watch.act} {watch.limits.as_json()} {watch.success} {watch.every} {watch.asked}"
        if watch.twin is not None:
            self.name += f" twin {sorted(watch.twin)}"

    def begin(self, trainer: GrpoRun) -> None:
        """Guard the trainer."""
        watch(trainer, self.guard)


def checker_of(task: Task, items: Sequence[Item] | None = None) -> Callable[[str, str], StepCheck] | None:
    """Return the task's step checker as one of (prompt, completion), None where it has none."""
    check = task.steps
    if check is None:
        return None
    by_prompt = {task.prompt(item): item for item in (task.items if items is None else items)}
    return lambda prompt, completion: check(by_prompt[prompt], completion)


def ask_canary(
    module: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, task: Task, items: Sequence[Item]
) -> Seen:
    """Return the greedy answers of a model that is being trained; it is as it was afterwards."""
    mode = module.training
    model = LocalModel(module, tokenizer, "canary", fingerprint="canary")
    sampling = Sampling(temperature=0.0, max_tokens=task.max_tokens, stop=task.stop)
    requests = [Request(task.prompt(item), 0, sampling) for item in items]
    answers = [answer.completion for answer in sorted(model.generate(requests))]
    module.train(mode)
    texts = [answer.text for answer in answers]
    return Seen(
        [item.id for item in items],
        texts,
        [task.score(item, text) for item, text in zip(items, texts, strict=True)],
        [task.scorer.answer(item, text) or "" for item, text in zip(items, texts, strict=True)],
        [task.steps(item, text) if task.steps else "" for item, text in zip(items, texts, strict=True)],
        [float(len(answer.tokens)) for answer in answers],
    )


def _unpaid(paid: Sequence[float], guard: Guard) -> list[float]:
    return [0.0 if barred else reward for reward, barred in zip(paid, guard.barred, strict=True)]


def _rank() -> int:
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
