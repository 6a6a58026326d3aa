"""What is known of a metric by its name: whether it jumps where an output becomes right, and which way is better.

Only names on the lists below are known, after BIG-bench, lm-evaluation-harness and the metrics that are derived here;
a part of a name tells nothing ("bleu_acc" counts answers, "probe_accuracy" is no probability). A log's own
`higher_is_better` and a table's `kind` are heard before the lists.
"""

from typing import Literal, NamedTuple

import numpy as np

from tellapart.errors import UserMistake
from tellapart.stats.arrays import Floats

Kind = Literal["discontinuous", "continuous", "not known"]
Better = Literal["higher", "lower", "not known"]

EXACT_MATCH = frozenset(
    {"exact_match", "exact", "em", "exact_str_match", "quasi_exact_match", "string_match", "str_match"}
)
TOKEN_ACCURACY = frozenset({"token_accuracy", "token_acc"})
TOKEN_LOGPROB = frozenset({
    "token_logprob", "token_log_prob", "logprob_per_token", "log_prob_per_token", "per_token_logprob",
    "per_token_log_prob",
})  # fmt: skip
PERPLEXITIES = frozenset({"ppl", "perplexity", "word_perplexity", "byte_perplexity", "token_perplexity"})

_DISCONTINUOUS_HIGHER = EXACT_MATCH | {
    "acc", "acc_norm", "acc_bytes", "acc_all", "acc_mutual_info", "acc_norm_bytes", "accuracy", "accuracy_norm",
    "multiple_choice_grade", "correct", "solved", "mc1", "mcc", "inference_accuracy", "math_verify", "numerical_match",
    "prompt_level_strict_acc", "prompt_level_loose_acc", "inst_level_strict_acc", "inst_level_loose_acc",
    "non_greedy_accuracy", "bleu_acc", "rouge1_acc", "rouge2_acc", "rougel_acc", "pass_at_1", "pass_1",
    *(f"pass@{k}" for k in range(1, 1025)),
}  # fmt: skip
_CONTINUOUS_HIGHER = TOKEN_ACCURACY | TOKEN_LOGPROB | {
    "gold_logprob", "gold_probability", "logprob", "log_prob", "log_likelihood", "loglikelihood", "likelihood",
    "probability", "mc2", "bleu", "rouge1", "rouge2", "rougel", "rougelsum", "chrf", "chrf++", "meteor", "bleurt",
    "bertscore", "bert_score",
}  # fmt: skip
_CONTINUOUS_LOWER = PERPLEXITIES | {
    "loss", "nll", "cross_entropy", "bits_per_byte", "bits_per_character", "bits_per_token", "brier", "brier_score",
    "multiple_choice_brier_score", "token_edit_distance", "edit_distance", "ter", "crps", "mse", "mae",
}  # fmt: skip
_HIGHER = frozenset({"f1", "macro_f1", "micro_f1", "score", "reward"})
"""Their direction is known and their kind is not: f1 is of words in one task and of classes in the next."""

_TRUTHS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


class Metric(NamedTuple):
    """`kind` and `better` as far as they are known; `logarithmic` says that it is a perplexity, `filter` what a log
    did with the outputs before it counted them ("" where it says nothing)."""

    kind: Kind
    better: Better
    logarithmic: bool
    filter: str


def base_name(name: str) -> str:
    """Return a metric's name as the lists have it, without the filter that lm-eval puts behind a comma."""
    return name.partition(",")[0].strip().lower()


def metric_of(name: str, given_kind: str, higher: str = "") -> Metric:
    """Return what is known of a metric; `told` is its kind as the file has it, "" where it has none, `higher` its
    higher_is_better (true or false, "" where it has none).

    >>> metric_of("acc_norm", "").kind, metric_of("token_accuracy", "").kind, metric_of("my_probe_accuracy", "").kind
    ('discontinuous', 'continuous', 'not known')
    >>> metric_of("exact_match,strict-match", "").filter, metric_of("ppl", "").better
    ('strict-match', 'lower')
    """
    if given_kind not in ("discontinuous", "continuous", ""):
        raise UserMistake(
            f"kind {given_kind!r} of metric {name!r}: give discontinuous or continuous, or leave it empty"
        )
    if higher and higher.lower() not in _TRUTHS:
        raise UserMistake(
            f"higher_is_better {higher!r} of metric {name!r}: give true or false, or leave it empty"
        )
    base = base_name(name)
    listed: Kind = "not known"
    if base in _DISCONTINUOUS_HIGHER:
        listed = "discontinuous"
    elif base in _CONTINUOUS_HIGHER or base in _CONTINUOUS_LOWER:
        listed = "continuous"
    kind: Kind = (
        listed if given_kind == "" else "continuous" if given_kind == "continuous" else "discontinuous"
    )
    return Metric(kind, _better(base, higher), base in PERPLEXITIES, name.partition(",")[2].strip())


def _better(base: str, higher: str) -> Better:
    if higher:
        return "higher" if _TRUTHS[higher.lower()] else "lower"
    if base in _CONTINUOUS_LOWER:
        return "lower"
    return "higher" if base in _DISCONTINUOUS_HIGHER | _CONTINUOUS_HIGHER | _HIGHER else "not known"


def natural(values: Floats, errors: Floats, logarithmic: bool) -> tuple[Floats, Floats]:
    """Return values and standard errors in the metric's natural form: the logarithm of a perplexity (nats), anything
    else as it is. A perplexity that is not above 0 becomes NaN."""
    if not logarithmic:
        return values, errors
    positive = np.where(values > 0, values, np.nan)
    return np.log(positive), errors / positive
