"""The help of every verb: in words that are to be typed, as wide as the terminal, ending in commands that are right."""

import io
import re
import shlex
import sys
import textwrap
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from docstring_parser import parse_from_object

from tellapart.cli import run
from tellapart.cli.help import page, value_word, with_default
from tellapart.cli.overview import first_words, summaries
from tellapart.cli.parsing import actions_of, parse, spec_of
from tellapart.serving.commands import ServeSpec
from tellapart.studies.analyse import AnalyseSpec
from tellapart.studies.options import RunOptions, Verb
from tellapart.studies.skills.texts import DISPATCH_TEMPLATE

SPECS: dict[str, type[Verb]] = {
    **{verb: spec_of(verb) for verb in summaries()},
    **{f"{verb} {name}": spec for verb in summaries() for name, spec in actions_of(verb).items()},
}
TYPES = re.compile(
    r"\{None|None\||None,|\b(?:STR|INT|FLOAT|None)\b|\(default: ?\)|default: (?:None|False|'')|\[\["
)


def flat(text: str) -> str:
    """Return a text without boxes and line breaks."""
    return " ".join(re.sub("[\u2500-\u257f]", " ", text).split())


def told(verb: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what the command prints."""
    with pytest.raises(SystemExit) as leaving:
        run([*verb.split(), "--help"])
    assert leaving.value.code == 0
    return capsys.readouterr().out


def test_there_are_all_the_verbs() -> None:
    assert len(SPECS) >= 25
    assert {"gain", "demo", "skills train", "specimens plant"} <= set(SPECS)


@pytest.mark.parametrize("verb", SPECS)
def test_no_help_shows_types_or_says_a_default_twice(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = flat(told(verb, capsys))
    assert not TYPES.search(text), TYPES.search(text)
    assert not re.search(r"default[^()]*\)[.;]? \(default:", text)


@pytest.mark.parametrize("verb", SPECS)
def test_texts_are_wrapped_by_the_terminal_and_not_as_the_source_breaks_them(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = SPECS[verb]
    paragraphs = [" ".join(one.split()) for one in (spec.__doc__ or "").split("\n\n")]
    for width in (50, 80):
        monkeypatch.setenv("COLUMNS", str(width))
        about = "\n\n".join(textwrap.fill(one, width, break_on_hyphens=False) for one in paragraphs)
        assert f"\n\n{about}\n\n" in told(verb, capsys)
    monkeypatch.setenv("COLUMNS", "5000")
    wide = told(verb, capsys)
    assert "\n\n\n" not in wide
    for kind in () if verb in ("skills", "specimens") else spec.__mro__[:-1]:
        for field in parse_from_object(kind).params:
            if field.arg_name not in ("EXAMPLES", "DTYPES"):
                assert " ".join((field.description or "").split()) in wide
    for action in actions_of(verb).values():
        assert first_words(action) in wide


@pytest.mark.parametrize("verb", SPECS)
def test_every_help_ends_in_examples_that_the_command_line_takes(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, shown = SPECS[verb], told(verb, capsys)
    assert 1 <= len(spec.EXAMPLES) <= 4
    assert shown.endswith("\n\nexamples:\n" + "".join(f"  {one}\n" for one in spec.EXAMPLES))
    for one in spec.EXAMPLES:
        name, *arguments = shlex.split(one, comments=True)
        assert (name, " ".join(arguments).startswith(verb)) == ("tellapart", True)
        read = parse(arguments)
        read = vars(read).get("action", read)
        if isinstance(read, RunOptions | AnalyseSpec | ServeSpec):
            read.checked()  # refuses options that do not go together


def test_help_is_whole_wherever_it_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    whole = told("gain", capsys)
    assert "BASE  " in whole
    assert told("gain a b --task t --samples x", capsys) == whole
    assert told("skills mix x --task t", capsys) == told("skills mix", capsys)


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (str, "TEXT"),
        (int | None, "N"),
        (float, "NUMBER"),
        (Path | None, "PATH"),
        (bool, None),
        (bytes, None),
        (Literal["a", "b"] | None, "{a,b}"),
        (Literal["a", None], "{a}"),
        (tuple[int, ...], "N ..."),
        (list[str] | None, "TEXT ..."),
        (tuple[str, int] | None, "TEXT N"),
        (Annotated[int, "mark"] | str, "N|TEXT"),
    ],
)
def test_a_value_is_called_by_what_is_typed(kind: Any, word: str | None) -> None:
    assert value_word(kind) == word


@pytest.mark.parametrize(
    ("text", "value", "said"),
    [
        ("Steps.", 0, "Steps. (default: 0)"),
        ("Steps.", None, "Steps."),
        ("Names.", (), "Names."),
        ("Loud.", False, "Loud."),
        ("Task.", "", "Task."),
        ("Port (default: a free one).", 0, "Port (default: a free one)."),
        ("Noises.", (0.01, 0.1), "Noises. (default: 0.01 0.1)"),
        ("Text.", DISPATCH_TEMPLATE, f"Text. (default: {DISPATCH_TEMPLATE!r})"),
    ],
)
def test_a_default_is_said_once_and_where_it_tells_something(text: str, value: Any, said: str) -> None:
    assert with_default(text, value) == said


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        encoding = "utf-8"  # type: ignore[assignment]

        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    plain = page(SPECS["runs"], "runs")
    monkeypatch.setattr(sys, "stdout", Terminal())
    coloured = page(SPECS["runs"], "runs")
    assert "\x1b[" not in plain
    assert "\x1b[" in coloured
    assert "\u256d" in coloured
