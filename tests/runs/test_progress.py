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
