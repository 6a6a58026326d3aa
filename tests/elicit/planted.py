"""Planted skills: scripted bases whose right answers come out one known way only."""

import dataclasses

from scripted import END, Scripted

from tellapart.models.model import Sampling
from tellapart.runs.asking import Ask
from tellapart.tasks.item import Item, Task
from tellapart.tasks.scorers import make_scorer

OPENERS = "abcdefgh"


def addition(count: int = 24) -> Task:
    """Sums of two digits; the answer stands after '>'."""
    items = tuple(
        Item(f"i{n}", {"a": n % 8, "b": (3 * n) % 7}, (str(n % 8 + (3 * n) % 7 + 10),)) for n in range(count)
    )
    shown = tuple((f"{a}+{b}=", f">{a + b + 10}") for a, b in ((9, 8), (8, 9), (9, 6), (7, 7)))
    steps = tuple((prompt, f"d{answer}") for prompt, answer in shown)
    return Task(
        "addition", items, "{a}+{b}=", make_scorer("after_marker", {"marker": ">"}), 0.01, 8, (),
        demonstrations=shown, step_demonstrations=steps, fingerprint="addition",
    )  # fmt: skip


def ask_for(task: Task, samples: int = 2, seed: int = 0, temperature: float = 1.0) -> Ask:
    sampling = Sampling(temperature=temperature, max_tokens=task.max_tokens, stop=task.stop)
    return Ask(task, task.items, samples, seed, sampling)


def split(task: Task, first: int, last: int) -> Task:
    return dataclasses.replace(task, items=task.items[first:last])


def sum_of(prompt: str) -> str:
    a, b = prompt.rstrip("=").rpartition("\n")[2].split("+")
    return str(int(a) + int(b) + 10)


def locked(key: str = "d", sure: float = 1.0) -> Scripted:
    """Answers right only where its answer begins with `key`, which it writes in 1 of 100; else it says >00.

    With `key` the answer's tokens have probability `sure`; without it .51.
    """

    def law(prompt: str, written: str) -> dict[str, float]:
        if not written:
            others = dict.fromkeys(OPENERS, 0.01)
            return {">": 1 - sum(others.values()), **others}
        knows = written[0] == key
        marker = written.find(">")
        if marker < 0:
            return {">": 1.0}
        said = written[marker + 1 :]
        text = (sum_of(prompt) if knows else "00") + END
        chance = sure if knows else 0.51
        return {text[len(said)]: chance, "x": 1 - chance} if len(said) < 2 else {END: 1.0}

    return Scripted(law)


def knowing(chance: float) -> Scripted:
    """Answers right with probability `chance` in any case, and with a digit pair drawn at random otherwise."""

    def law(prompt: str, written: str) -> dict[str, float]:
        if not written:
            return {">": 1.0}
        said = written[1:]
        if len(said) >= 2:
            return {END: 1.0}
        right = sum_of(prompt)
        if said and said[0] != right[0]:
            return {str(d): 0.1 for d in range(10)}
        here = chance if not said else 1.0
        rest = [str(d) for d in range(10) if str(d) != right[len(said)]]
        return {right[len(said)]: here, **dict.fromkeys(rest, (1 - here) / 9)}

    return Scripted(law)


def imitating() -> Scripted:
    """Answers right only where the prompt shows a right example in the asked form; shown wrong ones, it errs."""

    def law(prompt: str, written: str) -> dict[str, float]:
        examples = [line for line in prompt.split("\n")[:-1] if line]
        right = [line.rpartition(">")[2] == sum_of(line.split("=")[0] + "=") for line in examples]
        text = ">" + (sum_of(prompt) if right and all(right) else "00") + END
        return {text[len(written)]: 1.0} if text.startswith(written) else {END: 1.0}

    return Scripted(law)
