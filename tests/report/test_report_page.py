"""report.html as text: escaped, self-contained, honest about what is missing."""

import base64
import hashlib
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from synthetic import SPEC, acquired, cannot_tell, elicited, hostile, logs_only, write_run

from tellapart.errors import UserMistake
from tellapart.findings.reading import finding_from_json, read_findings
from tellapart.report.html import render, write_report

CASES = (elicited, acquired, cannot_tell, logs_only)


class Parsed(HTMLParser):
    """Elements, attributes and ids of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))


@pytest.mark.parametrize("case", CASES)
def test_findings_come_back_as_they_were_written(tmp_path, case):
    finding = case()
    (read,) = read_findings(write_run(tmp_path / "run", finding))
    assert json.dumps(read.as_json()) == json.dumps(finding_from_json(finding.as_json()).as_json())


@pytest.mark.parametrize("case", [*CASES, hostile])
def test_a_page_loads_nothing_and_runs_nothing_but_its_own_script(case):
    parsed = Parsed(render([case()], SPEC, None))
    running = [
        attributes for tag, attributes in parsed.elements if tag == "script" and not attributes.get("type")
    ]
    assert len(running) == 1
    for tag, attributes in parsed.elements:
        assert tag not in ("img", "iframe", "object", "embed", "link", "base", "form")
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "style")]
        assert (attributes.get("href") or "#").startswith("#")


def test_the_policy_names_the_hashes_of_style_and_script():
    page = render([elicited()], SPEC, None)
    policy = next(
        a["content"] for t, a in Parsed(page).elements if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        text = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy


@pytest.mark.parametrize("case", [*CASES, hostile])
def test_ids_are_unique_and_references_meet(case):
    elements = Parsed(render([case(), case()], SPEC, None)).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in elements:
        if attributes.get("href"):
            assert attributes["href"][1:] in ids
        for name in ("aria-labelledby", "data-from", "data-samples"):
            assert attributes.get(name) is None or attributes[name] in ids


def test_headings_do_not_skip_a_level():
    levels = [
        int(tag[1])
        for tag, _ in Parsed(render([elicited()], SPEC, None)).elements
        if re.fullmatch("h[1-6]", tag)
    ]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_hostile_text_stands_as_text_and_long_text_is_cut():
    page = render([hostile()], SPEC, None)
    page.encode("utf-8")
    assert "<script>window.hacked" not in page
    assert "\x00" not in page
    assert "\u202e" not in page
    assert "20,000 of 1,000,041 characters shown" in page
    assert len(page) < 1_000_000


def test_what_is_missing_is_said_with_its_reason_and_never_zero():
    page = render([cannot_tell()], SPEC, None)
    assert "no probability" in page
    assert "no gain to share out" in page
    assert "No share can be drawn" in page
    assert "only 16 samples of the tuned" in page


def test_sections_follow_what_the_run_has():
    page = render([logs_only()], SPEC, None)
    assert 'id="coverage-1"' in page
    for absent in ("elicitors", "divergence", "routing", "ladder"):
        assert f'id="{absent}-1"' not in page


def test_a_table_without_a_section_of_its_own_is_still_shown():
    finding = logs_only()
    finding = finding_from_json(
        finding.as_json() | {"tables": {"ablations": [{"arm": "irrelevant", "phi": 0.25}]}}
    )
    page = render([finding], SPEC, None)
    assert "irrelevant" in page
    assert "Further tables" in page


def test_counts_that_do_not_add_up_are_told():
    finding = logs_only()
    finding.tables["counts"][0]["failed"] += 3
    words = " ".join(render([finding], SPEC, None).split())
    assert "These do not add up: base/plain." in words


def test_of_many_items_as_many_of_each_kind_are_listed(monkeypatch):
    monkeypatch.setattr("tellapart.report.sections.items.MOST_LISTED", 12)
    page = render([elicited(240)], SPEC, None)
    rows = json.loads(re.search(r'id="rows-1">(.*?)</script>', page)[1])
    assert {side: rows["only"].count(side) for side in ("tuned", "base", "")} == {
        "tuned": 4,
        "base": 4,
        "": 4,
    }
    assert page.count("Of 240 items 4 of each kind at most are listed") == 2
    assert "of each kind" not in render([elicited(12)], SPEC, None)


def test_a_report_of_a_small_run_can_be_mailed(tmp_path):
    assert write_report(write_run(tmp_path / "run", elicited())).stat().st_size < 300_000


def test_writing_leaves_no_other_file(tmp_path):
    run = write_run(tmp_path / "run", elicited(40))
    before = {path.name for path in run.iterdir()}
    first = write_report(run).read_bytes()
    assert {path.name for path in run.iterdir()} == before | {"report.html"}
    assert write_report(run).read_bytes() == first


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d.update(version=99), "version 99"),
        (lambda d: d["findings"][0].pop("verdict"), "not in the form of findings"),
        (lambda d: d["findings"][0]["tables"].update(ladder=[{"rung": "tuned"}]), "section ladder"),
        (lambda d: d["findings"][0]["tables"]["coverage"].update(base=[1, 2]), "section coverage"),
        (lambda d: d["findings"][0]["tables"]["elicitors"][0].update(share="much"), "section elicitors"),
        (lambda d: d["findings"][0]["tables"].update(samples={"item-0000": {}}), "section items"),
    ],
)
def test_a_damaged_run_is_refused_in_one_line(tmp_path, change, told):
    run = write_run(tmp_path / "run", elicited(40))
    document = json.loads((run / "findings.json").read_text())
    change(document)
    (run / "findings.json").write_text(json.dumps(document))
    with pytest.raises(UserMistake, match=told):
        write_report(run)
    assert not (run / "report.html").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "\udcff"])
def test_a_findings_file_that_is_no_json_object_is_refused(tmp_path, text):
    run = write_run(tmp_path / "run", elicited(40))
    (run / "findings.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserMistake, match=r"findings\.json"):
        write_report(run)


def test_a_report_needs_no_torch():
    modules = ", ".join(f"tellapart.report.{name}" for name in ("html", "view", "terminal"))
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_unscored_answers_have_their_own_column_where_there_are_any():
    finding = logs_only()
    assert "unscored" not in render([finding], SPEC, None)
    for row in finding.tables["counts"]:
        row.update(unscored=2, asked=row["asked"] + 2)
    page = " ".join(render([finding], SPEC, None).split())
    assert "asked = correct + wrong + truncated + failed + unscored." in page
    assert "do not add up" not in page


def test_the_top_says_when_and_how_much_was_asked_of_which_sizes():
    spec = {
        "started": "2026-11-29T23:28:06+00:00",
        "command": "tellapart gain <b> t",
        "spec": {"study": "gain", "base": "b", "items": {"fit": 4, "report": 1234}, "samples": 8},
        "models": {"base": {"parameters": 134_515_008}, "tuned": {"parameters": 8_030_261_248}},
    }
    page = render([elicited()], spec, None)
    assert (
        "29 November 2026, 23:28 UTC · 1,234 items · 8 plain samples an item · base 135 M · tuned 8.03 G"
        in page
    )
    elsewhere = {**spec, "spec": {**spec["spec"], "logs": ["a", "b"], "samples": 1}}
    assert "plain sample" not in render([elicited()], elsewhere, None)
    assert "<code>tellapart gain &lt;b&gt; t</code>" in page
    assert 'class="asked"' not in render([elicited()], {"started": "yesterday", "models": [1]}, None)
