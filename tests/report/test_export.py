"""A run as files and in a notebook: the figures of findings.json, escaped for LaTeX, Markdown, CSV, SVG and HTML."""

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from synthetic import HOSTILE, acquired, elicited, hostile, logs_only, write_run

import tellapart
from tellapart.cli import run
from tellapart.errors import UserMistake
from tellapart.findings.finding import Finding
from tellapart.report.export import export_run, latex, markdown

CASES = {"elicited": elicited, "acquired": acquired, "logs_only": logs_only, "hostile": hostile}


@pytest.fixture(params=sorted(CASES))
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", CASES[request.param]())


def test_csv_holds_every_estimate(made: Path) -> None:
    (path,) = export_run(made, "csv").paths
    read, known = pd.read_csv(path), tellapart.open_run(made).to_pandas()
    assert read["estimate"].tolist() == known["estimate"].tolist()
    for name in ("value", "low", "high"):
        pd.testing.assert_series_equal(read[name], known[name], check_dtype=False)


def test_latex_is_a_booktabs_table_whose_text_is_no_command(made: Path) -> None:
    (path,) = export_run(made, "latex").paths
    text = path.read_text()
    for begun in ("table", "tabular"):
        assert text.count(rf"\begin{{{begun}}}") == text.count(rf"\end{{{begun}}}") > 0
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    known = {
        "begin", "end", "centering", "small", "setlength", "tabcolsep", "caption", "label", "toprule", "midrule",
        "bottomrule", "rightarrow", "textless",
        "textgreater", "textbar", "textquotedbl", "textbackslash", "textasciitilde", "textasciicircum", "tau", "ldots",
        "textperiodcentered", "langle", "rangle", "usepackage", "geq", "leq", "times",
    }  # fmt: skip
    assert set(re.findall(r"\\([a-zA-Z]+)", text)) <= known
    for line in text.splitlines():
        if line.endswith(r" \\"):
            assert len(re.findall(r"(?<!\\)&", line)) == 3, line
        assert "%" not in re.sub(r"\\%", "", line.partition("; needs")[0].lstrip("% ")), line


def test_the_figures_of_latex_are_the_findings(tmp_path: Path) -> None:
    finding = elicited()
    (path,) = export_run(write_run(tmp_path / "run", finding), "latex").paths
    base = 100 * finding.estimates["base_score"].value
    assert re.search(rf"^Base & {base:.1f} \\% & ", path.read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    "text", [*HOSTILE, r"\input{/etc/passwd}", "a & b \\\\ \\hline", "[x] first", "^^41 $x$ #1"]
)
def test_hostile_text_is_text(text: str) -> None:
    assert "\n" not in latex(text)
    assert "\\input" not in latex(text)
    assert not latex(text).startswith(("[", "*"))
    shown = markdown(text)
    assert "<" not in shown
    assert not re.search(r"(?<!\\)\|", shown)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (
            "a_b & 50% of #1 {x} $y$ ~ ^",
            r"a\_b \& 50\% of \#1 \{x\} \$y\$ \textasciitilde{} \textasciicircum{}",
        ),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("−3 → <4>|", r"$-$3 $\rightarrow$ \textless{}4\textgreater{}\textbar{}"),
        ("[1, 2]\nand more", "{[}1, 2] and more"),
    ],
)
def test_what_latex_would_read_is_written_out(text: str, written: str) -> None:
    assert latex(text) == written


def test_markdown_is_a_table_without_html(made: Path) -> None:
    (path,) = export_run(made, "markdown").paths
    text = path.read_text()
    assert "<" not in text
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")}
    assert widths == {5}
    assert not re.search(r":[A-Z]", text.split("|")[0])  # a space between models and question


def test_charts_stand_alone(made: Path) -> None:
    paths = export_run(made, "svg").paths
    assert {"recovered", "pass_at_k"} & {path.stem for path in paths}
    for path in paths:
        text = path.read_text()
        root = ElementTree.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(" not in text
        kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert kinds <= {"svg", "g", "rect", "line", "path", "circle", "text", "title", "style"}
        assert not any(name.startswith("on") for element in root.iter() for name in element.attrib)


def test_charts_are_pages_of_pdf_too(made: Path) -> None:
    try:
        import cairosvg  # noqa: F401
    except (ImportError, OSError) as error:  # the package, or the library of the system
        pytest.skip(f"no cairo: {error}")
    drawn, written = export_run(made, "svg").paths, export_run(made, "pdf").paths
    assert [path.stem for path in written] == [path.stem for path in drawn]
    assert all(path.read_bytes().startswith(b"%PDF-") for path in written)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
def test_latex_compiles_within_the_margins(made: Path, tmp_path: Path) -> None:
    (path,) = export_run(made, "latex").paths
    page = (
        rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}\input{{{path}}}\end{{document}}"
    )
    (tmp_path / "page.tex").write_text(page)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0, said[-2000:]
    overfull = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", said)]
    assert max(overfull, default=0) < (100 if "script" in path.read_text() else 1)  # names of any length


def test_a_chart_is_the_reports_own(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", elicited())
    page = (folder / "report.html").read_text() if (folder / "report.html").exists() else ""
    from tellapart.report.html import write_report

    page = write_report(folder).read_text()
    svg = tellapart.open_run(folder).plot("pass_at_k").svg
    inner = re.search(r'<svg class="plot".*?</svg></svg>|<svg class="plot".*</svg>', svg, re.DOTALL)
    assert inner is not None
    path = re.search(r'<path class="line tuned"[^>]*>', svg)
    assert path is not None
    assert path[0] in page


class Seen(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_a_notebook_shows_the_run_and_runs_nothing_of_it(made: Path) -> None:
    shown = tellapart.open_run(made)
    page = shown._repr_html_()
    seen = Seen()
    seen.feed(page)
    assert {tag for tag, _ in seen.tags} <= {
        "div", "p", "b", "table", "thead", "tbody", "tr", "th", "td", "img", "details", "summary", "ul", "li", "code",
    }  # fmt: skip
    for _, attributes in seen.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert str(attributes.get("src", "data:image/svg+xml;base64,")).startswith(
            "data:image/svg+xml;base64,"
        )
    assert shown.findings[0].verdict in page


def lm_eval_folder(folder: Path, right: int) -> str:
    """Write what `lm_eval --log_samples` leaves: results beside the samples of one task."""
    folder.mkdir()
    samples = [
        {
            "doc_id": at, "doc": {"question": f"What is {at} + 1?"}, "target": str(at + 1),
            "arguments": [[f"What is {at} + 1?", {}]], "resps": [[str(at + 1 if at % 10 < right else 0)]],
            "filtered_resps": [str(at + 1 if at % 10 < right else 0)], "exact_match": float(at % 10 < right),
        }
        for at in range(60)
    ]  # fmt: skip
    time = "2026-03-01T10-00-00.000000"
    lines = "".join(json.dumps(one) + "\n" for one in samples)
    (folder / f"samples_sums_{time}.jsonl").write_text(lines)
    results = {"results": {"sums": {"exact_match,none": right / 10}}, "config": {}, "model_name": folder.name}
    (folder / f"results_{time}.json").write_text(json.dumps(results))
    return str(folder)


def test_two_commands_from_lm_eval_folders_to_html_and_latex(tmp_path: Path) -> None:
    logs = [lm_eval_folder(tmp_path / name, right) for name, right in (("base", 2), ("tuned", 8))]
    assert run(["gain", "--logs", *logs, "--out", str(tmp_path / "run")]) == 0
    assert run(["export", str(tmp_path / "run"), "--format", "latex"]) == 0
    page = (tmp_path / "run" / "report.html").read_text()
    assert "+60.0 points" in page
    assert re.search(r"60 paired items\W+60 answers of base\W+60 answers of tuned", page)
    table = (tmp_path / "run-latex" / "findings.tex").read_text()
    assert re.search(r"^Base & 20\.0 \\% & ", table, re.MULTILINE)
    assert re.search(r"^Gain & \+60\.0 points & ", table, re.MULTILINE)


def test_no_path_of_this_machine_stands_in_a_table(tmp_path: Path) -> None:
    spec = {
        "version": 1,
        "spec": {"study": "gain", "base": "/home/someone/models/base", "tuned": "org/tuned"},
    }
    folder = write_run(tmp_path / "run", elicited(), spec=spec)
    for form in ("latex", "markdown"):
        text = export_run(folder, form).paths[0].read_text()
        assert "models/base" in text
        assert "someone" not in text


def test_charts_by_name(tmp_path: Path) -> None:
    shown = tellapart.open_run(write_run(tmp_path / "run", elicited()))
    assert shown.plot().name == "recovered"
    assert shown.plot("routing").title.startswith("recovered share of the gain against routed")
    assert "<img" in shown.plot("routing")._repr_html_()
    with pytest.raises(UserMistake, match="there are recovered, pass_at_k"):
        shown.plot("nothing")


def test_the_command_writes_where_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(tmp_path / "run", elicited())
    assert run(["export", str(folder), "--format", "latex"]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "run-latex" / "findings.tex")
    assert (
        run(["export", str(folder), "--format", "markdown", "--out", str(tmp_path / "t" / "table.md")]) == 0
    )
    assert (tmp_path / "t" / "table.md").read_text().startswith("## elicited")
    assert tellapart.open_run(folder).export("csv", tmp_path / "t") == (tmp_path / "t" / "findings.csv",)
    assert not list(tmp_path.rglob("*.tmp"))


def test_mistakes_are_one_line_and_write_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(tmp_path / "run", elicited())
    out = tmp_path / "out"
    for command, told in (
        ((str(folder), "--format", "latexx"), "did you mean 'latex'?"),
        ((str(folder), "--format", "csv", "--condition", "base/plain"), "goes with the answers"),
        ((str(tmp_path / "none"), "--format", "csv"), "findings.json is not there"),
        ((str(tmp_path / "none"), "--format", "svg"), "findings.json is not there"),
    ):
        assert run(["export", *command, "--out", str(out)]) == 2
        said = capsys.readouterr().err
        assert told in said
        assert said.count("\n") == 1
        assert not out.exists()
    out.write_text("mine")
    assert run(["export", str(folder), "--format", "svg", "--out", str(out)]) == 2
    assert "choose another --out" in capsys.readouterr().err
    assert out.read_text() == "mine"


def test_a_run_without_charts_says_so(tmp_path: Path) -> None:
    bare = Finding("q", "cannot tell", float("nan"), "Nothing.", {})
    with pytest.raises(UserMistake, match="has no chart"):
        export_run(write_run(tmp_path / "run", bare), "svg")
