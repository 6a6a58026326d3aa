"""The documentation points at what there is: links, headings, pages named in the source, options of commands."""

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from tellapart.cli.overview import summaries
from tellapart.cli.parsing import spec_of
from tellapart.cli.run_file import is_run_file

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
NAMED = re.compile(r"\bdocs/[\w/-]+\.md\b")
CODE = re.compile(r"^```\w*\n(.*?)^```$|((?:^    .*\n)+)|`(tellapart [^`]+)`", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|&&)\s*(tellapart (?!\.).*?)(?=\s+#\s|&&|\s{3,}\S|$)", re.MULTILINE)


def _headings(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    found = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).strip().replace(" ", "-") for one in found}


def _options(verb: type, name: str) -> dict[str, set[str]]:
    """Return the options of a verb, of each of its subcommands where it has some ("skills train")."""
    action = get_type_hints(verb, include_extras=True).get("action")
    if action is None:
        return {name: {f"--{field.name.replace('_', '-')}" for field in fields(verb)} | {"--help"}}
    found: dict[str, set[str]] = {}
    for one in get_args(action):
        spec, told = get_args(one)
        found |= _options(spec, f"{name} {told.name}")
    return found


def _commands(page: Path) -> list[str]:
    """Return the commands of a page, from its code blocks and from running text."""
    found = []
    for block in CODE.finditer(page.read_text()):
        text = next(one for one in block.groups() if one is not None)
        text = re.sub(r"^ {4}", "", re.sub(r"\\\n\s*", " ", text), flags=re.MULTILINE)
        found += [one.group(1) for one in COMMAND.finditer(text)]
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for path, heading in LINK.findall(page.read_text()):
        to = page.parent / path if path else page
        assert to.exists(), path
        if heading and to.suffix == ".md":
            assert heading in _headings(to), f"{path}#{heading}"


def test_the_pages_that_are_named_exist() -> None:
    sources = [path for room in ("src", "tests", "benchmarks") for path in (ROOT / room).rglob("*.py")]
    for path in [*PAGES, *sources, ROOT / "Makefile"]:
        for named in NAMED.findall(path.read_text()):
            assert (ROOT / named).exists(), f"{path}: {named}"


def _known() -> dict[str, set[str]]:
    """Return the options of every command."""
    found: dict[str, set[str]] = {}
    for name, verb in {name: spec_of(name) for name in summaries()}.items():
        found |= _options(verb, name)
    return found


def test_commands_have_the_options_that_pages_give_them() -> None:
    known, seen = _known(), 0
    first = {name.split()[0] for name in known}
    for page in PAGES:
        for command in _commands(page):
            words = command.split()[1:]
            verb = next((name for name in (" ".join(words[:2]), words[0]) if name in known), None)
            given = set(re.findall(r"(?<=\s)--[a-z][\w-]*", command))
            if is_run_file(words):  # its study is told in the file
                assert given <= set().union(*known.values()), f"{page}: {command}: {given}"
                continue
            assert words[0] in first, f"{page}: {command}"
            assert given <= known.get(verb or "", set()), f"{page}: {command}: {given}"
            seen += 1
    assert seen > 100


def test_the_page_of_a_verb_names_its_options() -> None:
    known, seen = _known(), 0
    for verb in {name.split()[0] for name in known}:
        page = ROOT / "docs" / f"{verb}.md"
        if not page.exists():
            continue
        own = set().union(*(options for name, options in known.items() if name.split()[0] == verb))
        named = set(re.findall(r"`(--[a-z][\w-]*)", page.read_text()))
        assert named <= own, f"{page}: {named - own}"
        seen += 1
    assert seen > 8
