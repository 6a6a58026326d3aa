"""The command line: one verb a study. Specs are the frozen dataclasses of the studies; help is made from them.

What needs no spec (the overview, the version, a verb that does not exist) is answered before anything is imported that
costs time.
"""

import errno
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace

from tellapart import remote
from tellapart.cli.overview import check_verb, overview, summaries
from tellapart.cli.run_file import expanded, is_run_file
from tellapart.errors import InvalidInput, ServerGone, UserMistake, of_system, one_line
from tellapart.extras import naming_extras
from tellapart.runs.stopping import Stopped, stoppable
from tellapart.version import __version__

OK, FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 130
LONGEST_LINE = 4000
"""Characters of the line that ends a command; it holds the command, so more than a mistake's own."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 the user's mistake (one line), 3 a verdict of --fail-on."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; what ends it early is said in one line on stderr."""
    again = "the same command with the same --out goes on from here"
    try:
        if is_run_file(arguments):
            arguments = expanded(arguments)
        answer = _light_answer(arguments)
        if answer is not None:
            print(answer)
            return OK
        from tellapart.cli.parsing import DemoSpec, SkillsVerb
        from tellapart.cli.trailing import parsed

        verb = parsed(arguments)
        from tellapart.cli.dispatch import dispatch  # after help was answered, which needs none of these
        from tellapart.runs.folder import run_path
        from tellapart.studies import study_of
        from tellapart.studies.options import RunOptions

        if isinstance(verb, SkillsVerb):
            verb = verb.action
        if isinstance(verb, RunOptions) and verb.out is None:  # named before it begins: a stop can tell it
            verb = replace(verb, out=str(run_path(None, study_of(verb).name)))
            arguments = [*arguments, "--out", str(verb.out)]
        if isinstance(verb, RunOptions | DemoSpec):
            again = f"this goes on from here: {shlex.join(('tellapart', *arguments))}"
        with naming_extras(arguments[0]), stoppable():
            return dispatch(verb)
    except UserMistake as mistake:
        return _end(str(mistake), MISTAKE)
    except Stopped as stopped:
        return _end(f"stopped by {stopped.signal.name}; {again}", 128 + stopped.signal)
    except KeyboardInterrupt:
        return _end(f"stopped; {again}", INTERRUPTED)
    except ServerGone as gone:
        return _end(f"{gone}: {again}", FAILED)
    except BrokenPipeError:
        return FAILED
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return _end(f"{of_system(error)}: give a shorter one", MISTAKE)
        return _end(f"{of_system(error)}; what is done is kept: {again}", FAILED)


def _light_answer(arguments: Sequence[str]) -> str | None:
    """Return what is answered without a spec, None where one is needed. Raises InvalidInput where there is no verb."""
    if not arguments:
        raise InvalidInput(f"missing subcommand: one of {', '.join(summaries())}; see tellapart --help")
    first = arguments[0]
    if first in ("-h", "--help"):
        return overview()
    if list(arguments) == ["--version"]:
        return f"tellapart {__version__}"
    if first.startswith("-"):
        raise InvalidInput(f"unknown option {first!r}: a verb comes first, one of {', '.join(summaries())}")
    check_verb(first)
    return None


def _end(message: str, code: int) -> int:
    print(f"tellapart: {one_line(remote.named(message), LONGEST_LINE)}", file=sys.stderr, flush=True)
    return code
