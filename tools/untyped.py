"""Count what has no type, room by room: `Any`, and mappings from text to anything, which name no field.

python tools/untyped.py            # of this tree
python tools/untyped.py OTHER      # of another checkout, to compare
"""

import re
import sys
from collections import Counter
from pathlib import Path

ANY = re.compile(r"\bAny\b")
MAPPING = re.compile(r"\b(?:Mapping|dict|Dict|MutableMapping)\[str, (?:Any|object)\]")


def count(repository: Path) -> tuple[Counter[str], Counter[str]]:
    """Return by room how often `Any` stands in its source, imports apart, and how often a mapping to anything does."""
    anything, mappings = Counter[str](), Counter[str]()
    source = repository / "src" / "tellapart"
    for path in sorted(source.rglob("*.py")):
        room = path.relative_to(source).parts[0].removesuffix(".py")
        lines = [line for line in path.read_text().splitlines() if not line.startswith("from typing import")]
        anything[room] += sum(len(ANY.findall(line)) for line in lines)
        mappings[room] += sum(len(MAPPING.findall(line)) for line in lines)
    return anything, mappings


def main() -> None:
    anything, mappings = count(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1]))
    print(f"{'room':14}{'Any':>6}{'mappings':>10}")
    for room in sorted(anything, key=lambda name: -anything[name]):
        if anything[room]:
            print(f"{room:14}{anything[room]:6}{mappings[room]:10}")
    print(f"{'all':14}{sum(anything.values()):6}{sum(mappings.values()):10}")


if __name__ == "__main__":
    main()
