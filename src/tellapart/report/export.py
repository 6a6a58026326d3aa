"""What a run found as files for papers, tables and other tools: `tellapart export RUN --format latex`.

    export_run(Path("runs/gain-..."), "latex")      # runs/gain-...-latex/findings.tex

Text of a run is hostile: each format escapes it in its own way, and every file is written whole or not at all.
"""

import csv
import io
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tellapart import remote
from tellapart.errors import InvalidInput, NotApplicable, closest, one_line, visible
from tellapart.extras import require
from tellapart.findings.finding import Finding
from tellapart.findings.gain import ELICITORS
from tellapart.findings.reading import finding_from_json, in_form, read_findings
from tellapart.jsonvalue import Json
from tellapart.report import log_export
from tellapart.report.document import read_spec
from tellapart.report.log_export import Exported, export_logs, reading_back
from tellapart.report.main_figures import main_figures
from tellapart.report.pictures import pictures
from tellapart.report.sections.verdict import probability
from tellapart.report.subjects import portable, subjects
from tellapart.report.text import visible_object
from tellapart.report.ways import ways
from tellapart.runs.files import telling, write_atomically
from tellapart.stats.wording import between, bits, count, percent
from tellapart.studies.outcome import Run
from tellapart.version import __version__

PLAIN = ("jsonl", "parquet")
"""Answers in a form that keeps all that a verdict reads."""
FORMULA = ("=", "+", "-", "@", "\t")
"""What a cell of a table begins with that a spreadsheet would reckon."""

HALO = re.compile(r"paint-order: stroke;[^}]*")
"""Of a name in a chart: cairo paints it over the letters."""


class Table(NamedTuple):
    """A table in words: its caption, heads, and rows; the first column is text, the others are figures."""

    caption: str
    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]


ALSO = {"every_eval_ever": "eee"}
"""Other names of formats."""


def export_run(
    run_folder: Path, form: str, out: Path | None = None, conditions: Sequence[str] = ()
) -> Exported:
    """Write a finished run in one of FORMATS, or its answers in one of log_export's; `out` is a folder (default:
    RUN-FORMAT beside the run), or of latex, markdown and csv the file itself. Raises UserMistake where the run is not
    finished or has nothing of that kind."""
    form = ALSO.get(form, form)
    formats = (*FORMATS, *log_export.FORMATS)
    if form not in formats:
        raise InvalidInput(f"--format {form!r}{closest(form, formats)}: give one of {', '.join(formats)}")
    place = Path(f"{run_folder}-{form}") if out is None else out
    if form in log_export.FORMATS:
        return export_logs(run_folder, form, place, conditions)
    if conditions:
        raise InvalidInput(
            f"--condition {conditions[0]}: goes with the answers, --format {', '.join(log_export.FORMATS)}"
        )
    with in_form(f"{run_folder / 'findings.json'} or spec.json is"):
        return Exported(tuple(FORMATS[form](run_folder, place)))


def print_export(run: str, form: str, out: str | None, conditions: Sequence[str]) -> None:
    """Write a run as `form` and print where its files lie, one a line; notes, and of answers as JSONL the command that
    judges them anew, go to stderr."""
    folder = remote.folder(run)
    if out is None and remote.is_remote(run):  # beside the run is not of this machine
        out = f"{folder.name}-{form}"
    done = export_run(folder, form, Path(out) if out else None, conditions)
    for path in done.paths:
        print(visible(str(path)))
    for note in done.notes:
        print(f"tellapart: {one_line(note)}", file=sys.stderr)
    if form in PLAIN and (words := reading_back(folder, done)):
        print(f"judged anew from these logs: {shlex.join(words)}", file=sys.stderr)


def _csv(run_folder: Path, out: Path) -> list[Path]:
    frame = Run(run_folder, tuple(_findings(run_folder))).to_pandas()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(frame.columns)
    for row in frame.itertuples(index=False):
        writer.writerow([_cell(value) for value in row])
    return [_write(out, "findings.csv", text.getvalue())]


def _cell(value: Json) -> Json:
    """Return a value as a cell: a missing figure is empty, a text that a spreadsheet would reckon is quoted."""
    if isinstance(value, float):
        return "" if value != value else repr(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def tables_of(finding: Finding, about: str) -> list[Table]:
    """Return the main figures and, where methods were tried, what each brought back and its null control."""
    sure = probability(finding.probability)
    caption = f"{about}{finding.verdict}{f' ({sure} probable)' if sure else ''}. {finding.sentence}"
    figures = [
        (main_figure.label, main_figure.value, main_figure.interval, count(main_figure.n))
        for main_figure in main_figures(finding)
        if not main_figure.missing
    ]
    tables = [Table(caption, ("", "value", "95 % interval", "n"), figures)] if figures else []
    brought = [
        (
            f"{way.title} {point.setting}".strip() if len(way.points) > 1 else way.title,
            bits(point.bits),
            f"{percent(point.share[0])} {between(*point.share[1:])}".strip(),
            f"{percent(point.null[0])} {between(*point.null[1:])}".strip(),
        )
        for way in ways(ELICITORS.read(finding))
        for point in way.points
        if point.share[0] == point.share[0]
    ]
    if brought:
        words = f"{about}Share of the gain that each method elicits from the base, beside its null control."
        tables.append(Table(words, ("method", "bits", "recovered", "null control"), brought))
    return tables


def _latex(run_folder: Path, out: Path) -> list[Path]:
    parts = [f"% tellapart {__version__}, {_comment(run_folder.name)}; needs \\usepackage{{booktabs}}"]
    for number, (finding, about) in enumerate(_read_captioned(run_folder), 1):
        for table in tables_of(finding, about):
            parts.append(
                _tabular(table, f"tab:tellapart-{number}-{'methods' if table.heads[0] else 'figures'}")
            )
    return [_write(out, "findings.tex", "\n\n".join(parts) + "\n")]


def _tabular(table: Table, label: str) -> str:
    lines = [" & ".join(latex(cell) for cell in row) + r" \\" for row in (table.heads, *table.rows)]
    return "\n".join(
        (
            r"\begin{table}",
            r"\centering\small\setlength{\tabcolsep}{3.5pt}",  # five columns fit a page of article
            rf"\caption{{{latex(table.caption)}}}",
            rf"\label{{{label}}}",
            rf"\begin{{tabular}}{{@{{}}l{'r' * (len(table.heads) - 1)}@{{}}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        )
    )


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "−": "$-$", "–": "--", "→": r"$\rightarrow$", "τ": r"$\tau$",
    "…": r"\ldots{}", "·": r"\textperiodcentered{}", "⟨": r"$\langle$", "⟩": r"$\rangle$", "≥": r"$\geq$",
    "≤": r"$\leq$", "×": r"$\times$",
}  # fmt: skip


def latex(text: str) -> str:
    r"""Return text that LaTeX prints as it is.

    >>> latex("50 % of a_b & c")
    '50 \\% of a\\_b \\& c'
    """
    line = " ".join(text.split())
    written = "".join(_LATEX.get(char, char) for char in line)
    return (
        f"{{{written[0]}}}{written[1:]}" if written[:1] in ("[", "*") else written
    )  # after \\ they mean something


def _comment(text: str) -> str:
    return one_line(text, 200).encode("ascii", "replace").decode()


def _markdown(run_folder: Path, out: Path) -> list[Path]:
    parts = []
    for finding, about in _read_captioned(run_folder):
        sure = probability(finding.probability)
        parts.append(f"## {markdown(finding.verdict)}{f', {sure} probable' if sure else ''}")
        parts.append(" ".join(markdown(part) for part in (about.strip(), finding.question) if part))
        parts.append(markdown(finding.sentence))
        for table in tables_of(finding, ""):
            ruler = "|".join((" --- ", *[" ---: "] * (len(table.heads) - 1)))
            lines = [
                f"| {' | '.join(markdown(cell) for cell in row)} |" for row in (table.heads, *table.rows)
            ]
            parts.append("\n".join((lines[0], f"|{ruler}|", *lines[1:])))
        if finding.caveats:
            parts.append("\n".join(f"- {markdown(caveat)}" for caveat in finding.caveats))
    return [_write(out, "findings.md", "\n\n".join(parts) + "\n")]


def markdown(text: str) -> str:
    r"""Return text that Markdown shows as it is: no markup, no HTML, no end of a table's cell.

    >>> markdown("a|b <i>*c*")
    'a\\|b &lt;i&gt;\\*c\\*'
    """
    line = " ".join(text.split())
    escaped = re.sub(r"([\\`*_\[\]|~])", r"\\\1", line)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _svg(run_folder: Path, out: Path) -> list[Path]:
    drawn = pictures(_findings(run_folder))
    if not drawn:
        raise NotApplicable(f"{run_folder}: its report has no chart")
    return [_write(out, f"{picture.name}.svg", picture.svg) for picture in drawn]


def _pdf(run_folder: Path, out: Path) -> list[Path]:
    require("cairosvg", "export --format pdf")
    try:
        from cairosvg import svg2pdf
    except OSError:
        raise NotApplicable(
            "PDF charts need the cairo library of the system; or write --format svg"
        ) from None
    drawn = pictures(_findings(run_folder))
    if not drawn:
        raise NotApplicable(f"{run_folder}: its report has no chart")
    pages = [
        (picture.name, svg2pdf(HALO.sub("", picture.svg).encode(), unsafe=False) or b"") for picture in drawn
    ]
    return [_write(out, f"{name}.pdf", bytes(page)) for name, page in pages]


def _findings(run_folder: Path) -> list[Finding]:
    """Return the findings with every text visible."""
    return [finding_from_json(visible_object(finding.as_json())) for finding in read_findings(run_folder)]


def _read_captioned(run_folder: Path) -> list[tuple[Finding, str]]:
    """Return the findings, each with what its run was about."""
    about = subjects(visible_object(read_spec(run_folder)))
    names = " → ".join(portable(name) for key, name in about if key != "task")
    return [(finding, f"{names}: " if names else "") for finding in _findings(run_folder)]


def _write(out: Path, name: str, text: str | bytes) -> Path:
    """Write a file and return its path; `out` is its folder, or the file itself where it has its suffix."""
    path = out if out.suffix == Path(name).suffix and not out.is_dir() else out / name
    with telling(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    return path


FORMATS: dict[str, Callable[[Path, Path], list[Path]]] = {
    "latex": _latex,
    "markdown": _markdown,
    "csv": _csv,
    "svg": _svg,
    "pdf": _pdf,
}
"""What a run's findings are written as; its answers: log_export.FORMATS."""
