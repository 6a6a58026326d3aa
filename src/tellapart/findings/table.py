"""A table of a finding by name and type: the study writes it and the report reads it through the same object.

BOUNDS = Rows("bounds", Bound)
tables = {**BOUNDS.write(lines)}          # in the study: JSON, as it stands in findings.json
for bound in BOUNDS.read(finding): ...    # in the report: Bound by Bound
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tellapart.findings.finding import Finding
from tellapart.findings.typed import from_json, to_json
from tellapart.jsonvalue import Json

RowT = TypeVar("RowT")
Tables = dict[str, Json]
"""Tables by name, as JSON: what Finding.tables holds and findings.json keeps."""


def listed_rows(value: Json) -> Sequence[Json]:
    """Return the rows of a table as JSON, none where it is missing. Raises TypeError where it is no list."""
    if value is None or value == {}:
        return ()
    if not isinstance(value, list | tuple):
        raise TypeError(f"a list of rows is needed, not {type(value).__name__}")
    return value


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
        return tuple(from_json(self.row, row) for row in listed_rows(finding.tables.get(self.name)))

    def count(self, finding: Finding) -> int:
        """Return how many rows the table has; 0 where the finding has no such table."""
        return len(listed_rows(finding.tables.get(self.name)))


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
        objects = finding.tables.get(self.name) or {}
        if not isinstance(objects, dict):
            raise TypeError(f"an object of rows is needed, not {type(objects).__name__}")
        return {name: from_json(self.row, row) for name, row in objects.items()}


One = Single
"""The name of `Single` before, as studies of others may import it."""
