"""Lines to a terminal: nothing from outside steers it, and none is longer than a screen."""

import re
import sys

import pytest

from tellapart.cli import run
from tellapart.errors import LONGEST, UserMistake, one_line
from tellapart.runs import progress

HOSTILE = "\x1b[2J\x1b]8;;http://evil\x07link\x9b31m\u202egnp\x00\u2066\ud800\ufeff"
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def test_a_mistake_is_one_visible_bounded_line() -> None:
    told = str(UserMistake(f"no model {HOSTILE}\nchoose another"))
    assert not STEERS.search(told)
    assert told.startswith("no model ⟨U+001B⟩[2J")
    assert told.endswith("choose another")
    long = str(UserMistake("pattern " + "(" * 100_000 + " is none: write another"))
    assert len(long) < LONGEST + 10
    assert long.startswith("pattern ((")
    assert long.endswith("write another")


def test_the_command_line_shows_no_escapes_of_a_log(tmp_path, capsys) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(
        '{"item":"a","model":"\\u001b[2J\\u001b[31mPWNED\\u0007","n":4,"c":1}\n{"item":"a","model":"b","n":4,"c":1}\n'
    )
    assert run(["gain", "--logs", str(log), str(log), "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert "PWNED" in said
    assert said.count("\n") == 1
    assert not STEERS.search(said.replace("\n", ""))


def test_the_title_of_a_bar_is_no_markup(monkeypatch, capsys) -> None:
    """A path with [/old] in it ended the run: rich takes it for the end of a style."""
    monkeypatch.setattr(progress, "SILENT_SECONDS", -1.0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress.Console, "is_terminal", True)
    with progress.ticking("inside /data/[/old]/[red]model\x1b[2J", 2) as ticker:
        ticker.tick(2)
        ticker._bar.refresh()
    shown = capsys.readouterr().err
    assert "[/old]/[red]model" in shown
    assert "\x1b[2J" not in shown


def test_the_disk_is_full_is_one_line(monkeypatch, capsys, tmp_path) -> None:
    def full(*_):
        raise OSError(28, "No space left on device", str(tmp_path / "rows\x1b.jsonl"))

    monkeypatch.setattr("tellapart.cli.dispatch.dispatch", full)
    out = str(tmp_path / "run")
    assert run(["gain", "a", "b", "--task", "c", "--out", out]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "No space left on device" in said
    assert f"tellapart gain a b --task c --out {out}" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_stop_names_the_command_that_goes_on(monkeypatch, capsys, name) -> None:
    import os
    import signal

    number = getattr(signal, name)
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip(f"{name} is ignored here, as under nohup")
    monkeypatch.setattr("tellapart.cli.dispatch.dispatch", lambda verb: os.kill(os.getpid(), number))
    before = signal.getsignal(number)
    assert run(["form", "m", "--task", "it's"]) == 128 + number
    said = capsys.readouterr().err
    assert re.fullmatch(
        rf"tellapart: stopped by {name}; this goes on from here: "
        r"tellapart form m --task 'it'\"'\"'s' --out runs/form-\S+\n",
        said,
    ), said
    assert signal.getsignal(number) is before


def test_one_line_of_one_line_is_itself() -> None:
    line = one_line(HOSTILE * 500)
    assert one_line(line) == line
    assert sys.intern(line).isprintable()
