"""The sections of a finding's page, in reading order. Each shows one table or group of estimates, or is absent.

To add one: a file here with `section(finding, number)`, and its place in SECTIONS. `number` is the finding's place on
the page, for ids that must not clash.
"""

from tellapart.report.sections import (
    coverage,
    divergence,
    elicitors,
    estimates,
    form,
    form_audit,
    form_curves,
    form_levels,
    form_pairs,
    guard,
    guard_after,
    improve,
    improve_rounds,
    inside,
    inside_concepts,
    inside_votes,
    items,
    ladder,
    other,
    plan,
    routing,
    scale,
    scale_forecast,
    skills,
    trust,
)
from tellapart.report.sections.section import Section, SectionMaker

SECTIONS: tuple[SectionMaker, ...] = (
    ladder.section,
    form.section,
    form.matrix,
    form_pairs.section,
    form_curves.section,
    form_levels.section,
    form_audit.section,
    inside_votes.section,
    inside_concepts.entanglement,
    inside_concepts.contexts,
    inside.section,
    guard_after.section,
    guard.signals,
    guard.problems,
    improve_rounds.section,
    improve_rounds.fan,
    improve_rounds.hacked,
    improve.section,
    scale.mapped,
    scale.section,
    scale_forecast.section,
    skills.matrix,
    skills.spectrum,
    skills.dispatch,
    elicitors.section,
    plan.section,
    coverage.section,
    routing.section,
    divergence.section,
    items.one_sided,
    items.section,
    other.section,
    estimates.section,
    trust.section,
)

__all__ = ["SECTIONS", "Section", "SectionMaker"]
