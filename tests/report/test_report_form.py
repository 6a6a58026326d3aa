"""The sections of a form finding: drawn from its tables, everything from outside is text, what is missing is blank."""

from typing import Any

import pytest
from synthetic import HOSTILE

from tellapart.findings.finding import Finding
from tellapart.report.html import render
from tellapart.report.sections.form_pairs import marked
from tellapart.stats.estimate import Estimate

SPEC = {
    "version": 1,
    "spec": {"study": "form", "logs": ["base=a.jsonl", "full=b.jsonl", "form_only=c.jsonl"]},
}


def arm(name: str, role: str, decides: bool = False) -> dict[str, Any]:
    told = None if role == "full" else [-0.2, -0.3, -0.1]
    return {
        "arm": name, "role": role, "score": [0.5, 0.4, 0.6], "difference": told, "share": [0.3, None, None],
        "drop": [0.05, None, None], "same": False, "decides": decides, "keeps": "a", "removes": "b", "source": "c",
    }  # fmt: skip


def form_finding(text: str = "plain") -> Finding:
    sides = {side: {"arm": side, "text": f"{side} {text}", "score": 1.0} for side in ("full", "form")}
    tables = {
        "arms": [arm("base", "base"), arm("full", "full"), arm(f"x{text}", "form", True)],
        "matrix": {
            "arms": ["base", "full"],
            "items": ["1", "2", "3"],
            "scores": [[1, 1], [0, 1], [None, 0.5]],
        },
        "pairs": [{"item": text, "prompt": text, "target": text, **sides} for _ in range(5)],
        "shown": sides,
        "audit": [{"arm": text, "what": "steps", "full": 3.0, "in arm": 3.0, "held": True}],
        "steps": [{"arm": text, "cluster": text, "checked": 3, "right": 2}],
    }
    estimates = {"base_score": Estimate(0.5, 0.4, 0.6, 3, "score", text)}
    return Finding("q", "mixed", 0.7, text, estimates, tables=tables, caveats=(text,))


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_outside_is_text(text: str) -> None:
    page = render([form_finding(text)], SPEC, None)
    assert "<script>window.hacked" not in page
    assert "<img src=x" not in page
    assert "{{ 7*7 }}" in page or "{{ 7*7 }}" not in text


def test_the_sections_are_there_in_order() -> None:
    page = render([form_finding()], SPEC, None)
    places = [page.index(f'id="{key}-1"') for key in ("arms", "matrix", "pairs", "checks", "figures")]
    assert places == sorted(places)
    assert "These items could have seen a drop of 5.0 %" in page
    assert "decides" in page
    for log in ("a.jsonl", "b.jsonl", "c.jsonl"):
        assert log in page


def test_differences_are_marked_and_nothing_else() -> None:
    left, right = marked("12 - 3 = 9 eggs", "12 - 3 = 7 eggs <b>")
    assert str(left) == "12 - 3 = <ins>9</ins> eggs"
    assert str(right) == "12 - 3 = <ins>7</ins> eggs<ins> &lt;b&gt;</ins>"


def test_a_strip_leaves_blank_what_an_arm_lacks() -> None:
    page = render([form_finding()], SPEC, None)
    assert "1 of 2 right" in page, "the base arm lacks one of three items"
    assert "2 of 3 right" in page
