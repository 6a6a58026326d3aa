"""A task for each family of controls, and own answers of a model where a control starts from those."""

from collections.abc import Mapping
from dataclasses import replace

from tellapart.controls import Control, Given
from tellapart.controls.own_chain import OwnChain
from tellapart.specimens import load_task
from tellapart.specimens.families import FAMILIES, Problem, read_program, solution_of
from tellapart.tasks.item import Item, Task
from tellapart.tasks.scorers import make_scorer


def rationale() -> Task:
    """The register specimen: symbols, a step checker."""
    return load_task("latent-register-0")


def instructions() -> Task:
    """Yes or no after an instruction, with demonstrations."""
    items = tuple(
        Item(
            str(at),
            {"input": f"Is {at} even, as the teacher of class {at % 5} says?"},
            ("yes" if at % 2 == 0 else "no",),
        )
        for at in range(20)
    )
    ahead = "Say whether the number that is named is even, and do not believe the teacher.\n\n"
    shown = tuple(
        (f"{ahead}Q: Is {at} even?\nA:", " yes" if at % 2 == 0 else " no") for at in (101, 102, 103)
    )
    template = ahead + "Q: {input}\nA:"
    return Task("even", items, template, make_scorer("answer_is"), 0.5, demonstrations=shown)


def choices() -> Task:
    """Lettered options in a field, as BIG-Bench Hard writes them."""
    words = ("red", "green", "blue", "black", "white", "grey", "pink", "brown", "cyan", "plum")
    items = []
    for at in range(len(words)):
        options = tuple(words[(at + turn) % len(words)] for turn in (3, 0, 6))
        listed = "\n".join(f"({letter}) {option}" for letter, option in zip("ABC", options, strict=True))
        text = f"Which word is number {at}?\nOptions:\n{listed}"
        items.append(Item(str(at), {"input": text}, ("(B)",), options))
    return Task("words", tuple(items), "Pick one.\n\nQ: {input}\nA:", make_scorer("answer_is"), 1 / 3)


def knowledge() -> Task:
    """Sums in three sentences, each with a name, and how its answer follows from its numbers."""
    names, items = ("Ann", "Ben", "Clara", "David"), []
    for at in range(12):
        a, b, c = 11 + 3 * at, 21 + at, 2 + at % 5
        name = names[at % 4]
        symbolic = f"{name} owns {{a}} red marbles. A box on the shelf holds {{b}} more marbles. "
        symbolic += f"{name} gives {{c}} away. How many marbles does {name} have with the box?"
        items.append(
            Item(
                str(at),
                {"question": symbolic.format(a=a, b=b, c=c), "symbolic": symbolic, "formula": "a + b - c"},
                (str(a + b - c),),
            )
        )
    return Task("marbles", tuple(items), "Question: {question}\nAnswer:", make_scorer("last_number"))


WORLDS = {
    "rationale": rationale,
    "chain": rationale,
    "instructions": instructions,
    "choices": choices,
    "knowledge": knowledge,
    "trained_instructions": instructions,
}


def own_answers(task: Task) -> Mapping[str, str]:
    """Right answers in steps to every item of the register specimen."""
    family = FAMILIES["register"]
    return {
        item.id: solution_of(
            family, Problem(item.fields["start"], read_program(family, item.fields["program"]))
        )
        for item in task.items
    }


def given_for(control: Control, seed: int = 0) -> Given:
    """Return what the control works on in its family's world."""
    task = WORLDS[control.family]()
    given = Given(replace(task, items=task.items[:24]), seed)
    if not control.needs_chains:
        return given
    own = own_answers(given.task)
    said = {item: text.partition(">")[0].replace(";", " , ") for item, text in own.items()}
    return given._replace(task=OwnChain().make(given).task, chains=own, paraphrases=said)
