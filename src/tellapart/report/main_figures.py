"""The figures of a finding that stand first wherever it is summed up: terminal, notebook, LaTeX, Markdown."""

from tellapart.findings.finding import Finding
from tellapart.stats.wording import Shown, shown

MAIN = (
    "shown_score", "latent_score", "hidden_gap", "reference_gap", "gap_difference", "labels_for_half",
    "base_score", "tuned_score", "full_score", "gain", "form_share", "base_score_by_family", "full_score_by_family",
    "families_worse", "guess_floor", "elicited_share",
    "surfacing_bits_50%", "surfacing_bits_90%", "bits_per_response", "bits_concentration_5%", "gained_items",
    "lost_items",
    "base_only_items", "tuned_only_items",
)  # fmt: skip


def main_figures(finding: Finding) -> list[Shown]:
    """Return the main figures in words, those of pass@k at the largest k."""
    largest = sorted(
        (name for name in finding.estimates if "_pass@" in name or name.startswith("pass@")),
        key=lambda name: float(name.partition("@")[2].partition("_")[0]),
    )[-3:]
    names = [name for name in (*MAIN, *largest) if name in finding.estimates]
    return [shown(name, finding.estimates[name]) for name in names]
