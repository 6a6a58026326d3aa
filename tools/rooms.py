"""List the imports between the rooms of `tellapart` (its sub-packages and top modules) and the knots they form.

    python tools/rooms.py            # how many imports join which rooms, and which rooms form a knot
    python tools/rooms.py --each     # besides, every import by file and line

Imports inside functions and under `TYPE_CHECKING` count like any other.
"""

import ast
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"
PACKAGE = "tellapart"


@dataclass(frozen=True)
class Crossing:
    """One import of a module of another room."""

    room: str
    to: str
    path: Path
    line: int
    module: str
    lazy: bool

    def __str__(self) -> str:
        where = f"{self.path.relative_to(SOURCE)}:{self.line}"
        return f"{self.room} -> {self.to}  {where}  {self.module}{'  (lazy)' if self.lazy else ''}"


def read_crossings(source: Path = SOURCE) -> list[Crossing]:
    """Return every import of one room by another, in order of files."""
    modules = {name_module(path, source): path for path in sorted((source / PACKAGE).rglob("*.py"))}
    return [
        Crossing(room_of(module), room_of(imported), path, node.lineno, imported, node.col_offset > 0)
        for module, path in modules.items()
        for node in ast.walk(ast.parse(path.read_text()))
        for imported in imported_modules(node, module, path.name == "__init__.py", modules)
        if room_of(imported) != room_of(module)
    ]


def name_module(path: Path, source: Path) -> str:
    parts = path.relative_to(source).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """Return the room that a module lies in; the package's own `__init__` is a room of its own."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imported_modules(node: ast.AST, module: str, package: bool, modules: Mapping[str, Path]) -> Iterator[str]:
    """Yield the modules of the package that an import statement names: `from a import b` is a.b where that is one."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        parts = module.split(".") if package else module.split(".")[:-1]
        base = ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [node.module])])
        origin = base if node.level else node.module or ""
        joined = [f"{origin}.{alias.name}" for alias in node.names]
        names = [name if name in modules else origin for name in joined]
    else:
        return
    yield from sorted({name for name in names if name.split(".")[0] == PACKAGE})


def find_knots(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected components with more than one room (Tarjan 1972).

    >>> find_knots({"a": {"b"}, "b": {"a", "c"}, "c": set()})
    [['a', 'b']]
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    knots: list[list[str]] = []

    def visit(room: str) -> None:
        index[room] = low[room] = len(index)
        stack.append(room)
        for other in sorted(edges.get(room, ())):
            if other not in index:
                visit(other)
                low[room] = min(low[room], low[other])
            elif other in stack:
                low[room] = min(low[room], index[other])
        if low[room] == index[room]:
            cut = stack.index(room)
            knots.append(sorted(stack[cut:]))
            del stack[cut:]

    for room in sorted(edges):
        if room not in index:
            visit(room)
    return [knot for knot in knots if len(knot) > 1]


def main(arguments: list[str]) -> None:
    crossings = read_crossings()
    if "--each" in arguments:
        print(*crossings, sep="\n")
    edges: dict[str, set[str]] = {}
    for crossing in crossings:
        edges.setdefault(crossing.room, set()).add(crossing.to)
    for (room, to), number in sorted(Counter((c.room, c.to) for c in crossings).items()):
        print(f"{number:5d}  {room} -> {to}")
    knots = find_knots(edges)
    print(f"{len(crossings)} imports between rooms, {len(knots)} knots", *knots, sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
