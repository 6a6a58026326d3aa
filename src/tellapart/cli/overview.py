"""The verbs and what each is for: all that `tellapart --help` says. It imports nothing but what other packages add.

The verbs' own help is made from their specs (parsing.py); a test holds these lines to the first words of those.
"""

import shutil
import textwrap

from tellapart.errors import InvalidInput, closest
from tellapart.extras import STUDY_GROUP, is_offered

DESCRIPTION = "Tells what a model has learned from what it merely shows."

STUDY_SUMMARIES = {
    "gain": "Was the gain from BASE to TUNED already in the base (elicited), or is it new (acquired)?",
    "hidden": "Does MODEL hold back more than it shows?",
    "form": "Is MODEL's score on T form or substance? The task is put with its form kept and its substance taken away.",
    "scale": "Is the jump of a score over scale in the model, or in the ruler?",
    "inside": "Is the inside of a model organised or fractured, where the scores of two models cannot tell?",
    "expressible": "Can a shape hold the program that solves TASK, and does training find it there?",
    "guard": "Will reinforcement learning on this data harm, is it harming, has it harmed?",
    "improve": "Can MODEL improve itself on a task: does it know its better answers, and how far do rounds of training "
    "raise it?",
    "skills": "Singular-value experts, one a skill: trained once, mixed at inference, served.",
}
OTHER_SUMMARIES = {
    "analyse": "Analyse the rows of RUN anew: findings.json and report.html are written again, nothing is asked.",
    "read": "What is this log: its tool, model, task, items, metric and keys; of two logs also how they pair.",
    "runs": "List the runs in a folder, newest first: study, verdicts, what they were about, whether they are "
    "finished.",
    "compare": "Put runs side by side: verdicts, and every estimate that more than one of them has. Of two scored logs "
    "(lm-eval, Inspect, HELM ...): the difference, paired item by item, with its interval.",
    "export": "Write a run as tables and charts for a paper, or its answers as logs that other tools open, one a "
    "condition; or give its estimates and curves to an experiment tracker (--to).",
    "view": "Open the report of a run in a browser, every number down to its rows (on this machine only).",
    "specimens": "Small models of known truth, and how often the verdicts on them are right.",
}
DEMO_SUMMARY = "Run the main job on bundled specimens, offline, and say where the reports are."


def summaries() -> dict[str, str]:
    """Return what each verb is for, in the order of the help; studies of other packages among them."""
    return {"demo": DEMO_SUMMARY, **STUDY_SUMMARIES, **_summaries_of_others(), **OTHER_SUMMARIES}


def columns() -> int:
    """Return how wide help is: as the terminal, and at most 100 columns."""
    return max(40, min(100, shutil.get_terminal_size().columns))


def overview() -> str:
    """Return the help of the whole command."""
    verbs = summaries()
    widest = max(map(len, verbs))
    lines = [f"usage: tellapart [-h] [--version] {{{','.join(verbs)}}} ...", "", DESCRIPTION, ""]
    for verb, summary in verbs.items():
        start = f"  {verb:{widest}}  "
        lines += textwrap.wrap(summary, columns(), initial_indent=start, subsequent_indent=" " * len(start))
    return "\n".join([*lines, "", "tellapart VERB --help tells what a verb takes."])


def check_verb(verb: str) -> None:
    """Raise InvalidInput, with the nearest verb and all there are, where `verb` is none."""
    if verb in STUDY_SUMMARIES or verb in OTHER_SUMMARIES or verb == "demo":
        return
    verbs = summaries()
    if verb not in verbs:
        raise InvalidInput(f"no verb {verb!r}{closest(verb, verbs)}: there are {', '.join(verbs)}")


def _summaries_of_others() -> dict[str, str]:
    if not is_offered(STUDY_GROUP):
        return {}
    from tellapart.studies import STUDIES

    return {name: first_words(study.spec) for name, study in STUDIES.items() if name not in STUDY_SUMMARIES}


def first_words(spec: type) -> str:
    """Return the first paragraph of a spec's docstring as one line."""
    return " ".join((spec.__doc__ or "").strip().partition("\n\n")[0].split())
