"""Positionals behind an option of several values: `tellapart gain --elicitors few_shot prefill BASE TUNED`.

The parser gives such an option all that follows it. What the verb needs and lacks is taken from the end of its lists.
"""

from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import Any

from tellapart.cli.options import options_of
from tellapart.cli.parsing import COMMANDS, parse, spec_of
from tellapart.studies import STUDIES

LOGS_INSTEAD = ("--logs", "--pairs", "--before", "--after")
"""Options that stand in for a verb's positionals."""


def parsed(arguments: Sequence[str]) -> Any:
    """Return the spec of a command line as parsing.parse does, positionals wherever they stand."""
    verb, *words = arguments
    if verb not in ("skills", "specimens") and (verb in STUDIES or verb in COMMANDS):
        words = positionals_first(words, spec_of(verb))
    return parse([verb, *words])


def positionals_first(words: Sequence[str], spec: type) -> list[str]:
    """Return the words of a verb with what a list option took of its positionals before all options: what the verb
    needs and lacks is taken from the end of its lists, of which each keeps a word.

    >>> positionals_first(["--elicitors", "few_shot", "prefill", "base", "tuned"], spec_of("gain"))
    ['base', 'tuned', '--elicitors', 'few_shot', 'prefill']
    """
    words = list(words)
    if "--" in words or any(word.partition("=")[0] in LOGS_INSTEAD for word in words):
        return words
    options = {f"--{name.replace('_', '-')}": option for name, option in options_of(spec).items()}
    needed = [
        field
        for field in fields(spec)
        if options[f"--{field.name.replace('_', '-')}"].positional
        and field.default in (MISSING, None, "", ())
    ]
    lists: list[list[int]] = []
    own: list[int] = []
    values = 0.0  # how many more words the option before takes
    for place, word in enumerate(words):
        if word.startswith("--"):
            name, equals, _ = word.replace("_", "-").partition("=")
            option = options.get(name)
            is_list = option is not None and option.several and not option.repeated and not equals
            values = float("inf") if is_list else 0 if equals or (option is not None and option.flag) else 1
            if is_list:
                lists.append([])
        elif values > 1:
            lists[-1].append(place)
        elif values:
            values = 0
        else:
            own.append(place)
    given: list[int] = []
    for several in reversed(lists):
        count = min(len(needed) - len(own) - len(given), len(several) - 1)
        given += several[len(several) - count :] if count > 0 else []
    first = sorted([*own, *given]) if given else []
    return [words[at] for at in first] + [word for at, word in enumerate(words) if at not in first]
