"""The report in a real browser (headless Chromium): drawn, usable, readable, offline, and deaf to hostile text."""

import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from synthetic import HOSTILE, acquired, cannot_tell, elicited, hostile, logs_only, write_run

from tellapart.cli import run
from tellapart.report.html import write_report
from tellapart.report.view import open_server

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1200, "height": 900}
CASES = {"elicited": elicited, "acquired": acquired, "cannot_tell": cannot_tell, "logs_only": logs_only}
CASES |= {"hostile": hostile, "many": lambda: elicited(10_000)}
CONTRAST = """(names) => {
  const style = getComputedStyle(document.documentElement);
  const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (name) => {
    const hex = style.getPropertyValue(name).trim();
    const [r, g, b] = [1, 3, 5].map((i) => linear(parseInt(hex.slice(i, i + 2), 16) / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return names.map((name) => {
    const [more, less] = [light(name), light("--paper")].sort((x, y) => y - x);
    return (more + 0.05) / (less + 0.05);
  });
}"""
SMALLEST = """() => Math.min(...[...document.querySelectorAll("svg.plot text")]
  .map((text) => parseFloat(getComputedStyle(text).fontSize)))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = os.environ.get("TELLAPART_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no chromium on this machine (install it, or name it in TELLAPART_CHROMIUM)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    return {name: write_report(write_run(folder / name, case())) for name, case in CASES.items()}


@pytest.fixture
def opened(browser, reports):
    """Open a case and return its page; at the end, nothing may have gone wrong or have been asked of a network."""
    contexts, troubles = [], []

    def open_case(name: str, viewport=DESK, scheme: str = "light", scripts: bool = True) -> Page:
        context = browser.new_context(
            viewport=viewport, color_scheme=scheme, offline=True, java_script_enabled=scripts
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda r: troubles.append(r.url) if not r.url.startswith("file:") else None)
        page.goto(reports[name].as_uri())
        return page

    yield open_case
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.mark.parametrize("name", CASES)
def test_charts_are_drawn_and_nothing_spills_over_on_a_phone(opened, name):
    page = opened(name, PHONE, "dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    charts = page.locator("svg.plot")
    assert charts.count() >= (2 if name in ("logs_only", "cannot_tell") else 5)
    for chart in charts.all():
        box = chart.bounding_box()
        assert box["width"] > 200
        assert box["height"] > 100
    assert page.evaluate(SMALLEST) >= 11


def test_an_item_opens_down_to_its_answers_by_mouse_and_keyboard(opened):
    page = opened("elicited")
    first = page.locator("#one-sided-1 .open").first
    first.click()
    detail = page.locator("#one-sided-1 tr.detail")
    assert "The answer is" in detail.inner_text()
    assert detail.locator(".sample").count() == 6
    first.press("Enter")
    assert detail.count() == 0
    assert first.get_attribute("aria-expanded") == "false"


def test_ten_thousand_items_are_searched_sorted_and_turned(opened):
    page = opened("many")
    section = page.locator("#items-1")
    assert "of 10000" in section.locator(".pager span").inner_text()
    assert page.locator("tr").count() < 300
    section.locator("input").fill("item-9998")
    assert section.locator("tbody tr").count() == 1
    section.locator("input").fill("")
    section.get_by_role("button", name="Gain").click()
    gains = [
        float(text.replace("−", "-")) for text in section.locator("tbody td:nth-child(5)").all_inner_texts()
    ]
    assert gains == sorted(gains, reverse=True)
    assert section.locator("th[aria-sort=descending]").inner_text() == "Gain"
    section.get_by_role("button", name="Only base").click()
    assert set(section.locator("tbody .tag.base").all_inner_texts()) == {"only base"}
    section.get_by_role("button", name="Next").click()
    assert section.locator(".pager span").inner_text().startswith("26–50 of")


def test_every_token_tells_its_bits(opened):
    page = opened("elicited")
    readout = page.locator(".readout")
    page.locator(".answer span").first.hover()
    assert "Token 1 of 56 “Let”: +4.4 bits, 21.1 times as likely under the tuned" in readout.inner_text()
    page.locator(".answer").press("ArrowRight")
    assert "Token 2 of 56" in readout.inner_text()
    shades = page.locator(".answer span").evaluate_all("spans => spans.map((s) => s.className)")
    assert shades[19] == "t2"
    assert shades[34] == "b2"
    page.get_by_role("button", name="next answer").click()
    assert "item-0001" in page.locator(".heat select option:checked").inner_text()


def test_a_chart_tells_its_values_on_hover_and_focus(opened):
    page = opened("elicited", PHONE)
    tip = page.locator("#tip")
    assert tip.is_hidden()
    page.locator("#coverage-1 .hit").nth(6).hover()
    assert tip.inner_text().startswith("k = 64\nrandom guesser: 92.7 %\nbase:")
    box = tip.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    page.locator("#elicitors-1 .numbered").nth(6).focus()
    assert "Few-shot" in tip.inner_text() or "bits supplied" in tip.inner_text()


def test_hostile_text_stays_text(opened):
    page = opened("hostile")
    for locator in (page.locator("#items-1 .open").first, page.locator(".answer span").first):
        locator.click()
    for mark in page.locator("[data-tip]").all()[:12]:
        mark.focus()
    answers = page.locator("#items-1 tr.detail pre").all_inner_texts()
    for text in (HOSTILE[0], HOSTILE[1], HOSTILE[2], HOSTILE[3]):
        assert text in answers
    assert any("cut here: 20,000 of" in text for text in answers)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, article script:not([type])").count() == 0


def test_the_policy_stops_script_and_network_even_if_markup_got_in(browser, reports):
    page = browser.new_page()
    page.goto(reports["elicited"].as_uri())
    page.evaluate("""() => { const s = document.createElement("script"); s.textContent = "window.hacked = 1";
        document.body.append(s); document.body.insertAdjacentHTML("beforeend", "<b onclick='window.hacked=1'>x</b>");
        document.body.lastElementChild.click(); }""")
    assert page.evaluate("window.hacked") is None
    refused = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', (error) => error.message)")
    assert "sent" not in refused
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_marks_stand_out_from_the_paper(opened, scheme):
    page = opened("elicited", scheme=scheme)
    text = page.evaluate(CONTRAST, ["--ink", "--soft", "--base", "--tuned", "--third", "--fourth", "--fifth"])
    assert min(text) >= 4.5
    assert min(page.evaluate(CONTRAST, ["--null"])) >= 3
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(252, 251, 248)" if scheme == "light" else "rgb(20, 21, 24)")


def test_it_prints_on_white_without_controls(opened):
    page = opened("elicited", scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("button:visible:not(.open):not(thead button)").count() == 0
    assert page.locator("svg.plot:visible").count() >= 6
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_it_reads_without_scripts(opened):
    page = opened("elicited", scripts=False)
    assert page.locator("h1").inner_text().lower() == "elicited"
    assert page.locator("svg.plot path.line.tuned").first.is_visible()
    assert page.locator("#elicitors-1 tbody tr").count() == 10


def test_served_it_shows_every_row_of_an_item(browser, reports):
    with open_server(reports["elicited"].parent) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        page = browser.new_page()
        page.goto(server.url)
        page.locator("#one-sided-1 .open").first.click()
        page.get_by_role("button", name="All rows of this item").click()
        page.locator(".sides.rows").wait_for()
        assert page.locator(".sides.rows .sample").count() == 18
        page.close()
        server.shutdown()
        thread.join()


def test_many_problems_are_turned_searched_and_printed_whole(browser, tmp_path):
    told = "".join(f'{{"item": "problem {at} {"x" * 40}", "n": 16, "c": {at % 17}}}\n' for at in range(180))
    (tmp_path / "problems.jsonl").write_text(told)
    assert run(["guard", str(tmp_path / "problems.jsonl"), "--out", str(tmp_path / "run")]) == 0
    page = browser.new_page(viewport=PHONE)
    page.goto((tmp_path / "run" / "report.html").as_uri())
    part = page.locator("[data-part=pages]")
    rows, place = part.locator("tbody tr:visible"), part.locator(".pager span")
    assert rows.count() == 50
    part.locator("[data-turn='1']").click()
    assert place.inner_text() == "51–100 of 180"
    assert page.locator(".sideways:visible").count() == 1
    part.locator("input").fill("problem 77 ")
    assert (rows.count(), place.inner_text()) == (1, "1–1 of 1")
    page.emulate_media(media="print")
    assert rows.count() == 180
    page.close()


def test_a_run_on_logs_shows_its_questions_and_fits_a_phone(browser, tmp_path):
    for name, right in (("base", 14), ("tuned", 22)):
        rows = [
            {"id": at, "question": f"Which of the four is it, in case {at}?", "target": "ABCD"[at % 4],
             "completion": f"ANSWER: {'ABCD'[at % 4 if at < right else (at + 1) % 4]}", "correct": int(at < right)}
            for at in range(40)
        ]  # fmt: skip
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    keys = "#item=id,question=question,target=target,completion=completion,correct=correct"
    logs = [f"{tmp_path / name}.jsonl{keys}" for name in ("base", "tuned")]
    assert run(["gain", "--logs", *logs, "--out", str(tmp_path / "run")]) == 0
    page = browser.new_page(viewport=PHONE)
    page.goto((tmp_path / "run" / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert "At another chance level" in page.content()
    shown = json.loads(page.locator("script[id^=samples-]").first.inner_text())
    assert "in case" in next(iter(shown.values()))["prompt"]
    page.close()
