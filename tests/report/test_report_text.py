"""Text of a report: nothing hides, nothing breaks out, no figure is written as what it is not."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import HOSTILE

from tellapart.report.text import embedded_json, visible, visible_deep
from tellapart.stats.estimate import Estimate, missing
from tellapart.stats.wording import bits, count, percent, points, shown

NAN = math.nan


def test_control_bidi_and_surrogate_characters_become_code_points():
    assert visible("a\x00b\u202ec\ud800\u2028") == "a⟨U+0000⟩b⟨U+202E⟩c⟨U+D800⟩⟨U+2028⟩"


def test_ordinary_text_stays():
    text = "Ünïcode 数学 עברית 👩‍🔬 tabs\tand\nlines"
    assert visible(text) == text


@given(st.text())
def test_visible_text_can_be_encoded_and_is_stable(text):
    shown_text = visible(text)
    shown_text.encode("utf-8")
    assert visible(shown_text) == shown_text
    assert len(shown_text) >= len(text)


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_embedded_json_says_the_same_and_cannot_leave_its_script(value):
    clean = visible_deep(value)
    text = str(embedded_json(clean))
    assert json.loads(text) == clean
    assert text.isascii()
    assert not set("<>&") & set(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_cannot_leave_its_script(text):
    assert "<" not in embedded_json([visible(text)])


def test_nan_becomes_null_never_zero():
    assert visible_deep({"a": [NAN, math.inf, 0.0]}) == {"a": [None, None, 0.0]}
    for write in (percent, points, count, bits):
        assert write(NAN) == "–"
        assert write(None) == "–"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, "0"),
        (3, "3.0"),
        (2140, "2,140"),
        (9999.4, "9,999"),
        (180000, "180 k"),
        (5.3e6, "5.3 M"),
        (2e9, "2 G"),
    ],
)
def test_bits_are_short(value, told):
    assert bits(value) in (told, told.replace("2 G", "2.0 G"))


def test_shares_are_not_clamped():
    figure = shown("recovered_share/few_shot", Estimate(1.27, -0.31, 2.9, 40, "share", "Fieller"))
    assert (figure.value, figure.interval) == ("127.0 %", "[−31.0, 290.0]")


def test_a_missing_figure_tells_why():
    figure = shown("elicited_share", missing("share", "no gain to share out", 40))
    assert (figure.value, figure.interval, figure.missing) == ("–", "", "no gain to share out")


def test_a_rounded_zero_has_no_minus_sign():
    assert percent(-0.0001) == "0.0 %"
    assert points(-0.0001) == "+0.0 points"


def test_an_unbounded_interval_is_said():
    assert (
        shown("elicited_share", Estimate(0.4, NAN, NAN, 9, "share", "Fieller, unbounded")).interval
        == "[unbounded]"
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gain", "+12.3 points"),
        ("pass@64_difference", "+12.3 points"),
        ("base_pass@64", "12.3 %"),
        ("tuned_cover@0.5", "12.3 %"),
        ("bits_concentration_5%", "12.3 %"),
        ("score/irrelevant", "12.3 %"),
        ("breakthroughness", "0.123"),
    ],
)
def test_public_names_choose_their_unit(name, told):
    unit = "" if name == "breakthroughness" else "share"
    assert shown(name, Estimate(0.123, NAN, NAN, 9, unit, "")).value == told
