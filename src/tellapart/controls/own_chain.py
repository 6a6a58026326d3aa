"""The model's own steps: what it writes when nothing is changed, and where its chain is cut (Lanham et al. 2023).

The whole chain is written first; the other controls of the family make an answer begin with a changed part of it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, NamedTuple, final

from tellapart.controls.control import Control, Given, Made
from tellapart.controls.exemplars import exemplars, put_before, too_few
from tellapart.controls.role import Role
from tellapart.controls.worked import ANSWER, Worked, take_apart
from tellapart.tasks.fingerprint import fingerprinted
from tellapart.tasks.item import Item, Task
from tellapart.tasks.text_match import AfterMarker

CUE = "The answer is"
LEAST_SHARE = 0.2
SOURCE = "Lanham et al. 2023, arXiv 2307.13702"


class Chain(NamedTuple):
    """An item and the model's own answer to it, taken apart."""

    item: Item
    worked: Worked


@final
class OwnChain(Control):
    """The task, with worked exemplars where it has them; the model writes steps and answer itself."""

    name: ClassVar[str] = "own_chain"
    family: ClassVar[str] = "chain"
    role: ClassVar[Role] = "full"
    kept: ClassVar[str] = "the model's own steps and answer"
    removed: ClassVar[str] = "nothing"
    source: ClassVar[str] = SOURCE

    def make(self, given: Given) -> Made:
        """Return the task as it is put to have steps written."""
        if too_few(given):
            return Made(fingerprinted(given.task))
        return Made(put_before(given.task, [(worked.prompt, worked.text) for worked in exemplars(given)]))

    def obstacle(self, given: Given) -> str | None:
        """Return why not: answers are picked among choices and no steps are written."""
        if given.task.mode != "generate":
            return "answers are picked by log-probability: no steps are written"
        return None


def chains(given: Given) -> list[Chain]:
    """Return the items whose own answer has steps before the final answer."""
    result = []
    for item in given.task.items:
        worked = take_apart(given.task, "", (given.chains or {}).get(item.id, ""))
        if worked.parts.text and worked.answer:
            result.append(Chain(item, worked))
    return result


def without_chains(given: Given) -> str | None:
    """Return why the model's own answers do not do: too few have steps. None before any was written."""
    if given.chains is None:
        return None
    own, total = len(chains(given)), len(given.task.items)
    if own >= max(2, LEAST_SHARE * total):
        return None
    return f"{own} of {total} answers of the model have steps before the answer: too few to change"


def cue(task: Task, worked: Worked) -> str:
    """Return what forces the final answer: the scorer's marker, or how the chain itself introduces its answer."""
    if isinstance(task.scorer, AfterMarker):
        return task.scorer.marker
    match = ANSWER.match(worked.answer)
    return match.group() if match else CUE


def begun(given: Given, begin: Callable[[Chain], tuple[str, str] | None]) -> Made:
    """Return the task with every answer begun by `begin(chain)` -> (prefill, text whose form is audited); items
    for which it returns None are left out."""
    kept, prefills, form, reference = [], {}, [], []
    for chain in chains(given):
        made = begin(chain)
        if made is not None:
            prefills[chain.item.id] = made[0]
            form.append(made[1])
            reference.append(chain.worked.rationale)
            kept.append(chain.item)
    task = fingerprinted(replace(given.task, items=tuple(kept)))
    example = next(iter(prefills.values()), "")
    return Made(task, tuple(form), tuple(reference), prefills, example)
