"""The dict of elicitors, and what outsiders may add to it."""

from importlib.metadata import EntryPoint

import pytest

from tellapart.elicit import ELICITORS, GROUP, OURS, by_name
from tellapart.elicit.elicitor import Elicitor
from tellapart.elicit.few_shot import FewShot
from tellapart.errors import UserMistake
from tellapart.extras import offered


def test_the_dict_holds_ours_by_name():
    assert list(ELICITORS)[: len(OURS)] == [elicitor.name for elicitor in OURS]


@pytest.mark.parametrize("value", ["tellapart.elicit.few_shot:FewShot", "plugin:made"])
def test_an_outsider_offers_a_class_or_a_value(value, monkeypatch, tmp_path):
    (tmp_path / "plugin.py").write_text("from tellapart.elicit.few_shot import FewShot\nmade = FewShot()\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert isinstance(offered(EntryPoint("mine", value, GROUP), Elicitor), FewShot)


def test_an_outsider_that_is_no_elicitor_is_refused():
    with pytest.raises(UserMistake, match="not tellapart"):
        offered(EntryPoint("mine", "math:pi", GROUP), Elicitor)


def test_two_of_one_name_are_refused():
    with pytest.raises(UserMistake, match="taken"):
        by_name((FewShot(), FewShot()))
