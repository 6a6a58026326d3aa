"""A table of a finding by name and type: the study writes it and the report reads it through the same object.

BOUNDS = Rows("bounds", Bound)
tables = {**BOUNDS.write(lines)}          # in the study: JSON, as it stands in findings.json
for bound in BOUNDS.read(finding): ...    # in the report: Bound by Bound
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tellapart.findings.finding import Finding
from tellapart.findings.typed import from_json, to_json

RowT = TypeVar("RowT")
Tables = dict[str, Any]
"""Tables by name, as JSON: what Finding.tables holds and findings.json keeps."""


@dataclass(frozen=True)
class Rows(Generic[RowT]):
    """A list of rows of one type."""

    name: str
    row: type[RowT]

    def write(self, rows: Iterable[RowT]) -> Tables:
        """Return the table by its name."""
        return {self.name: [to_json(row) for row in rows]}

    def read(self, finding: Finding) -> tuple[RowT, ...]:
        """Return the rows; none where the finding has no such table. Raises what odd findings raise (reading.FORM)."""
        return tuple(from_json(self.row, row) for row in finding.tables.get(self.name) or ())

    def count(self, finding: Finding) -> int:
        """Return how many rows the table has; 0 where the finding has no such table."""
        return len(finding.tables.get(self.name) or ())


@dataclass(frozen=True)
class Single(Generic[RowT]):
    """A single object."""

    name: str
    row: type[RowT]

    def write(self, row: RowT) -> Tables:
        """Return the table by its name."""
        return {self.name: to_json(row)}

    def read(self, finding: Finding) -> RowT | None:
        """Return the object; None where the finding has none. Raises what odd findings raise (reading.FORM)."""
        value = finding.tables.get(self.name)
        return from_json(self.row, value) if value else None


@dataclass(frozen=True)
class Named(Generic[RowT]):
    """Objects of one type by name."""

    name: str
    row: type[RowT]

    def write(self, rows: Mapping[str, RowT]) -> Tables:
        """Return the table by its name."""
        return {self.name: {name: to_json(row) for name, row in rows.items()}}

    def read(self, finding: Finding) -> dict[str, RowT]:
        """Return the objects by name; none where the finding has no such table. Raises what odd findings raise."""
        return {name: from_json(self.row, row) for name, row in (finding.tables.get(self.name) or {}).items()}


One = Single
"""The name of `Single` before, as studies of others may import it."""
