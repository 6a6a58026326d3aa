"""Charts: a mark stands where its value says, and a value that is not known is not drawn."""

import math
import re
from itertools import pairwise

import pytest
from synthetic import elicited

from tellapart.findings.gain import Concentration, ElicitorLine, RoutedPoint
from tellapart.findings.typed import from_json
from tellapart.report.figures import Curve, curves, profile, routing, span, weight
from tellapart.report.recovered import recovered
from tellapart.report.svg import WIDE, Area, Axis, Tick, band, line, linear, logarithmic, percent_ticks
from tellapart.report.ways import ways

AREA = Area(Axis("x", (Tick(0, "0"),), linear(0, 10)), Axis("y", percent_ticks(0, 1), linear(0, 1)), 200)


def test_scales_meet_their_ends_and_middle():
    assert [linear(2, 6)(x) for x in (2, 4, 6)] == [0, 0.5, 1]
    assert [round(logarithmic(1, 64)(x), 9) for x in (1, 8, 64)] == [0, 0.5, 1]


def test_a_point_lies_at_its_value():
    assert AREA.left(2.5) == "25.00%"
    assert AREA.top(0.75) == 50
    assert AREA.point(10, 0) == f"{WIDE}.0 200.0"


def test_a_line_breaks_at_a_missing_value():
    drawn = line(AREA, [0, 5, 10], [0.5, math.nan, 0.5], "base")
    assert re.search(r' d="([^"]*)"', drawn)[1] == "M0.0 100.0 M1000.0 100.0"


def test_a_band_leaves_out_unknown_intervals():
    assert band(AREA, [0, 1], [math.nan] * 2, [math.nan] * 2, "base") == ""
    assert band(AREA, [0, 10], [0.2, 0.2], [0.4, 0.4], "base").count("L") == 3


def test_ticks_are_round_and_cover_the_range():
    assert [tick.label for tick in percent_ticks(0, 1)] == ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]
    assert percent_ticks(-0.2, 1.3)[0].at >= -0.2


def test_a_curve_tells_every_value_it_shows():
    points = [(0.1, 0.0, 0.2), (0.5, 0.4, 0.6)]
    drawn = curves(AREA, "name", [Curve("base", "base", [0, 10], points)], "x = {:.0f}".format)
    assert drawn.count('class="hit"') == 2
    assert "base: 50.0 % [40.0, 60.0]" in drawn
    assert drawn.count("<circle") == 2


def read(rows):
    return tuple(from_json(ElicitorLine, row) for row in rows)


def places(rows):
    drawn = recovered(ways(read(rows)))
    found = re.findall(
        r'<circle class="dot base" cx="([\d.]+)%" cy="([\d.]+)" r="9"/><text[^>]*>(\d+)<', drawn
    )
    return {int(index): (float(x), float(y)) for x, y, index in found}


def test_every_elicitor_is_drawn_once_near_its_bits():
    rows = elicited().tables["elicitors"]
    at = places(rows)
    assert sorted(at) == list(range(1, len(rows) + 1))
    paid = {i: (row["bits"], at[i][0]) for i, row in enumerate(rows, 1) if row["bits"] > 0}
    for bits_a, x_a in paid.values():
        for bits_b, x_b in paid.values():
            assert bits_b < 10 * bits_a or x_b > x_a
    assert max(at[i][0] for i in at if i not in paid) < min(x for _, x in paid.values())


def test_a_dot_moves_by_one_step_at_most():
    row = elicited().tables["elicitors"][6]
    alone = places([row])[1][0]
    crowd = places([row | {"name": f"way{i}"} for i in range(9)])
    assert max(abs(x - alone) for x, _ in crowd.values()) <= 5.01


def test_dots_of_one_price_do_not_cover_each_other():
    row = elicited().tables["elicitors"][0]
    xs = sorted(x for x, _ in places([row | {"name": str(i)} for i in range(5)]).values())
    assert min(b - a for a, b in pairwise(xs)) > 3


def test_a_higher_share_stands_higher():
    rows = elicited().tables["elicitors"]
    at = places(rows)
    shares = sorted((row["share"], -at[i][1]) for i, row in enumerate(rows, 1))
    assert [y for _, y in shares] == sorted(y for _, y in shares)


def test_no_share_no_picture():
    rows = [row | {"share": None, "low": None, "high": None} for row in elicited().tables["elicitors"]]
    assert recovered(ways(read(rows))) is None
    assert len(places([*rows[:3], elicited().tables["elicitors"][3]])) == 1


def test_the_axis_of_shares_reaches_what_lies_outside():
    assert span([0.2, math.nan]) == (0.0, 1.0)
    low, high = span([-0.4, 1.6])
    assert low < -0.4
    assert high > 1.6


@pytest.mark.parametrize(("adds", "kind"), [(1.0, "for"), (-1.0, "against")])
def test_evidence_bars_lean_the_way_they_count(adds, kind):
    drawn = weight(adds, 2.0)
    x, width = map(float, re.search(r'x="([\d.]+)%" y="8" width="([\d.]+)%"', drawn).groups())
    assert f'bar {kind}"' in drawn
    assert (x, x + width) == ((50, 75) if adds > 0 else (25, 50))


def test_a_profile_has_one_bar_a_position():
    assert profile(Concentration((), (), (1.0, math.nan, -0.5))).count('class="bar') == 2


def test_deciders_measured_at_other_shares_keep_whole_lines():
    rows = [
        RoutedPoint(decider, x, share=x, low=math.nan, high=math.nan, bits=1.0)
        for decider, xs in (("teacher", (0.1, 0.5)), ("entropy", (0.2, 0.6)))
        for x in xs
    ]
    drawn, lines = routing(rows)
    assert [curve.name for curve in lines] == ["teacher", "entropy"]
    assert len(re.findall(r"class=\"line \w+\"", drawn)) == 2
    assert all(path.count("M") == 1 for path in re.findall(r' d="(M[^"Z]*)"', drawn))
    assert drawn.count('class="hit"') == 4


def many_settings():
    row = elicited().tables["elicitors"][8]
    return [
        row
        | {"name": f"routing@{at}", "title": f"routing@{at}", "bits": 1e4 * at, "null_share": at}
        | {"share": at**0.3, "low": at**0.3 - 0.01, "high": at**0.3 + 0.01}
        for at in (0.5, 0.01, 0.1, 1)
    ]


def test_a_method_at_many_settings_is_one_curve_with_one_number():
    rows = elicited().tables["elicitors"][:3] + many_settings()
    found = ways(read(rows))
    assert [(way.title, len(way.points)) for way in found][3:] == [("routing", 4)]
    assert [point.bits for point in found[3].points] == [100, 1000, 5000, 10000]
    drawn = recovered(found)
    assert drawn.count('class="numbered"') == 4
    assert drawn.count("line base thin") == 1


def test_what_was_not_tried_comes_last():
    rows = elicited().tables["elicitors"]
    untried = rows[0] | dict.fromkeys(("share", "low", "high", "bits", "null_share"), None)
    assert ways(read([untried | {"title": "Not tried"}, *rows[1:]]))[-1].title == "Not tried"


def test_thirty_ways_at_the_ceiling_stay_inside_the_chart():
    row = elicited().tables["elicitors"][6]
    rows = [
        row | {"name": f"way{i}", "share": 1.0, "low": 0.99, "high": 1.01, "bits": 1000.0 + i}
        for i in range(30)
    ]
    xs = [x for x, _ in places(rows).values()]
    assert len(xs) == 30
    assert 0 <= min(xs) <= max(xs) <= 98.5


def test_the_setting_farthest_above_its_null_twin_stands_for_a_curve():
    ceiling = many_settings()
    assert ceiling[3]["share"] == ceiling[3]["null_share"] == 1
    (way,) = ways(read(ceiling))
    assert way.standing().setting == "0.1"
