"""Logs of other tools: `read_log(path)` finds the format from the content, `pair` puts two side by side.

    >>> from tellapart.logs import pair, read_log
    >>> paired = pair(read_log("base.jsonl"), read_log("tuned.jsonl"))  # doctest: +SKIP

To add a format: one module with a READER, and its name in MODULES; from another package, an entry point of the group
`tellapart.readers`.
"""

from tellapart.extras import Registry, offered_by_others
from tellapart.logs import (
    alpaca_eval,
    arena,
    bbh_outputs,
    big_bench_mistake,
    counts,
    cruxeval,
    evalplus,
    evalscope,
    every_eval_ever,
    gsm8k_solutions,
    helm,
    human_eval,
    inspect_eval,
    judge_bench,
    lighteval,
    live_code_bench,
    lm_eval,
    math_eval,
    mt_bench,
    open_compass,
    open_instruct,
    promptfoo,
    reasoning_gym,
    run,
    swe_bench,
    tinker_cookbook,
    trl,
    verifiers,
    verl,
)
from tellapart.logs.find import content_hash, read_with
from tellapart.logs.pair import Paired, pair
from tellapart.logs.reader import Reader
from tellapart.logs.recorded import Recorded

MODULES = (
    lm_eval,
    inspect_eval,
    helm,
    trl,
    verl,
    open_instruct,
    reasoning_gym,
    math_eval,
    cruxeval,
    gsm8k_solutions,
    bbh_outputs,
    big_bench_mistake,
    every_eval_ever,
    verifiers,
    tinker_cookbook,
    lighteval,
    evalscope,
    open_compass,
    human_eval,
    evalplus,
    live_code_bench,
    alpaca_eval,
    arena,
    judge_bench,
    mt_bench,
    swe_bench,
    promptfoo,
    run,
    counts,
)
GROUP = "tellapart.readers"
READERS = Registry[Reader](
    lambda: (
        (reader.tool, reader)
        for reader in (*offered_by_others(GROUP, Reader), *(module.READER for module in MODULES))
    )
)
"""Readers by tool, in the order in which they are tried: first those of other packages, which are for one thing."""

__all__ = ["READERS", "Paired", "Reader", "Recorded", "content_of", "pair", "read_log"]


def read_log(path: str) -> Recorded:
    """Return the log at `path` (`path#choice` where one file holds several models, filters or conditions; a
    folder that holds one log is read as that log). Raises UserMistake, one line, where it cannot be read."""
    return read_with(tuple(READERS.values()), path)


def content_of(path: str) -> str:
    """Return a hash of what the files of the log at `path` hold: a log is the same where this is."""
    return content_hash(tuple(READERS.values()), path)
