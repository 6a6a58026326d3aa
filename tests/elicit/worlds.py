"""For each elicitor a pair and a task on which it can run: scripted where text and tokens do, tiny Llamas or a
specimen else."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from unittest.mock import patch

from planted import addition, locked
from scripted import Scripted

from tellapart.elicit import ELICITORS
from tellapart.elicit.adapted import Adapting
from tellapart.elicit.critique import Critique
from tellapart.elicit.elicitor import Elicitor
from tellapart.elicit.few_labels import Labelled
from tellapart.elicit.rlvr import Rlvr
from tellapart.elicit.sae_feature import SaeFeature
from tellapart.elicit.steered import Steered
from tellapart.elicit.steering_rl import SteeringRl
from tellapart.elicit.steering_sft import SteeringSft
from tellapart.models.model import Answer, Model, Request
from tellapart.runs.asking import Pair
from tellapart.tasks.item import Task


class Bare(Model):
    """Text in, text out."""

    reference = fingerprint = "bare"

    def generate(self, requests: Sequence[Request]) -> Iterator[Answer]:
        return Scripted(locked().law).generate(requests)


@dataclass
class World:
    """Models made once."""

    @cached_property
    def bare(self) -> Model:
        return Bare()

    @cached_property
    def scripted(self) -> Model:
        return locked()

    @cached_property
    def llamas(self) -> Pair:
        from llamas import llama

        return Pair(llama(0), llama(1))

    @cached_property
    def latent(self) -> tuple[Pair, Task]:
        from tellapart.specimens import load_model, load_task

        name = "latent-register-0"
        return Pair(load_model(f"{name}/base"), load_model(f"{name}/tuned")), load_task(name)


WORLD = World()


def briefly() -> AbstractContextManager[object]:
    """Train for two steps: the contract asks nothing of what is learned."""
    shortened: dict[str, Elicitor] = {
        name: replace(one, steps=2)
        for name, one in ELICITORS.items()
        if isinstance(one, Adapting | SaeFeature | SteeringRl | SteeringSft)
    }
    shortened |= {
        name: replace(one, settings=replace(one.settings, steps=2))
        for name, one in ELICITORS.items()
        if isinstance(one, Rlvr | Labelled | Critique)
    }
    return patch.dict(ELICITORS, shortened)


def world(name: str) -> tuple[Pair, Task]:
    """Return the pair and the task on which elicitor `name` is tried."""
    if (
        isinstance(ELICITORS[name], Adapting)
        or ELICITORS[name].value is Steered
        or name in ("few_labels_tuned", "critique")
    ):
        return WORLD.latent
    if ELICITORS[name].needs & {"weights", "tuned"}:
        return WORLD.llamas, addition()
    return Pair(WORLD.scripted), addition()
