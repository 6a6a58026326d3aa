"""The charts of a report as SVG files of their own: for papers, slides and notebooks.

They are cut out of the report's sections, so there is one drawing of each. A file stands alone: the rules of the page's
style sheet that draw a chart are inside, with their colours put in (many tools that read SVG know no CSS variables).
"""

import importlib.resources
import re
from collections.abc import Sequence
from functools import cache
from html import unescape

from markupsafe import Markup

from tellapart.findings.finding import Finding
from tellapart.findings.reading import finding_from_json
from tellapart.findings.views import Picture
from tellapart.report.sections import SECTIONS
from tellapart.report.text import visible_object

WIDTH, LEFT, RIGHT, TOP, BELOW, LINE = 760, 56, 28, 62, 48, 18
"""Pixels: of the file, around the chart's area, and of a line of the legend."""
LETTER = 6.6
NAMES = {
    "recovered share of the gain against bits supplied": "recovered",
    "pass@k of base and tuned against k": "pass_at_k",
    "cover@tau of base and tuned against tau": "cover_at_tau",
    "recovered share of the gain against routed share of tokens": "routing",
    "share of bits in the top share of tokens": "concentration",
    "mean bits by token position": "positions",
}
"""Short names by a chart's title; another chart has that of its section."""
_CHART = re.compile(
    r'(?:<ul class="legend"[^>]*>(?P<legend>(?:(?!</ul>).)*)</ul>\s*)?<div class="plot-frame">'
    r'(?P<svg><svg class="plot" width="100%" height="(?P<height>[\d.]+)" role="group" aria-label="(?P<name>[^"]*)">'
    r"(?:(?!</div>).)*</svg>)</div>",
    re.DOTALL,
)
"""A chart in a section's body, and the legend right above it. Text in the body is escaped: it holds no markup."""
_KEY = re.compile(r'<li>\s*<i class="key ([^"]*)"></i>([^<]*)</li>')
_NUMBERED = re.compile(r'<g class="numbered"[^>]*aria-label="([^"\n]*)')
_RULES = re.compile(
    r"^(?:\.(?:plot|end|mid|grid|notch|band|line|dot|whisker|guide|free|numbered|hit|bar|track|zero|key)\b|line\.|rect\.)"
)
_VARIABLE = re.compile(r"var\((--[\w-]+)\)")


def pictures(findings: Sequence[Finding]) -> list[Picture]:
    """Return every chart of the report, in its order, under a name of its own."""
    result: list[Picture] = []
    for number, finding in enumerate(findings, 1):
        clean = finding_from_json(visible_object(finding.as_json()))
        for maker in SECTIONS:
            section = maker(clean, number)
            if section is None:
                continue
            for chart in _CHART.finditer(section.body):
                title = unescape(chart["name"])
                name = _fresh(NAMES.get(title, section.key), {picture.name for picture in result})
                result.append(Picture(name, title, str(_alone(chart, title))))
    return result


def _fresh(name: str, taken: set[str]) -> str:
    names = (name, *(f"{name}_{number}" for number in range(2, 2 + len(taken))))
    return next(name for name in names if name not in taken)


def _alone(chart: re.Match[str], title: str) -> Markup:
    keys = [(kind, unescape(text).strip()) for kind, text in _KEY.findall(chart["legend"] or "")]
    numbered = sorted((unescape(text).strip() for text in _NUMBERED.findall(chart["svg"])), key=_number)
    height = float(chart["height"])
    lines = _folded(numbered)
    top = TOP if keys else TOP - LINE
    below = top + height + BELOW
    whole = below + LINE * len(lines) + (LINE if lines else 0)
    words = Markup("").join(
        Markup('<text class="soft" x="{}" y="{}">{}</text>').format(12, below + LINE * (at + 1), line)
        for at, line in enumerate(lines)
    )
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" class="alone" width="{width}" height="{whole:.0f}" '
        'viewBox="0 0 {width} {whole:.0f}" role="img" aria-label="{title}"><title>{title}</title><style>{style}</style>'
        '<rect width="100%" height="100%" fill="{paper}"/>{legend}'
        '<svg x="{left}" y="{top}" width="{inner}" height="{height:.0f}" overflow="visible">{chart}</svg>'
        "{told}</svg>"
    ).format(
        width=WIDTH,
        whole=whole,
        title=title,
        style=Markup(_style()),
        paper=_colours()["--paper"],
        legend=_legend(keys),
        left=LEFT,
        top=top,
        inner=WIDTH - LEFT - RIGHT,
        height=height,
        chart=Markup(chart["svg"]),
        told=words,
    )


def _number(text: str) -> float:
    first = text.split()[0] if text.split() else ""
    return float(first) if first.isdigit() else 0.0


def _folded(numbered: Sequence[str]) -> list[str]:
    """Return the names of numbered dots as lines that fit."""
    lines: list[str] = []
    for text in numbered:
        if lines and LETTER * (len(lines[-1]) + len(text) + 3) < WIDTH - 24:
            lines[-1] += f" · {text}"
        else:
            lines.append(text)
    return lines


def _legend(keys: Sequence[tuple[str, str]]) -> Markup:
    parts, x = [], 12.0
    for kind, text in keys:
        own = kind.replace("line", "").strip() or "base"
        sign = (
            Markup('<line class="line {}" x1="{}" x2="{}" y1="16" y2="16" stroke-width="2"/>').format(
                own, x, x + 20
            )
            if "line" in kind.split()
            else Markup('<circle class="dot {}" cx="{}" cy="16" r="5"/>').format(own, x + 10)
        )
        parts.append(sign + Markup('<text class="soft" x="{}" y="20">{}</text>').format(x + 26, text))
        x += 42 + LETTER * len(text)
    return Markup("").join(parts)


@cache
def _sheet() -> str:
    return (importlib.resources.files("tellapart.report") / "static" / "report.css").read_text(
        encoding="utf-8"
    )


@cache
def _colours() -> dict[str, str]:
    """Return the variables of the light page."""
    root = _sheet().partition(":root {")[2].partition("\n}")[0]
    return {name: value.strip() for name, value in re.findall(r"(--[\w-]+):\s*([^;]+);", root)}


@cache
def _style() -> str:
    """Return the rules that draw charts, variables put in; those for hover, narrow screens and paper stay out."""
    page = _sheet().partition("@media (max-width")[0]
    rules = [
        rule
        for line in page.splitlines()
        for rule in re.findall(r"[^{}]+\{[^{}]*\}", line)
        if _RULES.match(rule.strip()) and ":hover" not in rule
    ]
    colours = _colours()
    text = " ".join(_VARIABLE.sub(lambda match: colours[match[1]], rule.strip()) for rule in rules)
    own = f".alone {{ font: 12px {colours['--sans']}; }} .soft {{ fill: {colours['--soft']}; }}"
    return f"{text} {own}".replace("<", "").replace("&", "")
