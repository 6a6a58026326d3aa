"""Instructions: does the model follow what the instruction says, or only its form and the space of answers?

Kung & Peng 2023 (arXiv 2305.11383): original, the output space only, delusive examples, empty. They train on such
instructions; here a model that is trained already is asked with them. Webson & Pavlick 2022
(arXiv 2109.01247): irrelevant and misleading ones; a model that scores as well under a misleading one does not read it.
"""

import abc
from typing import ClassVar, final

from tellapart.controls.audit import AuditLine, Ruler
from tellapart.controls.control import Control, Given, Made
from tellapart.controls.exemplars import drawing, turned
from tellapart.controls.instruction import (
    bare_examples,
    instructed,
    instruction_of,
    labels_of,
    no_instruction,
)
from tellapart.controls.role import Role

KUNG = "Kung & Peng 2023, arXiv 2305.11383 (who train on them; here they are asked)"
WEBSON = "Webson & Pavlick 2022, arXiv 2109.01247; 2301.07085"
MIN = "Min et al. 2022, arXiv 2202.12837; limits: Yoo et al. 2022, 2205.12685"
IRRELEVANT = (
    "The museum opens at nine on weekdays, and visitors may leave their coats at the desk near the entrance.",
    "The bread has to rest for an hour before it is baked, and the oven should be hot by then.",
    "Trains to the coast leave twice a day in winter, and the journey takes a little under three hours.",
)


class _Instruction(Control):
    """An arm of the family."""

    family: ClassVar[str] = "instructions"
    source: ClassVar[str] = KUNG

    def make(self, given: Given) -> Made:
        """Return the task under the arm's instruction."""
        return instructed(given, self.text(given))

    @abc.abstractmethod
    def text(self, given: Given) -> str:
        """Return the instruction."""

    def obstacle(self, given: Given) -> str | None:
        """Return why not: no instruction, or no label space."""
        return no_instruction(given)


@final
class OriginalInstruction(_Instruction):
    """The instruction as it is."""

    name: ClassVar[str] = "original"
    role: ClassVar[Role] = "full"
    kept: ClassVar[str] = "the instruction"
    removed: ClassVar[str] = "nothing"

    def text(self, given: Given) -> str:
        """Return the task's own instruction."""
        original = instruction_of(given.task)
        return original.text if original else ""


@final
class EmptyInstruction(_Instruction):
    """No instruction."""

    name: ClassVar[str] = "empty"
    role: ClassVar[Role] = "base"
    kept: ClassVar[str] = "the question"
    removed: ClassVar[str] = "the instruction"

    def text(self, given: Given) -> str:
        """Return nothing."""
        return ""


@final
class OutputSpace(_Instruction):
    """Only which answers there are."""

    name: ClassVar[str] = "output_space"
    role: ClassVar[Role] = "form"
    decides: ClassVar[bool] = True
    kept: ClassVar[str] = "the space of answers"
    removed: ClassVar[str] = "what is asked for"

    def text(self, given: Given) -> str:
        """Return the labels."""
        return f"Answer with one of: {', '.join(labels_of(given.task))}."

    def audit(self, full: Made, made: Made, tolerance: float) -> tuple[AuditLine, ...]:
        """Return whether every label is named: lengths differ by design."""
        return ()


@final
class FramedInstruction(_Instruction):
    """The same instruction, framed: the second valid form."""

    name: ClassVar[str] = "framed"
    role: ClassVar[Role] = "second form"
    kept: ClassVar[str] = "every word of the instruction"
    removed: ClassVar[str] = "only its bare form"
    ruler: ClassVar[Ruler] = Ruler(exact=("operators",), within=())

    def text(self, given: Given) -> str:
        """Return the instruction after the word Task."""
        original = instruction_of(given.task)
        return f"Task: {original.text if original else ''}"


@final
class IrrelevantInstruction(_Instruction):
    """Sentences about something else, about as long."""

    name: ClassVar[str] = "irrelevant"
    role: ClassVar[Role] = "form"
    kept: ClassVar[str] = "that sentences stand before the question, their length in words"
    removed: ClassVar[str] = "that they have to do with it"
    source: ClassVar[str] = WEBSON
    ruler: ClassVar[Ruler] = Ruler(exact=("words",), within=())

    def text(self, given: Given) -> str:
        """Return as many words of other sentences as the instruction has."""
        original = instruction_of(given.task)
        count = len(original.text.split()) if original else 0
        rng = drawing(given, self.name)
        words = " ".join(rng.sample(IRRELEVANT, len(IRRELEVANT))).split()
        return " ".join((words * (count // len(words) + 1))[:count]).rstrip(".,") + "."


@final
class MisleadingInstruction(_Instruction):
    """An instruction for another task over the same answers: whoever follows it is at chance."""

    name: ClassVar[str] = "misleading"
    role: ClassVar[Role] = "destroyed"
    kept: ClassVar[str] = "the space of answers, the form of an instruction"
    removed: ClassVar[str] = "the task: another one is asked for"
    source: ClassVar[str] = WEBSON

    def text(self, given: Given) -> str:
        """Return an instruction whose answer has nothing to do with the question's."""
        labels = labels_of(given.task)
        return (
            f"Count the letters of the text below. If their number is even, answer {labels[0]}; "
            f"if it is odd, answer {labels[1]}. Ignore what the text means."
        )

    def audit(self, full: Made, made: Made, tolerance: float) -> tuple[AuditLine, ...]:
        """Return nothing: another task has another length."""
        return ()


class _Demonstrated(Control):
    """The instruction with directly answered demonstrations."""

    family: ClassVar[str] = "instructions"
    role: ClassVar[Role] = "probe"
    source: ClassVar[str] = MIN

    def make(self, given: Given) -> Made:
        """Return the task with its instruction and demonstrations."""
        original = instruction_of(given.task)
        return instructed(
            given, original.text if original else "", self.labelled(given, bare_examples(given))
        )

    @abc.abstractmethod
    def labelled(self, given: Given, examples: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return the demonstrations with this arm's labels."""

    def obstacle(self, given: Given) -> str | None:
        """Return why not; also where there are fewer than two demonstrations, or all have one answer."""
        if reason := no_instruction(given):
            return reason
        answers = {answer for _, answer in bare_examples(given)}
        return (
            None
            if len(answers) > 1
            else f"the task has {len(answers)} different demonstrated answers: 2 are needed"
        )


@final
class GoldDemonstrations(_Demonstrated):
    """Demonstrations with right labels."""

    name: ClassVar[str] = "demonstrations_gold"
    kept: ClassVar[str] = "instruction; questions with right answers"
    removed: ClassVar[str] = "nothing"

    def labelled(self, given: Given, examples: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return them as they are."""
        return examples


@final
class RandomDemonstrations(_Demonstrated):
    """Demonstrations with labels drawn from the label space."""

    name: ClassVar[str] = "demonstrations_random"
    kept: ClassVar[str] = "instruction; questions; the space of answers"
    removed: ClassVar[str] = "that the shown answers are right"

    def labelled(self, given: Given, examples: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return them with labels drawn by the seed."""
        rng, labels = drawing(given, self.name), labels_of(given.task)
        return [(prompt, f" {rng.choice(labels)}") for prompt, _ in examples]


@final
class DelusiveDemonstrations(_Demonstrated):
    """Demonstrations with the labels of other questions: wrong wherever that can be."""

    name: ClassVar[str] = "demonstrations_delusive"
    kept: ClassVar[str] = "instruction; questions; the same answers as often"
    removed: ClassVar[str] = "that the shown answers are right: wrong ones are shown"
    source: ClassVar[str] = KUNG

    def labelled(self, given: Given, examples: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return them with rotated answers."""
        answers = [answer for _, answer in examples]
        turn = turned(len(answers), answers, drawing(given, self.name))
        return [(prompt, answers[at - turn]) for at, (prompt, _) in enumerate(examples)]


@final
class UnlabelledDemonstrations(_Demonstrated):
    """The questions of the demonstrations without answers."""

    name: ClassVar[str] = "demonstrations_unlabelled"
    kept: ClassVar[str] = "instruction; questions"
    removed: ClassVar[str] = "the shown answers"

    def labelled(self, given: Given, examples: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return them without answers."""
        return [(prompt, "") for prompt, _ in examples]
