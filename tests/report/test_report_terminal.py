"""The terminal summary: says what was found, at any width, and treats text as text."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from synthetic import SPEC, acquired, cannot_tell, elicited, hostile, logs_only

from tellapart.report.terminal import print_summary


def printed(finding, width=100, encoding="utf-8", terminal=False):
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    console = Console(file=file, width=width, force_terminal=terminal)
    print_summary([finding], SPEC, console, Path("runs/gain-1/report.html"))
    file.flush()
    return raw.getvalue().decode(encoding)


def test_the_summary_holds_verdict_figures_twins_counts_and_the_place_of_the_report():
    text = printed(elicited())
    for told in (
        "ELICITED",
        "93 % probable",
        "[+42.8, +49.5]",
        "Few-shot, 8 worked examples",
        "null control",
        "truncated",
    ):
        assert told in text
    assert text.index("ELICITED") < text.index("Caveat:") < text.index("runs/gain-1/report.html")


@pytest.mark.parametrize("case", [elicited, acquired, cannot_tell, logs_only])
@pytest.mark.parametrize("width", [44, 80, 140])
def test_no_line_is_wider_than_the_terminal(case, width):
    assert max(len(line) for line in printed(case(), width).splitlines()) <= width


def test_a_missing_figure_is_told_with_its_reason():
    text = printed(cannot_tell())
    assert "no probability" in text
    assert "only 16 samples of the tuned" in text


def test_there_are_no_escape_codes_where_there_is_no_terminal():
    assert "\x1b" not in printed(elicited())
    assert "\x1b" in printed(elicited(), terminal=True)


def test_text_from_outside_is_not_markup_and_not_control_codes():
    text = printed(hostile(), width=200, terminal=True)
    assert "[bold red]not markup[/]" in text
    assert "\x1b[31m and a bell" not in text
    assert "\x07" not in text
    assert "\x1b]8;" not in text


def test_an_ascii_terminal_gets_ascii():
    text = printed(elicited(), encoding="ascii")
    assert "-6.0 %" in text
    assert "example/base -> example/rl-step-400" in text


def test_many_conditions_are_summed():
    finding = elicited()
    plain = finding.tables["counts"][0]
    finding.tables["counts"].extend(plain | {"condition": f"base/way{i}", "asked": 10} for i in range(20))
    text = printed(finding)
    assert "base/way3" not in text
    assert "20 further conditions" in text
    assert " 200 " in text
