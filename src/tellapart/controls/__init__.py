"""Controls: the form kept and the substance taken away, or the reverse. One file each, one dict.

To add one: its file with a Control, and its place in OURS (docs/adding-a-study.md); from another package, an
entry point of the group `tellapart.controls` for each arm.
"""

from typing import Literal, NamedTuple

from tellapart.controls.choices_only import (
    ChoicesOnly,
    NothingOfTheItem,
    OtherOrder,
    OtherQuestion,
    WholeQuestion,
)
from tellapart.controls.control import Control, Given, Made
from tellapart.controls.direct_answers import DirectAnswers, WrongAnswers
from tellapart.controls.early_answers import (
    AnswerAtHalf,
    AnswerAtOnce,
    AnswerAtQuarter,
    AnswerAtThreeQuarters,
    ForcedAnswer,
)
from tellapart.controls.filler_steps import FillerSteps
from tellapart.controls.inserted_mistake import InsertedMistake
from tellapart.controls.instructions import (
    DelusiveDemonstrations,
    EmptyInstruction,
    FramedInstruction,
    GoldDemonstrations,
    IrrelevantInstruction,
    MisleadingInstruction,
    OriginalInstruction,
    OutputSpace,
    RandomDemonstrations,
    UnlabelledDemonstrations,
)
from tellapart.controls.invalid_steps import InvalidSteps
from tellapart.controls.other_steps import IrrelevantSteps
from tellapart.controls.own_chain import OwnChain
from tellapart.controls.paraphrased_steps import ParaphrasedSteps
from tellapart.controls.premise_order import (
    HalfReversedPremises,
    MixedPremises,
    NearPremises,
    ReversedPremises,
)
from tellapart.controls.question_alone import OneSentenceALine, OtherPremises, QuestionAlone, WholeText
from tellapart.controls.scrambled_steps import ScrambledSteps
from tellapart.controls.shuffled_steps import IncoherentSteps
from tellapart.controls.trained_instructions import ARMS as TRAINED_INSTRUCTIONS
from tellapart.controls.twins import IrrelevantClause, OtherNames, OtherNumbers
from tellapart.controls.valid_steps import ReorderedExemplars, ValidSteps
from tellapart.extras import Registry, offered_by_others

OURS: tuple[type[Control], ...] = (
    DirectAnswers,
    ValidSteps,
    InvalidSteps,
    IrrelevantSteps,
    IncoherentSteps,
    ReorderedExemplars,
    WrongAnswers,
    ScrambledSteps,
    AnswerAtOnce,
    AnswerAtQuarter,
    AnswerAtHalf,
    AnswerAtThreeQuarters,
    OwnChain,
    InsertedMistake,
    ForcedAnswer,
    ParaphrasedSteps,
    FillerSteps,
    EmptyInstruction,
    OriginalInstruction,
    OutputSpace,
    IrrelevantInstruction,
    FramedInstruction,
    MisleadingInstruction,
    GoldDemonstrations,
    RandomDemonstrations,
    DelusiveDemonstrations,
    UnlabelledDemonstrations,
    NothingOfTheItem,
    WholeQuestion,
    ChoicesOnly,
    OtherOrder,
    OtherQuestion,
    QuestionAlone,
    WholeText,
    IrrelevantClause,
    OtherNames,
    OtherNumbers,
    ReversedPremises,
    NearPremises,
    MixedPremises,
    HalfReversedPremises,
    OneSentenceALine,
    OtherPremises,
    *TRAINED_INSTRUCTIONS,
)

GROUP = "tellapart.controls"
CONTROLS = Registry[Control](
    lambda: (
        (f"{control.family}/{control.name}", control)
        for control in (*(kind() for kind in OURS), *offered_by_others(GROUP, Control))
    )
)
"""Every arm, of our families or of another package's own."""


class Family(NamedTuple):
    """A family's question, and what it means where full equals base: nothing can be told, or form. `default`: whether
    it runs where no family is asked for."""

    question: str
    no_effect: Literal["cannot tell", "form"] = "cannot tell"
    default: bool = True


_FAMILIES: dict[str, Family] = {
    "rationale": Family("Do the exemplars' steps help by being right, or by looking like steps?"),
    "chain": Family("Does the model use its own steps, or only write them?", "form"),
    "instructions": Family(
        "Does the model follow the instruction, or only its form and the space of answers?"
    ),
    "choices": Family("Does the model need the question, or do the options give the answer away?"),
    "knowledge": Family("Does the score survive other wording of the same problem?"),
    "trained_instructions": Family(
        "Does training on instructions use what they say, or only their space of answers?", default=False
    ),
}
FAMILIES = Registry[Family](
    lambda: {
        **{
            control.family: Family(control.question or f"Does the score hang on what {control.family} keeps?")
            for control in CONTROLS.values()
            if control.family not in _FAMILIES
        },
        **_FAMILIES,
    }.items()
)

__all__ = ["CONTROLS", "FAMILIES", "Control", "Family", "Given", "Made", "controls_of"]


def controls_of(family: str) -> list[Control]:
    """Return the arms of a family in the order shown."""
    return [control for control in CONTROLS.values() if control.family == family]
