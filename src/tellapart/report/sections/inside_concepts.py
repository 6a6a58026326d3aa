"""Concepts inside a language model: the entanglement matrix, and over contexts their directions and what these move."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from tellapart.findings.finding import Finding
from tellapart.findings.inside import CONCEPTS, ConceptLine
from tellapart.report.sections.inside import spectrum_chart
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template

LEVELS = (0.15, 0.4, 0.65, 0.9)
"""From these values on a cell is tinted more deeply."""
_GRIDS = template("""
{% for grid in grids %}
<h3>{{ grid.title }}</h3>
{% if grid.hint %}<p class="hint">{{ grid.hint }}</p>{% endif %}
<div class="scroll" tabindex="0" role="region" aria-label="{{ grid.title }}"><table>
<thead><tr><th scope="col">{{ grid.corner }}</th>{% for name in grid.columns %}<th scope="col" class="number">{{ name }}
</th>{% endfor %}</tr></thead>
<tbody>{% for row in grid.rows %}<tr><th scope="row">{{ row.name }}</th>
{% for cell in row.cells %}<td class="number {{ cell.tint }}">{{ cell.text }}</td>{% endfor %}</tr>{% endfor %}</tbody>
</table></div>
{% endfor %}
{% for chart in charts %}<h3>{{ chart.title }}</h3><figure class="chart">{{ chart.drawing }}</figure>{% endfor %}
""")


def entanglement(finding: Finding, number: int) -> Section | None:
    """Return the cross-effect matrix beside that of random directions, where two concepts or more were steered."""
    table = CONCEPTS.read(finding)
    if table is None or len(table.shown) < 2:
        return None
    names = table.shown
    grids = [
        _grid("Steered along its direction", "Steered \\ read", names, table.matrix, True),
        _grid("Steered along random directions as long", "Steered \\ read", names, table.null_matrix, True),
    ]
    lead = (
        "How far steering one concept moves the answers of each, in shares of that concept's own gap. Off the diagonal "
        "is what steering does besides."
    )
    return Section("entanglement", "Entanglement", lead, filled(_GRIDS, {"grids": grids, "charts": []}))


def contexts(finding: Finding, number: int) -> Section | None:
    """Return each concept's directions over contexts: cosines, what they move elsewhere, and the spectrum."""
    table = CONCEPTS.read(finding)
    if table is None:
        return None
    grids, charts = [], []
    for concept in table.concepts:
        name, names = concept.concept, concept.contexts
        if names:
            grids.append(
                _grid(
                    f"{name}: cosines of its directions",
                    "Context",
                    names,
                    concept.cosines,
                    False,
                    _hint(concept),
                )
            )
        if names and concept.transfer:
            grids.append(_grid(f"{name}: steered by another context's direction", "Fitted \\ applied", names,
                               concept.transfer, True, "In shares of the gap."))  # fmt: skip
        drawn = spectrum_chart(concept.spectrum)
        if drawn:
            charts.append({"title": f"{name}: spectrum of the differences of its pairs", "drawing": drawn})
    lead = (
        f"After layer {table.layer} of 0 to {table.layers - 1}, at the prompt's last token. One direction "
        "for all contexts has cosines near 1; one for each has cosines near 0."
    )
    return Section(
        "contexts", "One direction or several", lead, filled(_GRIDS, {"grids": grids, "charts": charts})
    )


def _hint(line: ConceptLine) -> str:
    named = [("equal directions", line.effective), ("two halves of one context", line.reliability),
            ("shuffled sides, either sign,", line.chance)]  # fmt: skip
    finite = [f"{name} {value:.2f}" for name, value in named if not math.isnan(value)]
    return f"As spread as that many {'; cosine of '.join(finite)}." if finite else ""


class Cell(NamedTuple):
    """A number in words, and the class of its tint."""

    text: str
    tint: str


class GridRow(NamedTuple):
    """A row of a grid."""

    name: str
    cells: tuple[Cell, ...]


class Grid(NamedTuple):
    """A square table of numbers by names."""

    title: str
    corner: str
    columns: tuple[str, ...]
    rows: tuple[GridRow, ...]
    hint: str


def _grid(
    title: str,
    corner: str,
    names: tuple[str, ...],
    values: Sequence[Sequence[float]],
    warm: bool,
    hint: str = "",
) -> Grid:
    rows = tuple(
        GridRow(name, tuple(_cell(value, warm and row != column) for column, value in enumerate(line)))
        for row, (name, line) in enumerate(zip(names, values, strict=True))
    )
    return Grid(title, corner, names, rows, hint)


def _cell(value: float, warm: bool) -> Cell:
    if math.isnan(value):
        return Cell("–", "")
    level = sum(abs(value) >= bound for bound in LEVELS)
    tint = f"{'t' if warm else 'b'}{level}" if level else ""
    return Cell(f"{value:.2f}".replace("-", "−"), tint)
