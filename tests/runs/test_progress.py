"""Progress says where in the whole it is."""

import pytest

from tellapart.runs import progress
from tellapart.runs.progress import stage, ticking


def test_the_stage_is_part_of_every_title_inside(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", -1.0)
    with stage("method 3 of 12"), ticking("base/prefill", 4) as ticker:
        ticker.tick()
    with ticking("base/plain", 4) as ticker:
        ticker.tick()
    first, second = capsys.readouterr().err.splitlines()
    assert first == "base/prefill (method 3 of 12): 1/4"
    assert second == "base/plain: 1/4"


def test_answers_of_a_number_that_nobody_knows_are_counted(monkeypatch, capsys) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", -1.0)
    progress.count_answer()
    assert not capsys.readouterr().err
    with progress.counting("model/prefill: choosing its setting"):
        for _ in range(3):
            progress.count_answer()
    assert capsys.readouterr().err.splitlines()[-1] == "model/prefill: choosing its setting: 3 answers"
    with progress.counting("quiet", quiet=True):
        progress.count_answer()
    progress.count_answer()
    assert not capsys.readouterr().err
