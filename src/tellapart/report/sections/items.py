"""Items: those solved by one side only, and all of them, each down to its samples.

The rows stand in the page as JSON columns and are drawn a page at a time, so that 10,000 stay usable. Of more items
than MOST_LISTED it holds as many of each kind: solved by the tuned alone, by the base alone, and the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from markupsafe import Markup

from tellapart.findings.finding import Finding
from tellapart.findings.gain import ITEMS, SAMPLES, ItemLine, ItemSamples
from tellapart.findings.typed import to_json
from tellapart.report.sections.section import Section
from tellapart.report.template import filled, template
from tellapart.report.text import embedded_json

COLUMNS = (
    "item", "cluster", "base_n", "base_c", "tuned_n", "tuned_c", "base_p", "base_p_low", "base_p_high",
    "fragile", "only",
)  # fmt: skip
MOST_LISTED = 20_000
TEXT_LIMIT = 20_000
TOTAL_LIMIT = 3_000_000

_TEMPLATE = template("""
<div class="items" data-part="items" data-from="rows-{{ number }}" data-samples="samples-{{ number }}"
  data-only="{{ only }}" data-size="{{ size }}">
  <div class="bar-of-controls">
    <label class="search"><span class="hidden">Search items</span>
    <input type="search" placeholder="Search {{ total }}items" autocomplete="off" spellcheck="false"></label>
    <div class="choices" role="group" aria-label="Which items">
      {% for value, told in choices %}
      <button type="button" data-choice="{{ value }}" aria-pressed="false">{{ told }}</button>{% endfor %}
    </div>
  </div>
  <div class="scroll" role="region" aria-label="{{ title }}" tabindex="0"><table class="list">
  <caption class="hidden">{{ title }}</caption></table></div>
  <div class="pager"><button type="button" data-turn="-1">‹ Previous</button><span aria-live="polite"></span>
  <button type="button" data-turn="1">Next ›</button></div>
  <noscript><p>The list of items needs scripts; its figures are in findings.json, table "items".</p></noscript>
</div>
{% if data %}<script type="application/json" id="rows-{{ number }}">{{ data }}</script>
<script type="application/json" id="samples-{{ number }}">{{ samples }}</script>{% endif %}
""")

_ONE_SIDED = (("one", "Either"), ("tuned", "Only tuned"), ("base", "Only base"), ("fragile", "Fragile"))
_ALL = (("", "All"), ("tuned", "Only tuned"), ("base", "Only base"), ("fragile", "Fragile"))


def one_sided(finding: Finding, number: int) -> Section | None:
    """Return the items solved by one side only; it carries the data of both lists."""
    table = ITEMS.read(finding)
    if not table:
        return None
    sides = [row.only for row in table]
    fragile = sum(bool(row.only and row.fragile) for row in table)
    lead = (
        f"{sides.count('tuned')} only by the tuned, {sides.count('base')} only by the base; {fragile} of them fragile "
        "(few right answers: the other side may just have been unlucky). Open one to read its answers."
        f"{_left_out(len(table))}"
    )
    listed = _listed(table)
    data = _data(listed, SAMPLES.read(finding))
    body = _list(
        number, "Items solved only by one side", _ONE_SIDED, sum(row.only != "" for row in listed), data
    )
    return Section("one-sided", "Solved by one side only", lead, body)


def section(finding: Finding, number: int) -> Section | None:
    """Return the list of all items."""
    total = ITEMS.count(finding)
    if not total:
        return None
    body = _list(number, "All items", _ALL, total if total <= MOST_LISTED else None, None)
    lead = "Right answers of those asked, and the base's success rate with its interval."
    return Section("items", "All items", f"{lead}{_left_out(total)}", body)


def _listed(table: Sequence[ItemLine]) -> Sequence[ItemLine]:
    if len(table) <= MOST_LISTED:
        return table
    kinds = ([row for row in table if row.only == side] for side in ("tuned", "base", ""))
    return [row for rows in kinds for row in rows[: MOST_LISTED // 3]]


def _left_out(total: int) -> str:
    if total <= MOST_LISTED:
        return ""
    return (
        f" Of {total:,} items {MOST_LISTED // 3:,} of each kind at most are listed (only tuned, only base, others): "
        'findings.json, table "items", has all.'
    )


def _list(
    number: int, title: str, choices: Any, total: int | None, data: tuple[Markup, Markup] | None
) -> Markup:
    return filled(
        _TEMPLATE,
        {
            "number": number,
            "title": title,
            "choices": choices,
            "only": choices[0][0],
            "size": 10 if data else 25,
            "total": "" if total is None else f"{total:,} ",
            "data": data[0] if data else None,
            "samples": data[1] if data else None,
        },
    )


def _data(table: Sequence[ItemLine], samples: Mapping[str, ItemSamples]) -> tuple[Markup, Markup]:
    columns = {name: [_short(getattr(row, name)) for row in table] for name in COLUMNS}
    return embedded_json(to_json(columns)), embedded_json(to_json(_bounded(samples)))


def _short(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def _bounded(samples: Mapping[str, ItemSamples]) -> dict[str, ItemSamples]:
    """Return the samples of as many items as fit TOTAL_LIMIT characters, each text cut at TEXT_LIMIT."""
    kept, used = {}, 0
    for item, sample in samples.items():
        bounded = ItemSamples(
            _cut(sample.prompt),
            _cut(sample.target),
            tuple(replace(answer, text=_cut(answer.text)) for answer in sample.base),
            tuple(replace(answer, text=_cut(answer.text)) for answer in sample.tuned),
        )
        used += len(str(to_json(bounded)))
        if used > TOTAL_LIMIT:
            break
        kept[item] = bounded
    return kept


def _cut(text: str | tuple[str, ...]) -> str:
    words = text if isinstance(text, str) else ", ".join(text)
    if len(words) <= TEXT_LIMIT:
        return words
    note = f"[… cut here: {TEXT_LIMIT:,} of {len(words):,} characters shown, all are in rows.parquet]"
    return f"{words[:TEXT_LIMIT]}\n{note}"
