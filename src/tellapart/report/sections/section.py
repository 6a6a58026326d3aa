"""What a section is: a key (its anchor), a title, and a body of HTML."""

from collections.abc import Callable
from typing import NamedTuple

from markupsafe import Markup

from tellapart.findings.finding import Finding


class Section(NamedTuple):
    """A part of the page. `key` is unique within a finding; `lead` is the one sentence under the title."""

    key: str
    title: str
    lead: str
    body: Markup


SectionMaker = Callable[[Finding, int], Section | None]
